import { Fault } from '../codec/fault.ts';
import { msgpackCodec } from '../codec/msgpack.ts';
import type { Differ } from '../diff/differ.ts';
import { HoldfastError } from '../errors.ts';
import { applyDelta, checkSize, makeDelta } from '../graph/delta.ts';
import { withDiffer } from '../graph/engine.ts';
import { GRAPH_BINARY } from '../graph/format.ts';
import { EncodedSide } from '../graph/side.ts';
import type { Side } from '../graph/side.ts';
import { withCodec } from '../graph/values.ts';
import type { AttributeChange } from '../log/body.ts';
import type { Known } from '../log/image.ts';

/**
 * How a changed attribute travels. `binary`: as a delta between its bytes. `graph`: as one between its parts. `auto`: as
 * the former, or as the latter where that is likely to be much shorter, and is. `off`: whole. Whatever is longer than
 * the whole gives way to that.
 */
export type Differencing = (typeof DIFFERENCING)[number];
export const DIFFERENCING = ['auto', 'binary', 'graph', 'off'] as const;

/** An attribute whose bytes have changed. */
export interface Changed {
  readonly name: string;
  /** Undefined: it is new, is to travel whole, or is not here. */
  readonly base: Uint8Array | undefined;
  /** What is known of a base that is not here. */
  readonly known?: Known | undefined;
  readonly target: Uint8Array;
  readonly differencing: Differencing;
}

/** As what it travels; `binary` is the delta between its bytes. */
export function changeOf(
  { name, base, known, target, differencing }: Changed,
  binary: Uint8Array,
  differ: Differ,
  limitBytes: number,
): AttributeChange {
  if (base === undefined)
    return shorter(name, known?.signature && differ.diffSignature(known.signature, target), target);
  const isAsked = differencing === 'graph' || (differencing === 'auto' && isRearranged(base, target, binary));
  const graph = isAsked ? structuralDelta(base, target, differ, limitBytes) : undefined;
  if (
    graph !== undefined &&
    graph.length <= target.length &&
    (differencing === 'graph' || graph.length < binary.length)
  )
    return { name, op: 'graph', bytes: graph };
  return shorter(name, binary, target);
}

/** A delta gives way to the whole where that is shorter. */
const shorter = (name: string, delta: Uint8Array | undefined, target: Uint8Array): AttributeChange =>
  delta === undefined || delta.length > target.length
    ? { name, op: 'put', bytes: target }
    : { name, op: 'binary', bytes: delta };

/** Shorter deltas have too little to win: to find another takes both values decoded and compared. */
const LEAST_BYTES = 64;
/** Of the target, the share that such a delta has at least. */
const LEAST_SHARE = 1 / 16;
/** Bytes that may have come or gone beside, of any value: so many, and a share of the delta. */
const SOME_OTHER = 32;
const OTHER_SHARE = 1 / 32;
const counts = new Int32Array(256);

/**
 * Whether parts have moved, as it seems: there is much to tell, and yet the bytes are those that were there, in another
 * order. What was added, replaced or changed in place takes about as many bytes either way, and far less time as bytes.
 */
export function isRearranged(base: Uint8Array, target: Uint8Array, { length }: Uint8Array): boolean {
  const most = SOME_OTHER + OTHER_SHARE * length;
  if (length < LEAST_BYTES || length < LEAST_SHARE * target.length) return false;
  return Math.abs(target.length - base.length) <= most && otherBytes(base, target) <= most;
}

/** How many bytes are more or fewer of their value in the one than in the other. */
function otherBytes(base: Uint8Array, target: Uint8Array): number {
  counts.fill(0);
  for (let i = 0; i < base.length; i += 1) counts[base[i]!]! += 1;
  for (let i = 0; i < target.length; i += 1) counts[target[i]!]! -= 1;
  let others = 0;
  for (let value = 0; value < 256; value += 1) others += Math.abs(counts[value]!);
  return others;
}

/**
 * Every process reads a log, also one that knows no class: what has instances is none to be told by its parts. Said here,
 * as a save may begin within a verb on a definition's values: in a policy of merging, or a class's `toData`.
 */
const anywhere = <T>(differ: Differ, run: () => T): T => withCodec(msgpackCodec, () => withDiffer(differ, run));

/**
 * The delta of parts; undefined where that is one between bytes after all, or does not give these very bytes again,
 * which else its reader would find out.
 */
function structuralDelta(
  base: Uint8Array,
  target: Uint8Array,
  differ: Differ,
  limitBytes: number,
): Uint8Array | undefined {
  return anywhere(differ, () => {
    try {
      const from = new EncodedSide(base, 'base');
      const delta = makeDelta(from, new EncodedSide(target, 'target'));
      if (delta[0] === GRAPH_BINARY) return undefined;
      return Buffer.compare(applyDelta(from, delta, limitBytes).bytes(), target) === 0 ? delta : undefined;
    } catch (error) {
      if (error instanceof HoldfastError || error instanceof Fault) return undefined;
      throw error;
    }
  });
}

/** The bytes that come of `base` by these deltas of parts, one after the other. */
export function restructured(
  base: Uint8Array,
  deltas: readonly Uint8Array[],
  differ: Differ,
  limitBytes: number,
): Uint8Array {
  return anywhere(differ, () => {
    let side: Side = new EncodedSide(base, 'base');
    const growth = { bytes: 0 };
    for (const delta of deltas) {
      side = applyDelta(side, delta, limitBytes, growth);
      // A few bytes can double what is there. To encode it after each of them would take as long as there are deltas.
      if (growth.bytes <= limitBytes) continue;
      checkSize(side.bytes().length, limitBytes);
      growth.bytes = 0;
    }
    const bytes = side.bytes();
    checkSize(bytes.length, limitBytes);
    return bytes;
  });
}
