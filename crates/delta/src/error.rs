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
    /// The target that was made is not the one that the delta was made for. Only deltas from signatures tell.
    BadResult,
    /// The delta moves bytes, changes the length, or promises a hash of its target: it cannot be applied in place.
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
            Self::BadResult => write!(f, "the target is not the one that the delta was made for"),
            Self::NotInPlace { offset } => {
                write!(
                    f,
                    "the delta moves bytes, changes the length or comes from a signature (delta, byte {offset}): use apply instead"
                )
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

/// How a signature is bad, or why none was made or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// Too short for a signature.
    Truncated {
        /// Its length.
        length: usize,
    },
    /// The first bytes are no signature's, or one of a version that is not known.
    Unknown,
    /// A chunk's length is 2^6 to 2^16 bytes.
    BadChunk {
        /// The binary logarithm that it has.
        bits: u8,
    },
    /// The length does not fit the base's that the signature names.
    WrongLength {
        /// The signature's.
        length: usize,
        /// The base's.
        base_length: usize,
    },
    /// The signature is damaged.
    BadCheck,
    /// `out` is too short.
    OutTooSmall {
        /// What always suffices.
        needed: usize,
    },
    /// An input is longer than `MAX_LEN`.
    InputTooLong {
        /// Its length.
        length: usize,
    },
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { length } => write!(f, "{length} bytes are no signature"),
            Self::Unknown => write!(f, "the signature's format is unknown"),
            Self::BadChunk { bits } => write!(f, "chunks of 2^{bits} bytes are none of 2^6 to 2^16"),
            Self::WrongLength { length, base_length } => {
                write!(f, "a signature of {length} bytes does not fit a base of {base_length} bytes")
            }
            Self::BadCheck => write!(f, "the signature is damaged"),
            Self::OutTooSmall { needed } => write!(f, "the output needs {needed} bytes of room"),
            Self::InputTooLong { length } => write!(f, "an input of {length} bytes is longer than 2147483647"),
        }
    }
}

impl core::error::Error for SignatureError {}
