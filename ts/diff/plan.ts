import {
  corrupt,
  foreign,
  malformed,
  outOfBase,
  overLimit,
  reserved,
  trailing,
  truncated,
  type Refusal,
} from './bad-delta.ts';
import { put, repeat, word32 } from './bytes.ts';
import { bodyLength, sealValue } from './check.ts';
import { readCode } from './coded.ts';
import {
  CHUNK_BITS_MAX,
  CHUNK_BITS_MIN,
  CODED,
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
  WHOLE,
} from './format.ts';
import { Reader, Sequences } from './sequences.ts';
import { isCheck, isTreeHash } from './signature.ts';

/**
 * A delta that has been found good, and the length of its target. A coded one's operations are checked as they are
 * carried out.
 */
export interface Plan {
  readonly length: number;
  /** The one edit of a splice: `removed` bytes from `start` on give way to `added`. */
  readonly edit?: { readonly start: number; readonly removed: number; readonly added: Uint8Array };
  /** Where the code of a coded delta starts. */
  readonly codeAt?: number;
  /**
   * Writes the target, `length` bytes, at the start of `out`; throws where it is not the one that the delta promised,
   * or a code makes none.
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
  const isOps = kind === OPS && (header & ~KIND_MASK & ~OPS_TAIL) === 0;
  const isKnown = header === WHOLE || header === CODED || kind === SPLICE || isOps;
  if (!isKnown) throw reserved(header);
  const end = checkedBody(base, delta);
  if (kind === SPLICE) return planSplice(base, delta, end, limit, refuse);
  if (kind === OPS) return planOps(base, delta, end, limit, refuse);
  if (kind === CODED) return planCoded(base, delta, end, limit, refuse);
  if (end - 1 > limit) throw refuse(0, limit);
  return { length: end - 1, fill: (_base, out) => out.set(delta.subarray(1, end)) };
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
  if (delta.length > 1) throw trailing(1);
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
  if (reader.at < end) throw trailing(reader.at);
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

/** A target without bytes has no code. */
function planCoded(base: Uint8Array, delta: Uint8Array, end: number, limit: number, refuse: Refusal): Plan {
  const reader = new Reader(delta, 1, end);
  const zigzag = reader.number();
  const length = base.length + (zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2);
  if (length <= 0) throw malformed(1);
  if (length > limit) throw refuse(0, limit);
  const start = reader.at;
  const fill = (from: Uint8Array, out: Uint8Array): void => {
    let at = 0;
    readCode(from.length, delta, start, end, length, {
      literal: (byte) => {
        out[at++] = byte;
      },
      copy: (source, copied) => {
        put(from, source, copied, out, at);
        at += copied;
      },
      repeat: (source, copied) => {
        repeat(out, source, copied, at);
        at += copied;
      },
    });
  };
  return { length, codeAt: start, fill };
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
  let offset = start;
  while (sequences.next()) {
    if (sequences.made > limit) throw refuse(offset, limit);
    offset = sequences.reader.at;
  }
  const length = sequences.made + (hasTail ? base - sequences.expected : 0);
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
    if (sequences.isOwn) repeat(out, sequences.source, sequences.copied, at);
    else put(base, sequences.source, sequences.copied, out, at);
    at += sequences.copied;
    if (sequences.isRun) out.fill(sequences.addedAt, at, at + sequences.added);
    else put(delta, sequences.addedAt, sequences.added, out, at);
    at += sequences.added;
  }
  if (hasTail) out.set(base.subarray(sequences.expected), at);
}
