/**
 * Finding one's way in canonical bytes (`../codec/format.ts`) without decoding them. They are this process's own, or
 * were checked when they were decoded: nothing is checked here.
 */
import {
  EXT_CLASS,
  EXT_DEFINITION,
  EXT_ENTRIES,
  EXT_MAP,
  EXT_NULL_PROTOTYPE,
  EXT_SET,
  EXT_SPARSE,
} from '../codec/format.ts';

/** Bytes of what always takes as many, by token from 0xc0 on; 0: its length or count is written behind it. */
const FIXED = Uint8Array.of(
  ...[1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 5, 9, 2, 3, 5, 9],
  ...[2, 3, 5, 9, 3, 4, 6, 10, 18, 0, 0, 0, 0, 0, 0, 0],
);

export const PREFIX_BYTES = 3;

const PREFIX = 0xd4;
/** Types of extensions that a value follows: with tokens of 3, 4 and 6 bytes. */
const OPENS = new Uint8Array(256);
for (const type of [EXT_MAP, EXT_SET, EXT_NULL_PROTOTYPE, EXT_SPARSE, EXT_ENTRIES, EXT_CLASS, EXT_DEFINITION])
  OPENS[type] = 1;
const isMark = (token: number): boolean => token >= PREFIX && token <= PREFIX + 2;

/** Big-endian, of 1, 2 or 4 bytes. */
function numberAt(bytes: Uint8Array, at: number, width: number): number {
  let value = bytes[at]!;
  for (let i = 1; i < width; i += 1) value = value * 256 + bytes[at + i]!;
  return value;
}

/** The end of the value that begins at `start`. */
export function endOf(bytes: Uint8Array, start: number): number {
  let at = start;
  for (let left = 1; left > 0; left -= 1) {
    const token = bytes[at]!;
    if (token < 0x80 || token >= 0xe0) at += 1;
    else if (token >= 0xa0 && token < 0xc0) at += 1 + (token & 0x1f);
    else if (token < 0xa0) {
      left += token < 0x90 ? 2 * (token & 0xf) : token & 0xf;
      at += 1;
    } else {
      const fixed = FIXED[token - 0xc0]!;
      if (fixed > 0) {
        if (isMark(token)) left += OPENS[bytes[at + 1]!]!;
        at += fixed;
      } else if (token >= 0xdc) {
        const width = 2 << (token & 1);
        const count = numberAt(bytes, at + 1, width);
        left += token >= 0xde ? 2 * count : count;
        at += 1 + width;
      } else at = endOfSized(bytes, at, token);
    }
  }
  return at;
}

/** Of a text, bytes or extension, with its length behind its token. */
function endOfSized(bytes: Uint8Array, at: number, token: number): number {
  const isExtension = token >= 0xc7 && token <= 0xc9;
  const width = 1 << (token >= 0xd9 ? token - 0xd9 : (token - 0xc4) % 3);
  return at + 1 + width + (isExtension ? 1 : 0) + numberAt(bytes, at + 1, width);
}

/** The type of the prefix at `at`; undefined: there is none. */
export function prefixAt(bytes: Uint8Array, at: number): number | undefined {
  return bytes[at] === PREFIX ? bytes[at + 1] : undefined;
}

export type Family = 'array' | 'map';

/** Of MessagePack's containers, the one whose header is at `at`; undefined: none. */
export function familyAt(bytes: Uint8Array, at: number): Family | undefined {
  const token = bytes[at]!;
  if ((token >= 0x80 && token < 0x90) || token === 0xde || token === 0xdf) return 'map';
  return (token >= 0x90 && token < 0xa0) || token === 0xdc || token === 0xdd ? 'array' : undefined;
}

/** Elements of the array, or pairs of the map, whose header is at `at`. */
export function countAt(bytes: Uint8Array, at: number): number {
  const token = bytes[at]!;
  return token < 0xa0 ? token & 0xf : numberAt(bytes, at + 1, 2 << (token & 1));
}

/** Of an array or map of so many. */
export const headerBytes = (count: number): number => (count < 0x10 ? 1 : count < 0x10000 ? 3 : 5);
