//! Deltas that nobody should have made: each is refused, with the right error.

use holdfast_delta::{
    ApplyError, MAX_LEN, apply, apply_chain, apply_in_place, apply_into, diff, seal_length, seal_value,
};

const LIMIT: usize = 1 << 20;

fn base() -> Vec<u8> {
    (0..1000u32).map(|i| ((i * i) >> 3) as u8).collect()
}

/// A delta with a right check, whatever its body.
fn sealed(base: &[u8], body: &[u8]) -> Vec<u8> {
    let check = seal_value(base, body).to_le_bytes();
    [body, &check[..seal_length(body.len())]].concat()
}

fn refused(body: &[u8]) -> ApplyError {
    apply(&base(), &sealed(&base(), body), LIMIT).expect_err("a bad body")
}

#[test]
fn every_way_to_be_bad_has_its_error() {
    use ApplyError::*;
    assert_eq!(apply(&base(), &[], LIMIT), Err(Empty));
    assert_eq!(apply(&base(), &[0, 0], LIMIT), Err(Trailing { offset: 1 }));
    assert_eq!(apply(&base(), &[1], LIMIT), Err(Truncated { offset: 0 }));
    for byte in (3..0x40).chain(0x81..0xa0).chain(0xa1..0xc0).chain(0xc1..=0xff) {
        assert_eq!(refused(&[byte, 0, 0]), Reserved { byte });
    }
    assert_eq!(refused(&[0xc0, 0, 0]), Truncated { offset: 2 });
    assert_eq!(refused(&[0x47, 0]), Reserved { byte: 0x47 });
    assert_eq!(refused(&[0x70, 0, 0]), Truncated { offset: 1 });
    assert_eq!(refused(&[0x40, 0, 1, 2]), Trailing { offset: 3 });
    assert_eq!(refused(&[0x4d, 0, 5, 1, 2]), Truncated { offset: 3 });
    assert_eq!(refused(&[0x4d, 0, 0x80, 0]), BadNumber { offset: 2 });
    assert_eq!(refused(&[0x4d, 0, 0xff, 0xff, 0xff, 0xff, 0x10]), BadNumber { offset: 2 });
    assert_eq!(refused(&[0x43, 0, 0xe9, 0x07]), OutOfBase { offset: 0 });
    assert_eq!(refused(&[0x70, 0xff, 0xff, 0xff, 0xff, 1]), OutOfBase { offset: 0 });
    assert_eq!(refused(&[0x80, 0x08, 0x7e]), OutOfBase { offset: 1 });
    assert_eq!(refused(&[0x80, 0x81, 0x01]), OutOfBase { offset: 1 });
    assert_eq!(refused(&[0x80, 0x50, 1, 2]), Truncated { offset: 2 });
    assert_eq!(refused(&[0x80, 0x60, 5]), Truncated { offset: 3 });
    assert_eq!(refused(&[0x80, 0x08]), Truncated { offset: 2 });
}

#[test]
#[cfg_attr(miri, ignore = "slow under Miri")]
fn claims_of_gigabytes_fail_before_anything_is_allocated() {
    let run = [0x80, 0x60, 0xff, 0xff, 0xff, 0xff, 0x0f, 7];
    assert_eq!(refused(&run), ApplyError::OverLimit { offset: 1, limit: LIMIT });
    let copies = [&[0x80, 0x08, 0x7d][..], &[0x88, 0x7d, 0xcf, 0x0f].repeat(4000)].concat();
    assert!(matches!(refused(&copies), ApplyError::OverLimit { limit: LIMIT, .. }));
    let whole = sealed(&base(), &[&[1][..], &[0; 5000]].concat());
    assert_eq!(apply(&base(), &whole, 4999), Err(ApplyError::OverLimit { offset: 0, limit: 4999 }));
    assert_eq!(apply(&base(), &[0], 999), Err(ApplyError::OverLimit { offset: 0, limit: 999 }));
}

/// Cut to 32 bits each of these claims would be a small length, that fits.
#[test]
fn claims_beyond_32_bits_are_no_small_ones() {
    // Copies of 2^32 + 8 and 2^32 + 15 bytes; 2^32 + 2 added bytes; 1 byte and a run of 2^32 - 1.
    assert_eq!(refused(&[0x80, 0x08, 0x81, 0x80, 0x80, 0x80, 0x02]), ApplyError::OutOfBase { offset: 1 });
    assert_eq!(refused(&[0x80, 0x0f, 0x81, 0x80, 0x80, 0x80, 0x02]), ApplyError::OutOfBase { offset: 1 });
    assert_eq!(refused(&[0x80, 0x70, 0xfc, 0xff, 0xff, 0xff, 0x0f, 1, 2]), ApplyError::Truncated { offset: 7 });
    let run = [0x80, 0x61, 0xff, 0xff, 0xff, 0xff, 0x0f, 7];
    assert_eq!(refused(&run), ApplyError::OverLimit { offset: 1, limit: LIMIT });
    // 2^31 - 1 bytes, which the longest limit allows, and as many again and 3.
    let most = [0x60, 0xff, 0xff, 0xff, 0xff, 0x07, 7];
    let body = sealed(&base(), &[&[0x80][..], &most, &[0x60, 0x81, 0x80, 0x80, 0x80, 0x08, 7]].concat());
    assert_eq!(apply(&base(), &body, MAX_LEN), Err(ApplyError::OverLimit { offset: 8, limit: MAX_LEN }));
}

#[test]
#[cfg_attr(miri, ignore = "slow under Miri")]
fn damage_is_refused_at_every_bit_and_length() {
    let base = base();
    let mut target = base.clone();
    for edits in 1..6usize {
        target[edits * 180] ^= 0x55;
        if edits == 5 {
            target.push(1);
        }
        let delta = diff(&base, &target).expect("short inputs");
        assert!(delta.len() <= 32);
        for bit in 0..delta.len() * 8 {
            let mut damaged = delta.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            apply(&base, &damaged, LIMIT).expect_err("a flipped bit");
        }
        for length in 0..delta.len() {
            let cut = apply(&base, &delta[..length], LIMIT);
            assert!(cut.as_ref() != Ok(&target), "cut to {length}");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "slow under Miri")]
fn a_foreign_base_is_refused_nearly_always() {
    let delta = diff(&base(), &[&base()[..], b"more"].concat()).expect("short inputs");
    let accepted = (0..1000).filter(|n| apply(&base()[..*n], &delta, LIMIT).is_ok()).count();
    assert!(accepted < 20, "{accepted} of 1000");
}

#[test]
fn short_room_and_bad_links_are_named() {
    let delta = diff(&base(), b"new").expect("short inputs");
    let needed = 3;
    assert_eq!(apply_into(&base(), &delta, LIMIT, &mut [0; 2]), Err(ApplyError::OutTooSmall { needed }));
    let error = apply_chain(&base(), &[&delta, &delta], LIMIT).expect_err("the second has another base");
    assert_eq!(error.index, 1);
    assert_eq!(apply_chain(&base(), &[&[0], &delta, &[0]], LIMIT).as_deref(), Ok(&b"new"[..]));
}

#[test]
fn in_place_writes_all_or_nothing() {
    let base = base();
    let mut target = base.clone();
    target[10..30].fill(7);
    target[900] ^= 1;
    let mut bytes = base.clone();
    assert_eq!(apply_in_place(&mut bytes, &diff(&base, &target).expect("short inputs")), Ok(21));
    assert_eq!(bytes, target);
    let moved = [&base[500..], &base[..500]].concat();
    for other in [moved, base[1..].to_vec(), [&base[..], b"more"].concat()] {
        let mut bytes = base.clone();
        let refused = apply_in_place(&mut bytes, &diff(&base, &other).expect("short inputs"));
        assert!(matches!(refused, Err(ApplyError::NotInPlace { .. })), "{refused:?}");
        assert_eq!(bytes, base);
    }
    let mut bytes = base.clone();
    let cut = sealed(&base, &[0x80, 0x11, 9, 0x50, 1, 2]);
    assert_eq!(apply_in_place(&mut bytes, &cut), Err(ApplyError::Truncated { offset: 4 }));
    assert_eq!(bytes, base);
}

/// Blocks in another order, with something new between them: ten operations and more. The last bytes are nowhere else, so that
/// no code but one says them (of what is there twice, a cut code may name the other place).
fn coded_pair() -> (Vec<u8>, Vec<u8>) {
    let base: Vec<u8> = (0..3000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut target: Vec<u8> =
        (0..20).flat_map(|i| [&base[(i * 7 % 20) * 150..][..150], b"some text"].concat()).collect();
    target.extend_from_slice(b"the end");
    (base, target)
}

#[test]
#[cfg_attr(miri, ignore = "slow under Miri")]
fn a_code_that_is_damaged_and_sealed_again_is_bounded() {
    let (base, target) = coded_pair();
    let delta = diff(&base, &target).expect("short inputs");
    assert_eq!(delta[0], 0xc0);
    let body = &delta[..delta.len() - 2];
    for bit in 8..body.len() * 8 {
        let mut damaged = body.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if let Ok(made) = apply(&base, &sealed(&base, &damaged), LIMIT) {
            assert!(made.len() <= LIMIT);
        }
        let mut bytes = base.clone();
        if apply_in_place(&mut bytes, &sealed(&base, &damaged)).is_err() {
            assert_eq!(bytes, base);
        }
    }
    for length in 1..body.len() {
        assert_ne!(apply(&base, &sealed(&base, &body[..length]), LIMIT).as_ref(), Ok(&target));
    }
    let longer = [body, &[0; 6]].concat();
    let refused = apply(&base, &sealed(&base, &longer), LIMIT);
    assert!(matches!(refused, Err(ApplyError::Trailing { .. })), "{refused:?}");
}

#[test]
fn a_code_is_refused_before_and_while_it_is_carried_out() {
    use ApplyError::*;
    assert_eq!(refused(&[0xc0, 0, 1, 2, 3]), Truncated { offset: 2 });
    assert_eq!(refused(&[0xc0, 0xcf, 0x0f, 0, 0, 0, 0]), BadNumber { offset: 1 });
    assert_eq!(refused(&[0xc0, 0x80, 0x80, 0x80, 4, 0, 0, 0, 0]), OverLimit { offset: 0, limit: LIMIT });
    assert_eq!(refused(&[0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Trailing { offset: 7 });
    assert_eq!(refused(&[0xc0, 2, 0, 0, 0, 0]), OutOfBase { offset: 6 });
    assert_eq!(refused(&[0x80, 0x88, 1, 0xd0, 0x0f]), OutOfBase { offset: 1 });
}

#[test]
fn an_own_copy_repeats_what_it_makes() {
    let body = sealed(&base(), &[0x80, 0x30, 1, 2, 3, 0x88 | 2, 1, 0xca, 0x0f]);
    assert_eq!(apply(&base(), &body, LIMIT).as_deref(), Ok(&[1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1][..]));
    let mut bytes = base();
    assert!(apply_in_place(&mut bytes, &body).is_err());
    assert_eq!(bytes, base());
}
