//! Finds what makes one value of another, as `ts/graph/compare.ts` does.

use crate::edit::{Edit, SequenceEdit};
use crate::error::Foreign;
use crate::parts::Parts;
use crate::tape::{Id, Tape};
use crate::token::Kind;
use crate::{keyed, lists, text};

pub(crate) type Compared = Result<Option<Edit>, Foreign>;

/// Both sides.
pub(crate) struct Pair<'a, 't> {
    pub(crate) base: &'t Tape<'a>,
    pub(crate) target: &'t Tape<'a>,
}

impl Pair<'_, '_> {
    #[inline]
    pub(crate) fn same(&self, one: Id, other: Id) -> bool {
        self.base.bytes(one) == self.target.bytes(other)
    }

    /// What makes `other`, of the target, of `one`, of the base; nothing where they are the same.
    pub(crate) fn compare(&self, one: Id, other: Id) -> Compared {
        if self.same(one, other) { Ok(None) } else { self.different(one, other).map(Some) }
    }

    fn different(&self, one: Id, other: Id) -> Result<Edit, Foreign> {
        let Pair { base, target } = self;
        let kind = base.kind(one);
        if target.kind(other) != kind {
            return Ok(Edit::Set(other));
        }
        match kind {
            Kind::Text => text::compare(base.text(one), target.text(other), other),
            Kind::Bytes => Ok(self.memory(one, other)),
            Kind::List => lists::compare(self, one, other),
            Kind::Sparse if base.sparse_length(one) != target.sparse_length(other) => Ok(Edit::Set(other)),
            _ if kind.is_sequence() => keyed::compare(self, one, other),
            _ => Ok(Edit::Set(other)),
        }
    }

    fn memory(&self, one: Id, other: Id) -> Edit {
        let (kind, base) = self.base.leaf(one).memory();
        let (target_kind, target) = self.target.leaf(other).memory();
        if kind != target_kind {
            return Edit::Set(other);
        }
        match holdfast_delta::diff(base, target) {
            Ok(delta) if delta.len() < target.len() => Edit::Bytes { delta },
            _ => Edit::Set(other),
        }
    }
}

pub(crate) fn in_place(base: Parts, target: Parts) -> SequenceEdit {
    SequenceEdit { base, target, source: None, stays: None, edits: Vec::new() }
}

/// Of the places in the base that `source` names, those that stay: a longest ascending subsequence, as flags by place in the
/// base. Nothing: all of them do.
pub(crate) fn stationary(source: &[Option<u32>], size: usize) -> Option<Vec<bool>> {
    if source.iter().flatten().is_sorted() {
        return None;
    }
    let place = |at: u32| source[at as usize];
    let mut tails: Vec<u32> = Vec::new();
    let mut before = vec![None; source.len()];
    for (at, found) in source.iter().enumerate().filter(|(_, found)| found.is_some()) {
        let low = tails.partition_point(|&tail| place(tail) < *found);
        before[at] = low.checked_sub(1).map(|low| tails[low]);
        match tails.get_mut(low) {
            Some(tail) => *tail = at as u32,
            None => tails.push(at as u32),
        }
    }
    let mut stays = vec![false; size];
    let mut next = tails.last().copied();
    while let Some(at) = next {
        if let Some(place) = place(at) {
            stays[place as usize] = true;
        }
        next = before[at as usize];
    }
    Some(stays)
}
