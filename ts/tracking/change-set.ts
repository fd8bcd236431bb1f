import { stepTo } from '../path.ts';
import { isLong, isObject } from './kinds.ts';
import { nodeOfRaw, type Node } from './nodes.ts';

/** Stands for the value of a key that was not there. */
export const ABSENT: unique symbol = Symbol('absent');

/** What was written directly in one container since the last save. */
export class Notes {
  readonly round: number;
  /** Containers inside it that were written to, or hold such. */
  readonly inside: Node[] = [];
  /** Keys, elements of a Set and, while no element has moved, indices that were written: what was there before. */
  before: Map<unknown, unknown> | undefined;
  /** Keys and elements of a Set that came to the end, in their order. */
  tail: Set<unknown> | undefined;
  /** Of an array: its elements before some were moved. */
  elements: readonly unknown[] | undefined;
  /** Of an array: its length before the first was appended. */
  length: number | undefined;

  constructor(round: number) {
    this.round = round;
  }
}

/** The attribute: the parent of its root. */
interface Top {
  readonly root: unknown;
}

let rounds = 0;

/** The number of the next round, of all attributes. */
export const nextRound = (): number => ++rounds;

/** Where more than one mark in so many bytes was made, the whole is encoded as fast. */
export const BYTES_A_MARK = 64;

/** Reason of a change set that is incomplete: there is another value. */
export const ASSIGNED = 'it was assigned';

/**
 * Which portions of an attribute were written since its last save, as they were written: what a save needs in order to
 * look at nothing else. Nothing is noted twice, so that a loop over one field costs one note.
 */
export class ChangeSet {
  /** Of all change sets, in the order in which they began. Objects that were taken in say in which. */
  readonly round: number;
  /** Why it does not tell all that changed; undefined: it does. */
  incomplete: string | undefined;
  /** Marks that were made: an estimate of what a plan costs. */
  marks = 0;
  /** Containers that got notes of this round. */
  readonly noted: Node[] = [];
  /** Parts of the attribute that were assigned to a place in it: for a while each was in two, and may be noted in one. */
  moved: Set<object> | undefined;
  /** An object is no longer where it was: what is in its place may be much like it. */
  displaced = false;
  readonly #top: Top;

  constructor(round: number, top: Top) {
    this.round = round;
    this.#top = top;
  }

  /** A save has used it: what its notes hold, values that went among it, is let go. */
  drop(): void {
    for (const node of this.noted) if (node.notes?.round === this.round) node.notes = undefined;
  }

  /** A property of a plain object, or an entry of a Map, is about to be set. `had`: whether it is there. */
  sets(node: Node, key: unknown, had: boolean, old: unknown): void {
    const notes = this.notesOf(node);
    const before = (notes.before ??= new Map());
    if (!before.has(key)) this.#note(before, key, had ? old : ABSENT);
    if (!had) (notes.tail ??= new Set()).add(key);
  }

  /** A property, or an entry or element, that is there is about to go. */
  removes(node: Node, key: unknown, old: unknown): void {
    const notes = this.notesOf(node);
    const before = (notes.before ??= new Map());
    if (!before.has(key)) this.#note(before, key, old);
    notes.tail?.delete(key);
  }

  /** An element of an array is about to be set. */
  setsElement(node: Node, array: readonly unknown[], index: number, value: unknown): void {
    // An element that comes from elsewhere, as in a swap, is found again by what it is.
    if (isObject(value) && (nodeOfRaw(value)?.born ?? this.round) < this.round) this.rearranges(node, array);
    const notes = this.notesOf(node);
    if (index > array.length) this.incomplete ??= 'an array got holes';
    else if (notes.elements !== undefined) return;
    else if (index === array.length) notes.length ??= index;
    else if (index < (notes.length ?? array.length)) {
      const before = (notes.before ??= new Map());
      if (!before.has(index)) this.#note(before, index, array[index]);
    }
  }

  /** Elements are about to be added at the end. */
  appends(node: Node, array: readonly unknown[]): void {
    const notes = this.notesOf(node);
    if (notes.elements === undefined) notes.length ??= array.length;
  }

  /** Elements are about to be moved, inserted or removed. */
  rearranges(node: Node, array: readonly unknown[]): void {
    const notes = this.notesOf(node);
    if (notes.elements !== undefined) return;
    if (isLong(array)) {
      this.incomplete ??= 'a long array was rearranged'; // to copy one that is all but empty takes minutes
      return;
    }
    const elements = array.slice(0, notes.length ?? array.length);
    if (notes.before !== undefined) for (const [index, old] of notes.before) elements[index as number] = old;
    notes.elements = elements;
    notes.before = undefined;
    this.marks += 1;
  }

  /** The notes of a container that is about to be written to; those that hold it learn of it. */
  notesOf(node: Node): Notes {
    const known = node.notes;
    if (known !== undefined && known.round === this.round) return known;
    const notes = this.#begin(node);
    this.#climb(node);
    return notes;
  }

  #begin(node: Node): Notes {
    this.marks += 1;
    this.noted.push(node);
    return (node.notes = new Notes(this.round));
  }

  #note(before: Map<unknown, unknown>, key: unknown, old: unknown): void {
    before.set(key, old);
    this.marks += 1;
    if (isObject(old)) this.displaced = true;
  }

  #climb(from: Node): void {
    let node = from;
    for (;;) {
      const holder = this.#holderOf(node);
      if (holder === undefined) return;
      const known = holder.notes;
      const notes = known !== undefined && known.round === this.round ? known : this.#begin(holder);
      notes.inside.push(node);
      if (notes === known) return;
      node = holder;
    }
  }

  /** Undefined: it is the root, or nobody knows where it is. */
  #holderOf(node: Node): Node | undefined {
    const { parent } = node;
    if (parent === this.#top) {
      if (this.#top.root === node.raw) return undefined;
    } else if (parent !== undefined && keyIn(node, parent) !== ABSENT) {
      const holder = nodeOfRaw(parent);
      if (holder?.owner === node.owner) return holder;
    }
    this.incomplete ??= 'something was written whose place is not known';
    return undefined;
  }
}

/** The key under which `holder` has the node's value; `ABSENT`: it has not. Found again where it has moved. */
export function keyIn(node: Node, holder: object): unknown {
  if (node.parent === holder && valueAt(holder, node.key) === node.raw) return node.key;
  if (Array.isArray(holder)) {
    if (isLong(holder)) return ABSENT;
    const index = holder.indexOf(node.raw);
    return index < 0 ? ABSENT : index;
  }
  if (holder instanceof Set) return ABSENT;
  const step = stepTo(holder, node.raw);
  // A Map's key has no place of its own; its value may have a key that no path carries.
  if (isObject(step)) return step.kind === 'map value' ? (step.key ?? ABSENT) : ABSENT;
  return step ?? ABSENT;
}

export function valueAt(holder: object, key: unknown): unknown {
  return holder instanceof Map ? (holder.get(key) as unknown) : (holder as Record<string, unknown>)[key as string];
}
