//! One connection, as both threads use it.

use crate::deadline;
use crate::error::Error;
use crate::place::{LOG, STORE};
use crate::seal;
use crate::wire::Marks;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, Transaction, TransactionBehavior};
use std::path::Path;

/// Of the tables; what is written in another is refused.
const FORMAT: i64 = 2;

const FORMAT_KEY: i64 = 1;
pub const EPOCH_KEY: i64 = 2;
pub const BIRTHS_KEY: i64 = 3;
pub const COMMITS_KEY: i64 = 4;

/// Frames of the log after which it is copied into the database: 2 MB at a time, also what damage to the log can roll back.
const CHECKPOINT_PAGES: i64 = 500;
/// SQLite's own default.
const PAGE_BYTES: u64 = 4096;
pub const LOG_BYTES_KEPT: i64 = 8 << 20;

/// More than there are, so that each is prepared once.
const STATEMENTS: usize = 32;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS meta(key INTEGER PRIMARY KEY, value INTEGER NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS session(id BLOB PRIMARY KEY, version INTEGER NOT NULL, row BLOB NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS record(id BLOB, revision INTEGER, nonce INTEGER NOT NULL, body BLOB NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY(id, revision)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS term(term BLOB, id BLOB, sum INTEGER NOT NULL, PRIMARY KEY(term, id)) WITHOUT ROWID;";
const FIRST: [(i64, i64); 4] = [(FORMAT_KEY, FORMAT), (EPOCH_KEY, 0), (BIRTHS_KEY, 0), (COMMITS_KEY, 0)];

/// Opens the database, and makes its tables where `known`, the commits that were acknowledged, is none. To be called under the
/// outer lock. Closing it keeps the log, until `tidy_when_closed`.
pub fn open(dir: &Path, known: u64) -> Result<Connection, Error> {
    // SQLite deletes the log of an empty database.
    if known > 0 && dir.join(STORE).metadata().is_ok_and(|found| found.len() == 0) {
        return Err(Error::WentBack { known, found: 0 });
    }
    let is_cut = is_cut(dir);
    // Switching a new file to WAL answers "busy" without asking the busy handler.
    loop {
        match connect(dir).and_then(|connection| make_tables(&connection, known).map(|()| connection)) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && deadline::nap(0) => {}
            Err(error) => return Err(error.into()),
            Ok(connection) => {
                check(&connection, known)?;
                return if is_cut {
                    Err(Error::Damaged("it ends in the middle of a page".into()))
                } else {
                    Ok(connection)
                };
            }
        }
    }
}

/// The database ends in the middle of a page that no log has: SQLite would read zeros there.
fn is_cut(dir: &Path) -> bool {
    let length = |name: &str| dir.join(name).metadata().map_or(0, |found| found.len());
    length(LOG) == 0 && !length(STORE).is_multiple_of(PAGE_BYTES)
}

/// The last who closes the database copies its log into it and deletes that: never before both are known to be whole.
pub fn tidy_when_closed(connection: &Connection, tidy: bool) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !tidy).map(drop)
}

/// For reading, of a database that is open already.
pub fn open_reader(dir: &Path) -> Result<Connection, Error> {
    let connection = connect(dir)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn connect(dir: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(dir.join(STORE), flags)?;
    tidy_when_closed(&connection, false)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_handler(Some(deadline::nap))?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    let mode: String = connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(rusqlite::Error::InvalidParameterName(format!("its journal is '{mode}', not WAL")));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?; // macOS alone: there a flush is not one without
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
    Ok(connection)
}

fn count_tables(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
}

/// Where something was acknowledged, tables that are missing were lost: to make them would write over what is left of the log.
fn make_tables(connection: &Connection, known: u64) -> rusqlite::Result<()> {
    if known > 0 || count_tables(connection)? > 0 {
        return Ok(());
    }
    // As one, so that two who open first do not see half of it.
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    transaction.execute_batch(SCHEMA)?;
    for (key, value) in FIRST {
        transaction.execute("INSERT OR IGNORE INTO meta VALUES(?1, ?2, ?3)", [key, value, seal::meta(key, value)])?;
    }
    transaction.commit()
}

fn check(connection: &Connection, known: u64) -> Result<(), Error> {
    if count_tables(connection)? == 0 {
        return Err(Error::WentBack { known, found: 0 });
    }
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema WHERE name='meta'", [], |row| row.get(0))?;
    if tables == 0 {
        return Err(Error::Refused(format!("'{STORE}' is a database of something else: name another folder")));
    }
    check_layout(connection)?;
    check_commits(connection, known)
}

pub fn check_layout(connection: &Connection) -> Result<(), Error> {
    match layout(connection)? {
        FORMAT => Ok(()),
        found => Err(Error::Refused(format!(
            "'{STORE}' has layout {found}, this version of Holdfast reads {FORMAT}: name another folder"
        ))),
    }
}

pub fn check_commits(connection: &Connection, known: u64) -> Result<(), Error> {
    check_found(marks_and_commits(connection)?.1, known)
}

pub fn check_found(found: u64, known: u64) -> Result<(), Error> {
    if found < known { Err(Error::WentBack { known, found }) } else { Ok(()) }
}

/// What nobody may rest on.
fn damaged(key: i64) -> Error {
    let name = match key {
        EPOCH_KEY => "epoch",
        BIRTHS_KEY => "mark of births",
        COMMITS_KEY => "count of commits",
        _ => "layout",
    };
    Error::Damaged(format!("its {name} fails its checksum"))
}

/// From columns key, value, sum.
fn sealed(row: &Row<'_>, key: i64) -> Result<i64, Error> {
    let (found, value): (i64, i64) = (row.get(0)?, row.get(1)?);
    if found == key && seal::meta(key, value) == row.get::<_, i64>(2)? { Ok(value) } else { Err(damaged(key)) }
}

/// Layouts before this one had no checksums there.
fn layout(connection: &Connection) -> Result<i64, Error> {
    let mut statement = connection.prepare("SELECT * FROM meta WHERE key=?1")?;
    let is_sealed = statement.column_count() > 2;
    let mut rows = statement.query([FORMAT_KEY])?;
    let row = rows.next()?.ok_or_else(|| damaged(FORMAT_KEY))?;
    if is_sealed { sealed(row, FORMAT_KEY) } else { Ok(row.get(1)?) }
}

pub fn set_meta(transaction: &Transaction<'_>, key: i64, value: u64) -> rusqlite::Result<()> {
    let value = value as i64;
    let sum = seal::meta(key, value);
    transaction.prepare_cached("UPDATE meta SET value=?2, sum=?3 WHERE key=?1")?.execute([key, value, sum])?;
    Ok(())
}

pub fn marks(connection: &Connection) -> Result<Marks, Error> {
    marks_and_commits(connection).map(|(marks, _)| marks)
}

/// Also the number of commits. In one statement, for each transaction asks.
pub fn marks_and_commits(connection: &Connection) -> Result<(Marks, u64), Error> {
    let sql = "SELECT key, value, sum FROM meta WHERE key BETWEEN ?1 AND ?2 ORDER BY key";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([EPOCH_KEY, COMMITS_KEY])?;
    let mut next = |key| -> Result<u64, Error> {
        let row = rows.next()?.ok_or_else(|| damaged(key))?;
        sealed(row, key).map(|value| value as u64)
    };
    Ok((Marks { epoch: next(EPOCH_KEY)?, births: next(BIRTHS_KEY)? }, next(COMMITS_KEY)?))
}
