//! One connection, as both threads use it.

use crate::deadline;
use crate::error::Error;
use crate::no_wait;
use crate::place::{LOG, STORE};
use crate::seal;
use crate::wire::Marks;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, Transaction, TransactionBehavior};
use std::path::Path;

/// In the header of the database, as SQLite's `application_id`: "Hold".
pub const APPLICATION: i32 = 0x486F_6C64;
/// Of the tables; what is written in another is refused. Under a checksum of ours, and in the header, as SQLite's `user_version`,
/// for those who look before they open.
pub const FORMAT: i32 = 4;

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

/// Of records the keys alone lie in an order: where bodies lie among them, SQLite reads all of each that it compares
/// a key with.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS meta(key INTEGER PRIMARY KEY, value INTEGER NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS session(id BLOB PRIMARY KEY, version INTEGER NOT NULL, row BLOB NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS record(id BLOB NOT NULL, revision INTEGER NOT NULL, nonce INTEGER NOT NULL, sum INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY(id, revision));
CREATE TABLE IF NOT EXISTS term(term BLOB, id BLOB, sum INTEGER NOT NULL, PRIMARY KEY(term, id)) WITHOUT ROWID;";
const FIRST: [(i64, i64); 4] = [(FORMAT_KEY, FORMAT as i64), (EPOCH_KEY, 0), (BIRTHS_KEY, 0), (COMMITS_KEY, 0)];

/// Opens the database, and makes its tables where `known`, the commits that were acknowledged, is none. To be called under the
/// outer lock. Closing it keeps the log, until `tidy_when_closed`.
pub fn open(dir: &Path, known: u64) -> Result<Connection, Error> {
    // SQLite deletes the log of an empty database.
    if known > 0 && length(dir, STORE) == 0 {
        return Err(Error::WentBack { known, found: 0 });
    }
    let is_cut = is_cut(dir);
    // What it makes itself goes when it is refused, so that all stays as it was.
    let tidy = length(dir, LOG) == 0;
    // Switching a new file to WAL answers "busy" without asking the busy handler.
    let connection = loop {
        match begin(dir, known, tidy) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && deadline::nap(0) => {}
            connected => break connected?,
        }
    };
    check(&connection, known)?;
    if is_cut {
        return Err(Error::Damaged("it ends in the middle of a page".into()));
    }
    tidy_when_closed(&connection, false)?;
    Ok(connection)
}

fn begin(dir: &Path, known: u64, tidy: bool) -> rusqlite::Result<Connection> {
    let connection = connect(dir, tidy)?;
    make_tables(&connection, known)?;
    write_ahead(&connection)?;
    Ok(connection)
}

fn length(dir: &Path, name: &str) -> u64 {
    dir.join(name).metadata().map_or(0, |found| found.len())
}

/// The database ends in the middle of a page that no log has: SQLite would read zeros there.
fn is_cut(dir: &Path) -> bool {
    length(dir, LOG) == 0 && !length(dir, STORE).is_multiple_of(PAGE_BYTES)
}

/// The last who closes the database copies its log into it and deletes that: never before both are known to be whole.
pub fn tidy_when_closed(connection: &Connection, tidy: bool) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !tidy).map(drop)
}

/// For reading, of a database that is open already.
pub fn open_reader(dir: &Path) -> Result<Connection, Error> {
    let connection = connect(dir, false)?;
    write_ahead(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Of a database without a log that is ours. What it makes meanwhile goes when it is closed.
pub fn holds_anything(dir: &Path) -> Result<bool, Error> {
    let connection = connect(dir, true)?;
    if count_tables(&connection)? == 0 {
        return Ok(false); // its making was broken off
    }
    let sql = "SELECT EXISTS(SELECT 1 FROM session) OR EXISTS(SELECT 1 FROM meta WHERE key=?1 AND value>0)";
    Ok(connection.query_row(sql, [COMMITS_KEY], |row| row.get(0))?)
}

fn connect(dir: &Path, tidy: bool) -> rusqlite::Result<Connection> {
    no_wait::prepare();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(dir.join(STORE), flags)?;
    tidy_when_closed(&connection, tidy)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_handler(Some(deadline::nap))?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?; // macOS alone: there a flush is not one without
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
    Ok(connection)
}

fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("PRAGMA journal_mode=WAL")?;
    let mut rows = statement.query([])?;
    let mode: String = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?.get(0)?;
    rows.next()?; // only then it is committed
    if mode == "wal" {
        Ok(())
    } else {
        Err(rusqlite::Error::InvalidParameterName(format!("its journal is '{mode}', not WAL")))
    }
}

fn count_tables(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
}

/// Before it is switched to WAL, so that all of it is in the file itself from the beginning, its header above all. Where something
/// was acknowledged, tables that are missing were lost: to make them would write over what is left of the log.
fn make_tables(connection: &Connection, known: u64) -> rusqlite::Result<()> {
    if known > 0 || count_tables(connection)? > 0 {
        return Ok(());
    }
    // As one, so that two who open first do not see half of it.
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
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
        return Err(something_else());
    }
    check_layout(connection)?;
    check_commits(connection, known)
}

pub fn check_layout(connection: &Connection) -> Result<(), Error> {
    let found = sealed_layout(connection)?;
    if found == FORMAT.into() { Ok(()) } else { Err(other_layout(found)) }
}

pub fn something_else() -> Error {
    Error::Refused(format!("'{STORE}' is a database of something else: name another folder"))
}

pub fn other_layout(found: i64) -> Error {
    Error::Refused(format!(
        "'{STORE}' has layout {found}, this version of Holdfast reads {FORMAT}: name another folder"
    ))
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

fn sealed_layout(connection: &Connection) -> Result<i64, Error> {
    let mut statement = connection.prepare("SELECT key, value, sum FROM meta WHERE key=?1")?;
    let mut rows = statement.query([FORMAT_KEY])?;
    let row = rows.next()?.ok_or_else(|| damaged(FORMAT_KEY))?;
    sealed(row, FORMAT_KEY)
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
