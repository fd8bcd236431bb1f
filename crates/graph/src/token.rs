//! Single tokens of canonical bytes (`ts/codec/format.ts`).

pub(crate) const PREFIX: u8 = 0xd4;
pub(crate) const FLOAT64: u8 = 0xcb;

const EXT_UNDEFINED: u8 = 0x00;
const EXT_NEGATIVE_ZERO: u8 = 0x2d;
pub(crate) const EXT_MAP: u8 = 0x4d;
pub(crate) const EXT_SPARSE: u8 = 0x68;
pub(crate) const EXT_NULL_PROTOTYPE: u8 = 0x6e;
const EXT_ENTRIES: u8 = 0x6f;
pub(crate) const EXT_SET: u8 = 0x73;
pub(crate) const EXT_VIEW: u8 = 0x74;
const EXT_STRING16: u8 = 0x75;
const EXT_BIGINT: u8 = 0x42;
const EXT_TIMESTAMP: u8 = 0xff;

const ARRAY_BUFFER: u8 = 0x10;
const DATA_VIEW: u8 = 0x11;
/// Of the typed arrays, by the number that the codec gives them: bytes of an element.
pub(crate) const WIDTHS: [usize; 11] = [1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8];
const LATEST_SECONDS: i64 = 8_640_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Object,
    Bare,
    List,
    Sparse,
    Map,
    Set,
    Text,
    Bytes,
    Date,
    Number,
    BigInt,
    Nil,
    Undefined,
    True,
    False,
}

const KINDS: [Kind; 16] = [
    Kind::Object,
    Kind::Bare,
    Kind::List,
    Kind::Sparse,
    Kind::Map,
    Kind::Set,
    Kind::Text,
    Kind::Bytes,
    Kind::Date,
    Kind::Number,
    Kind::BigInt,
    Kind::Nil,
    Kind::Undefined,
    Kind::True,
    Kind::False,
    Kind::False,
];

impl Kind {
    /// The reverse of `as u32`.
    #[inline]
    pub(crate) fn of(number: u32) -> Self {
        KINDS[(number & 15) as usize]
    }

    /// Of containers, whose parts are told apart.
    pub(crate) fn is_sequence(self) -> bool {
        (self as u8) <= Kind::Set as u8
    }

    /// What JavaScript calls an object.
    pub(crate) fn is_object(self) -> bool {
        self.is_sequence() || matches!(self, Kind::Bytes | Kind::Date)
    }

    /// As it is sealed and hashed.
    pub(crate) fn number(self) -> u32 {
        (self as u32).min(Kind::Date as u32)
    }

    pub(crate) fn has_keys(self) -> bool {
        self != Kind::List
    }

    pub(crate) fn has_values(self) -> bool {
        self != Kind::Set
    }

    /// Values in the encoding for each place.
    pub(crate) fn width(self) -> usize {
        usize::from(self.has_keys()) + usize::from(self.has_values())
    }
}

/// A token: what it begins, where its header and, but for a container, its content end, and the values that follow it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    pub(crate) end: usize,
    pub(crate) count: usize,
}

pub(crate) fn big_endian(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + width)?;
    Some(bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

/// A length or count that is as large as its width tells.
fn counted(bytes: &[u8], at: usize, width: usize, least: u64) -> Option<usize> {
    big_endian(bytes, at, width).filter(|&number| number >= least).map(|number| number as usize)
}

/// The token at `at`, or nothing where it is none that the codec writes.
#[inline]
pub(crate) fn head(bytes: &[u8], at: usize) -> Option<Head> {
    let token = *bytes.get(at)?;
    match token {
        0x00..=0x7f | 0xe0..=0xff => leaf(bytes, Kind::Number, at + 1),
        0x80..=0x8f => Some(Head { kind: Kind::Object, end: at + 1, count: usize::from(token & 15) * 2 }),
        0x90..=0x9f => Some(Head { kind: Kind::List, end: at + 1, count: usize::from(token & 15) }),
        0xa0..=0xbf => leaf(bytes, Kind::Text, at + 1 + usize::from(token & 31)),
        _ => long_head(bytes, at, token),
    }
}

fn leaf(bytes: &[u8], kind: Kind, end: usize) -> Option<Head> {
    (end <= bytes.len()).then_some(Head { kind, end, count: 0 })
}

fn long_head(bytes: &[u8], at: usize, token: u8) -> Option<Head> {
    let behind = |kind, width: usize, least| {
        let length = counted(bytes, at + 1, width, least)?;
        leaf(bytes, kind, at + 1 + width + length)
    };
    let natural = |width, least| counted(bytes, at + 1, width, least).and(leaf(bytes, Kind::Number, at + 1 + width));
    let container = |kind, width, least, each| {
        let count = counted(bytes, at + 1, width, least)?.checked_mul(each)?;
        Some(Head { kind, end: at + 1 + width, count })
    };
    match token {
        0xc0 => leaf(bytes, Kind::Nil, at + 1),
        0xc2 => leaf(bytes, Kind::False, at + 1),
        0xc3 => leaf(bytes, Kind::True, at + 1),
        0xc4 => behind(Kind::Bytes, 1, 0),
        0xc5 => behind(Kind::Bytes, 2, 0x100),
        0xc6 => behind(Kind::Bytes, 4, 0x10000),
        0xc7..=0xc9 => extension(bytes, at, 1 << (token - 0xc7)),
        FLOAT64 => float(bytes, at),
        0xcc => natural(1, 0x80),
        0xcd => natural(2, 0x100),
        0xce => natural(4, 0x10000),
        0xcf => counted(bytes, at + 1, 8, 1 << 63).and(leaf(bytes, Kind::BigInt, at + 9)),
        0xd0 => negative(bytes, at, 1, -0x20),
        0xd1 => negative(bytes, at, 2, -0x80),
        0xd2 => negative(bytes, at, 4, -0x8000),
        0xd3 => leaf(bytes, Kind::BigInt, at + 9),
        PREFIX => prefix(bytes, at),
        0xd6 | 0xd7 => date(bytes, at, usize::from(token - 0xd5) * 4, at + 2),
        0xd9 => behind(Kind::Text, 1, 0x20),
        0xda => behind(Kind::Text, 2, 0x100),
        0xdb => behind(Kind::Text, 4, 0x10000),
        0xdc => container(Kind::List, 2, 0x10, 1),
        0xdd => container(Kind::List, 4, 0x10000, 1),
        0xde => container(Kind::Object, 2, 0x10, 2),
        0xdf => container(Kind::Object, 4, 0x10000, 2),
        _ => None,
    }
}

fn negative(bytes: &[u8], at: usize, width: usize, below: i64) -> Option<Head> {
    let shift = 64 - 8 * width as u32;
    let value = (big_endian(bytes, at + 1, width)? << shift) as i64 >> shift;
    if value >= below {
        return None;
    }
    leaf(bytes, Kind::Number, at + 1 + width)
}

/// Integers of up to 32 bits and -0 have other forms, and NaN has one.
fn float(bytes: &[u8], at: usize) -> Option<Head> {
    let bits = big_endian(bytes, at + 1, 8)?;
    let value = f64::from_bits(bits);
    let is_short = (-2_147_483_648.0..=4_294_967_295.0).contains(&value) && value as i64 as f64 == value;
    if is_short || (value.is_nan() && bits != 0x7ff8_0000_0000_0000) {
        return None;
    }
    leaf(bytes, Kind::Number, at + 9)
}

fn extension(bytes: &[u8], at: usize, width: usize) -> Option<Head> {
    let length = counted(bytes, at + 1, width, [0, 0, 0x100, 0, 0x10000][width])?;
    let content = at + 2 + width;
    match *bytes.get(content - 1)? {
        EXT_VIEW => {
            let kind = *bytes.get(content)?;
            let each = match kind {
                ARRAY_BUFFER | DATA_VIEW => 1,
                _ => *WIDTHS.get(usize::from(kind))?,
            };
            if !length.checked_sub(1)?.is_multiple_of(each) {
                return None;
            }
            leaf(bytes, Kind::Bytes, content + length)
        }
        EXT_TIMESTAMP if length == 12 => date(bytes, at, 12, content),
        _ => None,
    }
}

fn date(bytes: &[u8], at: usize, length: usize, content: usize) -> Option<Head> {
    if *bytes.get(content - 1)? != EXT_TIMESTAMP || bytes.get(at).is_none() {
        return None;
    }
    let fits = match length {
        4 => true,
        8 => {
            let milliseconds = big_endian(bytes, content, 4)?;
            milliseconds.is_multiple_of(4_000_000) && (1..1_000).contains(&(milliseconds / 4_000_000))
        }
        _ => {
            let nanoseconds = big_endian(bytes, content, 4)?;
            let seconds = big_endian(bytes, content + 4, 8)? as i64;
            let is_far = !(0..1 << 32).contains(&seconds);
            let in_range = (-LATEST_SECONDS..LATEST_SECONDS).contains(&seconds)
                || seconds == LATEST_SECONDS && nanoseconds < 1_000_000;
            nanoseconds.is_multiple_of(1_000_000) && nanoseconds < 1_000_000_000 && is_far && in_range
        }
    };
    if fits { leaf(bytes, Kind::Date, content + length) } else { None }
}

fn prefix(bytes: &[u8], at: usize) -> Option<Head> {
    let (kind, filler) = (*bytes.get(at + 1)?, *bytes.get(at + 2)?);
    if filler != if kind == EXT_TIMESTAMP { 0xff } else { 0 } {
        return None;
    }
    let opens = |kind: Kind, content: Kind| {
        let inner = match *bytes.get(at + 3)? {
            PREFIX => return None,
            _ => head(bytes, at + 3)?,
        };
        (inner.kind == content).then_some(Head { kind, ..inner })
    };
    match kind {
        EXT_UNDEFINED => leaf(bytes, Kind::Undefined, at + 3),
        EXT_NEGATIVE_ZERO => leaf(bytes, Kind::Number, at + 3),
        EXT_TIMESTAMP => leaf(bytes, Kind::Date, at + 3),
        EXT_MAP => opens(Kind::Map, Kind::List).filter(|head| head.count.is_multiple_of(2)),
        EXT_SET => opens(Kind::Set, Kind::List),
        EXT_SPARSE => opens(Kind::Sparse, Kind::List).filter(|head| head.count % 2 == 1),
        EXT_NULL_PROTOTYPE => opens(Kind::Bare, Kind::Object),
        _ => None,
    }
}

/// Bytes of a token, and above bit 8 the values that follow it; 0: its length is told behind it.
const SHAPES: [u16; 256] = {
    let mut shapes = [0; 256];
    let mut token = 0;
    while token < 256 {
        let low = token as u16;
        shapes[token] = match token {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => 1,
            0x80..=0x8f => 1 | (low & 15) << 9,
            0x90..=0x9f => 1 | (low & 15) << 8,
            0xa0..=0xbf => 1 + (low & 31),
            0xcc | 0xd0 => 2,
            0xcd | 0xd1 => 3,
            0xce | 0xd2 => 5,
            0xcb | 0xcf | 0xd3 => 9,
            _ => 0,
        };
        token += 1;
    }
    shapes
};

/// Where `count` values end that begin at `at`; nothing of them is looked at but their lengths.
#[inline]
pub(crate) fn skip(bytes: &[u8], at: usize, count: usize) -> Option<usize> {
    let (mut at, mut left) = (at, count as u64);
    while left > 0 {
        // Where the processor guesses these branches right, it need not wait for the byte to know where the next one is.
        let token = *bytes.get(at)?;
        if token < 0x80 {
            at += 1;
        } else if token & 0xe0 == 0xa0 {
            at += 1 + usize::from(token & 31);
        } else {
            let shape = usize::from(SHAPES[usize::from(token)]);
            if shape == 0 {
                let (end, held) = long_token(bytes, at)?;
                at = end;
                left += held;
            } else {
                at += shape & 0xff;
                left += (shape >> 8) as u64;
            }
        }
        left -= 1;
    }
    (at <= bytes.len()).then_some(at)
}

fn long_token(bytes: &[u8], at: usize) -> Option<(usize, u64)> {
    let number = |width| big_endian(bytes, at + 1, width);
    let behind = |width: usize, more: usize| number(width).map(|length| (at + 1 + width + more + length as usize, 0));
    match bytes[at] {
        0xc4 | 0xd9 => behind(1, 0),
        0xc5 | 0xda => behind(2, 0),
        0xc6 | 0xdb => behind(4, 0),
        0xc7 => behind(1, 1),
        0xc8 => behind(2, 1),
        0xc9 => behind(4, 1),
        token @ 0xd5..=0xd8 => match *bytes.get(at + 1)? {
            EXT_BIGINT | EXT_STRING16 | EXT_TIMESTAMP => Some((at + 2 + (2 << (token - 0xd5)), 0)),
            _ => None,
        },
        0xdc => Some((at + 3, number(2)?)),
        0xdd => Some((at + 5, number(4)?)),
        0xde => Some((at + 3, 2 * number(2)?)),
        0xdf => Some((at + 5, 2 * number(4)?)),
        PREFIX => match *bytes.get(at + 1)? {
            EXT_UNDEFINED | EXT_NEGATIVE_ZERO | EXT_TIMESTAMP => Some((at + 3, 0)),
            EXT_MAP | EXT_SPARSE | EXT_NULL_PROTOTYPE | EXT_ENTRIES | EXT_SET => Some((at + 3, 1)),
            _ => None,
        },
        _ => None,
    }
}
