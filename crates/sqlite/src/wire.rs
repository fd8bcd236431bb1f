//! Requests and answers as bytes: what crosses the boundary is one buffer each way. Little endian; whole numbers that JavaScript
//! holds as doubles travel as such. `ts/store/sqlite-wire.ts` is the other end.

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

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Fetch(Fetch),
    Page(PageQuery),
    Draft(Draft),
    Raise(Raise),
    /// Looks through the structure of the whole database.
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

const FETCH: u8 = 1;
const PAGE: u8 = 2;
const DRAFT: u8 = 3;
const RAISE: u8 = 4;
const CHECK: u8 = 5;
const COMPACT: u8 = 6;
const COPY: u8 = 7;

const CLEARED: u8 = 1;
const FLUSH: u8 = 2;
const HAS_ROW: u8 = 4;

/// Takes a request apart, byte by byte in bounds.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(Error::Request("it ends too early"))?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.take(N)?.try_into().map_err(|_| Error::Request("it ends too early"))
    }

    fn byte(&mut self) -> Result<u8, Error> {
        Ok(self.array::<1>()?[0])
    }

    fn length(&mut self) -> Result<usize, Error> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn bytes(&mut self) -> Result<Vec<u8>, Error> {
        let length = self.length()?;
        Ok(self.take(length)?.to_vec())
    }

    /// A double that holds a whole number from 0 on; `Infinity` is as much as there is.
    fn number(&mut self) -> Result<u64, Error> {
        self.optional()?.ok_or(Error::Request("a number is below 0"))
    }

    /// Below 0: none.
    fn optional(&mut self) -> Result<Option<u64>, Error> {
        let value = f64::from_le_bytes(self.array()?);
        if value.is_nan() {
            return Err(Error::Request("a number is none"));
        }
        Ok((value >= 0.0).then_some((value as u64).min(i64::MAX as u64)))
    }

    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Result<T, Error>) -> Result<Vec<T>, Error> {
        let count = self.length()?;
        // What is there, not what is claimed, bounds the room.
        let mut items = Vec::with_capacity(count.min(self.0.len()));
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn marks(&mut self) -> Result<Marks, Error> {
        Ok(Marks { epoch: self.number()?, births: self.number()? })
    }

    fn change(&mut self) -> Result<Change, Error> {
        match self.byte()? {
            0 => Ok(Change::Put(StoredRecord { revision: self.number()?, nonce: self.number()?, body: self.bytes()? })),
            1 => Ok(Change::Delete { from: self.number()?, to: self.number()? }),
            _ => Err(Error::Request("an unknown change")),
        }
    }

    fn asked(&mut self) -> Result<Asked, Error> {
        let length = self.length()?;
        let mut one = Reader(self.take(length)?);
        let (ticket, bound_ms) = (one.length()? as u32, f64::from_le_bytes(one.array()?));
        Ok(Asked { ticket, bound_ms, bytes: length, request: decode(one.0) })
    }

    fn draft(&mut self) -> Result<Draft, Error> {
        let (id, expected, next) = (self.bytes()?, self.optional()?, self.number()?);
        let (marks, flags) = (self.marks()?, self.byte()?);
        Ok(Draft {
            id,
            expected,
            next,
            marks,
            cleared: flags & CLEARED != 0,
            flush: flags & FLUSH != 0,
            row: if flags & HAS_ROW != 0 { Some(self.bytes()?) } else { None },
            lost_terms: self.list(Self::bytes)?,
            new_terms: self.list(Self::bytes)?,
            changes: self.list(Self::change)?,
        })
    }
}

/// A request with the ticket of its answer and its bound in ms.
pub struct Asked {
    pub ticket: u32,
    pub bound_ms: f64,
    pub bytes: usize,
    pub request: Result<Request, Error>,
}

/// Requests as they come together: for each its length (4 bytes), ticket, bound, and what is asked. An error: the rest cannot be told apart.
pub fn decode_all(bytes: &[u8]) -> impl Iterator<Item = Result<Asked, Error>> {
    let mut reader = Reader(bytes);
    std::iter::from_fn(move || {
        if reader.0.is_empty() {
            return None;
        }
        let next = reader.asked();
        if next.is_err() {
            reader.0 = &[];
        }
        Some(next)
    })
}

fn decode(bytes: &[u8]) -> Result<Request, Error> {
    let mut reader = Reader(bytes);
    let request = match reader.byte()? {
        FETCH => Request::Fetch(Fetch { id: reader.bytes()?, from: reader.optional()?, limit_bytes: reader.number()? }),
        PAGE => {
            let (term, after) = (reader.bytes()?, reader.bytes()?);
            Request::Page(PageQuery { term, after, limit: reader.number()?.min(u64::from(u32::MAX)) as u32 })
        }
        DRAFT => Request::Draft(reader.draft()?),
        RAISE => Request::Raise(Raise { expected: reader.marks()?, next: reader.marks()? }),
        CHECK => Request::Check,
        COMPACT => Request::Compact,
        COPY => Request::Copy(reader.bytes()?),
        _ => return Err(Error::Request("an unknown kind")),
    };
    if reader.0.is_empty() { Ok(request) } else { Err(Error::Request("it goes on after its end")) }
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
        Error::Damaged(_) | Error::WentBack { .. } | Error::MarkDamaged(_) => "ERR_CORRUPT",
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
    }
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_or_unknown_is_refused_without_a_panic() {
        let mut whole = vec![DRAFT];
        put_bytes(&mut whole, b"id");
        for number in [-1.0, 77.0, 1.0, 2.0] {
            whole.extend(f64::to_le_bytes(number));
        }
        whole.push(FLUSH | HAS_ROW);
        put_bytes(&mut whole, b"row");
        whole.extend([0; 8]);
        whole.extend(1u32.to_le_bytes());
        whole.push(1);
        put_number(&mut whole, 3);
        put_number(&mut whole, 5);
        let Ok(Request::Draft(draft)) = decode(&whole) else { panic!("a draft") };
        assert_eq!(
            (draft.expected, draft.next, draft.marks, draft.flush),
            (None, 77, Marks { epoch: 1, births: 2 }, true)
        );
        assert_eq!(draft.changes, vec![Change::Delete { from: 3, to: 5 }]);
        for length in 0..whole.len() {
            assert!(matches!(decode(&whole[..length]), Err(Error::Request(_))), "{length}");
        }
        whole.push(0);
        assert_eq!(decode(&whole), Err(Error::Request("it goes on after its end")));
        assert_eq!(decode(&[9]), Err(Error::Request("an unknown kind")));
        assert!(decode(&[DRAFT, 255, 255, 255, 255]).is_err());
    }

    #[test]
    fn what_came_together_is_told_apart_up_to_what_is_cut() {
        let mut bytes = Vec::new();
        for (ticket, kind) in [(7u32, CHECK), (8, 9), (9, COMPACT)] {
            bytes.extend(13u32.to_le_bytes());
            bytes.extend(ticket.to_le_bytes());
            bytes.extend(2.5f64.to_le_bytes());
            bytes.push(kind);
        }
        let all: Vec<Asked> = decode_all(&bytes).map(|asked| asked.expect("whole")).collect();
        assert_eq!(
            all.iter().map(|asked| (asked.ticket, asked.bound_ms)).collect::<Vec<_>>(),
            [(7, 2.5), (8, 2.5), (9, 2.5)]
        );
        assert_eq!(all[0].request, Ok(Request::Check));
        assert_eq!(all[1].request, Err(Error::Request("an unknown kind")));
        for length in 1..bytes.len() {
            let found: Vec<bool> = decode_all(&bytes[..length]).map(|asked| asked.is_ok()).collect();
            let whole = length / 17;
            assert_eq!(found.iter().filter(|ok| **ok).count(), whole, "{length}");
            assert_eq!(found.len(), whole + usize::from(length % 17 > 0), "{length}");
        }
    }
}
