//! Requests, and answers as bytes: what crosses the boundary is one buffer each way. Little endian; whole numbers that JavaScript
//! holds as doubles travel as such. `ts/store/sqlite-wire.ts` and
//! `ts/store/sqlite-answers.ts` are the other end.

use crate::error::Error;
use crate::queue::{Answer, Reply};

/// What holds for the whole store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks {
    pub epoch: u64,
    pub births: u64,
}

/// One session, or (empty id) the marks alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    pub id: Vec<u8>,
    /// Records from this revision on, or none at all.
    pub from: Option<u64>,
    /// Whole records up to this many bytes, but at least one.
    pub limit_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageQuery {
    /// Empty: of all sessions.
    pub term: Vec<u8>,
    /// Ids after this one.
    pub after: Vec<u8>,
    pub limit: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Put(StoredRecord),
    /// `from` ≤ revision < `to`.
    Delete {
        from: u64,
        to: u64,
    },
}

/// A change to one session, to be made if row and marks are still those that it was drafted on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Draft {
    pub id: Vec<u8>,
    /// Version of the row; none: there was no row.
    pub expected: Option<u64>,
    /// Version of the row as it will be.
    pub next: u64,
    pub marks: Marks,
    /// All that is there goes first.
    pub cleared: bool,
    /// False: a power cut may undo it.
    pub flush: bool,
    /// All its entries of the lookup go first, for nobody can read which they were.
    pub all_terms: bool,
    pub row: Option<Vec<u8>>,
    pub lost_terms: Vec<Vec<u8>>,
    pub new_terms: Vec<Vec<u8>>,
    pub changes: Vec<Change>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raise {
    pub expected: Marks,
    pub next: Marks,
}

/// Whether a session is found by these terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookUp {
    pub id: Vec<u8>,
    pub terms: Vec<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Fetch(Fetch),
    Page(PageQuery),
    LookUp(LookUp),
    Draft(Draft),
    Raise(Raise),
    /// Looks through the structure of the whole database, and through its lookup.
    Check,
    /// Gives unused room back to the disk; others wait meanwhile.
    Compact,
    /// Makes a store of its own in this folder, as of one moment.
    Copy(Vec<u8>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRow {
    pub version: u64,
    /// None: its checksum does not fit.
    pub body: Option<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    pub revision: u64,
    pub nonce: u64,
    pub body: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    pub marks: Marks,
    pub row: Option<StoredRow>,
    /// Those before the first damaged one.
    pub records: Vec<StoredRecord>,
    /// There are more, beyond the limit.
    pub more: bool,
    /// Revision of the first record whose checksum does not fit.
    pub damaged: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LookedUp {
    /// Of the session's row; none: there is no such session.
    pub version: Option<u64>,
    /// Terms without an entry that is sound.
    pub missing: Vec<Vec<u8>>,
}

/// What a look through the whole database found; the contents of rows and records are not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    pub faults: Vec<String>,
    pub commits: u64,
    /// Those that were acknowledged at least.
    pub known: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FoundPage {
    pub marks: Marks,
    pub rows: Vec<(Vec<u8>, StoredRow)>,
    pub more: bool,
}

fn put_number(out: &mut Vec<u8>, value: u64) {
    out.extend((value as f64).to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
}

fn put_row(out: &mut Vec<u8>, row: &StoredRow) {
    out.push(if row.body.is_some() { 1 } else { 2 });
    put_number(out, row.version);
    put_bytes(out, row.body.as_deref().unwrap_or_default());
}

fn put_marks(out: &mut Vec<u8>, marks: Marks) {
    put_number(out, marks.epoch);
    put_number(out, marks.births);
}

fn put_found(out: &mut Vec<u8>, found: &Found) {
    put_marks(out, found.marks);
    match &found.row {
        Some(row) => put_row(out, row),
        None => out.push(0),
    }
    out.extend((found.records.len() as u32).to_le_bytes());
    for StoredRecord { revision, nonce, body } in &found.records {
        put_number(out, *revision);
        put_number(out, *nonce);
        put_bytes(out, body);
    }
    out.push(u8::from(found.more));
    out.extend(found.damaged.map_or(-1.0, |revision| revision as f64).to_le_bytes());
}

fn put_page(out: &mut Vec<u8>, page: &FoundPage) {
    put_marks(out, page.marks);
    out.extend((page.rows.len() as u32).to_le_bytes());
    for (id, row) in &page.rows {
        put_bytes(out, id);
        put_row(out, row);
    }
    out.push(u8::from(page.more));
}

/// The code that JavaScript sees, and whether the outcome is unknown.
fn code_of(error: &Error) -> &'static str {
    match error {
        Error::Damaged(_) | Error::WentBack { .. } | Error::MarkDamaged(_) | Error::MarkMissing(_) => "ERR_CORRUPT",
        Error::Refused(_) | Error::Request(_) => "ERR_INVALID",
        Error::Closed => "ERR_CLOSED",
        _ => "ERR_UNAVAILABLE",
    }
}

/// Length of all that follows (4 bytes), ticket, kind, and what belongs to it.
pub fn encode(Answer { ticket, result }: &Answer, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend([0; 4]);
    out.extend(ticket.to_le_bytes());
    match result {
        Err(error) => {
            out.push(0);
            put_bytes(out, code_of(error).as_bytes());
            out.push(u8::from(error.is_unsure()));
            put_bytes(out, error.to_string().as_bytes());
        }
        Ok(Reply::Opened) => out.push(1),
        Ok(Reply::Closed) => out.push(2),
        Ok(Reply::Committed(written)) => out.extend([3, u8::from(*written)]),
        Ok(Reply::Read(found)) => {
            out.push(4);
            put_found(out, found);
        }
        Ok(Reply::Page(page)) => {
            out.push(5);
            put_page(out, page);
        }
        Ok(Reply::Checked(Checked { faults, commits, known })) => {
            out.push(6);
            out.extend((faults.len() as u32).to_le_bytes());
            faults.iter().for_each(|fault| put_bytes(out, fault.as_bytes()));
            put_number(out, *commits);
            put_number(out, *known);
        }
        Ok(Reply::Log(bytes)) => {
            out.push(7);
            put_number(out, *bytes);
        }
        Ok(Reply::LookedUp(LookedUp { version, missing })) => {
            out.push(8);
            out.extend(version.map_or(-1.0, |version| version as f64).to_le_bytes());
            out.extend((missing.len() as u32).to_le_bytes());
            missing.iter().for_each(|term| put_bytes(out, term));
        }
    }
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}
