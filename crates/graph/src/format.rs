//! Numbers of the format, as `../delta/FORMAT.md` has them.
#![allow(missing_docs, reason = "the page says what each is")]

pub const GRAPH_SAME: u8 = 0;
pub const GRAPH_EDITS: u8 = 1;
pub const GRAPH_BINARY: u8 = 2;
pub const GRAPH_WHOLE: u8 = 3;
pub const GRAPH_SHARED: u8 = 4;
pub const GRAPH_LONG: usize = 63;

pub const STEP_EDIT: u32 = 0;
pub const STEP_SET: u32 = 1;
pub const STEP_DELETE: u32 = 2;
pub const STEP_DELETE_RUN: u32 = 3;
pub const STEP_INSERT: u32 = 4;
pub const STEP_INSERT_RUN: u32 = 5;
pub const STEP_PLACE: u32 = 6;
pub const STEP_OTHER: u32 = 7;
pub const STEP_BITS: u32 = 3;
pub const OTHER_END: u32 = 0;
pub const OTHER_TAKEN: u32 = 1;
pub const OTHER_ORDER: u32 = 2;
pub const OTHER_NAMED: u32 = 3;

pub const PLACE_AS_IS: u32 = 0;
pub const PLACE_EDIT: u32 = 1;
pub const PLACE_SET: u32 = 2;
pub const PLACE_LIKE: u32 = 3;
pub const PLACE_COPY: u32 = 4;
pub const PLACE_MODES: u32 = 5;

pub const ORDER_RUNS: u8 = 0;
pub const ORDER_PACKED: u8 = 1;

pub const TEXT_DELTA: u32 = 1;
pub const PACKED_DECIMAL: u8 = 0xc1;
pub const SEAL_BYTES: usize = 2;
