import { commonPrefix } from './bytes.ts';
import {
  OPS,
  OPS_TAIL,
  TOKEN_ADD_DIRECT,
  TOKEN_ADD_LONG,
  TOKEN_ADD_RUN,
  TOKEN_ADD_SHIFT,
  TOKEN_COPY_BITS,
  TOKEN_COPY_MORE,
  TOKEN_OFFSET,
  putNumber,
} from './format.ts';

/**
 * Literals up to this long are searched for bytes that equal the base on the diagonal: copying two of them costs one
 * byte.
 */
const REFINE_MAX = 256;
const REFINE_MIN = 2;
/** Shortest run that is looked for, and the stride of the search in long literals. */
const RUN_MIN = 8;

/**
 * Writes the body of an ops delta: a header, then sequences of copy and add. A sequence is written when its add is
 * known, so the copy before it waits. Methods that write return whether there was room.
 */
export class OpsWriter {
  /** Empty where only its length is known. */
  readonly #base: Buffer;
  readonly #length: number;
  readonly #target: Buffer;
  readonly #out: Uint8Array;
  readonly #room: number;
  #at: number;
  #expected = 0;
  #source = 0;
  #copied = 0;

  /** `room`: bytes of `out` that may be written; `length`: the base's; the first sequence goes to `out[at..]`. */
  constructor(base: Buffer, target: Buffer, out: Uint8Array, room: number, length: number = base.length, at = 1) {
    this.#length = length;
    this.#at = at;
    this.#base = base;
    this.#target = target;
    this.#out = out;
    this.#room = room;
  }

  /** The next bytes of the target are `base[source..source + length]`. */
  copy(source: number, length: number): void {
    this.#source = source;
    this.#copied = length;
  }

  /** After the copy, `target[from..to]` is new. */
  add(from: number, to: number): boolean {
    const base = this.#base;
    const target = this.#target;
    const shift = this.#source + this.#copied - from;
    const near = to - from <= REFINE_MAX;
    let start = from;
    let i = from;
    while (i < to) {
      const mirror = i + shift;
      if (near && mirror < base.length && base[mirror] === target[i]) {
        const same = commonPrefix(base, mirror, base.length, target, i, to);
        if (same >= REFINE_MIN) {
          if (!this.#bytes(start, i)) return false;
          this.copy(mirror, same);
          i += same;
          start = i;
          continue;
        }
      }
      if (!isRun(target, i, to)) {
        i += near ? 1 : RUN_MIN;
        continue;
      }
      const byte = target[i]!;
      let first = i;
      let end = i + RUN_MIN;
      while (first > start && target[first - 1] === byte) first--;
      while (end < to && target[end] === byte) end++;
      if (first > start && !this.#bytes(start, first)) return false;
      if (!this.#run(end - first, byte)) return false;
      i = end;
      start = end;
    }
    return (start >= to && this.#copied === 0) || this.#bytes(start, to);
  }

  /** Ends with the last `tail` bytes of the base; the length of the body, or -1 where there was no room. */
  finish(tail: number): number {
    const from = this.#base.length - tail;
    if (tail > 0 && this.#expected !== from) {
      this.copy(from, 0);
      if (!this.#bytes(0, 0)) return -1;
    }
    if (this.#room < 1) return -1;
    this.#out[0] = tail > 0 ? OPS | OPS_TAIL : OPS;
    return this.#at;
  }

  /** Where the sequences end. */
  get end(): number {
    return this.#at;
  }

  #bytes(from: number, to: number): boolean {
    const length = to - from;
    const isLong = length > TOKEN_ADD_DIRECT;
    if (!this.#token(isLong ? TOKEN_ADD_LONG : length)) return false;
    if (isLong && !this.#number(length - TOKEN_ADD_DIRECT - 1)) return false;
    const end = this.#at + length;
    if (end > this.#room) return false;
    if (length > 64) this.#out.set(this.#target.subarray(from, to), this.#at);
    else for (let i = 0; i < length; i++) this.#out[this.#at + i] = this.#target[from + i]!;
    this.#at = end;
    this.#advance(length);
    return true;
  }

  #run(length: number, byte: number): boolean {
    if (!this.#token(TOKEN_ADD_RUN) || !this.#number(length) || this.#at >= this.#room) return false;
    this.#out[this.#at++] = byte;
    this.#advance(length);
    return true;
  }

  #token(code: number): boolean {
    const offset = this.#source - this.#expected;
    const more = this.#copied >>> TOKEN_COPY_BITS;
    if (this.#at >= this.#room) return false;
    this.#out[this.#at++] =
      (code << TOKEN_ADD_SHIFT) |
      (this.#copied & ((1 << TOKEN_COPY_BITS) - 1)) |
      (more === 0 ? 0 : TOKEN_COPY_MORE) |
      (offset === 0 ? 0 : TOKEN_OFFSET);
    if (more > 0 && !this.#number(more)) return false;
    return offset === 0 || this.#number(((offset << 1) ^ (offset >> 31)) >>> 0);
  }

  #number(value: number): boolean {
    const at = putNumber(this.#out, this.#at, this.#room, value);
    if (at < 0) return false;
    this.#at = at;
    return true;
  }

  #advance(added: number): void {
    this.#expected = Math.min(this.#source + this.#copied + added, this.#length);
    this.copy(this.#expected, 0);
  }
}

function isRun(target: Uint8Array, at: number, to: number): boolean {
  const byte = target[at];
  if (at + RUN_MIN > to || target[at + RUN_MIN - 1] !== byte) return false;
  for (let i = at + 1; i < at + RUN_MIN; i++) if (target[i] !== byte) return false;
  return true;
}
