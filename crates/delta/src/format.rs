//! The numbers of delta format 1. `FORMAT.md` has the same ones in a table; a test compares the two.

/// Longest base, target or delta.
pub const MAX_LEN: usize = 0x7fff_ffff;
/// A delta is never longer than its target plus this.
pub const MAX_OVERHEAD: usize = 16;

/// Header of the delta between equal values.
pub const SAME: u8 = 0x00;
/// Header of a delta that carries the whole target.
pub const WHOLE: u8 = 0x01;
/// Header of a delta that was made from a signature.
pub const SIGNED: u8 = 0x02;
/// The bits of a header that tell its kind.
pub const KIND_MASK: u8 = 0xc0;
/// One edit.
pub const SPLICE: u8 = 0x40;
/// Any number of edits.
pub const OPS: u8 = 0x80;
/// Any number of edits, through the range coder.
pub const CODED: u8 = 0xc0;

/// Splice: shift of (width of P - 1).
pub const SPLICE_WIDTH_SHIFT: u32 = 4;
/// Splice: shift of the code of L.
pub const SPLICE_L_SHIFT: u32 = 2;
/// Splice: L follows as a number.
pub const SPLICE_L_VARINT: u8 = 3;
/// Splice: D = L.
pub const SPLICE_D_SAME: u8 = 0;
/// Splice: D = 0.
pub const SPLICE_D_NONE: u8 = 1;
/// Splice: D follows as a number.
pub const SPLICE_D_VARINT: u8 = 2;
/// Splice: D follows as a number, and L = 0.
pub const SPLICE_DELETE: u8 = 3;

/// Ops: after the last sequence the rest of the base follows.
pub const OPS_TAIL: u8 = 0x20;
/// Token: a source offset follows.
pub const TOKEN_OFFSET: u8 = 0x80;
/// Token: shift of the code of the add.
pub const TOKEN_ADD_SHIFT: u32 = 4;
/// Token: the highest length of an add that is its own code.
pub const TOKEN_ADD_DIRECT: usize = 5;
/// Token: a run follows.
pub const TOKEN_ADD_RUN: u8 = 6;
/// Token: an add follows whose length - 6 is a number.
pub const TOKEN_ADD_LONG: u8 = 7;
/// Token: higher bits of the copy's length follow.
pub const TOKEN_COPY_MORE: u8 = 0x08;
/// Token: how many low bits of the copy's length it holds.
pub const TOKEN_COPY_BITS: u32 = 3;

/// Coded: an ops body shorter than this is not coded.
pub const CODED_MIN: usize = 56;
/// Coded: a code has at least this many bytes.
pub const CODE_MIN: usize = 4;
/// Coder: a chance before the first decision, of 2^16.
pub const CHANCE_EVEN: u16 = 0x8000;
/// Coder: so many decisions are counted.
pub const CHANCE_STEPS: u8 = 32;
/// Coder: a decision moves its chance by 1 / this at least.
pub const RATE_MOST: u32 = 24;

/// A delta of at most this many bytes, check included, ends in one byte of CRC-8, a longer one in two of XXH3.
pub const SHORT_MAX: usize = 32;
/// Polynomial of the CRC-8, highest bit first.
pub const CRC_POLY: u8 = 0x2f;
/// A base shorter than this enters the fingerprint whole.
pub const SAMPLE_LEN: usize = 64;
/// Fingerprint: starting value.
pub const FINGERPRINT_SEED: u32 = 0x4846_4431;
/// Fingerprint: multiplier of a step.
pub const FINGERPRINT_STEP: u32 = 0x9e37_79b1;
/// Fingerprint: multiplier of the end.
pub const FINGERPRINT_END: u32 = 0x85eb_ca6b;

/// Signature: first byte, 'S'.
pub const SIGNATURE_MAGIC: u8 = 0x53;
/// Signature: version.
pub const SIGNATURE_VERSION: u8 = 1;
/// Signature: bytes before the hashes.
pub const SIGNATURE_HEADER: usize = 16;
/// Signature: bytes per chunk.
pub const SIGNATURE_ENTRY: usize = 12;
/// Signature: bytes of the check at its end.
pub const SIGNATURE_CHECK: usize = 4;
/// Least binary logarithm of a chunk's length.
pub const CHUNK_BITS_MIN: u8 = 6;
/// The usual one.
pub const CHUNK_BITS: u8 = 9;
/// The greatest.
pub const CHUNK_BITS_MAX: u8 = 16;
/// Delta from a signature: bytes before the sequences.
pub const SIGNED_HEADER: usize = 22;
/// Delta from a signature: bytes of the check at its end.
pub const SIGNED_CHECK: usize = 4;
/// A delta from a signature is never longer than its target plus this.
pub const SIGNED_OVERHEAD: usize = 48;

/// Least binary logarithm of the average content-defined chunk.
pub const CDC_BITS_MIN: u8 = 8;
/// The usual one.
pub const CDC_BITS: u8 = 13;
/// The greatest.
pub const CDC_BITS_MAX: u8 = 20;
/// The least chunk is the average shifted down by this.
pub const CDC_MIN_SHIFT: u32 = 2;
/// The longest is the average shifted up by this.
pub const CDC_MAX_SHIFT: u32 = 3;
/// Bits by which the condition is harder before the average and easier after it.
pub const CDC_LEVEL: u32 = 2;
/// Multiplier of the sequence that the gear table is made from.
pub const GEAR_SEED: u32 = 0x9e37_79b1;

/// Bytes that `value` takes as a number.
#[must_use]
pub const fn varint_len(value: u32) -> usize {
    match value {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        0x20_0000..=0xfff_ffff => 4,
        _ => 5,
    }
}
