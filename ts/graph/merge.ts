import { ABSENT, type Conflict } from '../conflict.ts';
import { HoldfastError } from '../errors.ts';
import { describe, type Rule } from '../options.ts';
import { mapValue, showPath, type Path, type PathStep } from '../path.ts';
import { makeSequence } from './built.ts';
import { compare, matchKeys } from './compare.ts';
import type { Edit, SequenceEdit } from './edit.ts';
import { valueAt } from './kinds.ts';
import { same } from './same.ts';
import { unionEdits, type KeyOf } from './union.ts';
import { withMarks } from './values.ts';

/**
 * What becomes of a part that both sides have changed: a conflict (`fail`), one side's, or of numbers both differences
 * added (`sum`). `union`: elements of lists are one where their keys are. A function gives the value, or `ABSENT`.
 */
export type MergePolicy =
  | 'fail'
  | 'mine'
  | 'theirs'
  | 'sum'
  | { readonly union: KeyOf }
  | ((conflict: Conflict) => unknown);

export const mergePolicy: Rule = (name, value) => {
  const isUnion = typeof value === 'object' && value !== null && Object.keys(value).join() === 'union';
  if (typeof value === 'function' || ['fail', 'mine', 'theirs', 'sum'].includes(value as string)) return;
  if (isUnion && typeof (value as { union: unknown }).union === 'function') return;
  throw new HoldfastError(
    'ERR_INVALID',
    `${name} must be 'fail', 'mine', 'theirs', 'sum', { union: (item) => key } or a function, not ${describe(value)}`,
  );
};

/** What is left of a part, and whose place it has. */
interface Item {
  readonly key: unknown;
  readonly value: unknown;
}

/** One side of a sequence, by place in the base. */
interface Side {
  readonly edit: SequenceEdit;
  /** Place in the target; -1: it is gone. */
  readonly at: Int32Array;
  /** Places in the target of what is new. */
  readonly inserted: readonly number[];
}

/** Where spanning trees are merged: what stands between these and the values, which is all that is seen outside. */
export interface Translation {
  value(part: unknown): unknown;
  part(value: unknown): unknown;
  /** What was one is merged. */
  unite(merged: object, parts: readonly object[]): void;
}

/** Merges three values, or trees that span them; what it cannot is in `conflicts`. */
export class Merge {
  readonly conflicts: Conflict[] = [];
  private readonly policy: MergePolicy;
  private readonly root: Path;
  private readonly union: KeyOf | undefined;
  private readonly translation: Translation | undefined;

  /** `root`: what messages call that which is merged, in front of a path. */
  constructor(policy: MergePolicy, root: Path, translation?: Translation) {
    this.policy = policy;
    this.root = root;
    this.translation = translation;
    const union = typeof policy === 'object' ? policy.union : undefined;
    this.union = union && ((item) => this.outside(() => union(this.told(item))));
  }

  /** What the user's functions call is about values. */
  private outside<T>(call: () => T): T {
    return this.translation === undefined ? call() : withMarks(undefined, call);
  }

  private told(part: unknown): unknown {
    return part === ABSENT || this.translation === undefined ? part : this.translation.value(part);
  }

  private conflict({ path, base, mine, theirs }: Conflict): Conflict {
    return { path, base: this.told(base), mine: this.told(mine), theirs: this.told(theirs) };
  }

  private decide(policy: (conflict: Conflict) => unknown, part: Conflict): unknown {
    const conflict = this.conflict(part);
    const made = this.outside(() => decided(policy(conflict), conflict.path, this.root));
    if (made === ABSENT || this.translation === undefined) return made;
    for (const name of ['mine', 'theirs', 'base'] as const) if (made === conflict[name]) return part[name];
    return this.translation.part(made);
  }

  /** The part that is merged, which both sides have changed; any of the three may be `ABSENT`. */
  value(part: Conflict): unknown {
    const { base, mine, theirs } = part;
    if (base === ABSENT || mine === ABSENT || theirs === ABSENT) return this.whole(part);
    return this.edits(part, compare(base, mine, 0), compare(base, theirs, 0));
  }

  private edits(part: Conflict, mine: Edit | undefined, theirs: Edit | undefined): unknown {
    if (mine === undefined) return part.theirs;
    if (theirs === undefined) return part.mine;
    if (mine.kind !== 'sequence' || theirs.kind !== 'sequence') return this.whole(part);
    if (mine.of !== 'list' || this.union === undefined) return this.sequence(part.path, mine, theirs);
    const [one, other] = unionEdits(mine, theirs, this.union, part.path, this.root);
    return this.sequence(part.path, one, other);
  }

  /** As the policy has it, without a look inside. */
  whole(conflict: Conflict): unknown {
    const { policy } = this;
    const { base, mine, theirs } = conflict;
    if (policy === 'mine') return mine;
    if (policy === 'theirs') return theirs;
    if (typeof policy === 'function') return this.decide(policy, conflict);
    const sum = policy === 'sum' ? sumOf(base, mine, theirs) : undefined;
    if (sum !== undefined) return sum;
    this.conflicts.push(this.conflict(conflict));
    return base;
  }

  private sequence(path: Path, mine: SequenceEdit, theirs: SequenceEdit): unknown {
    const m = sideOf(mine);
    const t = sideOf(theirs);
    const items: (Item | undefined)[] = [];
    for (let place = 0; place < m.at.length; place += 1) items.push(this.kept(path, m, t, place));
    const merged = new Order(m, t, (place) => items[place] !== undefined && this.mover(path, m, t, place));
    const twice = this.insertedTwice(path, m, t);
    const all: Item[] = [];
    merged.each(
      (place) => all.push(items[place]!),
      (side, place) => {
        const settled = twice.get(side);
        const item = settled?.has(place) === true ? settled.get(place) : newItem(side, place);
        if (item !== undefined) all.push(item);
      },
    );
    const keys = all.map(({ key }) => key);
    const values = all.map(({ value }) => value);
    const made = makeSequence(mine.of, mine.base, keys, values) ?? refuseTwice(path);
    this.translation?.unite(made, [mine.base, mine.target, theirs.target]);
    return made;
  }

  /** What becomes of a place of the base; undefined: it is gone. */
  private kept(path: Path, m: Side, t: Side, place: number): Item | undefined {
    const { of, base, baseKeys } = m.edit;
    const key = baseKeys?.[place];
    const [mine, theirs] = [m.edit.edits.get(place), t.edit.edits.get(place)];
    const [isGone, isGoneThere] = [m.at[place]! < 0, t.at[place]! < 0];
    const value = valueAt(of, base, baseKeys, place);
    if (!isGone && !isGoneThere && (mine === undefined || theirs === undefined))
      return { key, value: mine === undefined ? sideValue(t, place) : sideValue(m, place) };
    const part: Conflict = {
      path: [...path, stepOf(m.edit, key, place)],
      base: of === 'set' ? key : value,
      mine: isGone ? ABSENT : of === 'set' ? key : sideValue(m, place),
      theirs: isGoneThere ? ABSENT : of === 'set' ? key : sideValue(t, place),
    };
    let made: unknown;
    if (isGone && isGoneThere) made = this.union === undefined ? this.whole(part) : ABSENT;
    else if (isGone) made = theirs === undefined ? ABSENT : this.whole(part);
    else if (isGoneThere) made = mine === undefined ? ABSENT : this.whole(part);
    else made = this.edits(part, mine, theirs);
    return made === ABSENT ? undefined : of === 'set' ? { key: made, value: undefined } : { key, value: made };
  }

  /** Whose move of a place counts; undefined: nobody has moved it. */
  private mover(path: Path, m: Side, t: Side, place: number): Side | undefined {
    const isMoved = ({ at, edit }: Side): boolean => at[place]! >= 0 && edit.stays?.[place] === 0;
    if (!isMoved(m)) return isMoved(t) ? t : undefined;
    if (!isMoved(t)) return m;
    if (this.policy === 'mine') return m;
    if (this.policy === 'theirs' || typeof this.policy !== 'string') return t;
    const { of, baseKeys, base } = m.edit;
    const key = baseKeys?.[place];
    const value = of === 'set' ? key : valueAt(of, base, baseKeys, place);
    const at = [...path, stepOf(m.edit, key, place)];
    const part = { path: at, base: value, mine: valueOr(m, place, value), theirs: valueOr(t, place, value) };
    this.conflicts.push(this.conflict(part));
    return t;
  }

  /** Keys that both sides have new: theirs has the place, and what is settled; mine is left out. */
  private insertedTwice(path: Path, m: Side, t: Side): Map<Side, Map<number, Item | undefined>> {
    const twice = new Map<Side, Map<number, Item | undefined>>();
    const keys = m.edit.targetKeys;
    const others = t.edit.targetKeys;
    if (keys === undefined || others === undefined || m.inserted.length === 0 || t.inserted.length === 0) return twice;
    const mineKeys = m.inserted.map((place) => keys[place]);
    const theirKeys = t.inserted.map((place) => others[place]);
    const [ofMine, ofTheirs] = [new Map<number, undefined>(), new Map<number, Item | undefined>()];
    const source = matchKeys(mineKeys, theirKeys, 0) ?? Int32Array.from(theirKeys.keys());
    source.forEach((from, n) => {
      if (from < 0) return;
      const [mine, theirs] = [newItem(m, m.inserted[from]!), newItem(t, t.inserted[n]!)];
      ofMine.set(m.inserted[from]!, undefined);
      const isSet = m.edit.of === 'set';
      const isOne = this.union !== undefined && same(mine.value, theirs.value, 0);
      const part = {
        path: [...path, stepOf(m.edit, mine.key, m.inserted[from]!)],
        base: ABSENT,
        mine: isSet ? mine.key : mine.value,
        theirs: isSet ? theirs.key : theirs.value,
      };
      const made = isOne ? part.theirs : this.whole(part);
      const item = isSet ? { key: made, value: undefined } : { key: theirs.key, value: made };
      ofTheirs.set(t.inserted[n]!, made === ABSENT ? undefined : item);
    });
    return twice.set(m, ofMine).set(t, ofTheirs);
  }
}

/** In which order what is left comes: what nobody moved as in the base, and in each gap theirs before mine. */
class Order {
  private readonly gaps = new Map<number, [side: Side, place: number, isNew: boolean][]>();
  private readonly stays: number[] = [];

  /** `mover` says of a place who has moved it; false: it is gone. */
  constructor(m: Side, t: Side, mover: (place: number) => Side | undefined | false) {
    const movers = Array.from(m.at, (_, place) => mover(place));
    movers.forEach((side, place) => {
      if (side === undefined) this.stays.push(place);
    });
    for (const side of [t, m]) this.collect(side, movers);
  }

  private collect(side: Side, movers: readonly (Side | undefined | false)[]): void {
    let gap = -1;
    const size = side.edit.source?.length ?? side.at.length;
    for (let at = 0; at < size; at += 1) {
      const place = side.edit.source === undefined ? at : side.edit.source[at]!;
      if (place >= 0 && movers[place] === undefined) gap = place;
      else if (place < 0 || movers[place] === side) {
        const found = this.gaps.get(gap);
        const one: [Side, number, boolean] = [side, place < 0 ? at : place, place < 0];
        if (found === undefined) this.gaps.set(gap, [one]);
        else found.push(one);
      }
    }
  }

  each(kept: (place: number) => void, inserted: (side: Side, place: number) => void): void {
    for (const place of [-1, ...this.stays]) {
      if (place >= 0) kept(place);
      for (const [side, one, isNew] of this.gaps.get(place) ?? []) {
        if (isNew) inserted(side, one);
        else kept(one);
      }
    }
  }
}

/** What a function of the policy gave; one that is async gives nothing that could be kept. */
function decided(made: unknown, path: Path, root: Path): unknown {
  const isPromise = typeof (made as { then?: unknown } | null | undefined)?.then === 'function';
  if (!isPromise && typeof made !== 'function' && (typeof made !== 'symbol' || made === ABSENT)) return made;
  if (made instanceof Promise) made.catch(() => undefined); // nobody's to handle any more
  const what = isPromise ? 'promise' : typeof made;
  const message = `${showPath([...root, ...path])}: the merge policy gave a ${what}, which cannot be kept: it must give the value itself, at once`;
  throw new HoldfastError('ERR_INVALID', message, { paths: [path] });
}

function refuseTwice(path: Path): never {
  throw new HoldfastError('ERR_INVALID', 'the merge policy put an element into a Set that is there already', {
    paths: [path],
  });
}

function sideOf(edit: SequenceEdit): Side {
  const size = edit.baseKeys?.length ?? (edit.base as readonly unknown[]).length;
  if (edit.source === undefined) return { edit, at: Int32Array.from({ length: size }, (_, i) => i), inserted: [] };
  const at = new Int32Array(size).fill(-1);
  const inserted: number[] = [];
  edit.source.forEach((place, target) => {
    if (place < 0) inserted.push(target);
    else at[place] = target;
  });
  return { edit, at, inserted };
}

const sideValue = ({ edit, at }: Side, place: number): unknown =>
  valueAt(edit.of, edit.target, edit.targetKeys, at[place]!);

const valueOr = (side: Side, place: number, other: unknown): unknown =>
  side.edit.of === 'set' ? other : sideValue(side, place);

function newItem({ edit }: Side, place: number): Item {
  return { key: edit.targetKeys?.[place], value: valueAt(edit.of, edit.target, edit.targetKeys, place) };
}

function stepOf({ of }: SequenceEdit, key: unknown, place: number): PathStep {
  if (of === 'map') return mapValue(key, place);
  if (of === 'set') return { kind: 'set element', index: place };
  return of === 'list' ? place : (key as PathStep);
}

function sumOf(base: unknown, mine: unknown, theirs: unknown): number | bigint | undefined {
  if (typeof base === 'bigint' && typeof mine === 'bigint' && typeof theirs === 'bigint') return mine + theirs - base;
  if (typeof base !== 'number' || typeof mine !== 'number' || typeof theirs !== 'number') return undefined;
  const sum = base + (mine - base + (theirs - base));
  return Number.isFinite(sum) ? sum : undefined;
}
