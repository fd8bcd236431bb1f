//! Arrays without holes.

use crate::align::align;
use crate::compare::{Pair, in_place, stationary};
use crate::edit::{Change, Edit};
use crate::error::Foreign;
use crate::tape::Id;

/// The two differ.
pub(crate) fn compare(pair: &Pair<'_, '_>, one: Id, other: Id) -> Result<Edit, Foreign> {
    let mut found = in_place(pair.base.parts(one), pair.target.parts(other));
    let (base, target) = (&found.base.values, &found.target.values);
    let alignment = align(pair, base, target);
    let mut source = alignment.source;
    let mut edits = Vec::new();
    for at in alignment.changed {
        let Some(place) = source[at] else { continue };
        if let Some(edit) = pair.compare(base[place as usize], target[at])? {
            edits.push(Change { place, target: target[at], edit });
        }
    }
    let is_still = base.len() == target.len() && source.iter().enumerate().all(|(at, &place)| place == Some(at as u32));
    if !is_still {
        let stays = stationary(&source, base.len());
        if let Some(stays) = &stays {
            forget_moved_sets(&mut source, stays, &mut edits);
        }
        found.stays = stays;
        found.source = Some(source);
    }
    found.edits = edits;
    Ok(Edit::Sequence(Box::new(found)))
}

/// What moves and becomes another value is gone, and the other is new.
fn forget_moved_sets(source: &mut [Option<u32>], stays: &[bool], edits: &mut Vec<Change>) {
    let moved = |place: u32| !stays[place as usize];
    let mut forgotten = vec![false; stays.len()];
    edits.retain(|change| {
        let is_gone = moved(change.place) && matches!(change.edit, Edit::Set(_));
        forgotten[change.place as usize] |= is_gone;
        !is_gone
    });
    for place in source.iter_mut() {
        if place.is_some_and(|place| forgotten[place as usize]) {
            *place = None;
        }
    }
}
