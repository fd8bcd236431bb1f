import { HoldfastError } from '../errors.ts';
import { word32 } from './bytes.ts';
import {
  CHUNK_BITS_MAX,
  CHUNK_BITS_MIN,
  MAX_LEN,
  SIGNATURE_CHECK,
  SIGNATURE_ENTRY,
  SIGNATURE_HEADER,
  SIGNATURE_MAGIC,
  SIGNATURE_VERSION,
} from './format.ts';
import { xxh3 } from '../xxh3.ts';

const pair = new Uint32Array(2);

/** Chunks of 2^`bits` bytes that a byte string of this length has. */
export function chunkCount(length: number, bits: number): number {
  return Math.ceil(length / 2 ** bits);
}

/** Bytes of the signature of a base of this length. */
export function signatureLength(length: number, bits: number): number {
  return SIGNATURE_HEADER + SIGNATURE_ENTRY * chunkCount(length, bits) + SIGNATURE_CHECK;
}

/** Writes XXH3-64 of `bytes[from..to]` to `out` at `at`, low half first. */
export function putHash(bytes: Uint8Array, from: number, to: number, out: Buffer, at: number): void {
  xxh3(bytes, from, to, pair, 0);
  out.writeUInt32LE(pair[0]!, at);
  out.writeUInt32LE(pair[1]!, at + 4);
}

/** The hashes of the chunks, from `at` on. */
export function putLeaves(bytes: Uint8Array, bits: number, out: Buffer, at: number): void {
  const chunk = 2 ** bits;
  for (let i = 0, from = 0; from < bytes.length; i++, from += chunk) {
    putHash(bytes, from, Math.min(from + chunk, bytes.length), out, at + 8 * i);
  }
}

/** Whether the hash over the hashes of the chunks is the one at `found[at]`. */
export function isTreeHash(bytes: Uint8Array, bits: number, found: Uint8Array, at: number): boolean {
  const leaves = Buffer.allocUnsafe(8 * chunkCount(bytes.length, bits));
  putLeaves(bytes, bits, leaves, 0);
  return isHash(leaves, 0, leaves.length, found, at);
}

/** Whether XXH3-64 of `bytes[from..to]` is what stands at `found[at]`. */
export function isHash(bytes: Uint8Array, from: number, to: number, found: Uint8Array, at: number): boolean {
  xxh3(bytes, from, to, pair, 0);
  return (pair[0]! | 0) === word32(found, at) && (pair[1]! | 0) === word32(found, at + 4);
}

/** Whether the low half of XXH3-64 of the bytes before `end` is what stands there. */
export function isCheck(bytes: Uint8Array, end: number): boolean {
  xxh3(bytes, 0, end, pair, 0);
  return (pair[0]! | 0) === word32(bytes, end);
}

/** Writes that check. */
export function putCheck(bytes: Buffer, end: number): void {
  xxh3(bytes, 0, end, pair, 0);
  bytes.writeUInt32LE(pair[0]!, end);
}

/** rsync's sums modulo 2^16; the one of the bytes times their distance from the end in the upper half. */
export function weakHash(bytes: Uint8Array, from: number, to: number): number {
  let low = 0;
  let high = 0;
  for (let i = from; i < to; i++) {
    low += bytes[i]!;
    high = (high + low) | 0;
  }
  return (high << 16) | (low & 0xffff);
}

/** A new signature of `base`. */
export function makeSignature(base: Uint8Array, bits: number): Buffer {
  const count = chunkCount(base.length, bits);
  const out = Buffer.alloc(signatureLength(base.length, bits));
  for (let i = 0; i < count; i++) {
    const from = i * 2 ** bits;
    out.writeInt32LE(weakHash(base, from, Math.min(from + 2 ** bits, base.length)), SIGNATURE_HEADER + 4 * i);
  }
  const strong = SIGNATURE_HEADER + 4 * count;
  putLeaves(base, bits, out, strong);
  out[0] = SIGNATURE_MAGIC;
  out[1] = SIGNATURE_VERSION;
  out[2] = bits;
  out.writeUInt32LE(base.length, 4);
  putHash(out, strong, strong + 8 * count, out, 8);
  putCheck(out, out.length - SIGNATURE_CHECK);
  return out;
}

function corrupt(message: string): HoldfastError {
  return new HoldfastError('ERR_CORRUPT', message);
}

/** A signature that has been found whole. */
export class Signature {
  readonly bytes: Uint8Array;
  readonly bits: number;
  readonly baseLength: number;
  readonly count: number;

  constructor(bytes: Uint8Array) {
    const body = bytes.length - SIGNATURE_CHECK;
    if (body < SIGNATURE_HEADER) throw corrupt(`${bytes.length} bytes are no signature`);
    if (bytes[0] !== SIGNATURE_MAGIC || bytes[1] !== SIGNATURE_VERSION || bytes[3] !== 0)
      throw corrupt("the signature's format is unknown");
    this.bytes = bytes;
    this.bits = bytes[2]!;
    if (this.bits < CHUNK_BITS_MIN || this.bits > CHUNK_BITS_MAX)
      throw corrupt(`chunks of 2^${this.bits} bytes are none of 2^6 to 2^16`);
    this.baseLength = word32(bytes, 4) >>> 0;
    this.count = chunkCount(this.baseLength, this.bits);
    if (this.baseLength > MAX_LEN || signatureLength(this.baseLength, this.bits) !== bytes.length) {
      throw corrupt(`a signature of ${bytes.length} bytes does not fit a base of ${this.baseLength} bytes`);
    }
    if (!isCheck(bytes, body) || !isHash(bytes, body - 8 * this.count, body, bytes, 8))
      throw corrupt('the signature is damaged');
  }

  /** As a signed number. */
  weak(chunk: number): number {
    return word32(this.bytes, SIGNATURE_HEADER + 4 * chunk);
  }

  /** Where the chunk's strong hash is. */
  strongAt(chunk: number): number {
    return SIGNATURE_HEADER + 4 * this.count + 8 * chunk;
  }

  /** Only the last chunk may be shorter than the others. */
  chunkLength(chunk: number): number {
    return Math.min(2 ** this.bits, this.baseLength - chunk * 2 ** this.bits);
  }
}

/** Whether the 8 bytes at two places are the same. */
export function sameHash(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): boolean {
  return word32(a, aAt) === word32(b, bAt) && word32(a, aAt + 4) === word32(b, bAt + 4);
}
