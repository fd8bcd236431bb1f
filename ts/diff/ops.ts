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
import { OPERATION, type Script } from './script.ts';

/** Shortest run that is looked for. */
const RUN_MIN = 8;
/** In longer literals the search for runs goes in strides. */
const CLOSE_MAX = 256;

/** A sequence's token and its numbers, and what a run in its new bytes may add. */
const SEQUENCE_MAX = 24;

/** The body of an ops delta of the script's operations is no longer. */
export function opsLengthMax(script: Script): number {
  let added = 0;
  for (let i = 0; i < script.length; i += OPERATION) added += script.operations[i]!;
  return 2 * added + SEQUENCE_MAX * (script.length / OPERATION + 1);
}

/**
 * The body of an ops delta of the script's operations, in `out[0..room]`; its length, or -1 where it does not fit.
 */
export function writeOps(base: number, target: Buffer, script: Script, out: Uint8Array, room: number): number {
  const writer = new OpsWriter(base, target, out, room, 1);
  const { operations } = script;
  let at = 0;
  for (let i = 0; i < script.length; i += OPERATION) {
    const from = at;
    at += operations[i]!;
    const source = operations[i + 1]!;
    const length = operations[i + 2]!;
    if (at > 0 && length > 0 && source === base + at - 1) {
      if (!writer.run(from, at, length)) return -1;
    } else {
      if (!writer.add(from, at)) return -1;
      writer.copy(source, length);
    }
    at += length;
  }
  return writer.finish();
}

/**
 * Writes the body of an ops delta: a header, then sequences of copy and add. A sequence is written when its add is
 * known, so the copy before it waits. Methods that write return whether there was room.
 */
export class OpsWriter {
  /** Length of the base. */
  readonly #base: number;
  readonly #target: Buffer;
  readonly #out: Uint8Array;
  readonly #room: number;
  #at: number;
  #expected = 0;
  #source = 0;
  #copied = 0;

  /** `room`: bytes of `out` that may be written; the first sequence goes to `out[at..]`. */
  constructor(base: number, target: Buffer, out: Uint8Array, room: number, at: number) {
    this.#base = base;
    this.#target = target;
    this.#out = out;
    this.#room = room;
    this.#at = at;
  }

  /** The next bytes of the target are those from `source` on: in the base, or from its length on in the target. */
  copy(source: number, length: number): void {
    this.#source = source;
    this.#copied = length;
  }

  /** After the copy, `target[from..to]` is new. */
  add(from: number, to: number): boolean {
    const target = this.#target;
    const stride = to - from <= CLOSE_MAX ? 1 : RUN_MIN;
    let start = from;
    let i = from;
    while (i < to) {
      if (!isRun(target, i, to)) {
        i += stride;
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

  /** As `add`, and then the last byte so many times more. */
  run(from: number, to: number, more: number): boolean {
    const first = to > from ? to - 1 : to;
    if (first > from && !this.add(from, first)) return false;
    return this.#run(more + to - first, this.#target[to - 1]!);
  }

  /**
   * Ends with the copy that waits; the length of the body, or -1 where there was no room. The base's end needs no
   * sequence where it is expected.
   */
  finish(): number {
    const isTail = this.#copied > 0 && this.#source + this.#copied === this.#base;
    if (this.#copied > 0 && !(isTail && this.#source === this.#expected)) {
      if (isTail) this.#copied = 0;
      if (!this.#bytes(0, 0)) return -1;
    }
    if (this.#room < 1) return -1;
    this.#out[0] = isTail ? OPS | OPS_TAIL : OPS;
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
    if (offset === 0) return true;
    const zigzag = offset < 0 ? -2 * offset - 1 : 2 * offset;
    return zigzag <= 0xffffffff && this.#number(zigzag);
  }

  #number(value: number): boolean {
    const at = putNumber(this.#out, this.#at, this.#room, value);
    if (at < 0) return false;
    this.#at = at;
    return true;
  }

  #advance(added: number): void {
    const isOwn = this.#source >= this.#base && this.#copied > 0;
    const from = isOwn ? this.#expected : this.#source;
    this.#expected = Math.min(from + this.#copied + added, this.#base);
    this.copy(this.#expected, 0);
  }
}

function isRun(target: Uint8Array, at: number, to: number): boolean {
  const byte = target[at];
  if (at + RUN_MIN > to || target[at + RUN_MIN - 1] !== byte) return false;
  for (let i = at + 1; i < at + RUN_MIN; i++) if (target[i] !== byte) return false;
  return true;
}
