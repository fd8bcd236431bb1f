const EMPTY = Buffer.alloc(0);

/** A view of the same memory as a `Buffer`, whose `compare` is the C library's memcmp. Detached memory is empty. */
export function asBuffer(bytes: Uint8Array): Buffer {
  if (bytes.length === 0) return EMPTY;
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A loop looks at this many bytes before the first call of `compare`, which costs as much as 100 steps of a loop. */
const NEAR = 64;
/** Halving stops here. */
const NARROW = 256;
const LEAP_MIN = 512;
const LEAP_MAX = 1 << 20;

/** The unsigned bits of `bytes[at..at + 4]`, little-endian, as a signed 32-bit number. */
export function word32(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function equal(a: Buffer, aStart: number, b: Buffer, bStart: number, length: number): boolean {
  return a.compare(b, bStart, bStart + length, aStart, aStart + length) === 0;
}

/** Bytes that `a[aStart..aEnd]` and `b[bStart..bEnd]` have in common from their start. */
export function commonPrefix(a: Buffer, aStart: number, aEnd: number, b: Buffer, bStart: number, bEnd: number): number {
  const n = Math.min(aEnd - aStart, bEnd - bStart);
  const near = Math.min(n, NEAR);
  let i = 0;
  while (i < near && a[aStart + i] === b[bStart + i]) i++;
  if (i < near || i === n) return i;
  let leap = LEAP_MIN;
  while (i < n) {
    const length = Math.min(leap, n - i);
    if (length <= NARROW || !equal(a, aStart + i, b, bStart + i, length)) {
      return i + prefixWithin(a, aStart + i, b, bStart + i, length);
    }
    i += length;
    leap = Math.min(leap * 4, LEAP_MAX);
  }
  return i;
}

/** As `commonPrefix`, by halving. */
function prefixWithin(a: Buffer, aStart: number, b: Buffer, bStart: number, length: number): number {
  let i = 0;
  let left = length;
  while (left > NARROW) {
    const half = left >> 1;
    if (equal(a, aStart + i, b, bStart + i, half)) {
      i += half;
      left -= half;
    } else {
      left = half;
    }
  }
  const end = i + left;
  while (i < end && a[aStart + i] === b[bStart + i]) i++;
  return i;
}

/** Bytes that `a[aStart..]` and `b[bStart..]` have in common from their end. */
export function commonSuffix(a: Buffer, aStart: number, b: Buffer, bStart: number): number {
  const n = Math.min(a.length - aStart, b.length - bStart);
  const near = Math.min(n, NEAR);
  let i = 0;
  while (i < near && a[a.length - 1 - i] === b[b.length - 1 - i]) i++;
  if (i < near || i === n) return i;
  let leap = LEAP_MIN;
  while (i < n) {
    const length = Math.min(leap, n - i);
    if (length <= NARROW || !equal(a, a.length - i - length, b, b.length - i - length, length)) {
      return i + suffixWithin(a, a.length - i, b, b.length - i, length);
    }
    i += length;
    leap = Math.min(leap * 4, LEAP_MAX);
  }
  return i;
}

/** As `commonSuffix` of the `length` bytes before `aEnd` and `bEnd`, by halving. */
function suffixWithin(a: Buffer, aEnd: number, b: Buffer, bEnd: number, length: number): number {
  let i = 0;
  let left = length;
  while (left > NARROW) {
    const half = left >> 1;
    if (equal(a, aEnd - i - half, b, bEnd - i - half, half)) {
      i += half;
      left -= half;
    } else {
      left = half;
    }
  }
  const end = i + left;
  while (i < end && a[aEnd - 1 - i] === b[bEnd - 1 - i]) i++;
  return i;
}

/** Bytes, `most` at most, that `a[..aEnd]` and `b[..bEnd]` have in common from their end; few, as a rule. */
export function commonBack(a: Uint8Array, aEnd: number, b: Uint8Array, bEnd: number, most: number): number {
  let i = 0;
  while (i < most && a[aEnd - 1 - i] === b[bEnd - 1 - i]) i++;
  return i;
}

/** Below this, a loop beats a call of `set`. */
const SHORT = 32;

/** Copies `from[start..start + length]` to `out[at..]`. */
export function put(from: Uint8Array, start: number, length: number, out: Uint8Array, at: number): void {
  if (length > SHORT) out.set(from.subarray(start, start + length), at);
  else for (let i = 0; i < length; i++) out[at + i] = from[start + i]!;
}

/** Copies `out[source..]` to `out[at..]` behind it: what is made is repeated where that overlaps. */
export function repeat(out: Uint8Array, source: number, length: number, at: number): void {
  if (length <= SHORT) {
    for (let i = 0; i < length; i++) out[at + i] = out[source + i]!;
    return;
  }
  for (let done = 0; done < length;) {
    const there = Math.min(at + done - source, length - done);
    out.copyWithin(at + done, source, source + there);
    done += there;
  }
}
