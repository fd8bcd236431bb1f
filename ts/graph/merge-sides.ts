import { HoldfastError } from '../errors.ts';
import { ABSENT, type Conflict } from '../conflict.ts';
import type { Ids, Named } from '../codec/ids.ts';
import { spanningOf, wholeBytes, type Marks, type Spanning } from '../codec/spanning.ts';
import type { Path } from '../path.ts';
import { marksOf, spanningBeside } from './comparison.ts';
import { Merge, type MergePolicy, type Translation } from './merge.ts';
import { Pairing, partsBeside } from './pairing.ts';
import type { Side } from './side.ts';
import { valueCodec, withMarks } from './values.ts';

export interface Sides {
  readonly base: Side;
  readonly mine: Side;
  readonly theirs: Side;
}

/** A merged value, or what stands against one. */
export interface MergedSides {
  readonly value: unknown;
  readonly conflicts: readonly Conflict[];
}

/**
 * Merges three values at `path`; `root` is what messages put in front of that. Where something is in several places they are merged as trees
 * that span them: parts that no longer fit together then, as references to what the other side has taken out, are one part.
 */
export function mergeSides(policy: MergePolicy, path: Path, root: Path, sides: Sides): MergedSides {
  const { base, mine, theirs } = sides;
  const plain = new Merge(policy, root);
  const part: Conflict = { path, base: base.value, mine: mine.value, theirs: theirs.value };
  const all = [part.base, part.mine, part.theirs];
  if (!all.includes(ABSENT) && Object.values(sides).some((side: Side) => side.isShared())) {
    const merged = mergeTrees(policy, path, root, sides);
    if (merged !== undefined) return merged;
    return { value: plain.whole(part), conflicts: plain.conflicts };
  }
  return { value: plain.value(part), conflicts: plain.conflicts };
}

/** Undefined: what came of it is no value. */
function mergeTrees(
  policy: MergePolicy,
  path: Path,
  root: Path,
  { base, mine, theirs }: Sides,
): MergedSides | undefined {
  const from = base.spanning();
  const taken = new Set<number>();
  const shared = new Set(from.marks.values());
  const [one, other] = [mine, theirs].map((side) => {
    const spanning = spanningBeside(from, side, taken);
    new Pairing(from, spanning).settle();
    new Pairing(from, spanning).lend();
    return spanning;
  }) as [Spanning, Spanning];
  Pairing.anchor(from, [new Pairing(from, one), new Pairing(from, other)]);
  for (const side of [one, other]) {
    new Pairing(from, side).settle();
    new Pairing(from, side).adopt(shared);
  }
  const trees: readonly (readonly [tree: Spanning, side: Side])[] = [
    [from, base],
    [one, mine],
    [other, theirs],
  ];
  const between = new BetweenTrees(marksOf(from, one, other), trees, taken);
  const merging = new Merge(policy, root, between);
  const tree = withMarks(between.marks, () =>
    merging.value({ path, base: from.tree, mine: one.tree, theirs: other.tree }),
  );
  if (merging.conflicts.length > 0 || tree === ABSENT) return { value: tree, conflicts: merging.conflicts };
  try {
    const bytes = wholeBytes({ tree, marks: between.marks });
    return { value: valueCodec().decode(bytes, 'value'), conflicts: [] };
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'ERR_CORRUPT') return undefined;
    throw error;
  }
}

class BetweenTrees implements Translation {
  readonly marks: Marks;
  private readonly values = new Map<object, unknown>();
  private readonly taken: Set<number>;

  constructor(marks: Marks, trees: readonly (readonly [tree: Spanning, side: Side])[], taken: Set<number>) {
    this.marks = marks;
    this.taken = taken;
    for (const [{ tree }, { value }] of trees)
      for (const [part, is] of partsBeside(tree, value)) this.values.set(part, is);
  }

  value(part: unknown): unknown {
    return typeof part === 'object' && part !== null && this.values.has(part) ? this.values.get(part) : part;
  }

  part(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    const named: Named = { ids: undefined };
    let bytes = valueCodec().encode(value, 'value', named);
    if (named.ids !== undefined) bytes = valueCodec().encode(value, 'value', { ids: this.fresh(named.ids) });
    const { tree, marks } = spanningOf(bytes);
    for (const [container, id] of marks) this.marks.set(container, id);
    return tree;
  }

  private fresh(ids: Ids): Ids {
    let next = 0;
    return new Map(
      Array.from(ids.keys(), (object): [object, number] => {
        while (this.taken.has(next)) next += 1;
        this.taken.add(next);
        return [object, next];
      }),
    );
  }

  unite(merged: object, [base, ...sides]: readonly object[]): void {
    const before = this.marks.get(base!);
    const ids = new Set(sides.map((side) => this.marks.get(side)));
    // Whoever calls it otherwise may have put another object into its place.
    if (before !== undefined && ids.size > 1) ids.delete(before);
    const [id] = [...ids].filter((one) => one !== undefined);
    if (id !== undefined) this.marks.set(merged, id);
  }
}
