//! Canonical bytes with short decimal fractions written as such: 19.99 takes 4 bytes instead of 9. All else stays as it is.

use std::borrow::Cow;

use crate::error::ApplyError;
use crate::format::PACKED_DECIMAL;
use crate::reader::{Reader, put_number};
use crate::token::{FLOAT64, big_endian};

const MOST_DIGITS: usize = 8;
const MOST: f64 = (1u64 << 44) as f64;
const POWERS: [f64; MOST_DIGITS + 1] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8];
/// Bytes of tokens from 0xc0 on, with what always follows them; 0: a length follows.
const FIXED: [u8; 32] =
    [1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 5, 9, 2, 3, 5, 9, 2, 3, 5, 9, 3, 4, 6, 10, 18, 0, 0, 0, 3, 5, 3, 5];

/// The end of the token at `at`, which may be behind the bytes; of text and bytes their content is part of it.
fn token_end(bytes: &[u8], at: usize) -> usize {
    let token = bytes[at];
    match token {
        0xa0..0xc0 => at + 1 + usize::from(token & 0x1f),
        0xc0..0xe0 => match FIXED[usize::from(token - 0xc0)] {
            0 => {
                let width = 1 << if token >= 0xd9 { token - 0xd9 } else { (token - 0xc1) % 3 };
                let length =
                    (1..=width).fold(0, |length, n| length * 256 + bytes.get(at + n).map_or(0, |&byte| byte.into()));
                at + 1 + width + usize::from((0xc7..=0xc9).contains(&token)) + length
            }
            fixed => at + usize::from(fixed),
        },
        _ => at + 1,
    }
}

/// Of a fraction with few digits: (mantissa × 2 + sign) × 8 + digits - 1.
fn decimal(value: f64) -> Option<u64> {
    let absolute = value.abs();
    for (digits, power) in POWERS.iter().enumerate().skip(1) {
        let mantissa = (absolute * power).round();
        if mantissa.is_nan() || mantissa >= MOST {
            return None;
        }
        if mantissa / power == absolute {
            return Some((2 * mantissa as u64 + u64::from(value < 0.0)) * 8 + digits as u64 - 1);
        }
    }
    None
}

pub(crate) fn pack(bytes: &[u8]) -> Cow<'_, [u8]> {
    if !bytes.contains(&FLOAT64) {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len());
    let (mut from, mut at) = (0, 0);
    while at < bytes.len() {
        let end = token_end(bytes, at);
        if bytes[at] == FLOAT64
            && let Some(coded) = big_endian(bytes, at + 1, 8).and_then(|bits| decimal(f64::from_bits(bits)))
        {
            out.extend_from_slice(&bytes[from..at]);
            out.push(PACKED_DECIMAL);
            put_number(&mut out, coded);
            from = end;
        }
        at = end;
    }
    out.extend_from_slice(&bytes[from.min(bytes.len())..]);
    Cow::Owned(out)
}

/// The reverse of `pack`. What is no encoding at all is found when it is read.
pub(crate) fn unpack<'a>(bytes: &'a [u8], reader: &Reader<'_>) -> Result<Cow<'a, [u8]>, ApplyError> {
    if !bytes.contains(&PACKED_DECIMAL) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 4);
    let (mut from, mut at) = (0, 0);
    while at < bytes.len() {
        if bytes[at] != PACKED_DECIMAL {
            at = token_end(bytes, at);
            continue;
        }
        out.extend_from_slice(&bytes[from..at]);
        let mut coded = 0.0;
        let mut scale = 1.0;
        loop {
            at += 1;
            let Some(&byte) = bytes.get(at).filter(|_| scale <= (1u64 << 49) as f64) else {
                return reader.corrupt("a decimal fraction is damaged");
            };
            coded += f64::from(byte & 0x7f) * scale;
            scale *= 128.0;
            if byte < 0x80 {
                break;
            }
        }
        at += 1;
        from = at;
        let sign = if coded % 16.0 >= 8.0 { -1.0 } else { 1.0 };
        let value = sign * ((coded / 16.0).floor() / POWERS[(coded % 8.0) as usize + 1]);
        out.push(FLOAT64);
        out.extend_from_slice(&value.to_be_bytes());
    }
    out.extend_from_slice(&bytes[from.min(bytes.len())..]);
    Ok(Cow::Owned(out))
}
