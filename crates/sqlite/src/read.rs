//! Reading, within a transaction that does not outlast the call.

use crate::connection::{COMMITS_KEY, marks, meta};
use crate::seal;
use crate::wire::{Checked, Fetch, Found, FoundPage, PageQuery, StoredRecord, StoredRow};
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

pub fn fetch(connection: &Connection, request: &Fetch) -> rusqlite::Result<Found> {
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

fn fetch_records(connection: &Connection, request: &Fetch, from: u64, found: &mut Found) -> rusqlite::Result<()> {
    let sql = "SELECT revision, nonce, body, sum FROM record WHERE id=?1 AND revision>=?2 ORDER BY revision";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![request.id, from as i64])?;
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let (revision, nonce, body) = (whole(row, 0)?, whole(row, 1)?, blob(row, 2)?);
        bytes += body.len() as u64;
        if !found.records.is_empty() && bytes > request.limit_bytes {
            found.more = true;
            break;
        }
        if seal::record(&request.id, revision, nonce, &body) != row.get::<_, i64>(3)? {
            found.damaged = Some(revision);
            break;
        }
        found.records.push(StoredRecord { revision, nonce, body });
    }
    Ok(())
}

pub fn page(connection: &Connection, query: &PageQuery) -> rusqlite::Result<FoundPage> {
    let limit = query.limit.min(MOST_ROWS) as usize;
    let sql = if query.term.is_empty() {
        "SELECT id, version, row, sum FROM session WHERE id>?1 ORDER BY id LIMIT ?2"
    } else {
        "SELECT s.id, s.version, s.row, s.sum FROM term t CROSS JOIN session s ON s.id=t.id \
         WHERE t.id>?1 AND t.term=?3 ORDER BY t.id LIMIT ?2"
    };
    let mut statement = connection.prepare_cached(sql)?;
    let most = limit as i64 + 1;
    let mut rows = if query.term.is_empty() {
        statement.query(params![query.after, most])?
    } else {
        statement.query(params![query.after, most, query.term])?
    };
    let mut found = FoundPage { marks: marks(connection)?, ..FoundPage::default() };
    while let Some(row) = rows.next()? {
        if found.rows.len() == limit {
            found.more = true;
            break;
        }
        let id = blob(row, 0)?;
        let stored = stored_row(&id, row, 1)?;
        found.rows.push((id, stored));
    }
    Ok(found)
}

/// `known`: the commits that were acknowledged before.
pub fn check(connection: &Connection, known: u64) -> rusqlite::Result<Checked> {
    let mut statement = connection.prepare("PRAGMA quick_check")?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    let faults = lines.into_iter().filter(|line| line != "ok").collect();
    Ok(Checked { faults, commits: meta(connection, COMMITS_KEY)? as u64, known })
}
