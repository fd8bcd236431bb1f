import { word32 } from './bytes.ts';
import { CRC_POLY, FINGERPRINT_END, FINGERPRINT_SEED, FINGERPRINT_STEP, SAMPLE_LEN, SHORT_MAX } from './format.ts';
import { xxh3 } from '../xxh3.ts';

const CRC_TABLE: Uint8Array = Uint8Array.from({ length: 256 }, (_, i) => {
  let crc = i;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x80) === 0 ? crc << 1 : ((crc << 1) ^ CRC_POLY) & 0xff;
  return crc;
});

const hash = new Uint32Array(2);
const shortBase = new Uint8Array(SAMPLE_LEN);

function step(h: number, word: number): number {
  const mixed = Math.imul(h ^ word, FINGERPRINT_STEP);
  return mixed ^ (mixed >>> 15);
}

/** 32 bits of the base's length and of a sample of it: eight 8-byte words spread evenly, or all of a short base. */
export function fingerprint(base: Uint8Array): number {
  const n = base.length;
  let h = FINGERPRINT_SEED ^ n;
  if (n < SAMPLE_LEN) {
    shortBase.fill(0, n);
    shortBase.set(base);
    for (let at = 0; at < SAMPLE_LEN; at += 4) h = step(h, word32(shortBase, at));
  } else {
    const stride = Math.floor((n - 8) / 7);
    for (let i = 0; i < 8; i++) {
      const at = i === 7 ? n - 8 : i * stride;
      h = step(step(h, word32(base, at)), word32(base, at + 4));
    }
  }
  h = Math.imul(h, FINGERPRINT_END);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Bytes of the check after a body of this length. */
export function sealLength(body: number): number {
  return body < SHORT_MAX ? 1 : 2;
}

/** The check of `delta[0..body]` against `base`: 8 or 16 bits. */
export function sealValue(base: Uint8Array, delta: Uint8Array, body: number): number {
  const print = fingerprint(base);
  if (sealLength(body) === 1) {
    let crc = print & 0xff;
    for (let i = 0; i < body; i++) crc = CRC_TABLE[crc ^ delta[i]!]!;
    return crc;
  }
  xxh3(delta, 0, body, hash, 0);
  return (hash[0]! ^ print) & 0xffff;
}

/**
 * Writes the check after the body of `length` bytes in `out`; the delta's length, or -1 where it does not fit before
 * `end`.
 */
export function seal(base: Uint8Array, out: Uint8Array, end: number, length: number): number {
  const width = sealLength(length);
  if (length + width > end) return -1;
  const value = sealValue(base, out, length);
  out[length] = value & 0xff;
  if (width === 2) out[length + 1] = value >>> 8;
  return length + width;
}

/** Length of the body of a delta of this length; -1 for a length that no body yields. */
export function bodyLength(delta: number): number {
  if (delta > SHORT_MAX + 1) return delta - 2;
  return delta > SHORT_MAX ? -1 : delta - 1;
}
