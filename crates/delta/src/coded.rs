//! The coded kind: the operations through a range coder.

use crate::error::ApplyError;
use crate::format::CODE_MIN;
use crate::model::{AHEAD, BACK, DIAGONAL, Model, OWN, STREAM};
pub(crate) use crate::range::PAST_END;
use crate::range::{RangeReader, RangeWriter};
use crate::script::{LANES, Operation};

/// So many literals are looked at to tell noise.
const SAMPLE_MAX: usize = 4096;

/// Where copies from the base ended, a stream each, and what was made since the latest.
struct Streams {
    ends: [usize; LANES],
    since: usize,
}

impl Streams {
    const NEW: Self = Self { ends: [0; LANES], since: 0 };

    /// The kind of a source in the base, and what is to be added to or taken from the latest end.
    #[inline]
    fn kind_of(&self, source: usize) -> (u32, u32) {
        if source == self.ends[0] + self.since {
            return (DIAGONAL, 0);
        }
        if let Some(stream) = self.ends.iter().position(|end| *end == source) {
            return (STREAM + stream as u32, 0);
        }
        match source.checked_sub(self.ends[0] + 1) {
            Some(ahead) => (AHEAD, ahead as u32),
            None => (BACK, (self.ends[0] - source - 1) as u32),
        }
    }

    /// The source in the base that a kind and a distance mean.
    #[inline]
    fn source_of(&self, kind: u32, distance: u32) -> Option<usize> {
        match kind {
            DIAGONAL => Some(self.ends[0] + self.since),
            AHEAD => (self.ends[0] + 1).checked_add(distance as usize),
            BACK => self.ends[0].checked_sub(distance as usize)?.checked_sub(1),
            stream => Some(self.ends[(stream - STREAM) as usize]),
        }
    }

    /// A copy from the base ended here: its stream comes first.
    #[inline]
    fn copied(&mut self, kind: u32, end: usize) {
        let stream = match kind {
            DIAGONAL => 0,
            AHEAD | BACK => LANES - 1,
            stream => (stream - STREAM) as usize,
        };
        self.ends.copy_within(0..stream, 1);
        self.ends[0] = end;
        self.since = 0;
    }
}

/// Writes the code of the operations to `out[start..]`; where it ends, or `None` where that is not before `out.len() - PAST_END`.
pub(crate) fn write(
    base: usize,
    target: &[u8],
    operations: &[Operation],
    out: &mut [u8],
    start: usize,
) -> Option<usize> {
    let room = out.len() - PAST_END;
    let mut model = Model::new();
    let mut coder = RangeWriter::new(out, start);
    let mut streams = Streams::NEW;
    let (mut at, mut before) = (0, DIAGONAL);
    for operation in operations {
        let (literal, source, length) =
            (operation.literal as usize, operation.source as usize, operation.length as usize);
        model.literal_length(&mut coder, before, operation.literal);
        for byte in &target[at..at + literal] {
            model.literal(&mut coder, *byte);
        }
        at += literal;
        streams.since += literal;
        if length == 0 || coder.end() >= room {
            break;
        }
        let is_own = source >= base;
        let (kind, distance) = if is_own { (OWN, (at - (source - base) - 1) as u32) } else { streams.kind_of(source) };
        model.kind(&mut coder, before, literal > 0, kind);
        model.distance(&mut coder, kind, distance);
        at += length;
        model.length(&mut coder, kind, if at == target.len() { 0 } else { length as u32 });
        if is_own {
            streams.since += length;
        } else {
            streams.copied(kind, source + length);
        }
        before = kind;
    }
    let end = coder.finish()?;
    (at == target.len() && (start + CODE_MIN..room).contains(&end)).then_some(end)
}

/// Takes what a coded body says, each part checked against the base and the target's length.
pub(crate) trait Parts {
    fn literal(&mut self, byte: u8);
    /// From the base.
    fn copy(&mut self, source: usize, length: usize) -> Result<(), ApplyError>;
    /// From the target so far, perhaps over what it makes.
    fn repeat(&mut self, source: usize, length: usize) -> Result<(), ApplyError>;
}

/// Hands on the parts of the code in `body[start..]` that make a target of `length` bytes. Each operation makes a byte at least, so
/// the work is linear in the length.
pub(crate) fn read(
    base: usize,
    body: &[u8],
    start: usize,
    length: usize,
    parts: &mut impl Parts,
) -> Result<(), ApplyError> {
    if body.len() - start < CODE_MIN {
        return Err(ApplyError::Truncated { offset: start });
    }
    let mut model = Model::new();
    let mut coder = RangeReader::new(body, start);
    let mut streams = Streams::NEW;
    let (mut made, mut before) = (0, DIAGONAL);
    while made < length {
        let offset = coder.offset();
        let literal = model.literal_length(&mut coder, before, 0) as usize;
        if literal > length - made {
            return Err(ApplyError::BadNumber { offset });
        }
        for _ in 0..literal {
            parts.literal(model.literal(&mut coder, 0));
            if coder.is_over() {
                return Err(ApplyError::Truncated { offset: body.len() });
            }
        }
        made += literal;
        streams.since += literal;
        if made == length {
            break;
        }
        let kind = model.kind(&mut coder, before, literal > 0, 0);
        let distance = model.distance(&mut coder, kind, 0);
        let rest = length - made;
        let copied = match model.length(&mut coder, kind, 0) as usize {
            0 => rest,
            copied => copied,
        };
        if coder.is_over() {
            return Err(ApplyError::Truncated { offset: body.len() });
        }
        if copied > rest {
            return Err(ApplyError::BadNumber { offset });
        }
        if kind == OWN {
            let source = made.checked_sub(distance as usize).and_then(|source| source.checked_sub(1));
            parts.repeat(source.ok_or(ApplyError::OutOfBase { offset })?, copied)?;
            streams.since += copied;
        } else {
            let source = streams.source_of(kind, distance).filter(|source| *source <= base && copied <= base - source);
            let source = source.ok_or(ApplyError::OutOfBase { offset })?;
            parts.copy(source, copied)?;
            streams.copied(kind, source + copied);
        }
        made += copied;
        before = kind;
    }
    let offset = coder.offset();
    if offset < body.len() { Err(ApplyError::Trailing { offset }) } else { Ok(()) }
}

/// Whether the new bytes are so evenly spread that coding them gains nothing: by how often two of them are alike, less than twice
/// as often as in noise.
pub(crate) fn is_noise(target: &[u8], operations: &[Operation]) -> bool {
    let new: usize = operations.iter().map(|operation| operation.literal as usize).sum();
    if new.min(SAMPLE_MAX) <= 64 * operations.len() {
        return false;
    }
    let mut counts = [0u32; 256];
    let (mut at, mut total) = (0, 0);
    for operation in operations {
        let literal = (operation.literal as usize).min(SAMPLE_MAX - total);
        for byte in &target[at..at + literal] {
            counts[usize::from(*byte)] += 1;
        }
        total += literal;
        at += (operation.literal + operation.length) as usize;
    }
    let alike: u32 = counts.iter().map(|count| count * count.saturating_sub(1)).sum();
    let pairs = (total * total) as u32;
    alike < pairs / 128
}
