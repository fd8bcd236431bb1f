//! Chooses the kind of delta and writes it.

use crate::bytes::{common_prefix, common_suffix};
use crate::check::{seal, seal_length};
use crate::coded;
use crate::error::DiffError;
use crate::format::{
    CODED, CODED_MIN, MAX_LEN, MAX_OVERHEAD, SAME, SPLICE, SPLICE_D_NONE, SPLICE_D_SAME, SPLICE_D_VARINT,
    SPLICE_DELETE, SPLICE_L_SHIFT, SPLICE_L_VARINT, SPLICE_WIDTH_SHIFT, WHOLE, varint_len,
};
use crate::matcher::{Ends, match_all};
use crate::ops::{self, put_number};
use crate::script::Operation;
use crate::tables::Tables;

/// An edit that adds at most this much is not worth cutting up.
const SPLICE_DIRECT: usize = 3;
/// What is longer than this part of its target is not coded: that takes too long for what it gains.
const CODED_PART: usize = 4;
/// A code must save this part of the ops body: it takes longer to apply.
const CODED_GAIN: usize = 16;

/// A new delta that turns `base` into `target`. Fails only for inputs over `MAX_LEN`.
pub fn diff(base: &[u8], target: &[u8]) -> Result<Vec<u8>, DiffError> {
    let mut out = vec![0; target.len() + MAX_OVERHEAD];
    let length = diff_into(base, target, &mut out)?;
    out.truncate(length);
    Ok(out)
}

/// Writes a delta that turns `base` into `target` to the start of `out`; its length. `target.len() + MAX_OVERHEAD` bytes of
/// room always suffice.
pub fn diff_into(base: &[u8], target: &[u8], out: &mut [u8]) -> Result<usize, DiffError> {
    diff_counted(base, target, out, &mut 0)
}

/// `diff_into` that adds the positions looked at to `work`.
pub(crate) fn diff_counted(base: &[u8], target: &[u8], out: &mut [u8], work: &mut u64) -> Result<usize, DiffError> {
    let length = base.len().max(target.len());
    if length > MAX_LEN {
        return Err(DiffError::InputTooLong { length });
    }
    let full = DiffError::OutTooSmall { capacity: out.len() };
    let prefix = common_prefix(base, target);
    if prefix == base.len() && prefix == target.len() {
        *out.first_mut().ok_or(full)? = SAME;
        return Ok(1);
    }
    let suffix = common_suffix(&base[prefix..], &target[prefix..]);
    let splice =
        Splice { prefix, removed: base.len() - prefix - suffix, added: &target[prefix..target.len() - suffix] };
    let whole = sealed(1 + target.len());
    let plain = whole.min(sealed(splice.length()));
    if splice.is_worth_cutting() {
        let mut tables = Tables::take(length);
        let ends = Ends { prefix, suffix };
        let body = shortest(base, target, ends, plain, &mut tables, work);
        let put = body.map(|body| out.get_mut(..body.len()).map(|out| out.copy_from_slice(body)).map(|()| body.len()));
        tables.keep(length);
        if let Some(body) = put {
            return body.and_then(|body| seal(base, out, body)).ok_or(full);
        }
    }
    let body = if whole < sealed(splice.length()) { put_whole(target, out) } else { splice.put(out) };
    body.and_then(|body| seal(base, out, body)).ok_or(full)
}

/// The shortest body of many edits, where that makes a delta shorter than `plain`.
fn shortest<'a>(
    base: &[u8],
    target: &[u8],
    ends: Ends,
    plain: usize,
    tables: &'a mut Tables,
    work: &mut u64,
) -> Option<&'a [u8]> {
    let operations = match_all(base, target, ends, tables, work);
    let Tables { plain: ops, coded: code, .. } = &mut *tables;
    let most = plain.min(ops::length_max(&operations));
    if ops.len() < most {
        ops.resize(most, 0);
    }
    let ops_length = ops::write(base.len(), target, &operations, &mut ops[..most]);
    let coded_length = put_coded(base.len(), target, &operations, code, ops_length.unwrap_or(plain));
    tables.operations = operations;
    let body = match coded_length {
        Some(length) => &tables.coded[..length],
        None => &tables.plain[..ops_length?],
    };
    (sealed(body.len()) < plain).then_some(body)
}

/// A coded body of these operations, at the start of `out`; its length, where it is worth it instead of `plain` bytes.
fn put_coded(base: usize, target: &[u8], operations: &[Operation], out: &mut Vec<u8>, plain: usize) -> Option<usize> {
    if !(CODED_MIN..=target.len() / CODED_PART).contains(&plain) || coded::is_noise(target, operations) {
        return None;
    }
    let room = plain - plain / CODED_GAIN + coded::PAST_END;
    if out.len() < room {
        out.resize(room, 0);
    }
    out[0] = CODED;
    let longer = target.len() as i64 - base as i64;
    let start = put_number(out, 1, (longer << 1 ^ longer >> 63) as u32)?;
    coded::write(base, target, operations, &mut out[..room], start)
}

const fn sealed(body: usize) -> usize {
    body + seal_length(body)
}

fn put_whole(target: &[u8], out: &mut [u8]) -> Option<usize> {
    *out.first_mut()? = WHOLE;
    out.get_mut(1..1 + target.len())?.copy_from_slice(target);
    Some(1 + target.len())
}

/// One edit: after `prefix` bytes of the base, `removed` bytes give way to `added`.
struct Splice<'a> {
    prefix: usize,
    removed: usize,
    added: &'a [u8],
}

impl Splice<'_> {
    /// Whether copies from the base could shorten the edit.
    fn is_worth_cutting(&self) -> bool {
        self.added.len() > SPLICE_DIRECT
    }

    fn codes(&self) -> (u8, u8) {
        let (added, removed) = (self.added.len(), self.removed);
        match added {
            0 => (0, SPLICE_DELETE),
            _ => {
                let l = if added <= 3 { added as u8 - 1 } else { SPLICE_L_VARINT };
                let d = if removed == added {
                    SPLICE_D_SAME
                } else if removed == 0 {
                    SPLICE_D_NONE
                } else {
                    SPLICE_D_VARINT
                };
                (l, d)
            }
        }
    }

    fn width(&self) -> usize {
        (4 - (self.prefix as u32).leading_zeros() as usize / 8).max(1)
    }

    fn length(&self) -> usize {
        let (l, d) = self.codes();
        let l_length = if l == SPLICE_L_VARINT { varint_len(self.added.len() as u32) } else { 0 };
        let d_length = if d >= SPLICE_D_VARINT { varint_len(self.removed as u32) } else { 0 };
        1 + self.width() + l_length + d_length + self.added.len()
    }

    fn put(&self, out: &mut [u8]) -> Option<usize> {
        let (l, d) = self.codes();
        let width = self.width();
        *out.first_mut()? = SPLICE | (width as u8 - 1) << SPLICE_WIDTH_SHIFT | l << SPLICE_L_SHIFT | d;
        out.get_mut(1..1 + width)?.copy_from_slice(&(self.prefix as u32).to_le_bytes()[..width]);
        let mut at = 1 + width;
        if l == SPLICE_L_VARINT {
            at = put_number(out, at, self.added.len() as u32)?;
        }
        if d >= SPLICE_D_VARINT {
            at = put_number(out, at, self.removed as u32)?;
        }
        out.get_mut(at..at + self.added.len())?.copy_from_slice(self.added);
        Some(at + self.added.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply;

    fn noise(n: usize, alphabet: u32) -> Vec<u8> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 16) % alphabet) as u8
        };
        (0..n).map(|_| next()).collect()
    }

    /// Inputs that make other differs look at everything many times over.
    fn adversaries(n: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let cycle = |period: usize, flaw: usize| -> Vec<u8> {
            (0..n).map(|i| if i % flaw == flaw - 1 { 255 } else { (i % period) as u8 }).collect()
        };
        let (flat, noise2, noise256) = (vec![0; n], noise(n, 2), noise(n, 256));
        let reversed: Vec<u8> = noise256.iter().rev().copied().collect();
        let dense: Vec<u8> = noise256.iter().enumerate().map(|(i, b)| if i % 9 == 0 { !b } else { *b }).collect();
        let shifted = [&noise2[n / 2..], &noise2[..n / 2]].concat();
        vec![
            (flat.clone(), cycle(1, 9)),
            (flat, cycle(1, 17)),
            (cycle(7, 100), cycle(7, 101)),
            (cycle(16, 33), cycle(16, 31)),
            (cycle(64, 71), cycle(64, 73)),
            (cycle(250, 4099), cycle(250, 4093)),
            (noise2.clone(), noise(n, 3)),
            (noise2, shifted),
            (noise256.clone(), reversed),
            (noise256, dense),
            records(n),
        ]
    }

    /// Many short records, like each other, in another order.
    fn records(n: usize) -> (Vec<u8>, Vec<u8>) {
        let order = noise(2 * n / 48, 256);
        let key = |i: &usize| (order[2 * i], order[2 * i + 1]);
        let write = |i: usize| format!("{{\"id\":{i:06},\"name\":\"{:?}\",\"price\":{}}},", key(&i), 7 * i);
        let mut numbers: Vec<usize> = (0..n / 48).collect();
        let base: Vec<String> = numbers.iter().copied().map(write).collect();
        numbers.sort_by_key(key);
        let target: Vec<String> = numbers.into_iter().map(write).collect();
        (base.concat().into_bytes(), target.concat().into_bytes())
    }

    #[test]
    #[cfg_attr(miri, ignore = "slow under Miri")]
    fn work_is_linear_for_any_input() {
        for n in [1 << 12, 1 << 16, 1 << 19] {
            for (case, (base, target)) in adversaries(n).into_iter().enumerate() {
                let mut out = vec![0; target.len() + MAX_OVERHEAD];
                let mut work = 0;
                let length = diff_counted(&base, &target, &mut out, &mut work).expect("room");
                assert_eq!(apply(&base, &out[..length], target.len()).as_ref(), Ok(&target), "case {case}");
                let bound = (1 << 15) + 2 * (base.len() + target.len()) as u64;
                assert!(work <= bound, "case {case} of {n} bytes: {work} steps, more than {bound}");
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "slow under Miri")]
    fn one_changed_field_takes_at_most_six_bytes() {
        for n in [10usize, 1_000, 100_000, 10_000_000] {
            let base = vec![7; n];
            for at in [0, n / 2, n - 1] {
                let mut target = base.clone();
                target[at] = 8;
                assert!(diff(&base, &target).expect("room").len() <= 6);
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "slow under Miri")]
    fn too_little_room_is_an_error_and_just_enough_is_not() {
        let (base, target) = (noise(300, 256), noise(500, 200));
        let full = diff(&base, &target).expect("room");
        for room in 0..full.len() {
            let result = diff_into(&base, &target, &mut vec![0; room]);
            assert_eq!(result, Err(DiffError::OutTooSmall { capacity: room }));
        }
        assert_eq!(diff_into(&base, &target, &mut vec![0; full.len()]), Ok(full.len()));
    }
}
