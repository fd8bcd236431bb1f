/** The numbers of delta format 1, as in `crates/delta/src/format.rs` and `crates/delta/FORMAT.md`. */

export const MAX_LEN = 0x7fffffff;
export const MAX_OVERHEAD = 16;

export const SAME = 0x00;
export const WHOLE = 0x01;
export const SIGNED = 0x02;
export const KIND_MASK = 0xc0;
export const SPLICE = 0x40;
export const OPS = 0x80;
export const CODED = 0xc0;

export const SPLICE_WIDTH_SHIFT = 4;
export const SPLICE_L_SHIFT = 2;
export const SPLICE_L_VARINT = 3;
export const SPLICE_D_SAME = 0;
export const SPLICE_D_NONE = 1;
export const SPLICE_D_VARINT = 2;
export const SPLICE_DELETE = 3;

export const OPS_TAIL = 0x20;
export const TOKEN_OFFSET = 0x80;
export const TOKEN_ADD_SHIFT = 4;
export const TOKEN_ADD_DIRECT = 5;
export const TOKEN_ADD_RUN = 6;
export const TOKEN_ADD_LONG = 7;
export const TOKEN_COPY_MORE = 0x08;
export const TOKEN_COPY_BITS = 3;

export const CODED_MIN = 56;
export const CODE_MIN = 4;
export const CHANCE_EVEN = 0x8000;
export const CHANCE_STEPS = 32;
export const RATE_MOST = 24;

export const SHORT_MAX = 32;
export const CRC_POLY = 0x2f;
export const SAMPLE_LEN = 64;
export const FINGERPRINT_SEED = 0x48464431;
export const FINGERPRINT_STEP = 0x9e3779b1;
export const FINGERPRINT_END = 0x85ebca6b;

export const SIGNATURE_MAGIC = 0x53;
export const SIGNATURE_VERSION = 1;
export const SIGNATURE_HEADER = 16;
export const SIGNATURE_ENTRY = 12;
export const SIGNATURE_CHECK = 4;
export const CHUNK_BITS_MIN = 6;
export const CHUNK_BITS = 9;
export const CHUNK_BITS_MAX = 16;
export const SIGNED_HEADER = 22;
export const SIGNED_CHECK = 4;
export const SIGNED_OVERHEAD = 48;

export const CDC_BITS_MIN = 8;
export const CDC_BITS = 13;
export const CDC_BITS_MAX = 20;
export const CDC_MIN_SHIFT = 2;
export const CDC_MAX_SHIFT = 3;
export const CDC_LEVEL = 2;
export const GEAR_SEED = 0x9e3779b1;

/** Bytes that an unsigned 32-bit `value` takes as a number. */
export function varintLength(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}

/** Writes an unsigned 32-bit number at `at`; the position after it, or -1 where it does not fit before `end`. */
export function putNumber(out: Uint8Array, at: number, end: number, value: number): number {
  let rest = value;
  while (rest > 0x7f) {
    if (at >= end) return -1;
    out[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  if (at >= end) return -1;
  out[at++] = rest;
  return at;
}
