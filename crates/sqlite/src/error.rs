use rusqlite::ErrorCode;
use rusqlite::ffi;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// What went wrong, by what it means to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Another process was in the way until the call's time was over. Nothing happened: call again.
    Busy,
    /// More waits already than memory should hold. Nothing happened: call again later.
    Crowded,
    /// The disk is full. Nothing happened; goes on when there is room.
    Full,
    /// The files are damaged, or the disk fails. Nothing happened.
    Damaged(String),
    /// A commit failed in a way that may have let it through: offer the identical call again.
    Unsure(String),
    /// The store has fewer commits than were acknowledged: an older copy was put back, or the end of its log is gone or damaged.
    WentBack {
        known: u64,
        found: u64,
    },
    /// The file at this path, which says what was acknowledged, fails its checksum. Nothing happened.
    MarkDamaged(PathBuf),
    /// There is a store, but nothing in the file at this path says what was acknowledged. Nothing happened.
    MarkMissing(PathBuf),
    /// The file at this path is not the one that was opened: moved, replaced or deleted.
    Moved {
        path: PathBuf,
        /// What was committed went to the one that was opened.
        committed: bool,
    },
    /// The folder is none that may be opened; the text says why and what to do.
    Refused(String),
    /// The system does not let it be opened. Nothing happened.
    Unreachable(String),
    Closed,
    /// The request is malformed.
    Request(&'static str),
    /// A fault of ours; the call may have happened.
    Panic,
}

impl Error {
    /// Whether what was asked for may have happened, or may still.
    pub fn is_unsure(&self) -> bool {
        matches!(self, Error::Unsure(_) | Error::Moved { committed: true, .. } | Error::Panic)
    }

    /// Whether it is older than what was acknowledged, as far as anybody can tell: to be gone on from where that is accepted.
    pub(crate) fn is_older(&self) -> bool {
        matches!(self, Error::WentBack { .. } | Error::MarkDamaged(_) | Error::MarkMissing(_))
    }

    /// What the system says of a file; `what`: with its path.
    pub(crate) fn of_system(what: String, error: &io::Error) -> Error {
        if error.raw_os_error().is_some_and(is_roomless) { Error::Full } else { Error::Unreachable(what) }
    }

    /// Whether a connection that said so is of no more use.
    pub(crate) fn ends_connection(&self) -> bool {
        !matches!(self, Error::Busy | Error::Crowded | Error::Full | Error::Request(_))
    }

    /// As it is when COMMIT itself said so: the log may hold the transaction.
    pub(crate) fn at_commit(self) -> Error {
        match self {
            Error::Damaged(what) | Error::Unreachable(what) => Error::Unsure(what),
            Error::Moved { path, .. } => Error::Moved { path, committed: true },
            other => other,
        }
    }
}

const UNMARKED: &str = ", so that nobody can tell whether the store is older: restore it from a backup, or open it once \
                        with `acceptOlder` to go on from what is there";

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Busy => write!(f, "another process kept the store busy until the time of the call was over"),
            Error::Crowded => write!(f, "more waits for the disk than memory should hold: send less at once"),
            Error::Full => write!(f, "the disk is full: make room"),
            Error::Damaged(what) => write!(f, "the store is damaged ({what}): restore it from a backup"),
            Error::Unsure(what) => write!(f, "the commit failed ({what})"),
            Error::WentBack { known, found } => write!(
                f,
                "the store went back: {known} commits were acknowledged, {found} are there; put the newer files back, \
                 or open it once with `acceptOlder` to go on from this state"
            ),
            Error::MarkDamaged(path) => {
                write!(f, "'{}', which says what was acknowledged, is damaged{UNMARKED}", path.display())
            }
            Error::MarkMissing(path) => {
                write!(f, "'{}', which says what was acknowledged, is missing{UNMARKED}", path.display())
            }
            Error::Moved { path, .. } => {
                write!(f, "'{}' was moved, replaced or deleted while it was open: open the store again", path.display())
            }
            Error::Refused(what) | Error::Unreachable(what) => write!(f, "{what}"),
            Error::Closed => write!(f, "the store is closed"),
            Error::Request(what) => write!(f, "malformed request: {what}"),
            Error::Panic => write!(f, "the store's own thread failed: report this"),
        }
    }
}

impl std::error::Error for Error {}

/// What they failed to do is not there.
const WRITING: [i32; 4] =
    [ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_TRUNCATE, ffi::SQLITE_IOERR_SHMOPEN, ffi::SQLITE_IOERR_SHMSIZE];
/// Others that tell of a call to the system that failed; a part of what they were to do may be there.
const CALLING: [i32; 8] = [
    ffi::SQLITE_IOERR_READ,
    ffi::SQLITE_IOERR_FSYNC,
    ffi::SQLITE_IOERR_DIR_FSYNC,
    ffi::SQLITE_IOERR_FSTAT,
    ffi::SQLITE_IOERR_DELETE,
    ffi::SQLITE_IOERR_LOCK,
    ffi::SQLITE_IOERR_SHMLOCK,
    ffi::SQLITE_IOERR_SHMMAP,
];

/// What the system lacks or forbids for now: no damage.
fn is_passing(errno: i32) -> bool {
    [libc::ENOMEM, libc::EMFILE, libc::ENFILE, libc::EINTR, libc::EROFS, libc::EACCES, libc::EPERM].contains(&errno)
        || is_roomless(errno)
}

/// Of the disk, of this user's share of it, or of what a file may grow to.
fn is_roomless(errno: i32) -> bool {
    [libc::ENOSPC, libc::EDQUOT, libc::EFBIG].contains(&errno)
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        // Of the call to the system that failed, unless a later one failed too.
        Error::of_engine(&error, io::Error::last_os_error().raw_os_error())
    }
}

impl Error {
    /// `errno` is asked only where SQLite says that a call to the system has failed.
    fn of_engine(error: &rusqlite::Error, errno: Option<i32>) -> Error {
        let Some(found) = error.sqlite_error() else { return Error::Damaged(error.to_string()) };
        let code = found.extended_code;
        let what = format!("{error} [{code}]");
        let calls = WRITING.contains(&code) || CALLING.contains(&code);
        let unreachable = |errno: Option<i32>| {
            let reason = errno.map(|errno| format!(": {}", io::Error::from_raw_os_error(errno)));
            Error::Unreachable(what.clone() + &reason.unwrap_or_default())
        };
        match found.code {
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::OperationInterrupted
            | ErrorCode::FileLockingProtocolFailed => Error::Busy,
            ErrorCode::DiskFull => Error::Full,
            ErrorCode::TooBig => Error::Request("a row or record is larger than SQLite takes"),
            ErrorCode::SystemIoFailure if WRITING.contains(&code) && errno.is_some_and(is_roomless) => Error::Full,
            ErrorCode::SystemIoFailure if calls && errno.is_some_and(is_passing) => unreachable(errno),
            ErrorCode::SystemIoFailure if code == ffi::SQLITE_IOERR_SHMSIZE => Error::Full,
            ErrorCode::SystemIoFailure if code == ffi::SQLITE_IOERR_NOMEM => Error::Unreachable(what),
            ErrorCode::CannotOpen if errno.is_some_and(is_roomless) => Error::Full,
            ErrorCode::CannotOpen => unreachable(errno.filter(|errno| is_passing(*errno))),
            ErrorCode::OutOfMemory
            | ErrorCode::NoLargeFileSupport
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::AuthorizationForStatementDenied => Error::Unreachable(what),
            _ => Error::Damaged(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(extended: i32) -> Error {
        after(extended, 0)
    }

    /// Where a call to the system failed, by what it said.
    fn after(extended: i32, errno: i32) -> Error {
        Error::of_engine(&rusqlite::Error::SqliteFailure(ffi::Error::new(extended), None), Some(errno))
    }

    /// By what the caller may do: call again, make room, look at rights, restore.
    #[test]
    fn what_an_error_of_the_engine_means() {
        for busy in [ffi::SQLITE_BUSY, ffi::SQLITE_BUSY_SNAPSHOT, ffi::SQLITE_LOCKED, ffi::SQLITE_PROTOCOL] {
            assert_eq!(of(busy), Error::Busy, "{busy}");
        }
        assert_eq!(of(ffi::SQLITE_INTERRUPT), Error::Busy, "its time was over");
        for full in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_SHMSIZE] {
            assert_eq!(of(full), Error::Full, "{full}");
        }
        for unreachable in [ffi::SQLITE_CANTOPEN, ffi::SQLITE_READONLY, ffi::SQLITE_PERM, ffi::SQLITE_NOMEM] {
            assert!(matches!(of(unreachable), Error::Unreachable(_)), "{unreachable}");
        }
        for damaged in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB, ffi::SQLITE_IOERR_READ, ffi::SQLITE_IOERR_FSYNC] {
            assert!(matches!(of(damaged), Error::Damaged(_)), "{damaged}");
        }
        assert!(
            matches!(Error::from(rusqlite::Error::QueryReturnedNoRows), Error::Damaged(_)),
            "a row that must be there"
        );
    }

    /// Lack of room is no damage, whoever tells of it, nor is what the system lacks for now.
    #[test]
    fn what_an_error_of_the_system_means() {
        for errno in [libc::ENOSPC, libc::EDQUOT, libc::EFBIG] {
            for code in WRITING.into_iter().chain([ffi::SQLITE_CANTOPEN]) {
                assert_eq!(after(code, errno), Error::Full, "{code} {errno}");
            }
            // What was to be flushed may be there.
            let met = after(ffi::SQLITE_IOERR_FSYNC, errno);
            assert!(matches!(&met, Error::Unreachable(what) if what.contains("os error")), "{met:?}");
            assert!(met.at_commit().is_unsure());
            let system = io::Error::from_raw_os_error(errno);
            assert_eq!(Error::of_system("a file".into(), &system), Error::Full);
        }
        for errno in [libc::EMFILE, libc::ENFILE, libc::EINTR, libc::ENOMEM, libc::EROFS, libc::EACCES, libc::EPERM] {
            for code in WRITING.into_iter().chain(CALLING).chain([ffi::SQLITE_CANTOPEN]) {
                let met = after(code, errno);
                assert!(matches!(&met, Error::Unreachable(what) if what.contains("os error")), "{code}: {met:?}");
            }
            let system = io::Error::from_raw_os_error(errno);
            assert!(matches!(Error::of_system("a file".into(), &system), Error::Unreachable(_)));
        }
        for errno in [0, libc::EIO, libc::ENOENT, libc::EAGAIN] {
            for code in WRITING.into_iter().chain(CALLING).filter(|code| *code != ffi::SQLITE_IOERR_SHMSIZE) {
                assert!(matches!(after(code, errno), Error::Damaged(_)), "{code} {errno}");
            }
        }
        // Of those that no call to the system has failed: what one before has left says nothing.
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB, ffi::SQLITE_IOERR_SHORT_READ, ffi::SQLITE_IOERR_DATA] {
            assert!(matches!(after(code, libc::EDQUOT), Error::Damaged(_)), "{code}");
        }
        assert!(matches!(of(ffi::SQLITE_IOERR_NOMEM), Error::Unreachable(_)));
    }

    /// Of what COMMIT itself said the log may hold the transaction; of all else nothing happened.
    #[test]
    fn an_outcome_is_unknown_only_where_it_may_have_happened() {
        let moved = || Error::Moved { path: "store".into(), committed: false };
        for error in
            [Error::Busy, Error::Full, Error::Closed, of(ffi::SQLITE_IOERR_WRITE), of(ffi::SQLITE_CORRUPT), moved()]
        {
            assert!(!error.is_unsure(), "{error:?}");
        }
        for error in [of(ffi::SQLITE_IOERR_FSYNC), of(ffi::SQLITE_CANTOPEN), moved()] {
            assert!(error.at_commit().is_unsure());
        }
        for error in [Error::Busy, Error::Full] {
            assert!(!error.at_commit().is_unsure(), "SQLite has rolled it back");
        }
    }
}
