import { HoldfastError } from '../errors.ts';
import { asBuffer } from './bytes.ts';
import { SIGNATURE_HEADER, SIGNED, SIGNED_CHECK, SIGNED_HEADER, SIGNED_OVERHEAD } from './format.ts';
import { OpsWriter } from './ops.ts';
import { Signature, chunkCount, isHash, putCheck, putHash, putLeaves, sameHash, weakHash } from './signature.ts';

/** A gap of at most this many chunks between chunks that match on the grid is not searched: an edit in place. */
const GAP_DIRECT = 2;
/** A last chunk shorter than this is looked for only right after the one before it. */
const TAIL_MIN = 16;
/** Failed comparisons of strong hashes: so many fixed ones, and so many bytes hashed per byte of the target. */
const BUDGET_CHUNKS = 16;
const BUDGET_PER_BYTE = 2;
const CANDIDATES = 8;
/** Slots of the table per chunk, at least. */
const SLOTS_PER_CHUNK = 4;
const SLOT_MULTIPLIER = 0x9e3779b1;

/** Writes a delta from the signature's base to `target` at the start of `out`, which has room; its length. */
export function diffSignature(bytes: Uint8Array, target: Uint8Array, out: Buffer): number {
  const signature = new Signature(bytes);
  const leaves = Buffer.allocUnsafe(8 * chunkCount(target.length, signature.bits));
  putLeaves(target, signature.bits, leaves, 0);
  const body = new Matcher(signature, target, out).run(leaves);
  if (body < 0)
    throw new HoldfastError('ERR_LIMIT', `the output needs ${target.length + SIGNED_OVERHEAD} bytes of room`);
  out[0] = SIGNED;
  out[1] = signature.bits;
  out.writeUInt32LE(signature.baseLength, 2);
  out.set(bytes.subarray(8, SIGNATURE_HEADER), 6);
  putHash(leaves, 0, leaves.length, out, 14);
  putCheck(out, body);
  return body + SIGNED_CHECK;
}

class Matcher {
  readonly #signature: Signature;
  readonly #target: Uint8Array;
  readonly #chunk: number;
  readonly #writer: OpsWriter;
  #table: Table | undefined;
  /** The copy that waits until what follows it is known, and where in the target it ends. */
  #source = 0;
  #copied = 0;
  #done = 0;
  /** Bytes that may still be hashed in vain. */
  #budget: number;
  /** Which chunk was found last. */
  #found = 0;

  constructor(signature: Signature, target: Uint8Array, out: Buffer) {
    this.#signature = signature;
    this.#target = target;
    this.#chunk = 2 ** signature.bits;
    this.#writer = new OpsWriter(signature.baseLength, asBuffer(target), out, out.length, SIGNED_HEADER);
    this.#budget = BUDGET_CHUNKS * this.#chunk + BUDGET_PER_BYTE * target.length;
  }

  /** Writes the sequences; where they end, or -1 where there was no room. */
  run(leaves: Buffer): number {
    const signature = this.#signature;
    const { length } = this.#target;
    let gap = 0;
    for (let i = 0, at = 0; at < length; i++, at += this.#chunk) {
      const own = Math.min(this.#chunk, length - at);
      if (i >= signature.count || own !== signature.chunkLength(i)) continue;
      if (!sameHash(leaves, 8 * i, signature.bytes, signature.strongAt(i))) continue;
      if (!this.#search(gap, at) || !this.#take(at, at, own)) return -1;
      gap = at + own;
    }
    const isWritten = this.#search(gap, length) && this.#searchTail() && this.#flush(length);
    return isWritten ? this.#writer.end : -1;
  }

  /** The base's bytes from `source` on are the target's at `at`, which is not before what is done. */
  #take(at: number, source: number, length: number): boolean {
    if (at === this.#done && source === this.#source + this.#copied) {
      this.#copied += length;
    } else {
      if (!this.#flush(at)) return false;
      this.#source = source;
      this.#copied = length;
    }
    this.#done = at + length;
    return true;
  }

  /** Writes the copy that waits and the bytes of the target between it and `to`. */
  #flush(to: number): boolean {
    if (this.#copied === 0 && this.#done === to) return true;
    this.#writer.copy(this.#source, this.#copied);
    return this.#writer.add(this.#done, to);
  }

  /** Looks for chunks in `target[from..to]`, which has none on the grid. */
  #search(from: number, to: number): boolean {
    const signature = this.#signature;
    if (to - from <= GAP_DIRECT * this.#chunk || signature.baseLength < this.#chunk) return true;
    this.#table ??= new Table(signature);
    let at = this.#roll(this.#table, from, to);
    while (at >= 0) {
      const first = this.#found;
      for (let next = first; next < signature.count; next++) {
        const length = signature.chunkLength(next);
        if (next > first && (at + length > to || !this.#isChunk(at, length, next))) break;
        if (!this.#take(at, next * this.#chunk, length)) return false;
        at += length;
      }
      at = this.#roll(this.#table, at, to);
    }
    return true;
  }

  #isChunk(at: number, length: number, chunk: number): boolean {
    return isHash(this.#target, at, at + length, this.#signature.bytes, this.#signature.strongAt(chunk));
  }

  /** Where the first window in `target[from..to]` is that is a chunk of the base, or -1; `#found` says which chunk. */
  #roll(table: Table, from: number, to: number): number {
    const length = this.#chunk;
    if (from + length > to || this.#budget < length) return -1;
    const target = this.#target;
    const start = weakHash(target, from, from + length);
    let low = start & 0xffff;
    let high = start >>> 16;
    for (let at = from; ; at++) {
      const first = table.first((high << 16) | low);
      if (first !== 0) {
        this.#found = table.find(first, (high << 16) | low, target, at);
        if (this.#found >= 0) return at;
        if (this.#found === HASHED) {
          if (this.#budget < 2 * length) return -1;
          this.#budget -= length;
        }
      }
      if (at + length >= to) return -1;
      const leaves = target[at]!;
      low = (low + target[at + length]! - leaves) & 0xffff;
      high = (high + low - Math.imul(length, leaves)) & 0xffff;
    }
  }

  /** The base's short last chunk at the target's end. */
  #searchTail(): boolean {
    const { baseLength, count } = this.#signature;
    const length = baseLength % this.#chunk;
    const at = this.#target.length - length;
    if (length < TAIL_MIN || at < this.#done || !this.#isChunk(at, length, count - 1)) return true;
    return this.#take(at, baseLength - length, length);
  }
}

/** No chunk, but a strong hash was computed; no chunk. */
const HASHED = -1;
const NOTHING = -2;

/** Chains of full chunks (plus one; zero ends) by weak hash, each content once, nearest to the base's start first. */
class Table {
  readonly #signature: Signature;
  readonly #head: Uint32Array;
  readonly #next: Uint32Array;
  readonly #shift: number;

  constructor(signature: Signature) {
    const count = Math.floor(signature.baseLength / 2 ** signature.bits);
    let bits = 2;
    while (2 ** bits < SLOTS_PER_CHUNK * count) bits++;
    this.#signature = signature;
    this.#head = new Uint32Array(2 ** bits);
    this.#next = new Uint32Array(count);
    this.#shift = 32 - bits;
    const { bytes } = signature;
    for (let chunk = count - 1; chunk >= 0; chunk--) {
      const weak = signature.weak(chunk);
      const slot = Math.imul(weak, SLOT_MULTIPLIER) >>> this.#shift;
      const first = this.#head[slot]!;
      const isKnown =
        first !== 0 &&
        signature.weak(first - 1) === weak &&
        sameHash(bytes, signature.strongAt(first - 1), bytes, signature.strongAt(chunk));
      this.#next[chunk] = isKnown ? this.#next[first - 1]! : first;
      this.#head[slot] = chunk + 1;
    }
  }

  /** The start of the chain for a weak hash. */
  first(weak: number): number {
    return this.#head[Math.imul(weak, SLOT_MULTIPLIER) >>> this.#shift]!;
  }

  /**
   * The chunk among the chain from `first` on that has this weak hash and is the window at `at`; else `HASHED` or
   * `NOTHING`.
   */
  find(first: number, weak: number, target: Uint8Array, at: number): number {
    const signature = this.#signature;
    let entry = first;
    let isHashed = false;
    for (let i = 0; i < CANDIDATES && entry !== 0; i++) {
      const chunk = entry - 1;
      if (signature.weak(chunk) === weak) {
        if (!isHashed) putHash(target, at, at + 2 ** signature.bits, window, 0);
        isHashed = true;
        if (sameHash(window, 0, signature.bytes, signature.strongAt(chunk))) return chunk;
      }
      entry = this.#next[chunk]!;
    }
    return isHashed ? HASHED : NOTHING;
  }
}

/** The strong hash of the window that is looked at. */
const window = Buffer.alloc(8);
