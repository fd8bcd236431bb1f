//! Hashes of values, and what a delta has seen of its base. All arithmetic is JavaScript's, so that both engines agree.

use crate::leaf::Leaf;
use crate::tape::{Id, Tape};
use crate::text::Units;
use crate::token::Kind;

/// Characters of a text, and bytes, that its hash looks at.
const LOOKED_AT: usize = 16;

pub(crate) fn mix(hash: u32, word: u32) -> u32 {
    let mixed = (hash ^ word).wrapping_mul(0x9e37_79b1);
    mixed ^ mixed >> 15
}

/// The places that are looked at of `length`: all of a few, else about so many, evenly.
fn sampled(length: usize) -> impl Iterator<Item = usize> {
    let step = if length <= LOOKED_AT { 1.0 } else { length as f64 / LOOKED_AT as f64 };
    core::iter::successors(Some(0.0), move |at| Some(at + step))
        .take_while(move |&at| at < length as f64)
        .map(|at| at as usize)
}

pub(crate) fn mix_text(hash: u32, text: &Units<'_>) -> u32 {
    let length = text.len();
    let mixed = sampled(length).fold(mix(hash, length as u32), |hash, at| mix(hash, text.unit(at).into()));
    if length > LOOKED_AT { mix(mixed, text.unit(length - 1).into()) } else { mixed }
}

fn mix_bytes(hash: u32, bytes: &[u8]) -> u32 {
    sampled(bytes.len()).fold(mix(hash ^ 8, bytes.len() as u32), |hash, at| mix(hash, bytes[at].into()))
}

fn mix_number(hash: u32, value: f64) -> u32 {
    let integer = value as i32;
    if f64::from(integer).to_bits() == value.to_bits() {
        return mix(hash, integer as u32);
    }
    let bits = value.to_bits();
    mix(mix(hash ^ 0x55, bits as u32), (bits >> 32) as u32)
}

fn base36(integer: i128) -> Vec<u8> {
    let mut digits = Vec::new();
    let mut rest = integer.unsigned_abs();
    while rest > 0 || digits.is_empty() {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[(rest % 36) as usize]);
        rest /= 36;
    }
    if integer < 0 {
        digits.push(b'-');
    }
    digits.reverse();
    digits
}

/// Of what is no container.
pub(crate) fn mix_leaf(hash: u32, leaf: Leaf<'_>) -> u32 {
    match leaf.kind {
        Kind::Number => mix_number(hash, leaf.number()),
        Kind::Text => mix_text(hash ^ 1, &Units::of(leaf.text())),
        Kind::BigInt => mix_text(hash ^ 2, &Units::of(&base36(leaf.integer()))),
        Kind::Date => mix_number(hash ^ 3, leaf.time()),
        Kind::Bytes => mix_bytes(hash, leaf.memory().1),
        Kind::Nil => mix(hash, 4),
        Kind::True => mix(hash, 6),
        Kind::False => mix(hash, 7),
        _ => mix(hash, 5),
    }
}

/// Of any value, with all that is in it.
pub(crate) fn mix_value(hash: u32, tape: &Tape<'_>, id: Id) -> u32 {
    let kind = tape.kind(id);
    if !kind.is_sequence() {
        return mix_leaf(hash, tape.leaf(id));
    }
    let size = tape.count(id) / kind.width();
    let opened = mix(hash ^ kind.number() << 8, size as u32);
    tape.children(id).fold(opened, |hash, child| mix_value(hash, tape, child))
}

/// What a delta has met in its base; see `ts/graph/seal.ts`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen(u32);

impl Seen {
    pub(crate) fn new() -> Self {
        Seen(0x2545_f491)
    }

    pub(crate) fn number(&mut self, value: usize) {
        self.0 = mix(self.0, value as u32);
    }

    /// Of a place that is changed. A Set has no values, which counts as undefined.
    pub(crate) fn place(&mut self, key: Option<Leaf<'_>>, value: Option<Leaf<'_>>) {
        if let Some(key) = key.filter(|key| key.kind == Kind::Text) {
            self.0 = mix_text(self.0, &Units::of(key.text()));
        }
        match value {
            Some(value) if value.kind.is_object() => {}
            Some(value) => self.0 = mix_leaf(self.0, value),
            None => self.0 = mix(self.0, 5),
        }
    }

    /// A text of so many characters, and the part of it that goes.
    pub(crate) fn text(&mut self, length: usize, removed: &[u8]) {
        self.0 = mix_text(mix(self.0, length as u32), &Units::of(removed));
    }

    /// 16 bits of it and of the delta so far.
    pub(crate) fn seal(&self, delta: &[u8]) -> [u8; 2] {
        let hash = xxhash_rust::xxh3::xxh3_64(delta) as u32;
        let folded = hash ^ hash >> 16 ^ self.0 ^ self.0 >> 16;
        (folded as u16).to_le_bytes()
    }
}
