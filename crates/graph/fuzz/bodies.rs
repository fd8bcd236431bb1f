//! What each fuzz target does with its input. The crate's tests run the same over the seeds and over what once broke it.
#![allow(dead_code, reason = "each target uses one of them")]

use holdfast_graph::{ApplyError, apply, diff};

const LIMIT: usize = 1 << 20;

/// A fuzz target and its name.
pub type Target = (&'static str, fn(&[u8]));

/// The fuzz targets.
pub const TARGETS: [Target; 2] = [("graph_round_trip", round_trip), ("graph_hostile", hostile)];

/// The first two bytes, little-endian, are the length of the first part.
fn parts(data: &[u8]) -> (&[u8], &[u8]) {
    let Some((head, rest)) = data.split_first_chunk::<2>() else { return (data, &[]) };
    rest.split_at(usize::from(u16::from_le_bytes(*head)).min(rest.len()))
}

fn written(target: &holdfast_graph::Target<'_>) -> Vec<u8> {
    let mut out = vec![0; target.length()];
    target.write(&mut out);
    out
}

/// base, target: the delta turns the one into the other, both ways, where they are values at all.
pub fn round_trip(data: &[u8]) {
    let (base, target) = parts(data);
    for (base, target) in [(base, target), (target, base), (base, base)] {
        let Ok(delta) = diff(base, target) else { continue };
        match apply(base, &delta, LIMIT) {
            Ok(made) => assert_eq!(written(&made), target),
            Err(error) => assert_eq!(error, ApplyError::Foreign),
        }
    }
}

/// base, delta: a target of no more than the limit, or an error.
pub fn hostile(data: &[u8]) {
    let (base, delta) = parts(data);
    if let Ok(target) = apply(base, delta, LIMIT) {
        assert!(written(&target).len() <= LIMIT);
    }
    let _ = apply(base, delta, base.len() / 2);
}
