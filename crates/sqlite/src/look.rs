//! What lies in a folder, before anything of it is made, switched or locked: what is refused stays as it was.

use crate::connection::{self, APPLICATION, FORMAT};
use crate::error::Error;
use crate::mark;
use crate::place::{self, LOG, STORE, reason};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const MAGIC: &[u8] = b"SQLite format 3\0";
const HEADER_BYTES: u64 = 100;
const LAYOUT_AT: usize = 60;
const APPLICATION_AT: usize = 68;

/// To be called before all else, where this process has not opened the folder before. The mark is flushed before a database is
/// made, and that has its whole header before it has a log: no first opening that was broken off, and none under way, is refused.
pub fn look(dir: &Path) -> Result<(), Error> {
    place::check_files(dir)?;
    place::check_users(dir)?;
    // Another may be making all of it meanwhile: what is missed is read before the database, what is found after it.
    let marked = mark::look(dir);
    let log = length(dir, LOG);
    let is_empty = check_header(dir)?;
    if is_empty {
        let known = marked?.map_or(0, |known| known.commits);
        // SQLite deletes the log of an empty database.
        return if known > 0 || log > 0 { Err(Error::WentBack { known, found: 0 }) } else { Ok(()) };
    }
    if mark::look(dir)?.is_none() && (log > 0 || connection::holds_anything(dir)?) {
        return Err(Error::MarkMissing(dir.join(mark::NAME)));
    }
    Ok(())
}

fn length(dir: &Path, name: &str) -> u64 {
    dir.join(name).metadata().map_or(0, |found| found.len())
}

/// Whether there is no database, or an empty one; one that is none of ours is refused. Nobody of this process has it open, so
/// that closing it takes no lock away.
fn check_header(dir: &Path) -> Result<bool, Error> {
    let path = dir.join(STORE);
    let unreachable = |error| Error::of_system(reason(&path, &error), &error);
    let mut header = Vec::new();
    match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        opened => opened.and_then(|file| file.take(HEADER_BYTES).read_to_end(&mut header)).map_err(unreachable)?,
    };
    if header.is_empty() {
        return Ok(true);
    }
    let number = |at: usize| Some(i32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?));
    match (number(APPLICATION_AT), number(LAYOUT_AT)) {
        (Some(application), Some(layout)) if header.starts_with(MAGIC) => match (application, layout) {
            (APPLICATION, FORMAT) => Ok(false),
            (APPLICATION, _) => Err(connection::other_layout(layout.into())),
            _ => Err(connection::something_else()),
        },
        _ => Err(Error::Damaged("file is not a database".into())),
    }
}
