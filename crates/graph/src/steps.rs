//! One sequence of the base and what a delta says of its places.

use crate::apply::{Applied, Applier};
use crate::error::ApplyError;
use crate::format::{
    OTHER_END, OTHER_ORDER, OTHER_TAKEN, PLACE_AS_IS, PLACE_COPY, PLACE_LIKE, PLACE_MODES, PLACE_SET, STEP_BITS,
    STEP_DELETE, STEP_DELETE_RUN, STEP_EDIT, STEP_INSERT, STEP_INSERT_RUN, STEP_OTHER, STEP_PLACE, STEP_SET,
};
use crate::header::put_sequence_header;
use crate::places::{Content, Places};
use crate::token::{Head, Kind};

const NO_END: &str = "it leads behind the end of a sequence";

pub(crate) struct Steps<'s, 'b, 'v> {
    from: &'s mut Applier<'b, 'v>,
    kind: Kind,
    size: usize,
    depth: usize,
    header: usize,
    /// The place in the base that comes next, where it is, and where the one before it is.
    cursor: usize,
    at: usize,
    last: usize,
    /// What is taken out, in order, and where it is; which of it was not placed yet; and how much of it was passed.
    taken: Vec<(usize, usize)>,
    waiting: Vec<bool>,
    passed: usize,
    made: Places<'v>,
    /// Places came or went.
    is_open: bool,
    has_new: bool,
    /// It has to know where what is in it ends.
    is_bound: bool,
}

impl<'s, 'b: 'v, 'v> Steps<'s, 'b, 'v> {
    pub(crate) fn new(from: &'s mut Applier<'b, 'v>, head: Head, depth: usize) -> Applied<Self> {
        let header = from.pieces.reserve();
        let mut at = head.end;
        if head.kind == Kind::Sparse {
            at = from.skip(at, 1)?;
            from.pieces.base(head.end..at);
        }
        let size = head.count / head.kind.width();
        // Each place takes a byte at least.
        if size > from.base.len() - at {
            return Err(ApplyError::Foreign);
        }
        Ok(Steps {
            from,
            kind: head.kind,
            size,
            depth,
            header,
            cursor: 0,
            at,
            last: at,
            taken: Vec::new(),
            waiting: Vec::new(),
            passed: 0,
            made: Places::new(head.kind),
            is_open: false,
            has_new: false,
            is_bound: false,
        })
    }

    /// Where the sequence ends in the base.
    pub(crate) fn run(mut self) -> Applied<usize> {
        while self.from.reader.left() > 0 {
            let head = self.from.reader.number()?;
            let (step, gap) = (head & ((1 << STEP_BITS) - 1), head >> STEP_BITS);
            match (step, gap) {
                (STEP_OTHER, OTHER_END) => break,
                (STEP_OTHER, OTHER_TAKEN) => self.take_out()?,
                (STEP_OTHER, OTHER_ORDER) => return self.finish(true),
                (STEP_OTHER, _) => return self.from.reader.corrupt("a step is unknown"),
                _ => {
                    self.keep(gap as usize)?;
                    self.step(step)?;
                }
            }
        }
        self.finish(false)
    }

    fn step(&mut self, step: u32) -> Applied<()> {
        match step {
            STEP_EDIT | STEP_SET => {
                let at = self.next_place()?;
                let end = self.change(at, step == STEP_SET)?;
                self.pass_to(end);
                Ok(())
            }
            STEP_DELETE => self.delete(1),
            STEP_DELETE_RUN => {
                let count = self.from.reader.number()? as usize;
                self.delete(count + 2)
            }
            STEP_INSERT => self.insert(1),
            STEP_INSERT_RUN => {
                let count = self.from.reader.number()? as usize;
                self.insert(count + 2)
            }
            STEP_PLACE => self.place(),
            _ => self.from.reader.corrupt("a step is unknown"),
        }
    }

    fn pass_to(&mut self, end: usize) {
        self.last = self.at;
        self.at = end;
        self.cursor += 1;
    }

    fn pass(&mut self, count: usize) -> Applied<()> {
        let width = self.kind.width();
        self.last = self.from.skip(self.at, (count - 1) * width)?;
        self.at = self.from.skip(self.last, width)?;
        self.cursor += count;
        Ok(())
    }

    /// Past what was taken out.
    fn pass_taken(&mut self) -> Applied<()> {
        while self.taken.get(self.passed).is_some_and(|&(place, _)| place == self.cursor) {
            self.pass(1)?;
            self.passed += 1;
        }
        Ok(())
    }

    /// Where the next place is.
    fn next_place(&mut self) -> Applied<usize> {
        self.pass_taken()?;
        if self.cursor < self.size { Ok(self.at) } else { self.from.reader.corrupt(NO_END) }
    }

    fn enter(&mut self, first: usize, places: usize, content: Content<'v>) {
        self.made.enter(first..self.from.pieces.len(), places, content);
    }

    fn keep(&mut self, count: usize) -> Applied<()> {
        if count > self.size - self.cursor {
            return self.from.reader.corrupt(NO_END);
        }
        let mut left = count;
        while left > 0 {
            self.next_place()?;
            let end = self.taken.get(self.passed).map_or(self.size, |&(place, _)| place);
            let run = left.min(end - self.cursor);
            self.keep_run(run)?;
            left -= run;
        }
        Ok(())
    }

    fn keep_run(&mut self, count: usize) -> Applied<()> {
        let (at, first) = (self.at, self.from.pieces.len());
        self.pass(count)?;
        self.from.pieces.base(at..self.at);
        self.enter(first, count, Content::Kept { at });
        Ok(())
    }

    fn value_at(&self, at: usize) -> Applied<usize> {
        if self.kind.has_keys() { self.from.skip(at, 1) } else { Ok(at) }
    }

    /// Notes key and value of the place at `at`; where its value is.
    fn see(&mut self, at: usize) -> Applied<usize> {
        let value_at = self.value_at(at)?;
        let key = if self.kind.has_keys() { Some(self.from.leaf(at)?) } else { None };
        let value = if self.kind.has_values() { Some(self.from.leaf(value_at)?) } else { None };
        self.from.seen.place(key, value);
        Ok(value_at)
    }

    /// Changes the place at `at`; where it ends.
    fn change(&mut self, at: usize, whole: bool) -> Applied<usize> {
        if !self.kind.has_values() {
            return self.from.reader.corrupt("it changes an element of a Set");
        }
        let value_at = self.see(at)?;
        let first = self.from.pieces.len();
        self.from.pieces.base(at..value_at);
        let end = if whole {
            self.from.put_value()?;
            self.from.skip(value_at, 1)?
        } else {
            self.from.edit(value_at, self.depth + 1)?
        };
        self.enter(first, 1, Content::Changed { at });
        Ok(end)
    }

    fn delete(&mut self, count: usize) -> Applied<()> {
        if count > self.size - self.cursor {
            return self.from.reader.corrupt("it deletes behind the end of a sequence");
        }
        self.is_open = true;
        for _ in 0..count {
            let at = self.next_place()?;
            let value_at = self.see(at)?;
            let end = if self.kind.has_values() { self.from.skip(value_at, 1)? } else { value_at };
            self.pass_to(end);
        }
        Ok(())
    }

    /// From now on what is in it must tell where it ends.
    fn bind(&mut self) {
        if !self.is_bound {
            self.is_bound = true;
            self.from.bound += 1;
        }
    }

    fn open_for_new(&mut self) {
        self.is_open = true;
        self.has_new = true;
        if self.kind.has_keys() {
            self.bind();
        }
    }

    fn insert(&mut self, count: usize) -> Applied<()> {
        self.open_for_new();
        for _ in 0..count {
            let first = self.from.pieces.len();
            let key = if self.kind.has_keys() { Some(self.from.put_value()?) } else { None };
            if self.kind.has_values() {
                self.from.put_value()?;
            }
            self.enter(first, 1, Content::New { key });
        }
        Ok(())
    }

    fn take_out(&mut self) -> Applied<()> {
        if self.is_bound || self.is_open || self.cursor > 0 {
            return self.from.reader.corrupt("places are taken out too late");
        }
        self.bind();
        self.is_open = true;
        let count = self.from.reader.up_to(self.size, "more is taken out than there is")?;
        let (mut next, mut at) = (0, self.at);
        for _ in 0..count {
            let what = "it takes out what is not there";
            let Some(most) = self.size.checked_sub(next + 1) else { return self.from.reader.corrupt(what) };
            let gap = self.from.reader.up_to(most, what)?;
            at = self.from.skip(at, gap * self.kind.width())?;
            self.taken.push((next + gap, at));
            at = self.from.skip(at, self.kind.width())?;
            next += gap + 1;
        }
        self.waiting = vec![true; count];
        Ok(())
    }

    fn place(&mut self) -> Applied<()> {
        let head = self.from.reader.number()?;
        let (mode, ordinal) = (head % PLACE_MODES, (head / PLACE_MODES) as usize);
        if mode == PLACE_LIKE || mode == PLACE_COPY {
            return self.like(ordinal, mode == PLACE_LIKE);
        }
        if !self.waiting.get(ordinal).is_some_and(|&waits| waits) {
            return self.from.reader.corrupt("it places what was not taken out");
        }
        self.waiting[ordinal] = false;
        let (_, at) = self.taken[ordinal];
        if mode != PLACE_AS_IS {
            return self.change(at, mode == PLACE_SET).map(drop);
        }
        let (first, end) = (self.from.pieces.len(), self.from.skip(at, self.kind.width())?);
        self.from.pieces.base(at..end);
        self.enter(first, 1, Content::Kept { at });
        Ok(())
    }

    /// A new one like the one before it (`ahead` 0), or the one behind.
    fn like(&mut self, ahead: usize, is_edited: bool) -> Applied<()> {
        let is_there = match ahead {
            0 => self.cursor > 0,
            1 => self.cursor < self.size,
            _ => false,
        };
        if !is_there || !self.kind.has_values() {
            return self.from.reader.corrupt("it makes a value like one that is not there");
        }
        self.open_for_new();
        let first = self.from.pieces.len();
        let key = if self.kind.has_keys() { Some(self.from.put_value()?) } else { None };
        let at = self.value_at(if ahead == 0 { self.last } else { self.at })?;
        let end = self.from.skip(at, 1)?;
        self.from.take(end - at)?;
        if is_edited {
            self.from.bound += 1;
            self.from.edit(at, self.depth + 1)?;
            self.from.bound -= 1;
        } else {
            self.from.pieces.base(at..end);
        }
        self.enter(first, 1, Content::New { key });
        Ok(())
    }

    fn keep_rest(&mut self, is_ordered: bool) -> Applied<()> {
        if self.from.is_over || (self.from.reader.left() == 0 && self.from.bound == 0 && !is_ordered) {
            // What is behind the last change anywhere is one piece.
            if !self.from.is_over {
                self.from.pieces.base(self.at..self.from.base.len());
            }
            self.from.is_over = true;
            self.at = self.from.base.len();
            self.made.count += self.size - self.cursor;
            return Ok(());
        }
        loop {
            self.pass_taken()?;
            let end = self.taken.get(self.passed).map_or(self.size, |&(place, _)| place);
            if end == self.cursor {
                return Ok(());
            }
            self.keep_run(end - self.cursor)?;
        }
    }

    fn finish(mut self, is_ordered: bool) -> Applied<usize> {
        self.keep_rest(is_ordered)?;
        if self.waiting.contains(&true) {
            return self.from.reader.corrupt("what was taken out is not placed");
        }
        if is_ordered {
            self.made.rearrange(self.from)?;
        }
        if self.kind.has_keys() && (self.has_new || is_ordered || !self.taken.is_empty()) {
            self.made.check_keys(self.from)?;
        }
        let (kind, length) = (self.kind, self.made.count);
        self.from.pieces.make_at(self.header, |made| put_sequence_header(made, kind, length));
        self.from.bound -= u32::from(self.is_bound);
        Ok(self.at)
    }
}
