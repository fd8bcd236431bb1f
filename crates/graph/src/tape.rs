//! All values of some canonical bytes, in their order.

use crate::error::Foreign;
use crate::leaf::Leaf;
use crate::token::{self, Kind};

/// Deeper values are left to the caller: what goes through them goes deeper on the stack with each level.
pub(crate) const DEPTH_LIMIT: usize = 100;

/// A value by its number: what a container holds comes behind it.
pub(crate) type Id = u32;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    start: u32,
    end: u32,
    /// The first value behind it and what it holds.
    next: Id,
    /// Values in it.
    count: u32,
    pub(crate) kind: Kind,
}

pub(crate) struct Tape<'a> {
    pub(crate) bytes: &'a [u8],
    nodes: Vec<Node>,
}

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

/// A container whose content is being read.
struct Open {
    id: Id,
    left: u32,
    /// The last of an object's keys that are numbers, plus one; `u64::MAX` once there was another.
    least: u64,
}

impl<'a> Tape<'a> {
    /// Refuses what is not one whole value as the codec writes it, of the kinds that are known here. That no key comes twice
    /// in an object or Map is not looked at: see `has_keys_once`.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Foreign> {
        if bytes.len() > holdfast_delta::MAX_LEN {
            return Err(Foreign);
        }
        let mut tape = Tape { bytes, nodes: Vec::with_capacity(bytes.len() / 8 + 16) };
        let end = tape.fill().ok_or(Foreign)?;
        if end == bytes.len() { Ok(tape) } else { Err(Foreign) }
    }

    fn fill(&mut self) -> Option<usize> {
        let bytes = self.bytes;
        let mut stack: Vec<Open> = Vec::new();
        let mut at = 0;
        loop {
            let head = token::head(bytes, at)?;
            let id = self.nodes.len() as Id;
            self.nodes.push(Node {
                start: at as u32,
                end: head.end as u32,
                next: id + 1,
                count: head.count as u32,
                kind: head.kind,
            });
            if head.kind == Kind::Text && !is_text(self.text(id)) {
                return None;
            }
            if let Some(open) = stack.last_mut() {
                self.check_part(open, id)?;
            }
            at = head.end;
            if head.count > 0 {
                if head.count > bytes.len() - at || stack.len() == DEPTH_LIMIT {
                    return None;
                }
                stack.push(Open { id, left: head.count as u32, least: 0 });
                continue;
            }
            while let Some(open) = stack.last_mut() {
                open.left -= 1;
                if open.left > 0 {
                    break;
                }
                let node = &mut self.nodes[open.id as usize];
                node.end = at as u32;
                node.next = id + 1;
                stack.pop();
            }
            if stack.is_empty() {
                return Some(at);
            }
        }
    }

    /// Keys as JavaScript orders them, and none that the codec writes otherwise. The part that comes now is `id`.
    #[inline]
    fn check_part(&self, open: &mut Open, id: Id) -> Option<()> {
        let Node { kind, count, .. } = self.nodes[open.id as usize];
        let part = self.nodes[id as usize];
        let is_key = (count - open.left).is_multiple_of(2);
        match kind {
            Kind::Object | Kind::Bare if is_key => {
                if part.kind != Kind::Text {
                    return None;
                }
                follows(self.text(id), &mut open.least).then_some(())
            }
            Kind::Map if is_key => (!self.leaf(id).is_negative_zero()).then_some(()),
            Kind::Set => (!self.leaf(id).is_negative_zero()).then_some(()),
            Kind::Sparse if open.left == count => self.check_sparse(id, count),
            Kind::Sparse if !is_key => self.check_index(open, id),
            _ => Some(()),
        }
    }

    /// The length of an array with holes, of which there is one at least.
    fn check_sparse(&self, id: Id, count: u32) -> Option<()> {
        let length = self.natural(id)?;
        (u64::from(count / 2) < length).then_some(())
    }

    fn check_index(&self, open: &mut Open, id: Id) -> Option<()> {
        let index = self.natural(id)?;
        let length = self.natural(open.id + 1)?;
        let fits = index >= open.least && index < length;
        open.least = index + 1;
        fits.then_some(())
    }

    fn natural(&self, id: Id) -> Option<u64> {
        let value = if self.kind(id) == Kind::Number { self.leaf(id).number() } else { return None };
        (value.fract() == 0.0 && value.is_sign_positive() && value <= f64::from(u32::MAX)).then_some(value as u64)
    }

    pub(crate) fn kind(&self, id: Id) -> Kind {
        self.nodes[id as usize].kind
    }

    /// Of a container: how many keys and values are in it.
    pub(crate) fn count(&self, id: Id) -> usize {
        self.nodes[id as usize].count as usize
    }

    /// The bytes of a value and all that is in it.
    #[inline]
    pub(crate) fn bytes(&self, id: Id) -> &'a [u8] {
        let node = &self.nodes[id as usize];
        &self.bytes[node.start as usize..node.end as usize]
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

/// UTF-8 that the codec keeps as such: a byte order mark at the start has another form.
fn is_text(text: &[u8]) -> bool {
    (text.is_ascii() || core::str::from_utf8(text).is_ok()) && !text.starts_with(b"\xef\xbb\xbf")
}

/// Whether a key may come where it does: numbers first, ascending, and none is `__proto__`. `least`: see `Open`.
pub(crate) fn follows(key: &[u8], least: &mut u64) -> bool {
    let index = index_of(key);
    if index.is_none() && key == b"__proto__" {
        return false;
    }
    let fits = index.is_none_or(|index| index >= *least);
    *least = index.map_or(u64::MAX, |index| index + 1);
    fits
}

/// Of a key that JavaScript takes for an array's index.
fn index_of(key: &[u8]) -> Option<u64> {
    if !key.first()?.is_ascii_digit() || key.len() > 10 || (key[0] == b'0' && key.len() > 1) {
        return None;
    }
    let number =
        key.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))?;
    (number < u64::from(u32::MAX)).then_some(number)
}
