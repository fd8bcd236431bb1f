//! Headers of canonical bytes, written.

use crate::token::{EXT_MAP, EXT_NULL_PROTOTYPE, EXT_SET, EXT_SPARSE, EXT_VIEW, Kind, PREFIX};

/// Appends a header with a length, behind the first of three tokens.
pub(crate) fn put_sized(out: &mut Vec<u8>, length: usize, first: u8) {
    if length < 0x100 {
        out.extend_from_slice(&[first, length as u8]);
    } else if length < 0x10000 {
        out.push(first + 1);
        out.extend_from_slice(&(length as u16).to_be_bytes());
    } else {
        out.push(first + 2);
        out.extend_from_slice(&(length as u32).to_be_bytes());
    }
}

pub(crate) fn put_text_header(out: &mut Vec<u8>, length: usize) {
    if length < 32 { out.push(0xa0 | length as u8) } else { put_sized(out, length, 0xd9) }
}

pub(crate) fn put_memory_header(out: &mut Vec<u8>, kind: Option<u8>, length: usize) {
    match kind {
        None => put_sized(out, length, 0xc4),
        Some(kind) => {
            put_sized(out, length + 1, 0xc7);
            out.extend_from_slice(&[EXT_VIEW, kind]);
        }
    }
}

/// The header of a sequence with so many places; of an array with holes its length is to follow.
pub(crate) fn put_sequence_header(out: &mut Vec<u8>, kind: Kind, places: usize) {
    let prefix = match kind {
        Kind::Bare => Some(EXT_NULL_PROTOTYPE),
        Kind::Sparse => Some(EXT_SPARSE),
        Kind::Map => Some(EXT_MAP),
        Kind::Set => Some(EXT_SET),
        _ => None,
    };
    if let Some(prefix) = prefix {
        out.extend_from_slice(&[PREFIX, prefix, 0]);
    }
    let (count, short, long) = match kind {
        Kind::Object | Kind::Bare => (places, 0x80, 0xde),
        _ => (places * kind.width() + usize::from(kind == Kind::Sparse), 0x90, 0xdc),
    };
    if count < 16 {
        out.push(short | count as u8);
    } else if count < 0x10000 {
        out.push(long);
        out.extend_from_slice(&(count as u16).to_be_bytes());
    } else {
        out.push(long + 1);
        out.extend_from_slice(&(count as u32).to_be_bytes());
    }
}
