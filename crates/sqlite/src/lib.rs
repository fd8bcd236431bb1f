//! The embedded store's ground: rows and records in SQLite, as opaque bytes with a version number. One directory is opened once a
//! process and shared by all its threads; several processes may open it at once. No call waits longer than its own bound, and
//! what is acknowledged has been flushed. What is damaged, gone or older than it was is said, never served.
#![deny(unsafe_op_in_unsafe_fn)]

mod commit;
mod connection;
mod copy;
mod deadline;
mod decode;
mod error;
mod log_watch;
mod look;
mod mark;
mod no_wait;
mod place;
mod prompt;
mod queue;
mod read;
mod reader;
mod registry;
mod remote;
mod seal;
mod turn;
mod wire;
mod writer;

pub use decode::{Asked, decode_all};
pub use error::Error;
pub use queue::{Answer, Answers, Job, Reply, Sink, Work};
pub use registry::{Handle, OpenOptions};
pub use wire::{
    Change, Checked, Draft, Fetch, Found, FoundPage, LookUp, LookedUp, Marks, PageQuery, Raise, Request, StoredRecord,
    StoredRow, encode,
};

/// Of the SQLite that is built in.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}
