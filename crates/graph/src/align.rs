//! What of one list is what of another, as `ts/graph/align.ts` finds it.

use std::collections::HashMap;
use std::hash::Hash;

use crate::classes::{ByBytes, Classes};
use crate::compare::Pair;
use crate::leaf::Leaf;
use crate::tape::{Id, Tape};
use crate::text;
use crate::token::Kind;

/// Work of the exact search for what two lists share, in differences; where there are more, an estimate serves.
const MOST_DIFFERENCES: usize = 128;
/// Names of what is taken for an object's identity, if it is text or a number.
const IDENTITIES: [&[u8]; 6] = [b"id", b"_id", b"key", b"uuid", b"sku", b"name"];
/// Objects with more keys are looked up by a table.
const FEW_KEYS: usize = 16;

pub(crate) struct Alignment {
    /// For each element of the target the one of the base that it is, was, or comes from.
    pub(crate) source: Vec<Option<u32>>,
    /// Places in the target of what is not known to equal its source, in the order of their sources.
    pub(crate) changed: Vec<usize>,
}

pub(crate) fn align(pair: &Pair<'_, '_>, base: &[Id], target: &[Id]) -> Alignment {
    let mut source = vec![None; target.len()];
    let start = base.iter().zip(target).take_while(|&(&a, &b)| pair.same(a, b)).count();
    let backwards = base[start..].iter().rev().zip(target[start..].iter().rev());
    let end = backwards.take_while(|&(&a, &b)| pair.same(a, b)).count();
    let (base_end, target_end) = (base.len() - end, target.len() - end);
    for (at, place) in (0..start).map(|at| (at, at)).chain((0..end).map(|n| (target_end + n, base_end + n))) {
        source[at] = Some(place as u32);
    }
    if start == base_end || start == target_end {
        return Alignment { source, changed: Vec::new() };
    }
    if base_end == target_end
        && let Some(changed) = changed_in_place(pair, &base[..base_end], &target[..base_end], start)
    {
        for (at, place) in source.iter_mut().enumerate().take(base_end).skip(start) {
            *place = Some(at as u32);
        }
        return Alignment { source, changed };
    }
    let middle = Middle { pair, base: &base[start..base_end], target: &target[start..target_end], start };
    let (found, mut changed) = middle.by_unique_identity().unwrap_or_else(|| middle.by_content());
    for (at, place) in found.into_iter().enumerate() {
        source[start + at] = place.map(|place| (start + place) as u32);
    }
    changed.sort_unstable_by_key(|&at| source[at]);
    Alignment { source, changed }
}

/// Where few elements have changed and all others are at their places, there is nothing to look for.
fn changed_in_place(pair: &Pair<'_, '_>, base: &[Id], target: &[Id], start: usize) -> Option<Vec<usize>> {
    let most = 1 + ((base.len() - start) >> 2);
    let mut changed = Vec::new();
    for at in start..base.len() {
        if pair.same(base[at], target[at]) {
            continue;
        }
        if changed.len() == most || !is_pair(pair, base[at], target[at]) {
            return None;
        }
        changed.push(at);
    }
    Some(changed)
}

/// Whether two elements at one place are two states of one: of the same identity, or nothing says otherwise.
fn is_pair(pair: &Pair<'_, '_>, one: Id, other: Id) -> bool {
    match (identity_of(pair.base, one), identity_of(pair.target, other)) {
        (None, None) => is_alike(pair, one, other),
        // NaN is not the same as itself.
        (Some(a), Some(b)) => a == b && !(a.kind == Kind::Number && a.leaf().number().is_nan()),
        _ => false,
    }
}

/// An identity; -0 is 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Identity<'a> {
    kind: Kind,
    bytes: &'a [u8],
}

impl<'a> Identity<'a> {
    fn leaf(self) -> Leaf<'a> {
        Leaf { kind: self.kind, bytes: self.bytes }
    }
}

fn identity_of<'a>(tape: &Tape<'a>, id: Id) -> Option<Identity<'a>> {
    if !matches!(tape.kind(id), Kind::Object | Kind::Bare) {
        return None;
    }
    let mut best: Option<(usize, Id)> = None;
    let mut children = tape.children(id);
    while let (Some(key), Some(value)) = (children.next(), children.next()) {
        let Some(rank) = IDENTITIES.iter().position(|&name| name == tape.text(key)) else { continue };
        let is_better = best.is_none_or(|(found, _)| rank < found);
        if is_better && matches!(tape.kind(value), Kind::Text | Kind::Number) {
            best = Some((rank, value));
            if rank == 0 {
                break;
            }
        }
    }
    best.map(|(_, value)| {
        let leaf = tape.leaf(value);
        Identity { kind: leaf.kind, bytes: if leaf.is_negative_zero() { &[0] } else { leaf.bytes } }
    })
}

/// Whether a change of the one is likely to be shorter than the other.
fn is_alike(pair: &Pair<'_, '_>, one: Id, other: Id) -> bool {
    let kind = pair.base.kind(one);
    if pair.target.kind(other) != kind {
        return false;
    }
    match kind {
        Kind::Text => text::is_alike(pair.base.text(one), pair.target.text(other)),
        Kind::Object => share_keys(pair, one, other),
        _ => kind.is_object(),
    }
}

fn share_keys(pair: &Pair<'_, '_>, one: Id, other: Id) -> bool {
    let keys: Vec<&[u8]> = pair.base.children(one).step_by(2).map(|key| pair.base.bytes(key)).collect();
    let others = || pair.target.children(other).step_by(2).map(|key| pair.target.bytes(key));
    let shared = if keys.len().min(pair.target.count(other) / 2) <= FEW_KEYS {
        keys.iter().filter(|&&key| others().any(|other| other == key)).count()
    } else {
        let known: ByBytes<'_, ()> = others().map(|key| (key, ())).collect();
        keys.iter().filter(|&&key| known.contains_key(key)).count()
    };
    keys.is_empty() || 2 * shared >= keys.len()
}

/// For each of the target's elements in the middle its place there in the base, and those in the target that may differ.
type Found = (Vec<Option<usize>>, Vec<usize>);

/// What lies between the equal ends of two lists.
struct Middle<'p, 'a, 't> {
    pair: &'p Pair<'a, 't>,
    base: &'p [Id],
    target: &'p [Id],
    start: usize,
}

impl<'a> Middle<'_, 'a, '_> {
    /// Where each element has an identity of its own, nothing else has to be looked at.
    fn by_unique_identity(&self) -> Option<Found> {
        let places = places_by_id(self.pair.base, self.base)?;
        let others = places_by_id(self.pair.target, self.target)?;
        let mut source = vec![None; self.target.len()];
        let mut changed = Vec::new();
        for (id, at) in others {
            if let Some(&place) = places.get(id) {
                source[at] = Some(place);
                changed.push(self.start + at);
            }
        }
        Some((source, changed))
    }

    fn by_content(&self) -> Found {
        let mut classes = Classes::default();
        let a: Vec<u32> = self.base.iter().map(|&id| classes.of(self.pair.base, id)).collect();
        let b: Vec<u32> = self.target.iter().map(|&id| classes.of(self.pair.target, id)).collect();
        let mut links = Links { used: vec![false; a.len()], source: vec![None; b.len()], changed: Vec::new() };
        align_exactly(&a, &b, &mut links);
        self.align_by_class(&a, &b, true, &mut links);
        self.align_by_class(&a, &b, false, &mut links);
        self.align_by_identity(&mut links);
        self.align_gaps(&mut links);
        (links.source, links.changed.into_iter().map(|at| self.start + at).collect())
    }

    /// Equal elements that are left. `once`: those that are left once in the base; otherwise objects in order of occurrence:
    /// to move one of several equal numbers says more than the number.
    fn align_by_class(&self, a: &[u32], b: &[u32], once: bool, links: &mut Links) {
        let mut free: HashMap<u32, Vec<usize>> = HashMap::new();
        for place in (0..a.len()).rev().filter(|&place| !links.used[place]) {
            free.entry(a[place]).or_default().push(place);
        }
        if once {
            free.retain(|_, places| places.len() == 1);
        }
        for (at, name) in b.iter().enumerate() {
            let is_simple = !self.pair.target.kind(self.target[at]).is_object();
            if links.source[at].is_some() || (!once && is_simple) {
                continue;
            }
            if let Some(place) = free.get_mut(name).and_then(Vec::pop) {
                links.link(place, at);
            }
        }
    }

    fn align_by_identity(&self, links: &mut Links) {
        let mut free = HashMap::new();
        for (place, &id) in self.base.iter().enumerate().filter(|&(place, _)| !links.used[place]) {
            if let Some(identity) = identity_of(self.pair.base, id) {
                free.entry(identity).or_insert(place);
            }
        }
        if free.is_empty() {
            return;
        }
        for (at, &id) in self.target.iter().enumerate() {
            let identity = if links.source[at].is_none() { identity_of(self.pair.target, id) } else { None };
            if let Some(place) = identity.and_then(|identity| free.remove(&identity)) {
                links.pair(place, at);
            }
        }
    }

    /// Pairs what is new with what is gone at the same place, in order.
    fn align_gaps(&self, links: &mut Links) {
        let mut place = 0;
        for at in 0..self.target.len() {
            if let Some(found) = links.source[at] {
                place = place.max(found + 1);
                continue;
            }
            if place >= self.base.len() || links.used[place] {
                continue;
            }
            if self.is_pair_in_gap(self.base[place], self.target[at]) {
                links.pair(place, at);
            }
            place += 1;
        }
    }

    /// As `is_pair`; what is no container takes the place of another one.
    fn is_pair_in_gap(&self, one: Id, other: Id) -> bool {
        let are_simple = !self.pair.base.kind(one).is_object() && !self.pair.target.kind(other).is_object();
        are_simple || is_pair(self.pair, one, other)
    }
}

/// Nothing: an element has no identity, or that of another.
fn places_by_id<'a>(tape: &Tape<'a>, list: &[Id]) -> Option<ByBytes<'a, usize>> {
    let mut places = ByBytes::with_capacity_and_hasher(list.len(), Default::default());
    for (place, &id) in list.iter().enumerate() {
        // The token of a text is never that of a number.
        if places.insert(identity_of(tape, id)?.bytes, place).is_some() {
            return None;
        }
    }
    Some(places)
}

struct Links {
    /// For each element of the base whether it has a place in the target.
    used: Vec<bool>,
    source: Vec<Option<usize>>,
    changed: Vec<usize>,
}

impl Links {
    fn link(&mut self, place: usize, at: usize) {
        self.used[place] = true;
        self.source[at] = Some(place);
    }

    fn pair(&mut self, place: usize, at: usize) {
        self.link(place, at);
        self.changed.push(at);
    }
}

/// Whether diagonal `k` is reached with one difference more from the one above it; `reach[k + d + 1]` is how far diagonal `k`
/// went with one difference less.
fn is_down(reach: &[usize], d: isize, k: isize) -> bool {
    k == -d || (k != d && reach[(k + d) as usize] < reach[(k + d + 2) as usize])
}

/// Where diagonal `k` begins after `d` differences.
fn begin(reach: &[usize], d: isize, k: isize) -> usize {
    match d {
        0 => 0,
        _ if is_down(reach, d, k) => reach[(k + d + 2) as usize],
        _ => reach[(k + d) as usize] + 1,
    }
}

/// The longest common subsequence (Myers 1986), if it takes few differences.
fn align_exactly(a: &[u32], b: &[u32], links: &mut Links) {
    let mut rows: Vec<Vec<usize>> = Vec::new();
    let mut reach = vec![0; 3];
    for d in 0..=MOST_DIFFERENCES as isize {
        let mut next = vec![0; 2 * d as usize + 5];
        next[1..1 + reach.len()].copy_from_slice(&reach);
        for k in (-d..=d).step_by(2) {
            let mut x = begin(&reach, d, k);
            let row = |x: usize| x as isize - k;
            while x < a.len() && row(x) < b.len() as isize && a.get(x) == b.get(row(x) as usize) {
                x += 1;
            }
            next[(k + d + 2) as usize] = x;
            if x >= a.len() && row(x) >= b.len() as isize {
                rows.push(reach);
                return link_back(&rows, a.len(), d, k, links);
            }
        }
        rows.push(reach);
        reach = next;
    }
}

/// Goes the way of `align_exactly` back, from the end on diagonal `k` after `d` differences.
fn link_back(rows: &[Vec<usize>], end: usize, differences: isize, diagonal: isize, links: &mut Links) {
    let (mut x, mut k) = (end, diagonal);
    for d in (0..=differences).rev() {
        let reach = &rows[d as usize];
        let first = begin(reach, d, k);
        while x > first {
            x -= 1;
            links.link(x, (x as isize - k) as usize);
        }
        if d == 0 {
            return;
        }
        let down = is_down(reach, d, k);
        x = if down { first } else { first - 1 };
        k += if down { 1 } else { -1 };
    }
}
