//! Requests, from the bytes that `ts/store/sqlite-wire.ts` makes of them: nothing in them is trusted. See `wire`.

use crate::error::Error;
use crate::wire::{Change, Draft, Fetch, LookUp, Marks, PageQuery, Raise, Request, StoredRecord};

const FETCH: u8 = 1;
const PAGE: u8 = 2;
const DRAFT: u8 = 3;
const RAISE: u8 = 4;
const CHECK: u8 = 5;
const COMPACT: u8 = 6;
const COPY: u8 = 7;
const LOOK_UP: u8 = 8;

const CLEARED: u8 = 1;
const FLUSH: u8 = 2;
const HAS_ROW: u8 = 4;
const ALL_TERMS: u8 = 8;

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
            all_terms: flags & ALL_TERMS != 0,
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
        LOOK_UP => Request::LookUp(LookUp { id: reader.bytes()?, terms: reader.list(Reader::bytes)? }),
        _ => return Err(Error::Request("an unknown kind")),
    };
    if reader.0.is_empty() { Ok(request) } else { Err(Error::Request("it goes on after its end")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(out: &mut Vec<u8>, bytes: &[u8]) {
        out.extend((bytes.len() as u32).to_le_bytes());
        out.extend(bytes);
    }

    fn number_of(out: &mut Vec<u8>, value: u64) {
        out.extend((value as f64).to_le_bytes());
    }

    #[test]
    fn what_is_cut_or_unknown_is_refused_without_a_panic() {
        let mut whole = vec![DRAFT];
        bytes_of(&mut whole, b"id");
        for number in [-1.0, 77.0, 1.0, 2.0] {
            whole.extend(f64::to_le_bytes(number));
        }
        whole.push(FLUSH | HAS_ROW);
        bytes_of(&mut whole, b"row");
        whole.extend([0; 8]);
        whole.extend(1u32.to_le_bytes());
        whole.push(1);
        number_of(&mut whole, 3);
        number_of(&mut whole, 5);
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
