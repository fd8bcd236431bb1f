//! A target as pieces of what is there already: nothing is written before all of it is known to be good.

use core::ops::Range;

/// What a piece is a part of.
#[derive(Clone, Copy, Debug)]
enum From {
    Base,
    Values,
    Made,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    from: From,
    start: u32,
    end: u32,
}

/// Pieces in their order, of the base, the delta's values, and what was made for them.
#[derive(Default)]
pub(crate) struct Pieces {
    list: Vec<Piece>,
    made: Vec<u8>,
}

impl Pieces {
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn base(&mut self, range: Range<usize>) {
        self.put(From::Base, range);
    }

    pub(crate) fn values(&mut self, range: Range<usize>) {
        self.put(From::Values, range);
    }

    fn put(&mut self, from: From, range: Range<usize>) {
        if !range.is_empty() {
            self.list.push(Piece { from, start: range.start as u32, end: range.end as u32 });
        }
    }

    /// What `write` appends.
    pub(crate) fn make(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.made.len();
        write(&mut self.made);
        self.put(From::Made, start..self.made.len());
    }

    /// A place for what becomes known later.
    pub(crate) fn reserve(&mut self) -> usize {
        self.list.push(Piece { from: From::Made, start: 0, end: 0 });
        self.list.len() - 1
    }

    pub(crate) fn make_at(&mut self, index: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.made.len();
        write(&mut self.made);
        self.list[index] = Piece { from: From::Made, start: start as u32, end: self.made.len() as u32 };
    }

    /// Puts what begins at piece `first` into another order: of each part which pieces it has.
    pub(crate) fn rearrange(&mut self, first: usize, parts: impl Iterator<Item = Range<usize>>) {
        let list: Vec<Piece> = parts.flat_map(|part| self.list[part].iter().copied()).collect();
        self.list.truncate(first);
        self.list.extend(list);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.list.iter().map(|piece| (piece.end - piece.start) as usize).sum()
    }

    /// Fills `out`, which has as many bytes as the pieces.
    pub(crate) fn write(&self, base: &[u8], values: &[u8], out: &mut [u8]) {
        let mut at = 0;
        for &Piece { from, start, end } in &self.list {
            let source = match from {
                From::Base => base,
                From::Values => values,
                From::Made => &self.made,
            };
            let part = &source[start as usize..end as usize];
            out[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
    }
}
