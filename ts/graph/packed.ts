import { PACKED_DECIMAL } from './format.ts';
import type { Reader } from './reader.ts';
import { Writer } from './writer.ts';

/**
 * Canonical bytes with short decimal fractions written as such: 19.99 takes 4 bytes instead of 9. All else stays as it
 * is. Tokens are walked one behind the other: what a container holds follows its header.
 */
const FLOAT64 = 0xcb;
const MOST_DIGITS = 8;
const MOST = 2 ** 44;
const POWERS = Array.from({ length: MOST_DIGITS + 1 }, (_, digits) => 10 ** digits);
/** Bytes of tokens from 0xc0 on, with what always follows them; 0: a length follows. */
const FIXED = Uint8Array.of(
  ...[1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 5, 9, 2, 3, 5, 9],
  ...[2, 3, 5, 9, 3, 4, 6, 10, 18, 0, 0, 0, 3, 5, 3, 5],
);

/** The end of the token at `at`; of text and bytes their content is part of it. */
function tokenEnd(bytes: Uint8Array, at: number): number {
  const token = bytes[at]!;
  if (token < 0xa0 || token >= 0xe0) return at + 1;
  if (token < 0xc0) return at + 1 + (token & 0x1f);
  const fixed = FIXED[token - 0xc0]!;
  if (fixed > 0) return at + fixed;
  const width = 1 << (token >= 0xd9 ? token - 0xd9 : (token - 0xc4) % 3);
  let length = 0;
  for (let i = 1; i <= width; i += 1) length = length * 256 + (bytes[at + i] ?? 0);
  return at + 1 + width + (token >= 0xc7 && token <= 0xc9 ? 1 : 0) + length;
}

/** Of a fraction with few digits: (mantissa × 2 + sign) × 8 + digits - 1. */
function decimal(value: number): number | undefined {
  const absolute = Math.abs(value);
  for (let digits = 1; digits <= MOST_DIGITS; digits += 1) {
    const mantissa = Math.round(absolute * POWERS[digits]!);
    if (!(mantissa < MOST)) return undefined;
    if (mantissa / POWERS[digits]! === absolute) return (2 * mantissa + (value < 0 ? 1 : 0)) * 8 + digits - 1;
  }
  return undefined;
}

export function pack(bytes: Uint8Array): Uint8Array {
  if (!bytes.includes(FLOAT64)) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Writer();
  let from = 0;
  for (let at = 0; at < bytes.length; at = tokenEnd(bytes, at)) {
    if (bytes[at] !== FLOAT64) continue;
    const coded = decimal(view.getFloat64(at + 1));
    if (coded === undefined) continue;
    out.raw(bytes.subarray(from, at));
    out.byte(PACKED_DECIMAL);
    out.number(coded);
    from = at + 9;
  }
  out.raw(bytes.subarray(from));
  return out.finish();
}

/** The reverse of `pack`. What is no encoding at all is found when it is decoded. */
export function unpack(reader: Reader, bytes: Uint8Array): Uint8Array {
  if (!bytes.includes(PACKED_DECIMAL)) return bytes;
  const out = new Writer();
  let from = 0;
  for (let at = 0; at < bytes.length;) {
    if (bytes[at] !== PACKED_DECIMAL) {
      at = tokenEnd(bytes, at);
      continue;
    }
    out.raw(bytes.subarray(from, at));
    let coded = 0;
    let scale = 1;
    do {
      at += 1;
      if (at >= bytes.length || scale > 2 ** 49) return reader.corrupt('a decimal fraction is damaged');
      coded += (bytes[at]! & 0x7f) * scale;
      scale *= 128;
    } while (bytes[at]! >= 0x80);
    from = at += 1;
    out.raw(float64((coded % 16 >= 8 ? -1 : 1) * (Math.floor(coded / 16) / POWERS[(coded % 8) + 1]!)));
  }
  out.raw(bytes.subarray(from));
  return out.finish();
}

function float64(value: number): Uint8Array {
  const bytes = Buffer.alloc(9, FLOAT64);
  bytes.writeDoubleBE(value, 1);
  return bytes;
}
