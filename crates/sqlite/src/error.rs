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

/// Of the disk, of this user's share of it, or of what a file may grow to.
fn is_roomless(errno: i32) -> bool {
    [libc::ENOSPC, libc::EDQUOT, libc::EFBIG].contains(&errno)
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let Some(found) = error.sqlite_error() else { return Error::Damaged(error.to_string()) };
        let what = format!("{error} [{}]", found.extended_code);
        match found.code {
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::OperationInterrupted
            | ErrorCode::FileLockingProtocolFailed => Error::Busy,
            ErrorCode::DiskFull => Error::Full,
            ErrorCode::TooBig => Error::Request("a row or record is larger than SQLite takes"),
            ErrorCode::SystemIoFailure if found.extended_code == ffi::SQLITE_IOERR_SHMSIZE => Error::Full,
            ErrorCode::OutOfMemory
            | ErrorCode::CannotOpen
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
        Error::from(rusqlite::Error::SqliteFailure(ffi::Error::new(extended), None))
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
