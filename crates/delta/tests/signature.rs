//! Signatures and the deltas made from them: small where little changed, bounded always, refused when damaged.

use holdfast_delta::format::{CHUNK_BITS, SIGNED_OVERHEAD};
use holdfast_delta::{
    ApplyError, SignatureError, apply, apply_chain, apply_in_place, diff_signature, diff_signature_into, hash64,
    signature, signature_length,
};

fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn made(base: &[u8], target: &[u8], bits: u8) -> Vec<u8> {
    let delta = diff_signature(&signature(base, bits).expect("bits"), target).expect("a good signature");
    assert!(delta.len() <= target.len() + SIGNED_OVERHEAD);
    assert_eq!(apply(base, &delta, target.len()).as_deref(), Ok(target));
    delta
}

#[test]
#[cfg_attr(miri, ignore = "slow under Miri")]
fn a_signature_is_small() {
    for n in [1 << 16, 1 << 20, (1 << 20) + 17] {
        let length = signature(&noise(1, n), CHUNK_BITS).expect("bits").len();
        assert_eq!(length, signature_length(n, CHUNK_BITS));
        assert!(100 * length <= 3 * n, "{length} of {n}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "slow under Miri")]
fn edits_cost_the_chunks_touched() {
    let base = noise(1, 100_000);
    let overwritten = [&base[..50_000], b"12345", &base[50_005..]].concat();
    let inserted = [&base[..50_000], b"12345", &base[50_000..]].concat();
    let deleted = [&base[..50_000], &base[50_777..]].concat();
    let both = [&base[1..20_000], b"some bytes", &base[20_000..70_000], &base[71_000..]].concat();
    let moved = [&base[60_000..], &base[..60_000]].concat();
    let cases = [(base.clone(), 0), (overwritten, 1), (inserted, 2), (deleted, 2), (both, 5), (moved, 3)];
    for (case, (target, chunks)) in cases.iter().enumerate() {
        let length = made(&base, target, CHUNK_BITS).len();
        assert!(length <= 64 + chunks * 512, "case {case}: {length}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "slow under Miri")]
fn any_pair_comes_back() {
    for n in [0usize, 1, 15, 16, 63, 64, 65, 127, 128, 129, 640, 1000, 5000] {
        for m in [0usize, 1, 64, 100, 128, 700, 5001] {
            let (base, other) = (noise(7, n), noise(9, m));
            for bits in [6, 7, 9, 16] {
                made(&base, &other, bits);
                made(&base, &[&base[n / 3..], &other[..], &base[..n / 2]].concat(), bits);
                made(&vec![0; n], &vec![0; m], bits);
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "slow under Miri")]
fn damage_is_refused_at_every_bit() {
    let base = noise(1, 1000);
    let target = [&base[..500], b"x", &base[500..]].concat();
    let good = signature(&base, 6).expect("bits");
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        diff_signature(&bad, &target).expect_err("a flipped bit");
    }
    for length in 0..good.len() {
        diff_signature(&good[..length], &target).expect_err("a cut signature");
    }
    let delta = diff_signature(&good, &target).expect("a good signature");
    for bit in 0..delta.len() * 8 {
        let mut bad = delta.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        apply(&base, &bad, 5000).expect_err("a flipped bit");
    }
    for length in 0..delta.len() {
        apply(&base, &delta[..length], 5000).expect_err("a cut delta");
    }
    assert!(matches!(apply(&base, &delta, 1000), Err(ApplyError::OverLimit { limit: 1000, .. })));
    for room in 0..delta.len() {
        let full = diff_signature_into(&good, &target, &mut vec![0; room]);
        assert_eq!(full, Err(SignatureError::OutTooSmall { needed: target.len() + SIGNED_OVERHEAD }));
    }
    assert_eq!(diff_signature_into(&good, &target, &mut vec![0; delta.len()]), Ok(delta.len()));
    assert_eq!(signature(&base, 5), Err(SignatureError::BadChunk { bits: 5 }));
}

#[test]
#[cfg_attr(miri, ignore = "slow under Miri")]
fn a_foreign_base_is_refused_wherever_it_differs() {
    let base = noise(1, 3000);
    let delta = made(&base, &noise(2, 2000), 7);
    for at in 0..base.len() {
        let mut foreign = base.clone();
        foreign[at] ^= 1;
        assert_eq!(apply(&foreign, &delta, 5000), Err(ApplyError::BadCheck { offset: 6 }));
    }
    assert_eq!(apply(&base[1..], &delta, 5000), Err(ApplyError::BadCheck { offset: 2 }));
    let mut bytes = base.clone();
    assert_eq!(apply_in_place(&mut bytes, &delta), Err(ApplyError::NotInPlace { offset: 0 }));
    let chain = apply_chain(&base, &[&[0], &delta], 5000);
    assert_eq!(chain, Ok(noise(2, 2000)));
}

#[test]
fn a_wrong_result_is_noticed() {
    let base = noise(1, 1000);
    let mut delta = made(&base, &noise(2, 1000), 6);
    let end = delta.len() - 4;
    delta[end - 1] ^= 1;
    let check = (hash64(&delta[..end]) as u32).to_le_bytes();
    delta[end..].copy_from_slice(&check);
    assert_eq!(apply(&base, &delta, 5000), Err(ApplyError::BadResult));
}

/// Chunks whose weak hashes are all alike and strong ones are not: each window would be hashed.
#[test]
#[cfg_attr(miri, ignore = "slow under Miri")]
fn collisions_of_the_weak_hash_do_not_cost_more_than_linear_work() {
    let n = 1 << 20;
    let base = noise(3, n);
    let mut bad = signature(&base, 16).expect("bits");
    let zero = [0u8; 4];
    for chunk in 0..n >> 16 {
        bad[16 + 4 * chunk..20 + 4 * chunk].copy_from_slice(&zero);
    }
    let end = bad.len() - 4;
    let check = (hash64(&bad[..end]) as u32).to_le_bytes();
    bad[end..].copy_from_slice(&check);
    let delta = diff_signature(&bad, &vec![0; n]).expect("a good check");
    assert_eq!(apply(&base, &delta, n), Ok(vec![0; n]));
}
