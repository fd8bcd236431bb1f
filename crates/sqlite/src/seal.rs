//! Checksums of what is stored: each covers the key that it is stored under too, so that nothing passes for another's.

use xxhash_rust::xxh3::Xxh3Default;

fn sum(id: &[u8], numbers: [u64; 2], body: &[u8]) -> i64 {
    let mut hash = Xxh3Default::new();
    hash.update(&(id.len() as u64).to_le_bytes());
    hash.update(id);
    hash.update(&numbers[0].to_le_bytes());
    hash.update(&numbers[1].to_le_bytes());
    hash.update(body);
    hash.digest() as i64
}

pub fn row(id: &[u8], version: u64, body: &[u8]) -> i64 {
    sum(id, [u64::MAX, version], body)
}

/// Of a number that holds for the whole store: no session has the empty id.
pub fn meta(key: i64, value: i64) -> i64 {
    sum(b"", [key as u64, value as u64], b"")
}

/// Of an entry of the lookup.
pub fn term(term: &[u8], id: &[u8]) -> i64 {
    sum(id, [u64::MAX - 1, term.len() as u64], term)
}

pub fn record(id: &[u8], revision: u64, nonce: u64, body: &[u8]) -> i64 {
    sum(id, [revision, nonce], body)
}
