import type { Marks, Spanning } from '../codec/spanning.ts';
import { Pairing, partsBeside, renamed, type Parts } from './pairing.ts';
import type { Side } from './side.ts';

/** Two values as trees that can be compared. */
export interface Comparison {
  readonly base: unknown;
  readonly target: unknown;
  /** What their containers are called; undefined: nothing is in several places, and these are the values themselves. */
  readonly marks: Marks | undefined;
  baseBytes(): Uint8Array;
  targetBytes(): Uint8Array;
  /** What of its value each part of a tree is; undefined: it is that. */
  parts(): Parts | undefined;
}

export function comparisonOf(base: Side, target: Side): Comparison {
  if (base.value !== target.value && (base.isShared() || target.isShared())) return sharedComparison(base, target);
  return {
    base: base.value,
    target: target.value,
    marks: undefined,
    baseBytes: () => base.bytes(),
    targetBytes: () => target.bytes(),
    parts: () => undefined,
  };
}

function sharedComparison(base: Side, target: Side): Comparison {
  const from = base.spanning();
  // Bytes have the numbers that they have.
  const to = target.given === undefined ? spanningBeside(from, target, new Set()) : target.spanning();
  new Pairing(from, to).settle();
  return {
    base: from.tree,
    target: to.tree,
    marks: marksOf(from, to),
    baseBytes: () => base.bytes(),
    targetBytes: () => target.bytes(),
    parts: () => new Map([...partsBeside(from.tree, base.value), ...partsBeside(to.tree, target.value)]),
  };
}

/** With its objects called as those of `base` that they come from; others anew, and by no number of `taken`, which gets them. */
export function spanningBeside(base: Spanning, side: Side, taken: Set<number>): Spanning {
  const spanning = side.spanning();
  const names = new Pairing(base, spanning).names(taken);
  const ids = renamed(spanning, names, partsBeside(spanning.tree, side.value));
  return ids === undefined ? spanning : side.spanning(ids);
}

export const marksOf = (...sides: readonly Spanning[]): Marks => new Map(sides.flatMap(({ marks }) => [...marks]));
