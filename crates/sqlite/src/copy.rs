//! A copy of a store while others write to it.

use crate::connection::marks_and_commits;
use crate::error::Error;
use crate::mark::{self, Known, Mark, try_flock};
use crate::place::{self, INDEX, LOG, STORE, flush_names, open_private, reason};
use rusqlite::{Connection, OpenFlags};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
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
    let part = dir.join(PART);
    let failed = |error: io::Error| Error::of_system(reason(&part, &error), &error);
    check_new(&dir)?;
    let file = open_private(&part).map_err(failed)?;
    let is_ours = try_flock(&file).map_err(failed)? && is_same(&file, &part).map_err(failed)?;
    if !is_ours {
        return Err(Error::Refused(format!("another copy into '{}' is under way: name another folder", dir.display())));
    }
    // It may just have been finished by another.
    check_new(&dir)?;
    let copied = fill(connection, &file, &part).and_then(|known| publish(&dir, &part, known));
    if copied.is_err() {
        let _ = remove(&part);
    }
    let _ = remove(&journal_of(&part));
    copied
}

fn check_new(dir: &Path) -> Result<(), Error> {
    let is_there = |name: &str| dir.join(name).symlink_metadata().is_ok();
    let is_begun = is_there(PART); // its mark may be there before all of it is
    if ![STORE, LOG, INDEX].into_iter().any(is_there) && (is_begun || !is_there(mark::NAME)) {
        Ok(())
    } else {
        Err(Error::Refused(format!("'{}' holds a store already: name a new folder", dir.display())))
    }
}

/// Another may have renamed it, once it was whole, before it was locked here.
fn is_same(file: &File, path: &Path) -> io::Result<bool> {
    let (ours, there) = (file.metadata()?, path.metadata()?);
    Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino()))
}

/// What is known of the copy.
fn fill(connection: &Connection, file: &File, part: &Path) -> Result<Known, Error> {
    let failed = |error: io::Error| Error::of_system(reason(part, &error), &error);
    let name = part
        .to_str()
        .ok_or_else(|| Error::Refused(format!("'{}' is no UTF-8: name another folder", part.display())))?;
    file.set_len(0).and_then(|()| remove(&journal_of(part))).map_err(failed)?;
    let known = vacuum_into(connection, part, name).map_err(|error| match error {
        // Of which of the two SQLite does not tell.
        Error::Damaged(what) => Error::Unreachable(format!(
            "the copy as '{name}' failed ({what}): look at that disk, and look through the store by `holdfast check`"
        )),
        other => other,
    })?;
    file.sync_all().map_err(failed)?;
    Ok(known)
}

fn vacuum_into(connection: &Connection, part: &Path, name: &str) -> Result<Known, Error> {
    connection.pragma_update(None, "query_only", false)?; // or it could not write the copy either
    connection.execute("VACUUM INTO ?1", [name])?;
    let copied = Connection::open_with_flags(part, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let (marks, commits) = marks_and_commits(&copied)?;
    Ok(Known { commits, epoch: marks.epoch })
}

/// It is a store from now on; its mark is there first, or a copy that was broken off there would pass for a store without one.
fn publish(dir: &Path, part: &Path, known: Known) -> Result<(), Error> {
    let failed = |error: io::Error| Error::of_system(reason(part, &error), &error);
    let mark = Mark::open(dir)?;
    let _locked = mark.lock()?;
    check_new(dir)?;
    let marked = mark.try_write(known).and_then(|()| mark.flush()).and_then(|()| flush_names(dir));
    let published = marked.and_then(|()| rename(part, &dir.join(STORE))).map_err(failed);
    if published.is_err() {
        let _ = remove(&dir.join(mark::NAME));
    }
    published?;
    flush_names(dir).map_err(failed)
}

/// By a link, for that takes the place of nothing.
fn rename(part: &Path, store: &Path) -> io::Result<()> {
    match std::fs::hard_link(part, store) {
        Ok(()) => std::fs::remove_file(part),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => std::fs::rename(part, store), // where there are no links
    }
}

fn journal_of(part: &Path) -> PathBuf {
    let mut name = part.as_os_str().to_owned();
    name.push("-journal");
    name.into()
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
