//! Chooses the kind of delta and writes it.

use crate::compare::Pair;
use crate::edit::Edit;
use crate::error::Foreign;
use crate::format::{GRAPH_BINARY, GRAPH_EDITS, GRAPH_LONG, GRAPH_SAME, GRAPH_WHOLE, SEAL_BYTES};
use crate::header::put_sequence_header;
use crate::packed::pack;
use crate::reader::put_number;
use crate::seal::Seen;
use crate::tape::{Id, Tape};
use crate::token::Kind;
use crate::write::EditWriter;

const KIND_BITS: u32 = 2;
/// Shorter edits are kept as they are: what might be won is less than the time that it takes to look.
const SHORT: usize = 48;
/// Of a large state, edits whose values are no longer.
const SHORT_OF_LARGE: usize = 1_024;
/// A state with more parts is a large one.
const LARGE: usize = 512;
/// The whole value, which is the first.
const ROOT: Id = 0;

/// A new delta that turns `base` into `target`, both canonical bytes.
pub fn diff(base: &[u8], target: &[u8]) -> Result<Vec<u8>, Foreign> {
    let from = Tape::read(base)?;
    let to = Tape::read_beside(target, &from)?;
    let pair = Pair { base: &from, target: &to };
    let edit = match pair.compare(ROOT, ROOT)? {
        None => return Ok(vec![GRAPH_SAME]),
        Some(Edit::Set(_)) => return shortest(None, base, target),
        Some(edit) => edit,
    };
    let mut writer = EditWriter::new(&pair);
    writer.edit(&edit, ROOT, ROOT)?;
    let (delta, values) = edits_delta(&writer);
    if delta.len() <= SHORT || (values <= SHORT_OF_LARGE && is_large(&edit, &to)) {
        return Ok(delta);
    }
    shortest(Some(delta), base, target)
}

/// Counts as JavaScript does: keys of Maps and what holds an entry are parts of their own.
fn is_large(edit: &Edit, target: &Tape<'_>) -> bool {
    let size = match edit {
        Edit::Sequence(edit) => edit.source.as_ref().map_or(edit.target.keys.len(), Vec::len),
        _ => 0,
    };
    size > LARGE || parts_of(target, ROOT, LARGE as isize) > LARGE as isize
}

/// Counts what is in a value, up to about `most`.
fn parts_of(tape: &Tape<'_>, id: Id, most: isize) -> isize {
    let kind = tape.kind(id);
    if !kind.is_object() || kind == Kind::Bytes {
        return 1;
    }
    let parts = tape.parts(id);
    let mut count = 1;
    for place in 0..parts.len() {
        // An entry of a Map is an array of two.
        if kind == Kind::Map {
            count += 1;
        }
        let children = match kind {
            Kind::Map | Kind::Set => [parts.key(place), parts.value(place)],
            _ => [parts.value(place), None],
        };
        for child in children.into_iter().flatten() {
            count += parts_of(tape, child, most - count);
        }
        if count > most {
            break;
        }
    }
    count
}

/// The delta, and how many bytes of it are values.
fn edits_delta(edits: &EditWriter<'_, '_, '_>) -> (Vec<u8>, usize) {
    let steps = &edits.bytes;
    let mut out = Vec::with_capacity(steps.len() + edits.values.len() + 16);
    out.push(GRAPH_EDITS | (steps.len().min(GRAPH_LONG) as u8) << KIND_BITS);
    if steps.len() >= GRAPH_LONG {
        put_number(&mut out, (steps.len() - GRAPH_LONG) as u64);
    }
    out.extend_from_slice(steps);
    let before = out.len();
    if edits.count > 0 {
        let mut values = Vec::with_capacity(edits.values.len() + 5);
        put_sequence_header(&mut values, Kind::List, edits.count);
        values.extend_from_slice(&edits.values);
        out.extend_from_slice(&pack(&values));
    }
    let values = out.len() - before;
    (sealed(out, &edits.seen), values)
}

fn sealed(mut out: Vec<u8>, seen: &Seen) -> Vec<u8> {
    let seal = seen.seal(&out);
    out.extend_from_slice(&seal);
    out
}

fn shortest(edits: Option<Vec<u8>>, base: &[u8], target: &[u8]) -> Result<Vec<u8>, Foreign> {
    let bytes = pack(target);
    let binary = holdfast_delta::diff(&pack(base), &bytes).map_err(|_| Foreign)?;
    let whole = bytes.len() + 1 + SEAL_BYTES;
    let most = edits.as_ref().map_or(whole, |edits| edits.len().min(whole));
    if binary.len() + 1 < most {
        return Ok([&[GRAPH_BINARY], &binary[..]].concat());
    }
    match edits {
        Some(edits) if edits.len() <= most => Ok(edits),
        _ => Ok(sealed([&[GRAPH_WHOLE], &bytes[..]].concat(), &Seen::new())),
    }
}
