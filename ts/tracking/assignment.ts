import { types } from 'node:util';
import { valueAt, type ChangeSet } from './change-set.ts';
import { isLong, isObject, kindOf, type Tree } from './kinds.ts';
import { isShared } from './identities.ts';
import { addParts } from './parts.ts';
import { isTracked, nodeOfRaw, type Node } from './nodes.ts';

/** A value that was put into the tree, and may be the application's. */
export interface Placed {
  readonly parent: object;
  readonly key: unknown;
  readonly value: unknown;
}

export interface AssignmentTerms {
  /** Gives up when more marks were made. */
  readonly most: number;
  /** Parts of the old value that may be in the new one, wherever: none is made into another. */
  readonly kept: ReadonlySet<object> | undefined;
  /** Parts of the old value were handed out. */
  readonly shown: boolean;
  nodeFor(raw: object, parent: object, key: unknown): Node;
}

/** The two differ in what cannot be written down as changes of the one. */
class Apart extends Error {}

type List = unknown[];

/**
 * Makes an attribute's value, as it was, into the one that was assigned in its place, by as few changes as it takes, and
 * notes these: so that a save encodes what differs, not all that was assigned. Equal values, as many applications assign
 * on each request, leave no note.
 *
 * Objects are gone through in the order of their keys. In arrays equal elements at both ends stay; in between as many
 * on both sides are taken in pairs, others are found again by what they are.
 */
export class Assignment {
  readonly placed: Placed[] = [];
  readonly #changes: ChangeSet;
  readonly #terms: AssignmentTerms;
  /** From the root down to the container at hand, each with where it is in the one before. */
  readonly #containers: object[] = [];
  readonly #keys: unknown[] = [];

  constructor(changes: ChangeSet, top: object, terms: AssignmentTerms) {
    this.#changes = changes;
    this.#terms = terms;
    this.#containers.push(top);
  }

  /** False: `old` is useless, in part made into `now`, which is as it was. */
  make(key: unknown, old: object, now: object): boolean {
    try {
      if (isShared(now) || (this.#terms.shown && this.#holdsTracked(now))) return false;
      return this.#inside(key, old, now);
    } catch {
      return false; // what is wrong with it is found again, with its path, when it is encoded
    }
  }

  /** Parts of a state that were put in after the assignment: what they show must not change under them. */
  #holdsTracked(now: object): boolean {
    const seen = new Set<object>(this.#terms.kept);
    const open = [now];
    for (let value = open.pop(); value !== undefined; value = open.pop()) {
      if (isTracked(value)) return true;
      if (seen.has(value)) continue;
      seen.add(value);
      addParts(value, open);
    }
    return false;
  }

  /** Makes `old`, which is under `key` in the container at hand, into `now`. False: it must be replaced. */
  #inside(key: unknown, old: object, now: object): boolean {
    if (Object.getPrototypeOf(old) !== Object.getPrototypeOf(now) || this.#terms.kept?.has(old) === true) return false;
    const kind = kindOf(now);
    if (kind === 'opaque') return sameOpaque(old, now);
    // Here already in another place, part of a state that was put in after the assignment, or with more to it than is kept: whoever encodes it has the words for it.
    if (this.#isOld(now) || isTracked(now) || Object.getOwnPropertySymbols(now).length > 0) throw new Apart();
    this.#containers.push(old);
    this.#keys.push(key);
    const done =
      kind === 'map'
        ? this.#map(old as Map<unknown, unknown>, now as Map<unknown, unknown>)
        : kind === 'set'
          ? this.#set(old as Set<unknown>, now as Set<unknown>)
          : Array.isArray(now)
            ? this.#list(old as unknown as List, now)
            : this.#tree(old as Tree, now as Tree);
    this.#containers.pop();
    this.#keys.pop();
    return done;
  }

  #isOld(value: object): boolean {
    return (nodeOfRaw(value)?.born ?? Infinity) < this.#changes.round;
  }

  /** Of the container at hand; those above it get theirs. */
  #node(): Node {
    let node!: Node;
    for (let i = 1; i < this.#containers.length; i += 1)
      node = this.#terms.nodeFor(this.#containers[i]!, this.#containers[i - 1]!, this.#keys[i - 1]);
    if (this.#changes.marks > this.#terms.most) throw new Apart();
    return node;
  }

  #tree(old: Tree, now: Tree): boolean {
    const before = Object.keys(old);
    const after = Object.keys(now);
    let kept = 0;
    for (const key of before)
      if (key === after[kept]) kept += 1;
      else if (Object.hasOwn(now, key)) return false; // in another order
    // What is new comes last.
    for (let i = kept; i < after.length; i += 1) if (Object.hasOwn(old, after[i]!)) return false;
    if (kept < before.length)
      for (const key of before)
        if (!Object.hasOwn(now, key)) {
          this.#changes.removes(this.#node(), key, old[key]);
          delete old[key];
        }
    for (let i = 0; i < kept; i += 1) this.#property(old, after[i]!, now[after[i]!]);
    for (let i = kept; i < after.length; i += 1) {
      const key = after[i]!;
      if (key === '__proto__') throw new Apart();
      this.#changes.sets(this.#node(), key, false, undefined);
      this.#put(old, key, (old[key] = now[key]));
    }
    return true;
  }

  #property(old: Tree, key: string, value: unknown): void {
    const was = old[key];
    if (this.#same(key, was, value)) return;
    this.#changes.sets(this.#node(), key, true, was);
    this.#put(old, key, (old[key] = value));
  }

  /** Whether nothing is left to be done: both are the same, or `was` has become so. */
  #same(key: unknown, was: unknown, value: unknown): boolean {
    return Object.is(was, value) || (isObject(was) && isObject(value) && this.#inside(key, was, value));
  }

  #put(parent: object, key: unknown, value: unknown): void {
    if (!isObject(value)) return;
    if (isTracked(value)) throw new Apart();
    this.placed.push({ parent, key, value });
  }

  #list(old: List, now: List): boolean {
    if (isLong(old) || isLong(now)) throw new Apart();
    const least = Math.min(old.length, now.length);
    let first = 0;
    while (first < least && this.#isEqual(old[first], now[first])) first += 1;
    let last = 0;
    while (last < least - first && this.#isEqual(old.at(-1 - last), now.at(-1 - last))) last += 1;
    if (first === old.length && first === now.length) return !hasHoles(now, 0, first) && !hasHoles(old, 0, first);
    if (hasHoles(now, 0, now.length) || hasHoles(old, 0, old.length)) throw new Apart();
    const end = now.length - last;
    const moves = now.slice(first, end).some((value) => isObject(value) && this.#isOld(value));
    if (old.length === now.length && !moves) {
      for (let i = first; i < end; i += 1) this.#element(old, i, now[i]);
      return true;
    }
    if (first === old.length) this.#changes.appends(this.#node(), old);
    else this.#changes.rearranges(this.#node(), old);
    const present = new Set(old.slice(first, old.length - last));
    old.splice(first, old.length - last - first, ...now.slice(first, end));
    for (let i = first; i < end; i += 1) if (!present.has(old[i])) this.#put(old, i, old[i]);
    return true;
  }

  #element(old: List, index: number, value: unknown): void {
    if (this.#same(index, old[index], value)) return;
    this.#changes.setsElement(this.#node(), old, index, value);
    this.#put(old, index, (old[index] = value));
  }

  /** With the same keys, in the same order, or with more behind them. */
  #map(old: Map<unknown, unknown>, now: Map<unknown, unknown>): boolean {
    if (Object.keys(now).length > 0) throw new Apart();
    const before = [...old];
    let index = 0;
    for (const [key, value] of now) {
      const was = before[index];
      if (was === undefined) {
        this.#changes.sets(this.#node(), key, false, undefined);
        if (isObject(key)) throw new Apart();
        old.set(key, value);
        this.#put(old, key, value);
      } else if (!Object.is(was[0], key)) return false;
      else if (!this.#same(key, was[1], value)) {
        this.#changes.sets(this.#node(), key, true, was[1]);
        old.set(key, value);
        this.#put(old, key, value);
      }
      index += 1;
    }
    return index >= before.length;
  }

  /** Only where they are equal. */
  #set(old: Set<unknown>, now: Set<unknown>): boolean {
    return Object.keys(now).length === 0 && this.#isEqual(old, now);
  }

  #isEqual(old: unknown, now: unknown): boolean {
    return isEqual(old, now, this.#terms.kept);
  }
}

/**
 * The same for parts that were assigned in the place of others, wherever in the value that `node` stands for: each other
 * part takes its place again, made into what was assigned; what was put into them is added to `placed`. False: there
 * were none.
 */
export function reduceParts(
  changes: ChangeSet,
  node: Node,
  placed: Placed[],
  termsFor: (old: object, now: object) => AssignmentTerms | undefined,
): boolean {
  const { notes, raw } = node;
  if (notes?.round !== changes.round) return false;
  let reduced = false;
  const { inside, before } = notes;
  const { length } = inside; // of what comes in meanwhile all is told
  if (before !== undefined && !(raw instanceof Set))
    for (const [key, old] of before) {
      if (!isObject(old) || isObject(key) || notes.tail?.has(key) === true) continue;
      const now = valueAt(raw, key);
      const terms = isObject(now) && now !== old ? termsFor(old, now) : undefined;
      if (terms === undefined) continue;
      put(raw, key, old);
      const assignment = new Assignment(changes, raw, terms);
      if (assignment.make(key, old, now as object)) {
        reduced = true;
        for (const one of assignment.placed) placed.push(one);
      } else put(raw, key, now);
    }
  for (let i = 0; i < length; i += 1) if (reduceParts(changes, inside[i]!, placed, termsFor)) reduced = true;
  return reduced;
}

function put(holder: object, key: unknown, value: unknown): void {
  if (holder instanceof Map) holder.set(key, value);
  else (holder as Tree)[key as string] = value;
}

/**
 * Whether both are encoded alike, and nothing is in several places of `b`; as little as it is of `tree`. False where that
 * cannot be told: what cannot be read, or is too deep, is refused where it is assigned.
 */
export function isKnownTree(tree: unknown, b: unknown): boolean {
  try {
    return isEqual(tree, b, undefined, new Set());
  } catch {
    return false;
  }
}

/**
 * Of values of which one has nothing in several places: whether both are encoded alike, keys in the same order. False
 * where that is not known, where `a` has one that is `kept` and `b` has another one in its place, and where `b` has one
 * that was `met`.
 */
export function isEqual(a: unknown, b: unknown, kept?: ReadonlySet<object>, met?: Set<object>): boolean {
  return Object.is(a, b) || (isObject(a) && isObject(b) && alike(a, b, kept, met));
}

type Objects = Set<object> | undefined;

/** Of two that are not the same object. */
function alike(a: object, b: object, kept: ReadonlySet<object> | undefined, met: Objects): boolean {
  const prototype: unknown = Object.getPrototypeOf(a);
  if (prototype !== Object.getPrototypeOf(b) || kept?.has(a) === true) return false;
  const kind = prototype === Object.prototype ? 'tree' : kindOf(a);
  if (kind === 'opaque') return sameOpaque(a, b);
  if (met !== undefined && met.size === met.add(b).size) return false;
  if (kind === 'tree')
    return Array.isArray(a)
      ? equalLists(a, b as unknown as List, kept, met)
      : equalTrees(a as Tree, b as Tree, kept, met);
  if (Object.keys(b).length > 0) return false; // it is refused
  return kind === 'map'
    ? equalLists([...(a as Map<unknown, unknown>)].flat(), [...(b as Map<unknown, unknown>)].flat(), kept, met)
    : equalLists([...(a as Set<unknown>)], [...(b as Set<unknown>)], kept, met);
}

const hasOwn = Object.prototype.hasOwnProperty;

function equalTrees(a: Tree, b: Tree, kept: ReadonlySet<object> | undefined, met: Objects): boolean {
  const others = Object.keys(b);
  let count = 0;
  for (const key in a) {
    // In this form the engine makes the check free.
    if (!hasOwn.call(a, key)) continue;
    if (key !== others[count]) return false;
    count += 1;
    const value = b[key];
    if (typeof value === 'object' ? !isEqual(a[key], value, kept, met) : !Object.is(a[key], value)) return false;
  }
  return count === others.length && Object.getOwnPropertySymbols(b).length === 0;
}

function equalLists(a: List, b: List, kept: ReadonlySet<object> | undefined, met: Objects): boolean {
  if (a.length !== b.length || isLong(a)) return false;
  for (let i = 0; i < a.length; i += 1) {
    const value = b[i];
    if (typeof value === 'object' ? !isEqual(a[i], value, kept, met) : !Object.is(a[i], value)) return false;
    if (value === undefined && !(Object.hasOwn(a, i) && Object.hasOwn(b, i))) return false; // a hole
  }
  return true;
}

function hasHoles(list: List, from: number, to: number): boolean {
  for (let i = from; i < to; i += 1) if (list[i] === undefined && !Object.hasOwn(list, i)) return true;
  return false;
}

function sameOpaque(a: object, b: object): boolean {
  if (types.isDate(a)) return types.isDate(b) && Object.is(a.getTime(), b.getTime());
  if (!ArrayBuffer.isView(a) || !ArrayBuffer.isView(b)) return false;
  return bytesOf(a).equals(bytesOf(b));
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);
