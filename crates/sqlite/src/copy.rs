//! A copy of a store while others write to it.

use crate::connection::marks_and_commits;
use crate::error::Error;
use crate::mark::{Known, Mark};
use crate::place::{self, STORE, flush_folder, open_private, reason};
use rusqlite::{Connection, OpenFlags};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Not a store before all of it is there.
const PART: &str = "store.sqlite.part";

pub fn path_of(bytes: &[u8]) -> Result<PathBuf, Error> {
    if bytes.is_empty() || bytes.contains(&0) {
        return Err(Error::Request("a copy goes into a folder"));
    }
    Ok(std::ffi::OsString::from_vec(bytes.to_vec()).into())
}

/// Into a folder without a store, as of one moment, without unused room. What was begun and not finished there is begun anew.
pub fn copy(connection: &Connection, to: &Path) -> Result<(), Error> {
    let (dir, _) = place::prepare(to)?;
    let (part, store) = (dir.join(PART), dir.join(STORE));
    if store.symlink_metadata().is_ok() || dir.join(crate::mark::NAME).symlink_metadata().is_ok() {
        return Err(Error::Refused(format!("'{}' holds a store already: name a new folder", dir.display())));
    }
    let failed = |error: io::Error| Error::Unreachable(reason(&part, &error));
    remove(&part).map_err(failed)?;
    let file = open_private(&part).map_err(failed)?;
    let name =
        part.to_str().ok_or_else(|| Error::Refused(format!("'{}' is no UTF-8: name another folder", dir.display())))?;
    let copied = fill(connection, &part, name).and_then(|known| {
        file.sync_all().map_err(failed)?;
        std::fs::rename(&part, &store).map_err(failed)?;
        let mark = Mark::open(&dir)?;
        mark.write(known);
        mark.flush().and_then(|()| flush_folder(&dir)).map_err(failed)
    });
    if copied.is_err() {
        let _ = remove(&part);
    }
    copied
}

/// What is known of the copy.
fn fill(connection: &Connection, part: &Path, name: &str) -> Result<Known, Error> {
    connection.pragma_update(None, "query_only", false)?; // or it could not write the copy either
    connection.execute("VACUUM INTO ?1", [name])?;
    let copied = Connection::open_with_flags(part, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let (marks, commits) = marks_and_commits(&copied)?;
    Ok(Known { commits, epoch: marks.epoch })
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
