//! What turns the base into the target: operations, in the order of the target.

/// How many streams of copies are remembered.
pub(crate) const LANES: usize = 4;
/// A copy that starts this close to a stream's end goes on with it.
const LANE_WIDTH: usize = 64;
/// Bytes that an operation takes, about.
const OPERATION_COST: u64 = 4;

/// New bytes of the target, then a copy. A source from the base's length on is in the target itself, at what is beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) literal: u32,
    pub(crate) source: u32,
    pub(crate) length: u32,
}

/// Operations as they are found.
pub(crate) struct Script {
    pub(crate) operations: Vec<Operation>,
    base: usize,
    literal: usize,
    /// New bytes before the last operation's copy.
    written: usize,
    /// Where the last copies from the base ended, a stream each, the latest first.
    pub(crate) lanes: [usize; LANES],
}

impl Script {
    pub(crate) fn new(operations: Vec<Operation>, base: usize) -> Self {
        Self { operations, base, literal: 0, written: 0, lanes: [0; LANES] }
    }

    /// Where the last copy from the base ended.
    #[inline]
    pub(crate) fn left(&self) -> usize {
        self.lanes[0]
    }

    /// The next bytes of the target are new.
    #[inline]
    pub(crate) fn literal(&mut self, length: usize) {
        self.literal += length;
    }

    /// Bytes that the operations take, about.
    #[inline]
    pub(crate) fn cost(&self) -> u64 {
        (self.written + self.literal) as u64 + OPERATION_COST * self.operations.len() as u64
    }

    /// New bytes since the last copy.
    #[inline]
    pub(crate) fn new_bytes(&self) -> usize {
        self.literal
    }

    /// So many of the last bytes are not new after all.
    #[inline]
    pub(crate) fn take_back(&mut self, length: usize) {
        self.literal -= length;
    }

    /// The next bytes of the target are those at `source`.
    #[inline]
    pub(crate) fn copy(&mut self, source: usize, length: usize) {
        let is_own = source >= self.base;
        if !self.goes_on(source, length) && length + self.literal > 0 {
            let (literal, source, length) = (self.literal as u32, source as u32, length as u32);
            self.operations.push(Operation { literal, source, length });
        }
        self.written += self.literal;
        self.literal = 0;
        if !is_own {
            let lane = self.lanes.iter().position(|&end| source.abs_diff(end) < LANE_WIDTH).unwrap_or(LANES - 1);
            self.lanes.copy_within(0..lane, 1);
            self.lanes[0] = source + length;
        }
    }

    /// Makes the last copy longer where this one continues it.
    #[inline]
    fn goes_on(&mut self, source: usize, length: usize) -> bool {
        let Some(last) = self.operations.last_mut() else { return false };
        let end = (last.source + last.length) as usize;
        if self.literal > 0 || last.length == 0 || end != source || source == self.base {
            return false;
        }
        last.length += length as u32;
        true
    }

    /// Ends with a copy of the base's last `suffix` bytes.
    pub(crate) fn finish(mut self, suffix: usize) -> Vec<Operation> {
        if suffix > 0 {
            self.copy(self.base - suffix, suffix);
        } else if self.literal > 0 {
            self.copy(self.lanes[0], 0);
        }
        self.operations
    }
}
