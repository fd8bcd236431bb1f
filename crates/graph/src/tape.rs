//! All values of some canonical bytes, in their order.

use core::cell::Cell;

use crate::error::Foreign;
use crate::keys::{follows, is_plain_key, is_short_ascii, is_text};
use crate::leaf::Leaf;
use crate::parts::Parts;
use crate::token::{self, Head, Kind};

/// Deeper values are left to the caller: what goes through them goes deeper on the stack with each level.
pub(crate) const DEPTH_LIMIT: usize = 100;

/// A value by its number: what a container holds comes behind it.
pub(crate) type Id = u32;

/// A value's kind in the lowest bits, and above them how many values are in it.
const KIND_BITS: u32 = 4;
/// Of the memory that is kept between calls, in bytes a side: to have it anew takes as long as to fill it.
const KEPT_BYTES: usize = 1 << 22;

#[derive(Clone, Copy)]
struct Node {
    start: u32,
    /// The first value behind it and what it holds.
    next: Id,
    form: u32,
}

thread_local! {
    static KEPT: Cell<[Vec<Node>; 2]> = const { Cell::new([Vec::new(), Vec::new()]) };
}

fn take_memory() -> Vec<Node> {
    let mut kept = KEPT.take();
    let taken = kept.iter_mut().max_by_key(|nodes| nodes.capacity()).map(core::mem::take);
    KEPT.set(kept);
    taken.unwrap_or_default()
}

fn keep_memory(mut nodes: Vec<Node>) {
    nodes.clear();
    if nodes.capacity() * size_of::<Node>() > KEPT_BYTES {
        return;
    }
    let mut kept = KEPT.take();
    if let Some(least) = kept.iter_mut().min_by_key(|nodes| nodes.capacity()) {
        *least = nodes;
    }
    KEPT.set(kept);
}

pub(crate) struct Tape<'a> {
    bytes: &'a [u8],
    nodes: Vec<Node>,
}

impl Drop for Tape<'_> {
    fn drop(&mut self) {
        keep_memory(core::mem::take(&mut self.nodes));
    }
}

/// A container whose content is being read.
#[derive(Clone, Copy)]
struct Open {
    id: Id,
    kind: Kind,
    count: u32,
    left: u32,
    /// What the next key must be at least, if it is a number: see `follows`.
    least: u64,
    mate: Mate,
}

/// What is read beside another container, of the base: its next child and the one before that, how many are left, and which
/// child here it is expected to be.
#[derive(Clone, Copy)]
struct Mate {
    next: Id,
    before: Id,
    left: u32,
    expected: u32,
}

impl Mate {
    const NONE: Mate = Mate { next: 0, before: 0, left: 0, expected: 0 };

    fn first_in(tape: &Tape<'_>, id: Id) -> Mate {
        Mate { next: id + 1, before: id + 1, left: tape.count(id) as u32, expected: 0 }
    }

    fn pass(&mut self, tape: &Tape<'_>) {
        self.before = self.next;
        self.next = tape.nodes[self.next as usize].next;
        self.left -= 1;
        self.expected += 1;
    }
}

impl<'a> Tape<'a> {
    /// Refuses what is not one whole value as the codec writes it, of the kinds that are known here. That no key comes twice
    /// in an object or Map is not looked at: see `has_keys_once`.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Foreign> {
        Self::read_as(bytes, None)
    }

    /// As `read`, and faster where much is as it is in `base`.
    pub(crate) fn read_beside(bytes: &'a [u8], base: &Tape<'_>) -> Result<Self, Foreign> {
        Self::read_as(bytes, Some(base))
    }

    fn read_as(bytes: &'a [u8], base: Option<&Tape<'_>>) -> Result<Self, Foreign> {
        if bytes.len() > holdfast_delta::MAX_LEN {
            return Err(Foreign);
        }
        let mut tape = Tape { bytes, nodes: take_memory() };
        let end = tape.fill(base).ok_or(Foreign)?;
        if end == bytes.len() { Ok(tape) } else { Err(Foreign) }
    }

    /// Hot: most of a differ's work is to see what there is.
    fn fill(&mut self, base: Option<&Tape<'_>>) -> Option<usize> {
        let bytes = self.bytes;
        let mut stack: Vec<Open> = Vec::new();
        let mate = base.map_or(Mate::NONE, |_| Mate { left: 1, ..Mate::NONE });
        let mut open = Open { id: 0, kind: Kind::List, count: 1, left: 1, least: 0, mate };
        let mut at = 0;
        loop {
            while open.left > 0 {
                let id = self.nodes.len() as Id;
                if let Some(end) = self.short_part(&mut open, at, id) {
                    at = end;
                    continue;
                }
                let head = token::head(bytes, at)?;
                let mut mate = Mate::NONE;
                if let (Some(base), true) = (base, head.count > 0) {
                    if let Some(length) = self.copy_of(base, &mut open, at) {
                        at += length;
                        continue;
                    }
                    if open.mate.left > 0 && base.kind(open.mate.next) == head.kind {
                        mate = Mate::first_in(base, open.mate.next);
                    }
                }
                self.nodes.push(Node { start: at as u32, next: id + 1, form: form_of(head)? });
                if head.kind == Kind::Text {
                    self.check_text(&mut open, id, &bytes[at..head.end])?;
                } else {
                    self.check_part(&mut open, id, head.kind)?;
                }
                open.left -= 1;
                at = head.end;
                if head.count > 0 {
                    if head.count > bytes.len() - at || stack.len() == DEPTH_LIMIT {
                        return None;
                    }
                    stack.push(open);
                    let count = head.count as u32;
                    open = Open { id, kind: head.kind, count, left: count, least: 0, mate };
                }
            }
            let Some(around) = stack.pop() else { return Some(at) };
            self.nodes[open.id as usize].next = self.nodes.len() as Id;
            open = around;
        }
    }

    /// Takes over a container that is as it is in the base, where it is expected or beside that; its length.
    fn copy_of(&mut self, base: &Tape<'_>, open: &mut Open, at: usize) -> Option<usize> {
        let number = open.count - open.left;
        let may_be_here = match open.kind {
            Kind::List | Kind::Map | Kind::Set => true,
            Kind::Object | Kind::Bare => number % 2 == 1,
            _ => false,
        };
        let mate = &mut open.mate;
        while mate.expected < number && mate.left > 0 {
            mate.pass(base);
        }
        if !may_be_here || mate.left == 0 {
            return None;
        }
        let rest = &self.bytes[at..];
        let is_here = |id: Id| base.count(id) > 0 && rest.starts_with(base.bytes(id));
        let found = if is_here(mate.next) {
            mate.next
        } else if open.kind != Kind::List {
            return None;
        } else if mate.left > 1 && is_here(base.nodes[mate.next as usize].next) {
            mate.pass(base);
            mate.next
        } else if is_here(mate.before) {
            mate.before
        } else {
            return None;
        };
        if found == mate.next {
            mate.pass(base);
        }
        mate.expected = number + 1;
        open.left -= 1;
        let (first, end) = (found as usize, base.nodes[found as usize].next as usize);
        let (by, ids) =
            ((at as u32).wrapping_sub(base.nodes[first].start), (self.nodes.len() as u32).wrapping_sub(found));
        self.nodes.extend(base.nodes[first..end].iter().map(|node| Node {
            start: node.start.wrapping_add(by),
            next: node.next.wrapping_add(ids),
            form: node.form,
        }));
        Some(base.bytes(found).len())
    }

    /// Most of what there is: numbers of one byte and short texts of ASCII, in lists and objects, read here to be read fast. Where
    /// it ends; nothing where it is something else, be it that it is wrong.
    #[inline(always)]
    fn short_part(&mut self, open: &mut Open, at: usize, id: Id) -> Option<usize> {
        let token = *self.bytes.get(at)?;
        let is_key = match open.kind {
            Kind::List => false,
            Kind::Object | Kind::Bare => (open.count ^ open.left) & 1 == 0,
            _ => return None,
        };
        let (end, kind) = match token {
            0xa0..=0xbf => {
                let length = usize::from(token & 31);
                if is_key && !is_plain_key(*self.bytes.get(at + 1)?) || !is_short_ascii(self.bytes, at + 1, length) {
                    return None;
                }
                (at + 1 + length, Kind::Text)
            }
            0x00..=0x7f if !is_key => (at + 1, Kind::Number),
            _ => return None,
        };
        if is_key {
            open.least = u64::MAX;
        }
        self.nodes.push(Node { start: at as u32, next: id + 1, form: kind as u32 });
        open.left -= 1;
        Some(end)
    }

    /// A text, which may be a key: those come as JavaScript orders them.
    #[inline]
    fn check_text(&self, open: &mut Open, id: Id, bytes: &[u8]) -> Option<()> {
        let text = Leaf { kind: Kind::Text, bytes }.text();
        if !is_text(text) {
            return None;
        }
        match open.kind {
            Kind::Object | Kind::Bare if (open.count - open.left).is_multiple_of(2) => {
                follows(text, &mut open.least).then_some(())
            }
            Kind::Sparse => self.check_part(open, id, Kind::Text),
            _ => Some(()),
        }
    }

    /// What is no text where a key may be expected.
    #[inline]
    fn check_part(&self, open: &mut Open, id: Id, part: Kind) -> Option<()> {
        let is_key = (open.count - open.left).is_multiple_of(2);
        let fits = match open.kind {
            Kind::List => true,
            Kind::Object | Kind::Bare => !is_key,
            Kind::Map => !is_key || part != Kind::Number || !self.leaf(id).is_negative_zero(),
            Kind::Set => part != Kind::Number || !self.leaf(id).is_negative_zero(),
            // The length comes first, then an index before each value.
            _ if open.left == open.count => self.natural(id)? > u64::from(open.count / 2),
            _ => {
                let is_index = !is_key;
                !is_index || self.is_index(open, id)
            }
        };
        fits.then_some(())
    }

    fn is_index(&self, open: &mut Open, id: Id) -> bool {
        let (Some(index), Some(length)) = (self.natural(id), self.natural(open.id + 1)) else { return false };
        let fits = index >= open.least && index < length;
        open.least = index + 1;
        fits
    }

    fn natural(&self, id: Id) -> Option<u64> {
        let value = if self.kind(id) == Kind::Number { self.leaf(id).number() } else { return None };
        (value.fract() == 0.0 && value.is_sign_positive() && value <= f64::from(u32::MAX)).then_some(value as u64)
    }

    pub(crate) fn kind(&self, id: Id) -> Kind {
        Kind::of(self.nodes[id as usize].form & ((1 << KIND_BITS) - 1))
    }

    /// Of a container: how many keys and values are in it.
    pub(crate) fn count(&self, id: Id) -> usize {
        (self.nodes[id as usize].form >> KIND_BITS) as usize
    }

    /// The bytes of a value and all that is in it.
    #[inline]
    pub(crate) fn bytes(&self, id: Id) -> &'a [u8] {
        let Node { start, next, .. } = self.nodes[id as usize];
        let end = self.nodes.get(next as usize).map_or(self.bytes.len(), |next| next.start as usize);
        &self.bytes[start as usize..end]
    }

    /// Where a value begins.
    pub(crate) fn start(&self, id: Id) -> usize {
        self.nodes[id as usize].start as usize
    }

    /// A value; of a container all that is in it.
    #[inline]
    pub(crate) fn leaf(&self, id: Id) -> Leaf<'a> {
        Leaf { kind: self.kind(id), bytes: self.bytes(id) }
    }

    pub(crate) fn text(&self, id: Id) -> &'a [u8] {
        self.leaf(id).text()
    }

    /// What is in a container; of an array with holes without its length.
    pub(crate) fn children(&self, id: Id) -> impl Iterator<Item = Id> {
        let skipped = usize::from(self.kind(id) == Kind::Sparse);
        let mut next = id + 1;
        (0..self.count(id))
            .map(move |_| {
                let child = next;
                next = self.nodes[child as usize].next;
                child
            })
            .skip(skipped)
    }

    /// An array's length, with its holes.
    pub(crate) fn sparse_length(&self, id: Id) -> &'a [u8] {
        self.bytes(id + 1)
    }

    pub(crate) fn parts(&self, id: Id) -> Parts {
        let kind = self.kind(id);
        let places = self.count(id) / kind.width();
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        if kind.has_keys() {
            keys.reserve_exact(places);
        }
        if kind.has_values() {
            values.reserve_exact(places);
        }
        let mut children = self.children(id);
        while let Some(child) = children.next() {
            match (kind.has_keys(), kind.has_values()) {
                (true, true) => {
                    keys.push(child);
                    values.extend(children.next());
                }
                (true, false) => keys.push(child),
                (false, _) => values.push(child),
            }
        }
        Parts { kind, keys, values }
    }

    /// Whether no key is twice in any object or Map, and no element in any Set.
    pub(crate) fn has_keys_once(&self) -> bool {
        let mut keys = Vec::new();
        (0..self.nodes.len() as Id).all(|id| {
            let kind = self.kind(id);
            if !kind.is_sequence() || !kind.has_keys() {
                return true;
            }
            keys.clear();
            let primitive = self.children(id).step_by(kind.width()).filter(|&key| !self.kind(key).is_object());
            keys.extend(primitive.map(|key| self.bytes(key)));
            keys.sort_unstable();
            keys.windows(2).all(|pair| pair[0] != pair[1])
        })
    }
}

fn form_of(head: Head) -> Option<u32> {
    let count = u32::try_from(head.count).ok().filter(|&count| count < 1 << (32 - KIND_BITS))?;
    Some(count << KIND_BITS | head.kind as u32)
}
