import { HoldfastError } from '../errors.ts';
import { applyInPlace } from './apply.ts';
import {
  checkApart,
  checkAverage,
  checkBatch,
  checkBytes,
  checkChunk,
  checkLimit,
  checkList,
  checkResults,
} from './arguments.ts';
import { asBuffer, commonPrefix, commonSuffix } from './bytes.ts';
import { seal, sealLength } from './check.ts';
import { CHUNK_STRIDE, chunksMax, putChunks, readChunks } from './chunks.ts';
import { isNoise, writeCode } from './coded.ts';
import { BATCH_STRIDE, type Differ } from './differ.ts';
import {
  CODED,
  CODED_MIN,
  MAX_OVERHEAD,
  SAME,
  SIGNED_OVERHEAD,
  SPLICE,
  SPLICE_DELETE,
  SPLICE_D_NONE,
  SPLICE_D_SAME,
  SPLICE_D_VARINT,
  SPLICE_L_SHIFT,
  SPLICE_L_VARINT,
  SPLICE_WIDTH_SHIFT,
  WHOLE,
  putNumber,
  varintLength,
} from './format.ts';
import { diffSignature } from './from-signature.ts';
import { Matcher } from './matcher.ts';
import { opsLengthMax, writeOps } from './ops.ts';
import { plan } from './plan.ts';
import { newDelta } from './room.ts';
import { makeSignature } from './signature.ts';
import { Tables } from './tables.ts';
import { xxh3 } from '../xxh3.ts';

/** An edit that adds at most this much is not worth cutting up. */
const SPLICE_DIRECT = 3;
/** What is longer than this part of its target is not coded: that takes too long for what it gains. */
const CODED_PART = 4;
/** A code must save this part of the ops body: it takes longer to apply. */
const CODED_GAIN = 16;

/** The differ in plain JavaScript: same bytes out as the native one, for every input. */
export const jsDiffer: Differ = {
  engine: 'js',

  diff(base, target) {
    checkBytes(base, 'base');
    checkBytes(target, 'target');
    return newDelta(target.length + MAX_OVERHEAD, (out) => put(base, target, out, 0));
  },

  diffInto(base, target, out) {
    checkBytes(base, 'base');
    checkBytes(target, 'target');
    checkBytes(out, 'out');
    checkApart(out, base);
    checkApart(out, target);
    return put(base, target, out, 0);
  },

  apply(base, delta, limitBytes) {
    checkBytes(base, 'base');
    checkBytes(delta, 'delta');
    const made = plan(base, delta, checkLimit(limitBytes));
    const out = Buffer.allocUnsafe(made.length);
    made.fill(base, out);
    return out;
  },

  applyInto(base, delta, out) {
    checkBytes(base, 'base');
    checkBytes(delta, 'delta');
    checkBytes(out, 'out');
    checkApart(out, base);
    checkApart(out, delta);
    const made = plan(base, delta, out.length);
    made.fill(base, out);
    return made.length;
  },

  applyInPlace(bytes, delta) {
    checkBytes(bytes, 'bytes');
    checkBytes(delta, 'delta');
    checkApart(bytes, delta);
    return applyInPlace(bytes, delta);
  },

  applyChain(base, deltas, limitBytes) {
    checkBytes(base, 'base');
    return applyChain(base, checkList(deltas, 'deltas'), checkLimit(limitBytes));
  },

  signature(base, options) {
    checkBytes(base, 'base');
    return makeSignature(base, checkChunk(options));
  },

  diffSignature(signature, target) {
    checkBytes(signature, 'signature');
    checkBytes(target, 'target');
    return newDelta(target.length + SIGNED_OVERHEAD, (out) => diffSignature(signature, target, out));
  },

  chunks(bytes, options) {
    checkBytes(bytes, 'bytes');
    const bits = checkAverage(options);
    const words = new Uint32Array(CHUNK_STRIDE * chunksMax(bytes.length, bits));
    return readChunks(words, putChunks(bytes, bits, words));
  },

  diffBatch(bases, targets, out, results) {
    const from = checkList(bases, 'bases', true);
    const to = checkList(targets, 'targets');
    checkBytes(out, 'out');
    checkBatch(from, to, out);
    checkResults(results, to.length);
    checkApart(out, results);
    for (const input of [...from, ...to]) {
      if (input === undefined) continue;
      checkApart(out, input);
      checkApart(results, input);
    }
    return diffBatch(from, to, out, results);
  },

  hashBatch(values, results) {
    const list = checkList(values, 'values');
    checkResults(results, list.length);
    for (const value of list) checkApart(results, value);
    list.forEach((value, i) => xxh3(value, 0, value.length, results, BATCH_STRIDE * i + 1));
  },
};

function diffBatch(
  bases: (Uint8Array | undefined)[],
  targets: Uint8Array[],
  out: Uint8Array,
  results: Uint32Array,
): number {
  let at = 0;
  for (let i = 0; i < targets.length; i++) {
    const base = bases[i];
    const target = targets[i]!;
    const entry = BATCH_STRIDE * i;
    results[entry] = 0;
    if (base !== undefined) {
      const length = put(base, target, out, at);
      if (out[at] === SAME) continue;
      results[entry] = length;
      at += length;
    }
    xxh3(target, 0, target.length, results, entry + 1);
  }
  return at;
}

/** Single edits are made in place, anything else goes from one room to the other. */
function applyChain(base: Uint8Array, deltas: Uint8Array[], limit: number): Uint8Array {
  let room = Buffer.allocUnsafeSlow(base.length + 64);
  let spare = Buffer.alloc(0);
  let length = base.length;
  room.set(base);
  for (const [i, delta] of deltas.entries()) {
    const state = room.subarray(0, length);
    const made = inChain(i, () => plan(state, delta, limit));
    if (made.edit !== undefined && made.length <= room.length) {
      const { start, removed, added } = made.edit;
      if (removed !== added.length) room.copyWithin(start + added.length, start + removed, length);
      room.set(added, start);
    } else {
      const target = spare.length < made.length ? Buffer.allocUnsafeSlow(made.length + (made.length >> 3) + 64) : spare;
      inChain(i, () => made.fill(state, target));
      [room, spare] = [target, room];
    }
    length = made.length;
  }
  if (length <= limit) return room.subarray(0, length);
  throw new HoldfastError(
    'ERR_LIMIT',
    `delta 0 of the chain: the target is longer than the limit of ${limit} bytes (delta, byte 0)`,
  );
}

function inChain<T>(i: number, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    throw new HoldfastError(error.code, `delta ${i} of the chain: ${error.message}`);
  }
}

/** Writes a delta to `out` from `start` on; its length. */
function put(baseBytes: Uint8Array, targetBytes: Uint8Array, outBytes: Uint8Array, start: number): number {
  const base = asBuffer(baseBytes);
  const target = asBuffer(targetBytes);
  const out = start === 0 ? outBytes : outBytes.subarray(start);
  const prefix = commonPrefix(base, 0, base.length, target, 0, target.length);
  if (prefix === base.length && prefix === target.length) {
    if (out.length === 0) throw tooSmall(out);
    out[0] = SAME;
    return 1;
  }
  const suffix = commonSuffix(base, prefix, target, prefix);
  const added = target.length - prefix - suffix;
  const removed = base.length - prefix - suffix;
  const whole = sealed(1 + target.length);
  const splice = sealed(spliceLength(prefix, removed, added));
  const plain = Math.min(whole, splice);
  if (added > SPLICE_DIRECT) {
    const body = shortest(base, target, prefix, suffix, plain);
    if (body.length > 0 && sealed(body.length) < plain) {
      if (body.length > out.length) throw tooSmall(out);
      out.set(body);
      const length = seal(base, out, out.length, body.length);
      if (length < 0) throw tooSmall(out);
      return length;
    }
  }
  if (plain > out.length) throw tooSmall(out);
  const body = whole < splice ? putWhole(target, out) : putSplice(target, prefix, removed, added, out);
  return seal(base, out, out.length, body);
}

const tables = new Tables();
/** What is longer is not kept from call to call. */
const BODY_KEPT = 1 << 20;
const NONE = Buffer.alloc(0);
/** Bodies of deltas, to choose from. */
let opsBody = Buffer.allocUnsafeSlow(1 << 12);
let codedBody = Buffer.allocUnsafeSlow(1 << 12);

/** The shortest body of many edits, valid until the next call; empty where none is shorter than `plain`. */
function shortest(base: Buffer, target: Buffer, prefix: number, suffix: number, plain: number): Buffer {
  const room = Math.max(base.length, target.length);
  tables.begin(room);
  new Matcher(base, target, prefix, suffix, tables).run();
  const { script } = tables;
  const most = Math.min(plain, opsLengthMax(script));
  if (opsBody.length < most) opsBody = Buffer.allocUnsafeSlow(most);
  const ops = writeOps(base.length, target, script, opsBody, most);
  const longest = ops < 0 ? plain : ops;
  const isLong = longest >= CODED_MIN && longest <= Math.floor(target.length / CODED_PART);
  let body = ops < 0 ? NONE : opsBody.subarray(0, ops);
  if (isLong && !isNoise(target, script)) {
    codedBody[0] = CODED;
    const longer = target.length - base.length;
    const start = putNumber(codedBody, 1, codedBody.length, longer < 0 ? -2 * longer - 1 : 2 * longer);
    const written = writeCode(
      base.length,
      target,
      script,
      codedBody,
      start,
      longest - Math.floor(longest / CODED_GAIN),
    );
    codedBody = written.bytes as Buffer<ArrayBuffer>;
    if (written.end >= 0) body = codedBody.subarray(0, written.end);
  }
  tables.end();
  if (opsBody.length > BODY_KEPT) opsBody = NONE;
  if (codedBody.length > BODY_KEPT) codedBody = Buffer.allocUnsafeSlow(1 << 12);
  return body;
}

function tooSmall(out: Uint8Array): HoldfastError {
  return new HoldfastError(
    'ERR_LIMIT',
    `the delta does not fit into ${out.length} bytes; the target's length + 16 always suffices`,
  );
}

function sealed(body: number): number {
  return body + sealLength(body);
}

function putWhole(target: Uint8Array, out: Uint8Array): number {
  out[0] = WHOLE;
  out.set(target, 1);
  return 1 + target.length;
}

function widthOf(prefix: number): number {
  return Math.max(4 - (Math.clz32(prefix) >> 3), 1);
}

function codeOfD(removed: number, added: number): number {
  if (added === 0) return SPLICE_DELETE;
  if (removed === added) return SPLICE_D_SAME;
  return removed === 0 ? SPLICE_D_NONE : SPLICE_D_VARINT;
}

function spliceLength(prefix: number, removed: number, added: number): number {
  const lLength = added > 3 ? varintLength(added) : 0;
  const dLength = codeOfD(removed, added) >= SPLICE_D_VARINT ? varintLength(removed) : 0;
  return 1 + widthOf(prefix) + lLength + dLength + added;
}

/** `out` must have room. */
function putSplice(target: Buffer, prefix: number, removed: number, added: number, out: Uint8Array): number {
  const width = widthOf(prefix);
  const d = codeOfD(removed, added);
  let l = added > 3 ? SPLICE_L_VARINT : added - 1;
  if (added === 0) l = 0;
  out[0] = SPLICE | ((width - 1) << SPLICE_WIDTH_SHIFT) | (l << SPLICE_L_SHIFT) | d;
  for (let i = 0; i < width; i++) out[1 + i] = prefix >>> (8 * i);
  let at = 1 + width;
  if (added > 3) at = putNumber(out, at, out.length, added);
  if (d >= SPLICE_D_VARINT) at = putNumber(out, at, out.length, removed);
  out.set(target.subarray(prefix, prefix + added), at);
  return at + added;
}
