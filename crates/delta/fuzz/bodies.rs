//! What each fuzz target does with its input. The crate's tests run the same over the seeds and over what once broke it.
#![allow(dead_code)]

use holdfast_delta::format::{CODED, SIGNED, SIGNED_OVERHEAD};
use holdfast_delta::{
    ApplyError, MAX_OVERHEAD, apply, apply_chain, apply_in_place, apply_into, chunks, diff, diff_into, diff_signature,
    hash64, seal_length, seal_value, signature,
};

const LIMIT: usize = 1 << 16;

/// A fuzz target and its name.
pub type Target = (&'static str, fn(&[u8]));

/// The fuzz targets.
pub const TARGETS: [Target; 4] =
    [("round_trip", round_trip), ("hostile", hostile), ("in_place", in_place), ("signature", from_signature)];

/// The first two bytes, little-endian, are the length of the first part.
fn parts(data: &[u8]) -> (&[u8], &[u8]) {
    let Some((head, rest)) = data.split_first_chunk::<2>() else { return (data, &[]) };
    rest.split_at(usize::from(u16::from_le_bytes(*head)).min(rest.len()))
}

/// base, target: the delta turns the one into the other, and the chunks cover them.
pub fn round_trip(data: &[u8]) {
    let (base, target) = parts(data);
    let delta = diff(base, target).expect("short inputs");
    assert!(delta.len() <= target.len() + MAX_OVERHEAD);
    assert_eq!(apply(base, &delta, target.len()).as_deref(), Ok(target));
    assert_eq!(apply_chain(base, &[&delta, &[0]], LIMIT.max(target.len())).as_deref(), Ok(target));
    let mut out = vec![0; target.len()];
    assert_eq!(apply_into(base, &delta, target.len(), &mut out), Ok(target.len()));
    assert_eq!(out, target);
    let mut short = vec![0; delta.len()];
    assert_eq!(diff_into(base, target, &mut short), Ok(delta.len()));
    assert_eq!(short, delta, "what a call leaves behind changes the next");
    let whole: usize = chunks(target, 8).map(|chunk| chunk.length).sum();
    assert_eq!(whole, target.len());
}

/// base, body of a delta: as it is, and with a right check, which lets it get further; and as a code, of as many bytes as the base or
/// more.
pub fn hostile(data: &[u8]) {
    let (base, body) = parts(data);
    judge(base, body);
    judge(base, &sealed(base, body));
    let longer = body.first().map_or(0, |byte| byte & 0x7e);
    judge(base, &sealed(base, &[&[CODED, longer], body].concat()));
}

fn sealed(base: &[u8], body: &[u8]) -> Vec<u8> {
    let mut delta = body.to_vec();
    if delta.first() != Some(&SIGNED) {
        delta.extend_from_slice(&seal_value(base, body).to_le_bytes()[..seal_length(body.len())]);
        return delta;
    }
    if let Some(place) = delta.get_mut(2..6) {
        place.copy_from_slice(&(base.len() as u32).to_le_bytes());
    }
    let leaves =
        |bits: u8| -> Vec<u8> { base.chunks(1 << bits).flat_map(|chunk| hash64(chunk).to_le_bytes()).collect() };
    if let Some(bits @ 6..=16) = delta.get(1).copied()
        && let Some(place) = delta.get_mut(6..14)
    {
        place.copy_from_slice(&hash64(&leaves(bits)).to_le_bytes());
    }
    let check = (hash64(&delta) as u32).to_le_bytes();
    delta.extend_from_slice(&check);
    delta
}

/// All ways to apply a delta say the same.
fn judge(base: &[u8], delta: &[u8]) {
    let made = apply(base, delta, LIMIT);
    let mut out = vec![0; LIMIT];
    let into = apply_into(base, delta, LIMIT, &mut out);
    assert_eq!(made.as_ref().map(Vec::len), into.as_ref().map(|length| *length));
    let chained = apply_chain(base, &[delta], LIMIT).map_err(|error| error.error);
    assert_eq!(chained, made);
    if let Ok(target) = made {
        assert_eq!(out[..target.len()], target);
    }
}

/// bytes, body of a delta: what is applied in place is what `apply` makes; otherwise nothing changes.
pub fn in_place(data: &[u8]) {
    let (base, body) = parts(data);
    for delta in [body.to_vec(), sealed(base, body), diff(base, body).expect("short inputs")] {
        let mut bytes = base.to_vec();
        match apply_in_place(&mut bytes, &delta) {
            Ok(written) => {
                assert!(written <= bytes.len());
                assert_eq!(apply(base, &delta, LIMIT.max(base.len())), Ok(bytes));
            }
            Err(error) => {
                assert_eq!(bytes, base);
                let is_good = apply(base, &delta, base.len()).is_ok_and(|target| target.len() == base.len());
                assert!(!is_good || matches!(error, ApplyError::NotInPlace { .. }), "{error}");
            }
        }
    }
}

/// base, target: through a signature, whole and with its hashes overwritten by the target's bytes.
pub fn from_signature(data: &[u8]) {
    let (base, target) = parts(data);
    let bits = 6 + data.first().map_or(0, |byte| byte % 3);
    let good = signature(base, bits).expect("bits in range");
    let delta = diff_signature(&good, target).expect("a good signature");
    assert!(delta.len() <= target.len() + SIGNED_OVERHEAD);
    assert_eq!(apply(base, &delta, target.len()).as_deref(), Ok(target));
    let _ = diff_signature(target, base);
    let mut bad = good;
    let (strong, end) = (bad.len() - 4 - 8 * base.len().div_ceil(1 << bits), bad.len() - 4);
    for (place, byte) in bad[16..end].iter_mut().zip(target) {
        *place = *byte;
    }
    let tree = hash64(&bad[strong..end]).to_le_bytes();
    bad[8..16].copy_from_slice(&tree);
    let check = (hash64(&bad[..end]) as u32).to_le_bytes();
    bad[end..].copy_from_slice(&check);
    let delta = diff_signature(&bad, target).expect("a good check");
    assert!(delta.len() <= target.len() + SIGNED_OVERHEAD);
    let _ = apply(base, &delta, target.len());
}
