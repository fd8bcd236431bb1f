import { HoldfastError } from '../errors.ts';
import { word32 } from './bytes.ts';
import { bodyLength, sealValue } from './check.ts';
import {
  CHUNK_BITS_MAX,
  CHUNK_BITS_MIN,
  KIND_MASK,
  OPS,
  OPS_TAIL,
  SAME,
  SIGNED,
  SIGNED_CHECK,
  SIGNED_HEADER,
  SPLICE,
  SPLICE_DELETE,
  SPLICE_D_NONE,
  SPLICE_D_SAME,
  SPLICE_L_SHIFT,
  SPLICE_L_VARINT,
  SPLICE_WIDTH_SHIFT,
  TOKEN_ADD_DIRECT,
  TOKEN_ADD_LONG,
  TOKEN_ADD_RUN,
  TOKEN_ADD_SHIFT,
  TOKEN_COPY_BITS,
  TOKEN_COPY_MORE,
  TOKEN_OFFSET,
  WHOLE,
} from './format.ts';
import { isCheck, isTreeHash } from './signature.ts';

function corrupt(message: string): HoldfastError {
  return new HoldfastError('ERR_CORRUPT', message);
}

const truncated = (offset: number): HoldfastError => corrupt(`the delta ends inside the field at byte ${offset}`);
const outOfBase = (offset: number): HoldfastError => corrupt(`the delta reaches beyond its base at byte ${offset}`);

const malformed = (offset: number): HoldfastError => corrupt(`the delta's number at byte ${offset} is malformed`);
const foreign = (offset: number): HoldfastError =>
  corrupt(`the delta is damaged or was made against another base (check at byte ${offset})`);

/** What to throw for a target that outgrows the limit at this byte of the delta. */
type Refusal = (offset: number, limit: number) => HoldfastError;

const overLimit: Refusal = (offset, limit) =>
  new HoldfastError('ERR_LIMIT', `the target is longer than the limit of ${limit} bytes (delta, byte ${offset})`);

/** Fields of a delta's body, in turn. */
class Reader {
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

/** The sequences of an ops body, each checked against the base's length as it is read; the fields hold the last one. */
export class Sequences {
  readonly reader: Reader;
  readonly #base: number;
  /** Where the next copy starts unless it says otherwise. */
  expected = 0;
  source = 0;
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
    if (source < 0 || source + copied > this.#base) throw outOfBase(offset);
    this.#readAdded((token >> TOKEN_ADD_SHIFT) & 7);
    this.source = source;
    this.copied = copied;
    this.expected = Math.min(source + copied + this.added, this.#base);
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

/** A delta that has been found good, and the length of its target. */
export interface Plan {
  readonly length: number;
  /** The one edit of a splice: `removed` bytes from `start` on give way to `added`. */
  readonly edit?: { readonly start: number; readonly removed: number; readonly added: Uint8Array };
  /**
   * Writes the target, `length` bytes, at the start of `out`; throws where it is not the one that the delta promised.
   */
  fill(base: Uint8Array, out: Uint8Array): void;
}

/**
 * Checks everything about a delta against its base and the limit; throws `HoldfastError`, `refuse`'s for too long a
 * target.
 */
export function plan(base: Uint8Array, delta: Uint8Array, limit: number, refuse: Refusal = overLimit): Plan {
  if (delta.length === 0) throw corrupt('the delta is empty');
  const header = delta[0]!;
  if (header === SAME) return planSame(base, delta, limit, refuse);
  if (header === SIGNED) return planSigned(base, delta, limit, refuse);
  const kind = header & KIND_MASK;
  const isKnown = header === WHOLE || kind === SPLICE || (kind === OPS && (header & ~KIND_MASK & ~OPS_TAIL) === 0);
  if (!isKnown) throw reserved(header);
  const end = checkedBody(base, delta);
  if (kind === SPLICE) return planSplice(base, delta, end, limit, refuse);
  if (kind === OPS) return planOps(base, delta, end, limit, refuse);
  if (end - 1 > limit) throw refuse(0, limit);
  return { length: end - 1, fill: (_base, out) => out.set(delta.subarray(1, end)) };
}

function reserved(header: number): HoldfastError {
  return corrupt(`the delta's header 0x${header.toString(16).padStart(2, '0')} is unknown`);
}

/** Length of the delta without its check, which must fit. */
function checkedBody(base: Uint8Array, delta: Uint8Array): number {
  const n = delta.length;
  const body = bodyLength(n);
  if (body === 0) throw truncated(0);
  const expected = body < 0 ? -1 : sealValue(base, delta, body);
  const found = n - body === 1 ? delta[n - 1]! : delta[n - 2]! | (delta[n - 1]! << 8);
  if (expected === found) return body;
  const offset = body < 0 ? n - 1 : body;
  throw foreign(offset);
}

function planSame(base: Uint8Array, delta: Uint8Array, limit: number, refuse: Refusal): Plan {
  if (delta.length > 1) throw corrupt('the delta goes on after its end at byte 1');
  if (base.length > limit) throw refuse(0, limit);
  return { length: base.length, fill: (same, out) => out.set(same) };
}

function planSplice(base: Uint8Array, delta: Uint8Array, end: number, limit: number, refuse: Refusal): Plan {
  const reader = new Reader(delta, 1, end);
  const header = delta[0]!;
  const width = ((header >> SPLICE_WIDTH_SHIFT) & 3) + 1;
  const at = reader.take(width);
  let start = 0;
  for (let i = width - 1; i >= 0; i--) start = start * 256 + delta[at + i]!;
  const l = (header >> SPLICE_L_SHIFT) & 3;
  const d = header & 3;
  if (d === SPLICE_DELETE && l !== 0) throw reserved(header);
  let added = l + 1;
  if (d === SPLICE_DELETE) added = 0;
  else if (l === SPLICE_L_VARINT) added = reader.number();
  let removed = 0;
  if (d === SPLICE_D_SAME) removed = added;
  else if (d !== SPLICE_D_NONE) removed = reader.number();
  const addedAt = reader.take(added);
  if (reader.at < end) throw corrupt(`the delta goes on after its end at byte ${reader.at}`);
  if (start + removed > base.length) throw outOfBase(0);
  const length = base.length - removed + added;
  if (length > limit) throw refuse(0, limit);
  const edit = { start, removed, added: delta.subarray(addedAt, addedAt + added) };
  const fill = (from: Uint8Array, out: Uint8Array): void => {
    if (start > 0) out.set(from.subarray(0, start));
    out.set(edit.added, start);
    out.set(from.subarray(start + removed), start + added);
  };
  return { length, edit, fill };
}

function planOps(base: Uint8Array, delta: Uint8Array, end: number, limit: number, refuse: Refusal): Plan {
  const hasTail = (delta[0]! & OPS_TAIL) !== 0;
  const length = opsLength(delta, 1, end, hasTail, base.length, limit, refuse);
  return { length, fill: (from, out) => fillOps(from, delta, 1, end, hasTail, out) };
}

/** Checks the sequences from `start` on; the length of the target. */
function opsLength(
  delta: Uint8Array,
  start: number,
  end: number,
  hasTail: boolean,
  base: number,
  limit: number,
  refuse: Refusal,
): number {
  const sequences = new Sequences(delta, start, end, base);
  let length = 0;
  let offset = start;
  while (sequences.next()) {
    length += sequences.copied + sequences.added;
    if (length > limit) throw refuse(offset, limit);
    offset = sequences.reader.at;
  }
  if (hasTail) length += base - sequences.expected;
  if (length > limit) throw refuse(offset, limit);
  return length;
}

/** The base is hashed last: everything else costs less. */
function planSigned(base: Uint8Array, delta: Uint8Array, limit: number, refuse: Refusal): Plan {
  const end = delta.length - SIGNED_CHECK;
  if (end < SIGNED_HEADER) throw truncated(1);
  if (!isCheck(delta, end)) throw foreign(end);
  const bits = delta[1]!;
  if (bits < CHUNK_BITS_MIN || bits > CHUNK_BITS_MAX) throw malformed(1);
  if (word32(delta, 2) >>> 0 !== base.length) throw foreign(2);
  const length = opsLength(delta, SIGNED_HEADER, end, false, base.length, limit, refuse);
  if (!isTreeHash(base, bits, delta, 6)) throw foreign(6);
  const fill = (from: Uint8Array, out: Uint8Array): void => {
    fillOps(from, delta, SIGNED_HEADER, end, false, out);
    if (!isTreeHash(out.subarray(0, length), bits, delta, 14))
      throw corrupt('the target is not the one that the delta was made for');
  };
  return { length, fill };
}

function notInPlace(offset: number): HoldfastError {
  return new HoldfastError(
    'ERR_INVALID',
    `the delta moves bytes, changes the length or comes from a signature (delta, byte ${offset}): use apply instead`,
  );
}

/**
 * Turns `bytes`, the base, into the target where it lies, or throws before anything is written; how many bytes were
 * written.
 */
export function applyInPlace(bytes: Uint8Array, delta: Uint8Array): number {
  if (delta[0] === SIGNED) throw notInPlace(0);
  const made = plan(bytes, delta, bytes.length, notInPlace);
  if (made.length !== bytes.length) throw notInPlace(0);
  if (delta[0] === SAME) return 0;
  if (made.edit !== undefined) {
    bytes.set(made.edit.added, made.edit.start);
    return made.edit.added.length;
  }
  if (delta[0] === WHOLE) {
    made.fill(bytes, bytes);
    return bytes.length;
  }
  const end = bodyLength(delta.length);
  checkUnmoved(delta, end, bytes.length);
  return writeAdded(delta, end, bytes);
}

/**
 * Refuses an ops body with a copy that does not land where it came from. A tail lands there because the lengths are
 * equal.
 */
function checkUnmoved(delta: Uint8Array, end: number, length: number): void {
  const sequences = new Sequences(delta, 1, end, length);
  let at = 0;
  let offset = 1;
  while (sequences.next()) {
    if (sequences.copied > 0 && sequences.source !== at) throw notInPlace(offset);
    at += sequences.copied + sequences.added;
    offset = sequences.reader.at;
  }
}

/** Writes what an unmoved ops body adds; how many bytes that were. */
function writeAdded(delta: Uint8Array, end: number, bytes: Uint8Array): number {
  const sequences = new Sequences(delta, 1, end, bytes.length);
  let at = 0;
  let written = 0;
  while (sequences.next()) {
    at += sequences.copied;
    if (sequences.isRun) bytes.fill(sequences.addedAt, at, at + sequences.added);
    else put(delta, sequences.addedAt, sequences.added, bytes, at);
    at += sequences.added;
    written += sequences.added;
  }
  return written;
}

/** Below this, a loop beats a call of `set`. */
const NEAR = 32;

function fillOps(
  base: Uint8Array,
  delta: Uint8Array,
  start: number,
  end: number,
  hasTail: boolean,
  out: Uint8Array,
): void {
  const sequences = new Sequences(delta, start, end, base.length);
  let at = 0;
  while (sequences.next()) {
    put(base, sequences.source, sequences.copied, out, at);
    at += sequences.copied;
    if (sequences.isRun) out.fill(sequences.addedAt, at, at + sequences.added);
    else put(delta, sequences.addedAt, sequences.added, out, at);
    at += sequences.added;
  }
  if (hasTail) out.set(base.subarray(sequences.expected), at);
}

function put(from: Uint8Array, start: number, length: number, out: Uint8Array, at: number): void {
  if (length > NEAR) out.set(from.subarray(start, start + length), at);
  else for (let i = 0; i < length; i++) out[at + i] = from[start + i]!;
}
