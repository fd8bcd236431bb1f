//! The places of a sequence of the target, in their order.

use core::ops::Range;

use crate::apply::{Applied, Applier};
use crate::classes::ByBytes;
use crate::error::ApplyError;
use crate::keys::follows;
use crate::leaf::Leaf;
use crate::order;
use crate::token::Kind;

const BAD_KEY: &str = "a key is there twice, or is none";

#[derive(Clone, Copy)]
pub(crate) enum Content<'v> {
    /// Places of the base from here on, as they are.
    Kept { at: usize },
    /// A place of the base that was changed.
    Changed { at: usize },
    /// What is new, and its key if it has one.
    New { key: Option<Leaf<'v>> },
}

/// Places that come one behind the other, and their pieces.
#[derive(Clone, Copy)]
struct Entry<'v> {
    pieces: (u32, u32),
    places: u32,
    content: Content<'v>,
}

pub(crate) struct Places<'v> {
    kind: Kind,
    entries: Vec<Entry<'v>>,
    pub(crate) count: usize,
}

impl<'v> Places<'v> {
    pub(crate) fn new(kind: Kind) -> Self {
        Places { kind, entries: Vec::new(), count: 0 }
    }

    pub(crate) fn enter(&mut self, pieces: Range<usize>, places: usize, content: Content<'v>) {
        let pieces = (pieces.start as u32, pieces.end as u32);
        self.entries.push(Entry { pieces, places: places as u32, content });
        self.count += places;
    }

    /// Puts all places, each with its own pieces, in the order that the delta tells.
    pub(crate) fn rearrange<'b: 'v>(&mut self, from: &mut Applier<'b, 'v>) -> Applied<()> {
        let order = order::read(&mut from.reader, self.count)?;
        let first = self.entries.first().map_or(from.pieces.len(), |entry| entry.pieces.0 as usize);
        let mut places = Vec::with_capacity(self.count);
        for &entry in &self.entries {
            let Content::Kept { mut at } = entry.content else {
                places.push(entry);
                continue;
            };
            for _ in 0..entry.places {
                let (piece, end) = (from.pieces.len() as u32, from.skip(at, self.kind.width())?);
                from.pieces.base(at..end);
                places.push(Entry { pieces: (piece, piece + 1), places: 1, content: Content::Kept { at } });
                at = end;
            }
        }
        self.entries.clear();
        self.entries.extend(order.iter().map(|&place| places[place as usize]));
        let pieces = self.entries.iter().map(|entry| entry.pieces.0 as usize..entry.pieces.1 as usize);
        from.pieces.rearrange(first, pieces);
        Ok(())
    }

    /// Keys in their order, and whether each is new.
    fn keys<'b: 'v>(&self, from: &Applier<'b, 'v>) -> Applied<Vec<(Leaf<'v>, bool)>> {
        let mut keys = Vec::with_capacity(self.count);
        for entry in &self.entries {
            let mut at = match entry.content {
                Content::New { key } => {
                    keys.extend(key.map(|key| (key, true)));
                    continue;
                }
                Content::Kept { at } | Content::Changed { at } => at,
            };
            for place in 0..entry.places {
                if place > 0 {
                    at = from.skip(at, self.kind.width())?;
                }
                keys.push((from.leaf(at)?, false));
            }
        }
        Ok(keys)
    }

    /// No key comes twice, and all are such as the sequence may have, in an order that JavaScript keeps.
    pub(crate) fn check_keys<'b: 'v>(&self, from: &Applier<'b, 'v>) -> Applied<()> {
        let keys = self.keys(from)?;
        match self.kind {
            Kind::Object | Kind::Bare => {
                if keys.iter().any(|(key, _)| key.kind != Kind::Text) {
                    return from.reader.corrupt(BAD_KEY);
                }
                let mut least = 0;
                if !keys.iter().all(|(key, _)| follows(key.text(), &mut least)) {
                    return Err(ApplyError::Foreign);
                }
            }
            // Where holes move about, which is rare, JavaScript knows what may be.
            Kind::Sparse => return Err(ApplyError::Foreign),
            _ if keys.iter().any(|(key, _)| key.is_negative_zero()) => return Err(ApplyError::Foreign),
            _ => {}
        }
        let mut new = ByBytes::<()>::default();
        for (key, _) in keys.iter().filter(|(key, is_new)| *is_new && !key.kind.is_object()) {
            if new.insert(key.bytes, ()).is_some() {
                return from.reader.corrupt(BAD_KEY);
            }
        }
        if !new.is_empty() && keys.iter().any(|(key, is_new)| !is_new && new.contains_key(key.bytes)) {
            return from.reader.corrupt(BAD_KEY);
        }
        Ok(())
    }
}
