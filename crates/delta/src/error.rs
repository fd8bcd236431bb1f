use core::fmt;

/// Why no delta was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiffError {
    /// The delta does not fit; the target's length plus `MAX_OVERHEAD` always suffices.
    OutTooSmall {
        /// Bytes that `out` has.
        capacity: usize,
    },
    /// An input is longer than `MAX_LEN`.
    InputTooLong {
        /// Its length.
        length: usize,
    },
}

impl fmt::Display for DiffError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutTooSmall { capacity } => {
                write!(f, "the delta does not fit into {capacity} bytes; the target's length + 16 always suffices")
            }
            Self::InputTooLong { length } => write!(f, "an input of {length} bytes is longer than 2147483647"),
        }
    }
}

impl core::error::Error for DiffError {}

/// How a delta is bad. Offsets count bytes from the delta's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// The delta has no bytes.
    Empty,
    /// The delta ends inside the field that starts here.
    Truncated {
        /// Start of the field.
        offset: usize,
    },
    /// The delta goes on after its end.
    Trailing {
        /// First byte too many.
        offset: usize,
    },
    /// A header that this version does not know.
    Reserved {
        /// The header.
        byte: u8,
    },
    /// A number over 32 bits, or not in its shortest form.
    BadNumber {
        /// Start of the number.
        offset: usize,
    },
    /// A copy or a replacement reaches beyond the base.
    OutOfBase {
        /// Start of the sequence, or 0 for a splice.
        offset: usize,
    },
    /// The target would be longer than the limit.
    OverLimit {
        /// Start of the sequence that crosses the limit, or 0.
        offset: usize,
        /// The limit.
        limit: usize,
    },
    /// The check at the end does not fit the delta and the base: one of them is damaged or foreign.
    BadCheck {
        /// Start of the check.
        offset: usize,
    },
    /// `out` is shorter than the target.
    OutTooSmall {
        /// Length of the target.
        needed: usize,
    },
    /// The delta is good, but moves bytes or changes the length: it cannot be applied in place.
    NotInPlace {
        /// Start of the first sequence that moves bytes or outgrows the base, or 0.
        offset: usize,
    },
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "the delta is empty"),
            Self::Truncated { offset } => write!(f, "the delta ends inside the field at byte {offset}"),
            Self::Trailing { offset } => write!(f, "the delta goes on after its end at byte {offset}"),
            Self::Reserved { byte } => write!(f, "the delta's header 0x{byte:02x} is unknown"),
            Self::BadNumber { offset } => write!(f, "the delta's number at byte {offset} is malformed"),
            Self::OutOfBase { offset } => write!(f, "the delta reaches beyond its base at byte {offset}"),
            Self::OverLimit { offset, limit } => {
                write!(f, "the target is longer than the limit of {limit} bytes (delta, byte {offset})")
            }
            Self::BadCheck { offset } => {
                write!(f, "the delta is damaged or was made against another base (check at byte {offset})")
            }
            Self::OutTooSmall { needed } => write!(f, "the target needs {needed} bytes"),
            Self::NotInPlace { offset } => {
                write!(f, "the delta moves bytes or changes the length (delta, byte {offset}): use apply instead")
            }
        }
    }
}

impl core::error::Error for ApplyError {}

/// Which delta of a chain is bad, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainError {
    /// Index of the delta in the chain.
    pub index: usize,
    /// How it is bad.
    pub error: ApplyError,
}

impl fmt::Display for ChainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "delta {} of the chain: {}", self.index, self.error)
    }
}

impl core::error::Error for ChainError {}
