use core::fmt;

/// Bytes that are damaged, or not as the codec writes them, or hold what this crate does not know: nothing was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign;

/// Why no target was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// As `Foreign`.
    Foreign,
    /// The delta is damaged or was made for another base.
    Corrupt {
        /// What does not fit.
        what: &'static str,
        /// Where in the delta.
        offset: usize,
    },
    /// So many bytes are more than the limit.
    OverLimit {
        /// Bytes.
        needed: usize,
        /// The limit.
        limit: usize,
    },
    /// A binary delta inside of this one is bad.
    Binary(holdfast_delta::ApplyError),
}

impl From<Foreign> for ApplyError {
    fn from(_: Foreign) -> Self {
        Self::Foreign
    }
}

impl From<holdfast_delta::ApplyError> for ApplyError {
    fn from(error: holdfast_delta::ApplyError) -> Self {
        Self::Binary(error)
    }
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => write!(f, "the bytes are not what the codec writes, or of a kind that is unknown here"),
            Self::Corrupt { what, offset } => write!(
                f,
                "the delta is damaged or was made for another base: {what} (byte {offset}); get it, or the whole value, again"
            ),
            Self::OverLimit { needed, limit } => {
                write!(f, "{needed} bytes are more than limitBytes, {limit}; raise that where you expect as much")
            }
            Self::Binary(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ApplyError {}
