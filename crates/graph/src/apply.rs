//! Turns a base and a delta into the target. Of the base only what the delta changes is read, and what has to be passed on the
//! way there; the rest is copied as it lies.

use std::borrow::Cow;

use crate::error::ApplyError;
use crate::format::{
    GRAPH_BINARY, GRAPH_EDITS, GRAPH_LONG, GRAPH_SAME, GRAPH_SHARED, GRAPH_WHOLE, SEAL_BYTES, TEXT_DELTA,
};
use crate::header::{put_memory_header, put_text_header};
use crate::leaf::{Leaf, is_whole};
use crate::packed::{pack, unpack};
use crate::pieces::Pieces;
use crate::reader::Reader;
use crate::references;
use crate::seal::Seen;
use crate::steps::Steps;
use crate::tape::{DEPTH_LIMIT, Id, Tape};
use crate::text::{BYTE_ORDER_MARK, byte_at, units_of};
use crate::token::{self, Kind};

const KIND_BITS: u32 = 2;

pub(crate) type Applied<T> = Result<T, ApplyError>;

/// A target that is known and not yet written.
pub struct Target<'a> {
    base: &'a [u8],
    content: Content<'a>,
}

enum Content<'a> {
    Whole(Cow<'a, [u8]>),
    Pieces { pieces: Pieces, values: Cow<'a, [u8]> },
}

impl Target<'_> {
    /// Its bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        match &self.content {
            Content::Whole(bytes) => bytes.len(),
            Content::Pieces { pieces, .. } => pieces.bytes(),
        }
    }

    /// Fills `out`, which has `length` bytes.
    pub fn write(&self, out: &mut [u8]) {
        match &self.content {
            Content::Whole(bytes) => out.copy_from_slice(bytes),
            Content::Pieces { pieces, values } => pieces.write(self.base, values, out),
        }
    }
}

/// The target, of at most `limit` bytes. Nothing of it is given out before the whole delta has been found good.
pub fn apply<'a>(base: &'a [u8], delta: &'a [u8], limit: usize) -> Applied<Target<'a>> {
    if base.len().max(delta.len()) > holdfast_delta::MAX_LEN || references::has(base) {
        return Err(ApplyError::Foreign);
    }
    check_size(base.len(), limit)?;
    let mut reader = Reader::new(delta, 0);
    let content = match reader.byte()? {
        GRAPH_SAME if delta.len() == 1 => match token::skip(base, 0, 1) {
            Some(end) if end == base.len() => Content::Whole(Cow::Borrowed(base)),
            _ => return Err(ApplyError::Foreign),
        },
        GRAPH_SAME => return reader.corrupt("it goes on behind its end"),
        GRAPH_BINARY => {
            let packed = holdfast_delta::apply(&pack(base), &delta[1..], limit)?;
            Content::Whole(checked(unpack(&packed, &reader)?.into_owned().into())?)
        }
        GRAPH_WHOLE => {
            let body = body_of(delta, &reader)?;
            let whole = unpack(&body[1..], &reader)?;
            check_seal(delta, &Seen::new(), &reader)?;
            Content::Whole(checked(whole)?)
        }
        // Of what has something in several places: left to the caller.
        GRAPH_SHARED => return Err(ApplyError::Foreign),
        head if head & 3 == GRAPH_EDITS => edits(base, delta, limit, head >> KIND_BITS)?,
        _ => return reader.corrupt("its kind is unknown"),
    };
    let target = Target { base, content };
    check_size(target.length(), limit)?;
    Ok(target)
}

pub(crate) fn check_size(needed: usize, limit: usize) -> Applied<()> {
    if needed <= limit { Ok(()) } else { Err(ApplyError::OverLimit { needed, limit }) }
}

/// A whole value that the codec may have written.
fn checked(bytes: Cow<'_, [u8]>) -> Applied<Cow<'_, [u8]>> {
    if Tape::read(&bytes)?.has_keys_once() { Ok(bytes) } else { Err(ApplyError::Foreign) }
}

fn body_of<'a>(delta: &'a [u8], reader: &Reader<'_>) -> Applied<&'a [u8]> {
    match delta.len().checked_sub(SEAL_BYTES) {
        Some(end) if end > 0 => Ok(&delta[..end]),
        _ => reader.corrupt("it is cut short"),
    }
}

fn check_seal(delta: &[u8], seen: &Seen, reader: &Reader<'_>) -> Applied<()> {
    let (body, seal) = delta.split_at(delta.len() - SEAL_BYTES);
    if seen.seal(body) == *seal {
        return Ok(());
    }
    reader.corrupt("its last two bytes are not those of this base and these changes")
}

fn edits<'a>(base: &'a [u8], delta: &'a [u8], limit: usize, short: u8) -> Applied<Content<'a>> {
    let mut header = Reader::new(delta, 1);
    let body = body_of(delta, &header)?;
    let short = usize::from(short);
    let length = if short < GRAPH_LONG { short } else { GRAPH_LONG + header.number()? as usize };
    let start = header.at();
    let Some(steps) = body.get(..start + length).filter(|_| start <= body.len()) else {
        return header.corrupt("it is cut short");
    };
    let packed = &body[start + length..];
    check_size(packed.len(), limit)?;
    let values = unpack(packed, &header)?;
    let tape = if values.is_empty() { None } else { Some(Tape::read(&values)?) };
    if tape.as_ref().is_some_and(|tape| tape.kind(0) != Kind::List || !tape.has_keys_once()) {
        return Err(ApplyError::Foreign);
    }
    let ids = tape.as_ref().map_or(Vec::new(), |tape| tape.children(0).collect());
    let mut applier = Applier {
        base,
        reader: Reader::new(steps, start),
        values: Values { tape: tape.as_ref(), ids: ids.into_iter() },
        seen: Seen::new(),
        pieces: Pieces::default(),
        bound: 0,
        is_over: false,
        room: limit,
        limit,
    };
    applier.whole()?;
    let Applier { pieces, seen, .. } = applier;
    check_seal(delta, &seen, &header)?;
    drop(tape);
    Ok(Content::Pieces { pieces, values })
}

/// A delta's values, in the order in which they are needed.
struct Values<'v> {
    tape: Option<&'v Tape<'v>>,
    ids: std::vec::IntoIter<Id>,
}

/// What is under way.
pub(crate) struct Applier<'b, 'v> {
    pub(crate) base: &'b [u8],
    pub(crate) reader: Reader<'b>,
    values: Values<'v>,
    pub(crate) seen: Seen,
    pub(crate) pieces: Pieces,
    /// Sequences around that have to know where what is in them ends.
    pub(crate) bound: u32,
    /// All that is left of the base has been taken.
    pub(crate) is_over: bool,
    /// Bytes that texts, binary parts and copies may yet take: a short delta of them can say much.
    room: usize,
    limit: usize,
}

impl<'b: 'v, 'v> Applier<'b, 'v> {
    /// The whole: nothing of the delta or the base may be left.
    fn whole(&mut self) -> Applied<()> {
        let end = self.edit(0, 0)?;
        if self.reader.left() > 0 || self.values.ids.len() > 0 {
            return self.reader.corrupt("it goes on behind its end");
        }
        if end == self.base.len() { Ok(()) } else { Err(ApplyError::Foreign) }
    }

    /// The next value, with all that is in it, and where it begins.
    fn value(&mut self) -> Applied<(Leaf<'v>, usize)> {
        match (self.values.tape, self.values.ids.next()) {
            (Some(tape), Some(id)) => Ok((tape.leaf(id), tape.start(id))),
            _ => self.reader.corrupt("a value is missing"),
        }
    }

    /// Puts a value of the delta's into the target.
    pub(crate) fn put_value(&mut self) -> Applied<Leaf<'v>> {
        let (value, start) = self.value()?;
        self.pieces.values(start..start + value.bytes.len());
        Ok(value)
    }

    pub(crate) fn head(&self, at: usize) -> Applied<token::Head> {
        token::head(self.base, at).ok_or(ApplyError::Foreign)
    }

    pub(crate) fn leaf(&self, at: usize) -> Applied<Leaf<'b>> {
        let head = self.head(at)?;
        Ok(Leaf { kind: head.kind, bytes: &self.base[at..head.end] })
    }

    /// Where so many values of the base end.
    pub(crate) fn skip(&self, at: usize, count: usize) -> Applied<usize> {
        token::skip(self.base, at, count).ok_or(ApplyError::Foreign)
    }

    /// Changes the value at `at`; where it ends in the base.
    pub(crate) fn edit(&mut self, at: usize, depth: usize) -> Applied<usize> {
        if depth >= DEPTH_LIMIT {
            return Err(ApplyError::Foreign);
        }
        let head = self.head(at)?;
        match head.kind {
            kind if kind.is_sequence() => {
                self.seen.number(kind.number() as usize);
                self.seen.number(head.count / kind.width());
                return Steps::new(self, head, depth)?.run();
            }
            Kind::Text => self.text(self.leaf(at)?.text(), head.end)?,
            Kind::Bytes => self.memory(self.leaf(at)?)?,
            _ => return self.reader.corrupt("it changes a part of what has none"),
        }
        Ok(head.end)
    }

    pub(crate) fn take(&mut self, bytes: usize) -> Applied<()> {
        let (needed, limit) = (self.limit - self.room + bytes, self.limit);
        check_size(needed, limit)?;
        self.room -= bytes;
        Ok(())
    }

    fn patched(&mut self, base: &[u8]) -> Applied<Vec<u8>> {
        let length = self.reader.number()? as usize;
        let delta = self.reader.raw(length)?;
        let target = holdfast_delta::apply(base, delta, self.room)?;
        self.take(target.len())?;
        Ok(target)
    }

    /// Changes a text whose content ends at `end` in the base.
    fn text(&mut self, base: &[u8], end: usize) -> Applied<()> {
        if !base.is_ascii() && core::str::from_utf8(base).is_err() {
            return Err(ApplyError::Foreign);
        }
        let head = self.reader.number()?;
        let (start, removed) = ((head >> 1) as usize, self.reader.number()? as usize);
        let units = units_of(base);
        if start + removed > units {
            return self.reader.corrupt("it changes characters behind the end of a text");
        }
        // JavaScript's texts may be cut in the middle of a pair, and these not.
        let start = byte_at(base, start).ok_or(ApplyError::Foreign)?;
        let removed = byte_at(&base[start..], removed).ok_or(ApplyError::Foreign)?;
        let (before, after) = (&base[..start], &base[start + removed..]);
        let removed = &base[start..start + removed];
        self.seen.text(units, removed);
        self.take(base.len())?;
        let has_delta = head & 1 == TEXT_DELTA;
        let inserted =
            if has_delta { Cow::Owned(self.patched(removed)?) } else { Cow::Borrowed(self.inserted_text()?) };
        if has_delta && core::str::from_utf8(&inserted).is_err() {
            return self.reader.corrupt("a text is not UTF-8");
        }
        let length = before.len() + inserted.len() + after.len();
        self.pieces.make(|made| put_text_header(made, length));
        let content = end - base.len();
        self.pieces.base(content..content + before.len());
        self.pieces.make(|made| made.extend_from_slice(&inserted));
        self.pieces.base(end - after.len()..end);
        // A mark at the start is written otherwise.
        let starts = before.iter().chain(inserted.iter()).chain(after).take(BYTE_ORDER_MARK.len());
        if starts.eq(BYTE_ORDER_MARK) { Err(ApplyError::Foreign) } else { Ok(()) }
    }

    fn inserted_text(&mut self) -> Applied<&'v [u8]> {
        let (value, _) = self.value()?;
        match value.kind {
            Kind::Text => Ok(value.text()),
            _ => self.reader.corrupt("it puts another value than text into a text"),
        }
    }

    fn memory(&mut self, leaf: Leaf<'b>) -> Applied<()> {
        let (kind, base) = leaf.memory();
        self.seen.number(base.len());
        let target = self.patched(base)?;
        if !is_whole(kind, target.len()) {
            return self.reader.corrupt("a typed array has half an element");
        }
        self.pieces.make(|made| {
            put_memory_header(made, kind, target.len());
            made.extend_from_slice(&target);
        });
        Ok(())
    }
}
