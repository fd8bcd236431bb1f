//! Reading, within a transaction that does not outlast the call.

use crate::connection::{check_layout, marks, marks_and_commits};
use crate::error::Error;
use crate::no_wait;
use crate::seal;
use crate::wire::{Checked, Fetch, Found, FoundPage, LookUp, LookedUp, PageQuery, StoredRecord, StoredRow};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// A page is as long as this at most; who wants more asks again.
const MOST_ROWS: u32 = 1000;

/// A column that is not what it should be is damage, to be told as such.
fn blob(row: &Row<'_>, index: usize) -> rusqlite::Result<Vec<u8>> {
    match row.get_ref(index)? {
        rusqlite::types::ValueRef::Blob(bytes) => Ok(bytes.to_vec()),
        other => Err(rusqlite::Error::InvalidColumnType(index, "blob".into(), other.data_type())),
    }
}

fn whole(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    u64::try_from(row.get::<_, i64>(index)?)
        .map_err(|_| rusqlite::Error::InvalidColumnType(index, "whole".into(), Type::Integer))
}

/// From columns version, row, sum.
fn stored_row(id: &[u8], row: &Row<'_>, first: usize) -> rusqlite::Result<StoredRow> {
    let (version, body) = (whole(row, first)?, blob(row, first + 1)?);
    let fits = seal::row(id, version, &body) == row.get::<_, i64>(first + 2)?;
    Ok(StoredRow { version, body: fits.then_some(body) })
}

pub fn fetch(connection: &Connection, request: &Fetch) -> Result<Found, Error> {
    let mut found = Found { marks: marks(connection)?, ..Found::default() };
    if request.id.is_empty() {
        return Ok(found);
    }
    found.row = connection
        .prepare_cached("SELECT version, row, sum FROM session WHERE id=?1")?
        .query_row([&request.id], |row| stored_row(&request.id, row, 0))
        .optional()?;
    if let Some(from) = request.from {
        fetch_records(connection, request, from, &mut found)?;
    }
    Ok(found)
}

/// Where it must not wait, what is too long is not looked at: SQLite knows the length of a body before its pages.
fn fetch_records(connection: &Connection, request: &Fetch, from: u64, found: &mut Found) -> Result<(), Error> {
    let sql = "SELECT revision, nonce, length(body) AS size, CASE WHEN length(body)<=?3 THEN body END AS body, sum \
               FROM record WHERE id=?1 AND revision>=?2 ORDER BY revision";
    let mut statement = connection.prepare_cached(sql)?;
    let most = no_wait::left().map_or(i64::MAX as u64, |bytes| bytes as u64);
    let mut rows = statement.query(params![request.id, from as i64, most as i64])?;
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let (revision, nonce) = (whole(row, 0)?, whole(row, 1)?);
        bytes += whole(row, 2)?;
        if bytes > most {
            no_wait::go_over();
            return Err(Error::Busy);
        }
        let body = blob(row, 3)?;
        if !found.records.is_empty() && bytes > request.limit_bytes {
            found.more = true;
            break;
        }
        if seal::record(&request.id, revision, nonce, &body) != row.get::<_, i64>(4)? {
            found.damaged = Some(revision);
            break;
        }
        found.records.push(StoredRecord { revision, nonce, body });
    }
    Ok(())
}

pub fn page(connection: &Connection, query: &PageQuery) -> Result<FoundPage, Error> {
    let limit = query.limit.min(MOST_ROWS) as usize;
    let rows = if query.term.is_empty() {
        page_of_all(connection, query, limit)
    } else {
        page_of_term(connection, query, limit)
    };
    let mut rows = rows?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    Ok(FoundPage { marks: marks(connection)?, rows, more })
}

/// One more than asked for, where there are as many.
type Rows = Vec<(Vec<u8>, StoredRow)>;

fn page_of_all(connection: &Connection, query: &PageQuery, limit: usize) -> Result<Rows, Error> {
    let sql = "SELECT id, version, row, sum FROM session WHERE id>?1 ORDER BY id LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![query.after, limit as i64 + 1])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id = blob(row, 0)?;
        let stored = stored_row(&id, row, 1)?;
        found.push((id, stored));
    }
    Ok(found)
}

/// Up to the entry behind those of the term, which is looked at too: one that damage has put there would end the list early.
fn page_of_term(connection: &Connection, query: &PageQuery, limit: usize) -> Result<Rows, Error> {
    let sql = "SELECT t.term, t.id, t.sum AS entry, s.version, s.row, s.sum FROM term t LEFT JOIN session s ON s.id=t.id \
               WHERE (t.term, t.id)>(?3, ?1) ORDER BY t.term, t.id LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![query.after, limit as i64 + 1, query.term])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (term, id) = sound_entry(row)?;
        if term != query.term {
            break;
        }
        let stored = stored_row(&id, row, 3)?;
        found.push((id, stored));
    }
    Ok(found)
}

/// From columns term, id, sum, and one that a session has and that is null where there is none. The term and the id.
fn sound_entry(row: &Row<'_>) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let (term, id) = (blob(row, 0)?, blob(row, 1)?);
    if seal::term(&term, &id) != row.get::<_, i64>(2)? {
        return Err(Error::Damaged("an entry of its lookup fails its checksum".into()));
    }
    if row.get_ref(3)?.data_type() == Type::Null {
        return Err(Error::Damaged("its lookup names a session that is not there".into()));
    }
    Ok((term, id))
}

pub fn look_up(connection: &Connection, LookUp { id, terms }: &LookUp) -> Result<LookedUp, Error> {
    let version = connection
        .prepare_cached("SELECT version FROM session WHERE id=?1")?
        .query_row([id], |row| whole(row, 0))
        .optional()?;
    let mut statement = connection.prepare_cached("SELECT sum FROM term WHERE term=?1 AND id=?2")?;
    let mut missing = Vec::new();
    for term in terms {
        let sum: Option<i64> = statement.query_row([term, id], |row| row.get(0)).optional()?;
        if sum != Some(seal::term(term, id)) {
            missing.push(term.clone());
        }
    }
    Ok(LookedUp { version, missing })
}

/// As many as SQLite tells of its own.
const MOST_FAULTS: usize = 100;

/// `known`: the commits that were acknowledged before.
pub fn check(connection: &Connection, known: u64) -> Result<Checked, Error> {
    let mut statement = connection.prepare("PRAGMA quick_check")?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut faults: Vec<String> = lines.into_iter().filter(|line| line != "ok").collect();
    check_layout(connection)?;
    // On a page that is damaged itself it ends there.
    match check_lookup(connection, &mut faults) {
        Err(Error::Damaged(fault)) => faults.push(fault),
        looked => looked?,
    }
    Ok(Checked { faults, commits: marks_and_commits(connection)?.1, known })
}

fn check_lookup(connection: &Connection, faults: &mut Vec<String>) -> Result<(), Error> {
    let sql = "SELECT t.term, t.id, t.sum AS entry, s.version FROM term t LEFT JOIN session s ON s.id=t.id \
               WHERE (t.term, t.id)>(?1, ?2) ORDER BY t.term, t.id LIMIT ?3";
    let mut statement = connection.prepare(sql)?;
    // From below all that a key may have become.
    let mut rows = statement.query(params![f64::NEG_INFINITY, f64::NEG_INFINITY, -1])?;
    while let Some(row) = rows.next()?.filter(|_| faults.len() < MOST_FAULTS) {
        match sound_entry(row) {
            Err(Error::Damaged(fault)) => faults.push(fault),
            found => drop(found?),
        }
    }
    Ok(())
}
