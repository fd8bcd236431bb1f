//! The directory and its files: what may be opened, and whether it is still there.

use crate::error::Error;
use crate::mark;
use crate::remote;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

pub const STORE: &str = "store.sqlite";
pub const LOG: &str = "store.sqlite-wal";
pub const INDEX: &str = "store.sqlite-shm";
/// While the tables are made.
const JOURNAL: &str = "store.sqlite-journal";
const PRESENCE: &str = "open-";
/// Of those who have it open without the addon, and so without the outer lock: `ts/store/sqlite-files.ts`.
const THREAD: &str = "thread-";

/// Device and inode.
pub type Key = (u64, u64);

pub fn reason(path: &Path, error: &io::Error) -> String {
    format!("'{}' cannot be opened: {error}{}", path.display(), remedy(error))
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => "; name a folder that can be written to, or mount its disk for writing",
        io::ErrorKind::PermissionDenied => "; give this user the right to read and write there, or name another folder",
        _ => "",
    }
}

/// For its owner alone, with those above it that are missing.
fn make_dir(dir: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| {
        let there = dir.ancestors().skip(1).find(|above| above.is_dir()).filter(|above| *above != Path::new(""));
        let there = there.unwrap_or(Path::new(".")).display();
        let what = match error.kind() {
            io::ErrorKind::NotFound => "it takes no folders; name another".into(),
            _ => format!("{error}{}", remedy(&error)),
        };
        Error::Unreachable(format!("'{}' cannot be made in '{there}': {what}", dir.display()))
    })
}

/// Makes the directory where it is missing, for its owner alone; its real path and identity.
pub fn prepare(dir: &Path) -> Result<(PathBuf, Key), Error> {
    let unreachable = |error: io::Error| Error::Unreachable(reason(dir, &error));
    if !dir.is_dir() {
        make_dir(dir)?;
    }
    let path = dir.canonicalize().map_err(unreachable)?;
    let found = path.metadata().map_err(unreachable)?;
    if remote::is_remote(&path) {
        return Err(Error::Refused(format!(
            "'{}' is on a network file system, whose locks cannot be relied on: name a folder on a local disk",
            path.display()
        )));
    }
    if path.join("data.mdb").exists() {
        return Err(Error::Refused(format!(
            "'{}' holds an LMDB database ('data.mdb'), which this store does not read: name another folder",
            path.display()
        )));
    }
    Ok((path, (found.dev(), found.ino())))
}

/// Opens a file, made where it is missing, that only its owner may read; not through a link.
pub fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
    let file = options.open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no plain file")) }
}

/// Makes the database where it is missing, empty, for its owner alone. One that is there is not touched: closing it would take
/// SQLite's locks away from this process.
pub fn make_store(dir: &Path) -> Result<(), Error> {
    let path = dir.join(STORE);
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::of_system(reason(&path, &error), &error)),
        Ok(_) => flush_names(dir).map_err(|error| Error::of_system(reason(dir, &error), &error)),
    }
}

/// A power cut must not take the names away from what is flushed.
pub fn flush_names(dir: &Path) -> io::Result<()> {
    let flush = |path: &Path| File::open(path)?.sync_all();
    flush(dir)?;
    match dir.parent().map_or(Ok(()), flush) {
        // Of others, who let us pass but not read it: not ours to flush.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        flushed => flushed,
    }
}

/// SQLite would follow a link, or take whatever lies there for its own.
pub fn check_files(dir: &Path) -> Result<(), Error> {
    for name in [STORE, LOG, INDEX, JOURNAL, mark::NAME] {
        let path = dir.join(name);
        match path.symlink_metadata() {
            Ok(found) if found.is_file() => {}
            Ok(_) => return Err(Error::Refused(format!("'{}' is no plain file: move it away", path.display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::Unreachable(reason(&path, &error))),
        }
    }
    Ok(())
}

/// A copy of the log beside it, flushed: what goes on from an older state writes over what is left of the newer. What an opening
/// before has kept stays. An empty one was made by SQLite just now: an opening without the addon has kept the other, and let
/// SQLite delete it.
pub fn keep_log(dir: &Path, known: u64) -> Result<(), Error> {
    let log = dir.join(LOG);
    if log.metadata().map_or(0, |found| found.len()) == 0 {
        return Ok(());
    }
    let mut number = 1;
    loop {
        let ending = if number == 1 { String::new() } else { format!("-{number}") };
        let kept = dir.join(format!("{LOG}.{known}{ending}.kept"));
        match keep(&log, &kept) {
            Ok(true) => return Ok(()),
            Ok(false) => number += 1,
            Err(error) => {
                return Err(Error::Unreachable(format!("the log cannot be kept as '{}': {error}", kept.display())));
            }
        }
    }
}

/// False: another is kept there.
fn keep(log: &Path, kept: &Path) -> io::Result<bool> {
    let mut options = OpenOptions::new();
    match options.write(true).create_new(true).mode(0o600).open(kept) {
        Ok(mut file) => {
            let copied =
                File::open(log).and_then(|mut log| io::copy(&mut log, &mut file)).and_then(|_| file.sync_all());
            if copied.is_err() {
                let _ = std::fs::remove_file(kept); // half of it would pass for another
            }
            copied.map(|()| true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let is_as_long = log.metadata()?.len() == kept.metadata()?.len();
            Ok(is_as_long && std::fs::read(log)? == std::fs::read(kept)?)
        }
        Err(error) => Err(error),
    }
}

fn identity(path: &Path) -> Option<Key> {
    path.metadata().ok().map(|found| (found.dev(), found.ino()))
}

/// The files as they were opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Files(Vec<(PathBuf, Option<Key>)>);

impl Files {
    /// Taken under the outer lock, with a connection open.
    pub fn look(dir: &Path) -> Files {
        let paths = [STORE, LOG, INDEX, mark::NAME].map(|name| dir.join(name));
        Files(paths.into_iter().map(|path| (path.clone(), identity(&path))).collect())
    }

    /// The log's path.
    pub fn log(&self) -> &Path {
        &self.0[1].0
    }

    /// Those that stay when the last connection is closed, which deletes the log and its index.
    pub fn lasting(&self) -> Files {
        let lasts = |path: &Path| path.ends_with(STORE) || path.ends_with(mark::NAME);
        Files(self.0.iter().filter(|(path, _)| lasts(path)).cloned().collect())
    }

    /// Every engine says that all is well when its directory was deleted or replaced.
    pub fn check(&self) -> Result<(), Error> {
        match self.0.iter().find(|(path, known)| identity(path) != *known) {
            Some((path, _)) => Err(Error::Moved { path: path.clone(), committed: false }),
            None => Ok(()),
        }
    }
}

/// Says that this copy of the code has the directory open in this process: POSIX locks do not part two of them.
pub struct Presence {
    path: PathBuf,
    _file: File,
}

impl Drop for Presence {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Process ids are only different within one namespace.
fn pid_space() -> u64 {
    identity(Path::new("/proc/self/ns/pid")).map_or(0, |(_, inode)| inode)
}

/// To be called under the outer lock. Also tidies up after processes that died.
pub fn announce(dir: &Path) -> Result<Presence, Error> {
    sweep_presences(dir);
    let path = presence_of(dir);
    let file = open_private(&path).map_err(|error| Error::of_system(reason(&path, &error), &error))?;
    match mark::try_flock(&file) {
        Ok(true) => {}
        Ok(false) => return Err(two_copies(dir)),
        Err(error) => return Err(Error::of_system(reason(&path, &error), &error)),
    }
    let presence = Presence { path, _file: file };
    check_threads(dir, true).map(|()| presence)
}

fn presence_of(dir: &Path) -> PathBuf {
    dir.join(format!("{PRESENCE}{}-{}", std::process::id(), pid_space()))
}

fn two_copies(dir: &Path) -> Error {
    Error::Refused(format!(
        "'{}' is open in this process already, by another copy of Holdfast: install one version only",
        dir.display()
    ))
}

/// As `announce` will, but nothing is made and nothing deleted.
pub fn check_users(dir: &Path) -> Result<(), Error> {
    let is_here = File::open(presence_of(dir)).is_ok_and(|file| mark::try_flock(&file).is_ok_and(|is_free| !is_free));
    if is_here { Err(two_copies(dir)) } else { check_threads(dir, false) }
}

/// Both kinds at once would be without the outer lock: whoever comes second is refused. `tidies`: up after those that died.
fn check_threads(dir: &Path, tidies: bool) -> Result<(), Error> {
    let Ok(entries) = dir.read_dir() else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(owner) = name.to_str().and_then(|name| name.strip_prefix(THREAD)) else { continue };
        if is_alive(owner) {
            return Err(Error::Refused(format!(
                "'{}' is open in a process that does without Holdfast's addon: use the addon in all processes or in none \
                 ('{}' says who, and may be deleted if that is not so)",
                dir.display(),
                entry.path().display()
            )));
        }
        if tidies {
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// By process id and namespace; of another namespace nobody can tell: taken for alive.
fn is_alive(owner: &str) -> bool {
    let mut parts = owner.split('-').map(|part| part.parse::<u64>().ok());
    let (Some(Some(pid)), Some(Some(space))) = (parts.next(), parts.next()) else { return true };
    // SAFETY: signal 0 only asks whether there is such a process.
    let missing = unsafe { libc::kill(pid as libc::pid_t, 0) } != 0
        && io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH);
    space != pid_space() || !missing
}

fn sweep_presences(dir: &Path) {
    let Ok(entries) = dir.read_dir() else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PRESENCE)) {
        if OpenOptions::new().read(true).open(entry.path()).is_ok_and(|file| mark::try_flock(&file).unwrap_or(false)) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
