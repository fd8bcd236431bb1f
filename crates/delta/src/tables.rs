//! The matcher's memory, which outlives the call: nothing is allocated or cleared for a small edit.
//!
//! A table's entry is the call's *stamp* + a position + 1. Stamps grow by more than the positions of the call before, so what an
//! earlier call left behind is below the stamp, and ignored: the same input gives the same delta whatever came before.

use core::cell::Cell;

use crate::script::Operation;

pub(crate) const NEAR_BITS: u32 = 10;
pub(crate) const FILL_BITS: u32 = 10;
pub(crate) const OWN_BITS: u32 = 13;
pub(crate) const RECENT_BITS: u32 = 12;
pub(crate) const RECENT_BITS_WIDE: u32 = 16;
/// More memory than this is given back after the call: a table's, and a body's or that of operations.
const KEPT_BYTES: usize = 1 << 22;
const KEPT_BODY: usize = 1 << 20;

pub(crate) struct Tables {
    /// 8-byte grams of the base around the expected position, the two latest of each hash.
    pub(crate) near: [[u32; 2]; 1 << NEAR_BITS],
    /// 5-byte grams of the base around a gap, the two latest.
    pub(crate) fill: [[u32; 2]; 1 << FILL_BITS],
    /// 4-byte grams of the target's gaps.
    pub(crate) own: [u32; 1 << OWN_BITS],
    /// 8-byte grams of the target so far, and the larger table for where much is new.
    pub(crate) recent: [u32; 1 << RECENT_BITS],
    pub(crate) recent_wide: Vec<u32>,
    /// 8-byte grams of the whole base.
    pub(crate) dense: Vec<u32>,
    /// `Far`'s grams: no stamps.
    pub(crate) far: Vec<u32>,
    pub(crate) operations: Vec<Operation>,
    /// Bodies of deltas, to choose from.
    pub(crate) plain: Vec<u8>,
    pub(crate) coded: Vec<u8>,
    pub(crate) stamp: u32,
}

thread_local! {
    static KEPT: Cell<Option<Box<Tables>>> = const { Cell::new(None) };
}

impl Tables {
    fn new() -> Box<Self> {
        Box::new(Self {
            near: [[0; 2]; 1 << NEAR_BITS],
            fill: [[0; 2]; 1 << FILL_BITS],
            own: [0; 1 << OWN_BITS],
            recent: [0; 1 << RECENT_BITS],
            recent_wide: Vec::new(),
            dense: Vec::new(),
            far: Vec::new(),
            operations: Vec::new(),
            plain: Vec::new(),
            coded: Vec::new(),
            stamp: 0,
        })
    }

    /// This thread's tables, for positions below `room`.
    pub(crate) fn take(room: usize) -> Box<Self> {
        let mut tables = KEPT.take().unwrap_or_else(Self::new);
        if u64::from(tables.stamp) + room as u64 + 2 > u64::from(u32::MAX) {
            tables = Self::new();
        }
        tables.operations.clear();
        tables
    }

    /// Keeps the tables for the thread's next call, which may not use this one's entries.
    pub(crate) fn keep(mut self: Box<Self>, room: usize) {
        self.stamp = self.stamp.saturating_add(room as u32 + 2);
        for table in [&mut self.recent_wide, &mut self.dense, &mut self.far] {
            if table.capacity() * 4 > KEPT_BYTES {
                *table = Vec::new();
            }
        }
        for body in [&mut self.plain, &mut self.coded] {
            if body.capacity() > KEPT_BODY {
                *body = Vec::new();
            }
        }
        if self.operations.capacity() * size_of::<Operation>() > KEPT_BODY {
            self.operations = Vec::new();
        }
        KEPT.set(Some(self));
    }
}
