//! Edits as bytes, with the values that they set and insert in the order in which a reader needs them.

use core::mem::take;

use crate::compare::Pair;
use crate::edit::{Change, Edit, SequenceEdit};
use crate::error::Foreign;
use crate::format::{
    OTHER_ORDER, OTHER_TAKEN, PLACE_AS_IS, PLACE_COPY, PLACE_EDIT, PLACE_LIKE, PLACE_MODES, PLACE_SET, STEP_BITS,
    STEP_DELETE, STEP_DELETE_RUN, STEP_EDIT, STEP_INSERT, STEP_INSERT_RUN, STEP_OTHER, STEP_PLACE, STEP_SET,
    TEXT_DELTA,
};
use crate::header::put_text_header;
use crate::order;
use crate::reader::put_number;
use crate::seal::Seen;
use crate::tape::{Id, Tape};
use crate::text::units_of;
use crate::token::Kind;

/// Below so many moved places, moves are written one by one.
const FEW_MOVES: usize = 4;
/// About what a move takes.
const MOVE_BYTES: usize = 5;

/// Work of telling new values by one model, in its parts and characters: what is new beyond that is written whole.
const MOST_LIKENESS: usize = 1 << 18;

type Written = Result<(), Foreign>;

pub(crate) struct EditWriter<'p, 'a, 't> {
    pair: &'p Pair<'a, 't>,
    pub(crate) bytes: Vec<u8>,
    /// Values, one behind the other, and how many.
    pub(crate) values: Vec<u8>,
    pub(crate) count: usize,
    pub(crate) seen: Seen,
    ends: usize,
}

impl<'p, 'a, 't> EditWriter<'p, 'a, 't> {
    pub(crate) fn new(pair: &'p Pair<'a, 't>) -> Self {
        EditWriter { pair, bytes: Vec::new(), values: Vec::new(), count: 0, seen: Seen::new(), ends: 0 }
    }

    /// What makes `target` of `base`; no `Set`: that is the container's.
    pub(crate) fn edit(&mut self, edit: &Edit, base: Id, target: Id) -> Written {
        match edit {
            Edit::Set(_) => Ok(()),
            Edit::Sequence(edit) => self.sequence(edit),
            Edit::Text { start, base_end, inserted, delta } => {
                let text = self.pair.base.text(base);
                let removed = &text[*start..*base_end];
                self.seen.text(units_of(text), removed);
                let flag = if delta.is_some() { TEXT_DELTA } else { 0 };
                self.number(2 * units_of(&text[..*start]) + flag as usize);
                self.number(units_of(removed));
                match delta {
                    Some(delta) => self.raw(delta),
                    None => self.text(&self.pair.target.text(target)[inserted.clone()]),
                }
                Ok(())
            }
            Edit::Bytes { delta } => {
                self.seen.number(self.pair.base.leaf(base).memory().1.len());
                self.raw(delta);
                Ok(())
            }
        }
    }

    fn number(&mut self, number: usize) {
        put_number(&mut self.bytes, number as u64);
    }

    fn raw(&mut self, delta: &[u8]) {
        self.number(delta.len());
        self.bytes.extend_from_slice(delta);
    }

    fn text(&mut self, text: &[u8]) {
        put_text_header(&mut self.values, text.len());
        self.values.extend_from_slice(text);
        self.count += 1;
    }

    fn value(&mut self, target: Id) {
        self.values.extend_from_slice(self.pair.target.bytes(target));
        self.count += 1;
    }

    fn sequence(&mut self, edit: &SequenceEdit) -> Written {
        self.seen.number(edit.base.kind.number() as usize);
        self.seen.number(edit.base.len());
        Steps { writer: self, edit, size: edit.base.len(), gap: 0 }.write()
    }

    fn step(&mut self, gap: usize, step: u32) {
        for _ in 0..take(&mut self.ends) {
            self.bytes.push(STEP_OTHER as u8);
        }
        self.number(gap << STEP_BITS | step as usize);
    }

    /// The end of a sequence is written when more follows.
    fn end(&mut self) {
        self.ends += 1;
    }
}

struct Steps<'w, 'e, 'p, 'a, 't> {
    writer: &'w mut EditWriter<'p, 'a, 't>,
    edit: &'e SequenceEdit,
    size: usize,
    gap: usize,
}

/// What is taken out, in order, and for each place its number among that.
struct Taken {
    ordinals: Vec<Option<u32>>,
}

impl Taken {
    fn ordinal(&self, place: usize) -> Option<u32> {
        self.ordinals.get(place).copied().flatten()
    }
}

impl<'e> Steps<'_, 'e, '_, '_, '_> {
    fn write(&mut self) -> Written {
        let edit = self.edit;
        match (&edit.source, &edit.stays) {
            (None, _) => self.in_place()?,
            (Some(source), None) => self.put(source, None, None, &Taken { ordinals: Vec::new() })?,
            (Some(source), Some(stays)) => return self.rearranged(source, stays),
        }
        self.writer.end();
        Ok(())
    }

    /// Where all places stay.
    fn in_place(&mut self) -> Written {
        let mut next = 0;
        for change in &self.edit.edits {
            self.gap = change.place as usize - next;
            self.changed(change)?;
            next = change.place as usize + 1;
        }
        Ok(())
    }

    /// Move by move, or as an order of all, whichever is shorter.
    fn rearranged(&mut self, source: &[Option<u32>], stays: &[bool]) -> Written {
        let mut is_kept = vec![false; self.size];
        source.iter().flatten().for_each(|&place| is_kept[place as usize] = true);
        let kept: Vec<u32> = (0..self.size as u32).filter(|&place| is_kept[place as usize]).collect();
        let taken: Vec<u32> = kept.iter().copied().filter(|&place| !stays[place as usize]).collect();
        if taken.len() >= FEW_MOVES {
            let order = order::written(&order_of(source, &kept, self.size));
            if order.len() < MOVE_BYTES * taken.len() {
                let mut all: Vec<Option<u32>> = kept.into_iter().map(Some).collect();
                all.resize(source.len(), None);
                let inserted: Vec<usize> = (0..source.len()).filter(|&at| source[at].is_none()).collect();
                self.put(&all, None, Some(&inserted), &Taken { ordinals: Vec::new() })?;
                self.writer.step(OTHER_ORDER as usize, STEP_OTHER);
                self.writer.bytes.extend_from_slice(&order);
                return Ok(());
            }
        }
        self.writer.step(OTHER_TAKEN as usize, STEP_OTHER);
        self.writer.number(taken.len());
        let mut next = 0;
        let mut ordinals = vec![None; self.size];
        for (ordinal, &place) in taken.iter().enumerate() {
            self.writer.number((place - next) as usize);
            next = place + 1;
            ordinals[place as usize] = Some(ordinal as u32);
        }
        self.put(source, Some(stays), None, &Taken { ordinals })?;
        self.writer.end();
        Ok(())
    }

    /// `inserted`: places in the target of what is new, where `source` is not in its order.
    fn put(
        &mut self,
        source: &[Option<u32>],
        stays: Option<&[bool]>,
        inserted: Option<&[usize]>,
        taken: &Taken,
    ) -> Written {
        let mut cursor = 0;
        let mut added = 0;
        let mut at = 0;
        while at < source.len() {
            let Some(place) = source[at].map(|place| place as usize) else {
                let count = source[at..].iter().take_while(|place| place.is_none()).count();
                let places: Vec<usize> =
                    (0..count).map(|n| inserted.map_or(at + n, |inserted| inserted[added + n])).collect();
                self.inserted(&places, cursor)?;
                added += count;
                at += count;
                continue;
            };
            at += 1;
            if stays.is_some_and(|stays| !stays[place]) {
                self.placed(place, taken.ordinal(place).unwrap_or(0))?;
                continue;
            }
            self.drop_to(&mut cursor, place, taken);
            cursor = place + 1;
            match self.edit.edit_of(place) {
                Some(change) => self.changed(change)?,
                None => self.gap += 1,
            }
        }
        self.drop_to(&mut cursor, self.size, taken);
        Ok(())
    }

    /// Deletes what lies before `end`, but for what is taken out.
    fn drop_to(&mut self, cursor: &mut usize, end: usize, taken: &Taken) {
        let gone: Vec<usize> = (*cursor..end).filter(|&place| taken.ordinal(place).is_none()).collect();
        *cursor = end.max(*cursor);
        if gone.is_empty() {
            return;
        }
        self.run(gone.len(), STEP_DELETE, STEP_DELETE_RUN);
        for place in gone {
            self.see(place);
        }
    }

    fn step(&mut self, step: u32) {
        self.writer.step(take(&mut self.gap), step);
    }

    fn run(&mut self, length: usize, one: u32, many: u32) {
        self.step(if length == 1 { one } else { many });
        if length > 1 {
            self.writer.number(length - 2);
        }
    }

    fn see(&mut self, place: usize) {
        let base = self.writer.pair.base;
        let key = self.edit.base.key(place).map(|key| base.leaf(key));
        self.writer.seen.place(key, self.edit.base.value(place).map(|value| base.leaf(value)));
    }

    fn changed(&mut self, change: &Change) -> Written {
        self.step(if matches!(change.edit, Edit::Set(_)) { STEP_SET } else { STEP_EDIT });
        self.change(change)
    }

    fn change(&mut self, change: &Change) -> Written {
        let place = change.place as usize;
        self.see(place);
        if let Edit::Set(value) = change.edit {
            self.writer.value(value);
            return Ok(());
        }
        match self.edit.base.value(place) {
            Some(base) => self.writer.edit(&change.edit, base, change.target),
            None => Ok(()),
        }
    }

    fn placed(&mut self, place: usize, ordinal: u32) -> Written {
        let change = self.edit.edit_of(place);
        let mode = match change {
            None => PLACE_AS_IS,
            Some(Change { edit: Edit::Set(_), .. }) => PLACE_SET,
            Some(_) => PLACE_EDIT,
        };
        self.step(STEP_PLACE);
        self.writer.number((ordinal * PLACE_MODES + mode) as usize);
        change.map_or(Ok(()), |change| self.change(change))
    }

    /// Of what is new, objects are told by what makes them of the one before them, if that has the same keys.
    fn inserted(&mut self, places: &[usize], cursor: usize) -> Written {
        let edit = self.edit;
        let model = edit.base.value(cursor.saturating_sub(1));
        let mut run: Vec<usize> = Vec::new();
        let mut left = None;
        for &place in places {
            match (model, edit.target.value(place)) {
                (Some(model), Some(value)) if left != Some(0) && self.have_same_keys(model, value) => {
                    let free = left.unwrap_or_else(|| (MOST_LIKENESS / weight_of(self.writer.pair.base, model)).max(1));
                    left = Some(free - 1);
                    self.inserted_run(&take(&mut run));
                    self.like(place, model, value, cursor)?;
                }
                _ => run.push(place),
            }
        }
        self.inserted_run(&run);
        Ok(())
    }

    /// Plain objects only.
    fn have_same_keys(&self, one: Id, other: Id) -> bool {
        let (base, target) = (self.writer.pair.base, self.writer.pair.target);
        base.kind(one) == Kind::Object
            && target.kind(other) == Kind::Object
            && base.count(one) == target.count(other)
            && base
                .children(one)
                .step_by(2)
                .zip(target.children(other).step_by(2))
                .all(|(a, b)| base.bytes(a) == target.bytes(b))
    }

    fn like(&mut self, place: usize, model: Id, value: Id, cursor: usize) -> Written {
        let edit = self.writer.pair.compare(model, value)?;
        self.step(STEP_PLACE);
        let back = u32::from(cursor == 0);
        let mode = if edit.is_none() { PLACE_COPY } else { PLACE_LIKE };
        self.writer.number((back * PLACE_MODES + mode) as usize);
        if let Some(key) = self.edit.target.key(place) {
            self.writer.value(key);
        }
        edit.map_or(Ok(()), |edit| self.writer.edit(&edit, model, value))
    }

    fn inserted_run(&mut self, places: &[usize]) {
        if places.is_empty() {
            return;
        }
        self.run(places.len(), STEP_INSERT, STEP_INSERT_RUN);
        for &place in places {
            let (key, value) = (self.edit.target.key(place), self.edit.target.value(place));
            key.into_iter().chain(value).for_each(|id| self.writer.value(id));
        }
    }
}

/// Parts and characters, and bytes of bytes: about what comparing takes.
fn weight_of(tape: &Tape<'_>, id: Id) -> usize {
    1 + match tape.kind(id) {
        Kind::Text => units_of(tape.text(id)),
        Kind::Bytes => tape.leaf(id).memory().1.len(),
        kind if kind.is_sequence() => tape.children(id).map(|child| weight_of(tape, child)).sum(),
        _ => 0,
    }
}

/// For each place of the target, where it is once what stays is in the base's order and what is new behind it.
fn order_of(source: &[Option<u32>], kept: &[u32], size: usize) -> Vec<u32> {
    let mut ranks = vec![0; size];
    for (rank, &place) in kept.iter().enumerate() {
        ranks[place as usize] = rank as u32;
    }
    let mut next = kept.len() as u32;
    source
        .iter()
        .map(|place| match place {
            Some(place) => ranks[*place as usize],
            None => {
                next += 1;
                next - 1
            }
        })
        .collect()
}
