import { malformed, outOfBase, truncated } from './bad-delta.ts';
import {
  TOKEN_ADD_DIRECT,
  TOKEN_ADD_LONG,
  TOKEN_ADD_RUN,
  TOKEN_ADD_SHIFT,
  TOKEN_COPY_BITS,
  TOKEN_COPY_MORE,
  TOKEN_OFFSET,
} from './format.ts';

/** Fields of a delta's body, in turn. */
export class Reader {
  readonly bytes: Uint8Array;
  readonly end: number;
  at: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  /** Skips so many bytes; where they start. */
  take(length: number): number {
    const start = this.at;
    if (length > this.end - start) throw truncated(start);
    this.at = start + length;
    return start;
  }

  number(): number {
    const start = this.at;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.at >= this.end) throw truncated(start);
      const byte = this.bytes[this.at++]!;
      value += shift < 28 ? (byte & 0x7f) << shift : (byte & 0x7f) * 0x10000000;
      if (byte < 0x80) {
        if ((shift > 0 && byte === 0) || value > 0xffffffff) break;
        return value;
      }
    }
    throw malformed(start);
  }
}

/**
 * The sequences of an ops body, each checked against the base's length, and against what was made, as it is read; the
 * fields hold the last one.
 */
export class Sequences {
  readonly reader: Reader;
  readonly #base: number;
  /** Where the next copy starts unless it says otherwise. */
  expected = 0;
  /** Bytes that the sequences so far make. */
  made = 0;
  /** In the base, or in the target so far. */
  source = 0;
  isOwn = false;
  copied = 0;
  added = 0;
  /** Where the added bytes are in the delta, or the byte of a run. */
  addedAt = 0;
  isRun = false;

  constructor(delta: Uint8Array, start: number, end: number, base: number) {
    this.reader = new Reader(delta, start, end);
    this.#base = base;
  }

  /** False at the end. */
  next(): boolean {
    const { reader } = this;
    const offset = reader.at;
    if (offset >= reader.end) return false;
    const token = reader.bytes[offset]!;
    reader.at++;
    let copied = token & ((1 << TOKEN_COPY_BITS) - 1);
    if ((token & TOKEN_COPY_MORE) !== 0) copied += reader.number() * (1 << TOKEN_COPY_BITS);
    let source = this.expected;
    if ((token & TOKEN_OFFSET) !== 0) {
      const zigzag = reader.number();
      source += zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
    }
    const base = this.#base;
    this.isOwn = source >= base && copied > 0;
    if (this.isOwn ? source - base >= this.made : source < 0 || source + copied > base) throw outOfBase(offset);
    this.#readAdded((token >> TOKEN_ADD_SHIFT) & 7);
    this.copied = copied;
    this.made += copied + this.added;
    this.expected = Math.min((this.isOwn ? this.expected : source) + copied + this.added, base);
    this.source = this.isOwn ? source - base : source;
    return true;
  }

  #readAdded(code: number): void {
    const { reader } = this;
    this.isRun = code === TOKEN_ADD_RUN;
    if (this.isRun) {
      this.added = reader.number();
      this.addedAt = reader.bytes[reader.take(1)]!;
      return;
    }
    this.added = code === TOKEN_ADD_LONG ? reader.number() + TOKEN_ADD_DIRECT + 1 : code;
    this.addedAt = reader.take(this.added);
  }
}
