//! Diffs a target against a signature: the fixed grid of chunks first, a rolling search only where that fails.

use crate::error::SignatureError;
use crate::format::{MAX_LEN, SIGNED, SIGNED_CHECK, SIGNED_HEADER, SIGNED_OVERHEAD};
use crate::hash64;
use crate::ops::OpsWriter;
use crate::signature::{Roller, Signature, put_leaves};

/// A gap of at most this many chunks between chunks that match on the grid is not searched: an edit in place.
const GAP_DIRECT: usize = 2;
/// A last chunk shorter than this is looked for only right after the one before it.
const TAIL_MIN: usize = 16;
/// Failed comparisons of strong hashes: so many fixed ones, and so many bytes hashed per byte of the target.
const BUDGET_CHUNKS: usize = 16;
const BUDGET_PER_BYTE: usize = 2;
const CANDIDATES: usize = 8;
/// Slots of the table per chunk, at least.
const SLOTS_PER_CHUNK: usize = 4;
const SLOT_MULTIPLIER: u32 = 0x9e37_79b1;

/// A new delta that turns the base of `signature` into `target`; at most `target.len() + SIGNED_OVERHEAD` bytes.
pub fn diff_signature(signature: &[u8], target: &[u8]) -> Result<Vec<u8>, SignatureError> {
    let mut out = vec![0; target.len() + SIGNED_OVERHEAD];
    let length = diff_signature_into(signature, target, &mut out)?;
    out.truncate(length);
    out.shrink_to_fit();
    Ok(out)
}

/// `diff_signature`, written to the start of `out`; its length. `target.len() + SIGNED_OVERHEAD` bytes of room always suffice.
pub fn diff_signature_into(signature: &[u8], target: &[u8], out: &mut [u8]) -> Result<usize, SignatureError> {
    let signature = Signature::read(signature)?;
    if target.len() > MAX_LEN {
        return Err(SignatureError::InputTooLong { length: target.len() });
    }
    let full = SignatureError::OutTooSmall { needed: target.len() + SIGNED_OVERHEAD };
    if out.len() < SIGNED_HEADER {
        return Err(full);
    }
    let mut leaves = vec![0; 8 * target.len().div_ceil(1 << signature.chunk_bits)];
    put_leaves(target, signature.chunk_bits, &mut leaves);
    let body = Matcher::new(&signature, target, out).run(&leaves).ok_or(full)?;
    out[0] = SIGNED;
    out[1] = signature.chunk_bits;
    out[2..6].copy_from_slice(&(signature.base_length as u32).to_le_bytes());
    out[6..14].copy_from_slice(&signature.base_hash.to_le_bytes());
    out[14..22].copy_from_slice(&hash64(&leaves).to_le_bytes());
    let check = (hash64(&out[..body]) as u32).to_le_bytes();
    out.get_mut(body..body + SIGNED_CHECK).ok_or(full)?.copy_from_slice(&check);
    Ok(body + SIGNED_CHECK)
}

struct Matcher<'a> {
    signature: &'a Signature<'a>,
    target: &'a [u8],
    chunk: usize,
    writer: OpsWriter<'a>,
    table: Option<Table>,
    /// The copy that waits until what follows it is known, and where in the target it ends.
    source: usize,
    copied: usize,
    done: usize,
    /// Bytes that may still be hashed in vain.
    budget: usize,
}

impl<'a> Matcher<'a> {
    fn new(signature: &'a Signature<'a>, target: &'a [u8], out: &'a mut [u8]) -> Self {
        let chunk = 1 << signature.chunk_bits;
        Self {
            signature,
            target,
            chunk,
            writer: OpsWriter::new(signature.base_length, target, out, SIGNED_HEADER),
            table: None,
            source: 0,
            copied: 0,
            done: 0,
            budget: BUDGET_CHUNKS * chunk + BUDGET_PER_BYTE * target.len(),
        }
    }

    /// Writes the sequences; where they end, or `None` where there was no room.
    fn run(mut self, leaves: &[u8]) -> Option<usize> {
        let leaves = leaves.as_chunks::<8>().0;
        let mut gap = 0;
        for (i, leaf) in leaves.iter().enumerate() {
            let at = i * self.chunk;
            let length = (self.target.len() - at).min(self.chunk);
            let is_same = i < self.signature.count
                && u64::from_le_bytes(*leaf) == self.signature.strong(i)
                && length == self.signature.chunk_length(i);
            if is_same {
                self.search(gap, at)?;
                self.take(at, at, length)?;
                gap = at + length;
            }
        }
        self.search(gap, self.target.len())?;
        self.search_tail()?;
        self.flush(self.target.len())?;
        Some(self.writer.end())
    }

    /// The base's bytes from `source` on are the target's at `at`, which is not before `done`.
    fn take(&mut self, at: usize, source: usize, length: usize) -> Option<()> {
        if at == self.done && source == self.source + self.copied {
            self.copied += length;
        } else {
            self.flush(at)?;
            (self.source, self.copied) = (source, length);
        }
        self.done = at + length;
        Some(())
    }

    /// Writes the copy that waits and the bytes of the target between it and `to`.
    fn flush(&mut self, to: usize) -> Option<()> {
        if self.copied == 0 && self.done == to {
            return Some(());
        }
        self.writer.copy(self.source, self.copied);
        self.writer.add(self.done, to)
    }

    /// Looks for chunks in `target[from..to]`, which has none on the grid.
    fn search(&mut self, from: usize, to: usize) -> Option<()> {
        if to - from <= GAP_DIRECT * self.chunk || self.signature.base_length < self.chunk {
            return Some(());
        }
        let table = self.table.take().unwrap_or_else(|| Table::new(self.signature));
        let mut at = from;
        while let Some((found, chunk)) = self.roll(&table, at, to) {
            at = found;
            for next in chunk..self.signature.count {
                let length = self.signature.chunk_length(next);
                let fits = next == chunk || at + length <= to;
                if !fits || (next > chunk && hash64(&self.target[at..at + length]) != self.signature.strong(next)) {
                    break;
                }
                self.take(at, next << self.signature.chunk_bits, length)?;
                at += length;
            }
        }
        self.table = Some(table);
        Some(())
    }

    /// The first window in `target[at..to]` that is a chunk of the base, and which.
    fn roll(&mut self, table: &Table, mut at: usize, to: usize) -> Option<(usize, usize)> {
        let length = self.chunk;
        if at + length > to || self.budget < length {
            return None;
        }
        let target = self.target;
        let mut roller = Roller::new(&target[at..at + length]);
        loop {
            let hash = roller.hash();
            let first = table.head[(hash.wrapping_mul(SLOT_MULTIPLIER) >> table.shift) as usize];
            if first != 0 {
                let window = &target[at..at + length];
                match table.find(self.signature, first, hash, window) {
                    Found::Chunk(chunk) => return Some((at, chunk)),
                    Found::Hashed if self.budget < 2 * length => return None,
                    Found::Hashed => self.budget -= length,
                    Found::Nothing => {}
                }
            }
            if at + length >= to {
                return None;
            }
            roller.roll(target[at], target[at + length]);
            at += 1;
        }
    }

    /// The base's short last chunk at the target's end.
    fn search_tail(&mut self) -> Option<()> {
        let length = self.signature.base_length & (self.chunk - 1);
        if length < TAIL_MIN || self.target.len() - self.done < length {
            return Some(());
        }
        let at = self.target.len() - length;
        if hash64(&self.target[at..]) == self.signature.strong(self.signature.count - 1) {
            self.take(at, self.signature.base_length - length, length)?;
        }
        Some(())
    }
}

enum Found {
    Chunk(usize),
    /// Nothing, but a strong hash was computed.
    Hashed,
    Nothing,
}

/// Chains of full chunks (plus one; zero ends) by weak hash, each content once, nearest to the base's start first.
struct Table {
    head: Vec<u32>,
    next: Vec<u32>,
    shift: u32,
}

impl Table {
    fn new(signature: &Signature<'_>) -> Self {
        let count = signature.base_length >> signature.chunk_bits;
        let bits = (SLOTS_PER_CHUNK * count).next_power_of_two().trailing_zeros();
        let mut head = vec![0u32; 1 << bits];
        let mut next = vec![0u32; count];
        for chunk in (0..count).rev() {
            let weak = signature.weak(chunk);
            let slot = &mut head[(weak.wrapping_mul(SLOT_MULTIPLIER) >> (32 - bits)) as usize];
            let first = *slot as usize;
            let is_known = first != 0
                && signature.weak(first - 1) == weak
                && signature.strong(first - 1) == signature.strong(chunk);
            next[chunk] = if is_known { next[first - 1] } else { *slot };
            *slot = chunk as u32 + 1;
        }
        Self { head, next, shift: 32 - bits }
    }

    /// The chunk among the chain from `first` on that has this weak hash and is the window.
    fn find(&self, signature: &Signature<'_>, first: u32, weak: u32, window: &[u8]) -> Found {
        let mut entry = first as usize;
        let mut strong = None;
        for _ in 0..CANDIDATES {
            if entry == 0 {
                break;
            }
            let chunk = entry - 1;
            if signature.weak(chunk) == weak {
                let strong = *strong.get_or_insert_with(|| hash64(window));
                if signature.strong(chunk) == strong {
                    return Found::Chunk(chunk);
                }
            }
            entry = self.next[chunk] as usize;
        }
        if strong.is_some() { Found::Hashed } else { Found::Nothing }
    }
}
