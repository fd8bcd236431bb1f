//! What makes one value of another: the tree that the differ finds, and that the delta is written from.

use core::ops::Range;

use crate::parts::Parts;
use crate::tape::Id;

#[derive(Debug)]
pub(crate) enum Edit {
    /// A value of the target in place of it.
    Set(Id),
    /// Bytes of a text, from `start` to `base_end`, give way to some of the target's text.
    Text {
        start: usize,
        base_end: usize,
        inserted: Range<usize>,
        /// From the removed bytes to the inserted ones, where this is the shorter way to say it.
        delta: Option<Vec<u8>>,
    },
    Bytes {
        delta: Vec<u8>,
    },
    Sequence(Box<SequenceEdit>),
}

#[derive(Debug)]
pub(crate) struct SequenceEdit {
    pub(crate) base: Parts,
    pub(crate) target: Parts,
    /// Where each place of the target comes from; nothing: all stay in their places.
    pub(crate) source: Option<Vec<Option<u32>>>,
    /// By place in the base whether it keeps its place among those that stay; nothing: all do, or are gone.
    pub(crate) stays: Option<Vec<bool>>,
    /// Of what stays and is changed in itself, by ascending place in the base; with the value in the target.
    pub(crate) edits: Vec<Change>,
}

#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) place: u32,
    pub(crate) target: Id,
    pub(crate) edit: Edit,
}

impl SequenceEdit {
    pub(crate) fn edit_of(&self, place: usize) -> Option<&Change> {
        self.edits.binary_search_by_key(&(place as u32), |change| change.place).ok().map(|index| &self.edits[index])
    }
}
