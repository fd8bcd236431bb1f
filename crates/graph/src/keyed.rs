//! Objects, Maps, Sets and arrays with holes: their places have keys.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::classes::{ByBytes, Classes};
use crate::compare::{Pair, in_place, stationary};
use crate::edit::{Change, Edit};
use crate::error::Foreign;
use crate::parts::Parts;
use crate::tape::Id;

/// Where each key of the target is in the base.
type Source = Vec<Option<u32>>;

/// The two differ.
pub(crate) fn compare(pair: &Pair<'_, '_>, one: Id, other: Id) -> Result<Edit, Foreign> {
    let mut found = in_place(pair.base.parts(one), pair.target.parts(other));
    let (base, target) = (&found.base, &found.target);
    let is_same =
        base.keys.len() == target.keys.len() && base.keys.iter().zip(&target.keys).all(|(&a, &b)| pair.same(a, b));
    let source = if is_same { None } else { Some(match_keys(pair, base, target)?) };
    let mut edits = Vec::new();
    for (at, &value) in target.values.iter().enumerate() {
        let Some(place) = source.as_ref().map_or(Some(at as u32), |source| source[at]) else { continue };
        if let Some(edit) = pair.compare(base.values[place as usize], value)? {
            edits.push(Change { place, target: value, edit });
        }
    }
    edits.sort_unstable_by_key(|change| change.place);
    let size = found.base.len();
    found.stays = source.as_ref().and_then(|source| stationary(source, size));
    found.source = source;
    found.edits = edits;
    Ok(Edit::Sequence(Box::new(found)))
}

/// For each key of the target its place in the base. Equal keys that are objects are matched in order: a Map may have
/// several. Any other key that comes twice is nothing that the codec writes.
fn match_keys(pair: &Pair<'_, '_>, base: &Parts, target: &Parts) -> Result<Source, Foreign> {
    let mut places: ByBytes<'_, Option<u32>> = ByBytes::with_capacity_and_hasher(base.keys.len(), Default::default());
    let mut shared: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut classes = Classes::default();
    for (place, &key) in base.keys.iter().enumerate().rev() {
        if pair.base.kind(key).is_object() {
            shared.entry(classes.of(pair.base, key)).or_default().push(place as u32);
        } else if places.insert(pair.base.bytes(key), Some(place as u32)).is_some() {
            return Err(Foreign);
        }
    }
    target
        .keys
        .iter()
        .map(|&key| {
            if pair.target.kind(key).is_object() {
                let free = if shared.is_empty() { None } else { shared.get_mut(&classes.of(pair.target, key)) };
                return Ok(free.and_then(Vec::pop));
            }
            // What has been met is there, and has no place any more.
            match places.entry(pair.target.bytes(key)) {
                Entry::Occupied(mut place) => place.get_mut().take().map(Some).ok_or(Foreign),
                Entry::Vacant(new) => {
                    new.insert(None);
                    Ok(None)
                }
            }
        })
        .collect()
}
