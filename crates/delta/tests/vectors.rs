//! The golden deltas, which the differ in JavaScript reads as well.

use holdfast_delta::{apply, diff, diff_signature, signature};

/// The seeded generator of `test/diff/pairs.ts`.
fn random_bytes(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed;
    (0..length)
        .map(|_| {
            state = state.wrapping_add(0x6d2b_79f5);
            let mut t = (state ^ state >> 15).wrapping_mul(state | 1);
            t ^= t.wrapping_add((t ^ t >> 7).wrapping_mul(t | 61));
            (t ^ t >> 14) as u8
        })
        .collect()
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("hex")).collect()
}

/// One part of a description: hex or r<seed>:<length>, [@from..to], [*count].
fn part(text: &str) -> Vec<u8> {
    let (text, count) = text.split_once('*').map_or((text, 1), |(text, count)| (text, count.parse().expect("count")));
    let (text, slice) = text.split_once('@').map_or((text, None), |(text, slice)| (text, slice.split_once("..")));
    let whole = match text.strip_prefix('r').and_then(|text| text.split_once(':')) {
        Some((seed, length)) => random_bytes(seed.parse().expect("seed"), length.parse().expect("length")),
        None => hex(text),
    };
    let end = |text: &str| text.parse::<usize>().expect("position").min(whole.len());
    slice.map_or(&whole[..], |(from, to)| &whole[end(from)..end(to)]).repeat(count)
}

#[test]
#[cfg_attr(miri, ignore = "slow under Miri")]
fn every_vector_is_made_and_applied() {
    let lines = include_str!("../../../test/vectors/delta.tsv").lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    for line in lines {
        let columns: Vec<&str> = line.split('\t').collect();
        let [name, base, target, delta] = columns[..] else { panic!("four columns: {line}") };
        let (base, target): (Vec<u8>, Vec<u8>) =
            (base.split('+').flat_map(part).collect(), target.split('+').flat_map(part).collect());
        let delta = hex(delta);
        assert_eq!(diff(&base, &target).as_ref(), Ok(&delta), "{name}");
        assert_eq!(apply(&base, &delta, target.len()).as_ref(), Ok(&target), "{name}");
        count += 1;
    }
    assert!(count > 30);
}

#[test]
#[cfg_attr(miri, ignore = "slow under Miri")]
fn every_signature_is_made_and_used() {
    let lines = include_str!("../../../test/vectors/signature.tsv").lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    for line in lines {
        let columns: Vec<&str> = line.split('\t').collect();
        let [name, chunk, base, target, made, delta] = columns[..] else { panic!("six columns: {line}") };
        let bits = chunk.parse::<u32>().expect("a length").trailing_zeros() as u8;
        let (base, target): (Vec<u8>, Vec<u8>) =
            (base.split('+').flat_map(part).collect(), target.split('+').flat_map(part).collect());
        let (made, delta) = (hex(made), hex(delta));
        assert_eq!(signature(&base, bits).as_ref(), Ok(&made), "{name}");
        assert_eq!(diff_signature(&made, &target).as_ref(), Ok(&delta), "{name}");
        assert_eq!(apply(&base, &delta, target.len()).as_ref(), Ok(&target), "{name}");
        count += 1;
    }
    assert!(count > 8);
}
