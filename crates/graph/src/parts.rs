//! A container that is looked into.

use crate::tape::Id;
use crate::token::Kind;

/// A container's keys and values; a list has no keys, a Set no values.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) kind: Kind,
    pub(crate) keys: Vec<Id>,
    pub(crate) values: Vec<Id>,
}

impl Parts {
    pub(crate) fn len(&self) -> usize {
        if self.kind.has_keys() { self.keys.len() } else { self.values.len() }
    }

    pub(crate) fn key(&self, place: usize) -> Option<Id> {
        self.keys.get(place).copied()
    }

    /// Of a Set: nothing, which JavaScript takes for undefined.
    pub(crate) fn value(&self, place: usize) -> Option<Id> {
        self.values.get(place).copied()
    }
}
