//! Deltas between values, part by part, over their canonical bytes: what turns one, the base, into another, the target. Bytes
//! in, bytes out: no I/O, no clock, no threads. `../delta/FORMAT.md` draws the delta, `ts/codec/format.ts` the bytes.
//!
//! It writes what `ts/graph/` writes, byte for byte, wherever both inputs are what the codec writes today and all kinds of
//! values in them are known here. Everything else is `Foreign`: the caller's other engine does it, or says what is wrong.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod align;
mod apply;
mod classes;
mod compare;
mod diff;
mod edit;
mod error;
pub mod format;
mod header;
mod keyed;
mod keys;
mod leaf;
mod lists;
mod order;
mod packed;
mod parts;
mod pieces;
mod places;
mod reader;
mod references;
mod seal;
mod steps;
mod tape;
mod text;
mod token;
mod write;

pub use apply::{Target, apply};
pub use diff::diff;
pub use error::{ApplyError, Foreign};
