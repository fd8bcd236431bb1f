//! Chooses the kind of delta and writes it.

use crate::bytes::{common_prefix, common_suffix};
use crate::check::{seal, seal_length};
use crate::error::DiffError;
use crate::format::{
    MAX_LEN, MAX_OVERHEAD, SAME, SPLICE, SPLICE_D_NONE, SPLICE_D_SAME, SPLICE_D_VARINT, SPLICE_DELETE, SPLICE_L_SHIFT,
    SPLICE_L_VARINT, SPLICE_WIDTH_SHIFT, WHOLE, varint_len,
};
use crate::ops::put_number;
use crate::walk::{Ends, walk};

/// An edit that adds at most this much is not worth cutting up.
const SPLICE_DIRECT: usize = 3;

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
        let room = plain.min(out.len());
        let body = walk(base, target, Ends { prefix, suffix }, &mut out[..room], work);
        if let Some(body) = body.filter(|body| sealed(*body) < plain) {
            return seal(base, out, body).ok_or(full);
        }
    }
    let body = if whole < sealed(splice.length()) { put_whole(target, out) } else { splice.put(out) };
    body.and_then(|body| seal(base, out, body)).ok_or(full)
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
