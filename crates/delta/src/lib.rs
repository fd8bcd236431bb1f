//! Binary deltas: what turns one byte string, the base, into another, the target. Bytes in, bytes out: no I/O, no clock, no
//! threads. `FORMAT.md` beside this crate draws every byte.
//!
//! All inputs are at most `MAX_LEN` bytes. The same input gives the same delta on every machine: all decisions are made in
//! 32-bit integers, so that the differ in plain JavaScript repeats them exactly.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod anchor;
mod apply;
mod bytes;
mod check;
mod chunks;
mod coded;
mod diff;
mod error;
mod far;
pub mod format;
mod from_signature;
mod gap;
mod gram;
mod matcher;
mod model;
mod ops;
mod plan;
mod range;
mod script;
mod sequences;
mod signature;
mod sink;
mod skim;
mod tables;

pub use apply::{apply, apply_chain, apply_in_place, apply_into};
pub use check::{fingerprint, seal_length, seal_value};
pub use chunks::{Chunk, chunks, chunks_max};
pub use diff::{diff, diff_into};
pub use error::{ApplyError, ChainError, DiffError, SignatureError};
pub use format::{MAX_LEN, MAX_OVERHEAD};
pub use from_signature::{diff_signature, diff_signature_into};
pub use signature::{signature, signature_into, signature_length};

/// XXH3-64 with seed 0.
#[must_use]
pub fn hash64(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}
