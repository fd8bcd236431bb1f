//! Equal values by equal numbers.

use core::hash::{BuildHasher, Hasher};
use std::collections::HashMap;
use std::hash::RandomState;

use crate::seal::mix_value;
use crate::tape::{Id, Tape};

/// Of more values with one hash, those behind are taken for different from all, as in JavaScript, where this bounds the work.
const LONGEST_CHAIN: u8 = 16;

/// Hashes of short byte strings, other ones in each map: nobody can plan collisions.
#[derive(Clone)]
pub(crate) struct Seeded(u64);

impl Default for Seeded {
    fn default() -> Self {
        Seeded(RandomState::new().build_hasher().finish())
    }
}

pub(crate) struct BytesHasher(u64);

impl BuildHasher for Seeded {
    type Hasher = BytesHasher;

    fn build_hasher(&self) -> BytesHasher {
        BytesHasher(self.0)
    }
}

impl Hasher for BytesHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxhash_rust::xxh3::xxh3_64_with_seed(bytes, self.0);
    }

    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

pub(crate) type ByBytes<'a, V> = HashMap<&'a [u8], V, Seeded>;

/// Gives equal values the same small number, and no others.
#[derive(Default)]
pub(crate) struct Classes<'a> {
    names: ByBytes<'a, u32>,
    chains: HashMap<u32, u8>,
    count: u32,
}

impl<'a> Classes<'a> {
    pub(crate) fn of(&mut self, tape: &Tape<'a>, id: Id) -> u32 {
        let bytes = tape.bytes(id);
        if let Some(&name) = self.names.get(bytes) {
            return name;
        }
        let name = self.count;
        self.count += 1;
        if tape.kind(id).is_object() {
            let chain = self.chains.entry(mix_value(0, tape, id)).or_default();
            if *chain == LONGEST_CHAIN {
                return name;
            }
            *chain += 1;
        }
        self.names.insert(bytes, name);
        name
    }
}
