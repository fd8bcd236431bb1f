//! Texts by their UTF-16 units, in which JavaScript counts.

use crate::edit::Edit;
use crate::error::Foreign;
use crate::tape::Id;

/// A text edit that inserts fewer characters is not worth the binary differ.
const LEAST_FOR_DIFFER: usize = 48;
/// From this length on texts that share half of their characters are taken for two states of one.
const ALIKE_TEXT: usize = 16;
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A text's units.
pub(crate) enum Units<'a> {
    Ascii(&'a [u8]),
    Wide(Vec<u16>),
}

impl<'a> Units<'a> {
    /// Of UTF-8. What is none becomes something.
    pub(crate) fn of(text: &'a [u8]) -> Self {
        if text.is_ascii() {
            return Units::Ascii(text);
        }
        Units::Wide(String::from_utf8_lossy(text).encode_utf16().collect())
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Units::Ascii(text) => text.len(),
            Units::Wide(units) => units.len(),
        }
    }

    pub(crate) fn unit(&self, at: usize) -> u16 {
        match self {
            Units::Ascii(text) => text[at].into(),
            Units::Wide(units) => units[at],
        }
    }
}

/// Units of UTF-8.
pub(crate) fn units_of(text: &[u8]) -> usize {
    text.chunks(64).map(|part| usize::from(part.iter().map(|&byte| weight(byte)).sum::<u8>())).sum()
}

/// Units that begin with a byte.
fn weight(byte: u8) -> u8 {
    u8::from(byte & 0xc0 != 0x80) + u8::from(byte >= 0xf0)
}

/// Where so many units of UTF-8 end; nothing behind its end, or in the middle of a pair.
pub(crate) fn byte_at(text: &[u8], units: usize) -> Option<usize> {
    if units <= text.len() && text[..units].is_ascii() {
        return Some(units);
    }
    let mut left = units;
    for (at, &byte) in text.iter().enumerate() {
        if left == 0 && byte & 0xc0 != 0x80 {
            return Some(at);
        }
        left = left.checked_sub(weight(byte).into())?;
    }
    (left == 0).then_some(text.len())
}

pub(crate) fn common_start(a: &[u8], b: &[u8]) -> usize {
    const PART: usize = 1024;
    let most = a.len().min(b.len());
    let mut at = 0;
    while at + PART <= most && a[at..at + PART] == b[at..at + PART] {
        at += PART;
    }
    at + a[at..most].iter().zip(&b[at..most]).take_while(|(one, other)| one == other).count()
}

pub(crate) fn common_end(a: &[u8], b: &[u8]) -> usize {
    const PART: usize = 1024;
    let most = a.len().min(b.len());
    let (a, b) = (&a[a.len() - most..], &b[b.len() - most..]);
    let mut left = most;
    while left >= PART && a[left - PART..left] == b[left - PART..left] {
        left -= PART;
    }
    most - left + a[..left].iter().rev().zip(b[..left].iter().rev()).take_while(|(one, other)| one == other).count()
}

fn is_inside(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(|byte| byte & 0xc0 == 0x80)
}

/// What makes the text `target`, which is `id`, of `base`. The two differ.
pub(crate) fn compare(base: &[u8], target: &[u8], id: Id) -> Result<Edit, Foreign> {
    let mut start = common_start(base, target);
    while is_inside(base, start) || is_inside(target, start) {
        start -= 1;
    }
    let mut end = common_end(&base[start..], &target[start..]);
    while is_inside(base, base.len() - end) {
        end -= 1;
    }
    let removed = &base[start..base.len() - end];
    let inserted = &target[start..target.len() - end];
    let (inserted_units, target_units) = (units_of(inserted), units_of(target));
    if inserted_units + 4 >= target_units && target_units < LEAST_FOR_DIFFER {
        return Ok(Edit::Set(id));
    }
    if inserted.starts_with(BYTE_ORDER_MARK) {
        return Err(Foreign);
    }
    let may_differ = inserted_units >= LEAST_FOR_DIFFER && units_of(removed) >= LEAST_FOR_DIFFER;
    let delta = if may_differ { holdfast_delta::diff(removed, inserted).ok() } else { None };
    Ok(Edit::Text {
        start,
        base_end: base.len() - end,
        inserted: start..target.len() - end,
        delta: delta.filter(|delta| delta.len() < inserted.len()),
    })
}

pub(crate) fn is_alike(a: &[u8], b: &[u8]) -> bool {
    let (a, b) = (Units::of(a), Units::of(b));
    let least = a.len().min(b.len());
    if least < ALIKE_TEXT {
        return false;
    }
    let start = (0..least).take_while(|&at| a.unit(at) == b.unit(at)).count();
    let most = (least - start).div_ceil(2);
    let end = (1..=most).take_while(|&back| a.unit(a.len() - back) == b.unit(b.len() - back)).count();
    2 * (start + end) >= least
}
