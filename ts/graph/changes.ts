import { mapValue, type Path, type PathStep } from '../path.ts';
import type { Edit, SequenceEdit } from './edit.ts';
import { valueAt } from './kinds.ts';

/**
 * One thing that has changed. Changes hold in their order: each path and index is about the value as the changes before
 * it have left it. The empty path is the value itself.
 */
export type Change =
  /** A property, a list's element or a Map's value is this now; a property may be new, and is then the last. */
  | { readonly op: 'set'; readonly path: Path; readonly value: unknown }
  /** A property is gone; of an array with holes: an element. */
  | { readonly op: 'unset'; readonly path: Path }
  /** `values` are in the list at `path`, from `index` on. */
  | { readonly op: 'insert'; readonly path: Path; readonly index: number; readonly values: readonly unknown[] }
  /** `count` elements of the list at `path`, from `index` on, are gone. */
  | { readonly op: 'remove'; readonly path: Path; readonly index: number; readonly count: number }
  /** The element of the list at `path` that was at `from` is at `to`, counted without it. */
  | { readonly op: 'move'; readonly path: Path; readonly from: number; readonly to: number }
  /** In the text at `path`, `remove` UTF-16 units from `index` on have become `insert`; no surrogate pair is cut. */
  | {
      readonly op: 'splice';
      readonly path: Path;
      readonly index: number;
      readonly remove: number;
      readonly insert: string;
    }
  /** The bytes at `path` have become what `apply` of `holdfast/delta` makes of them and `delta`. */
  | { readonly op: 'splice'; readonly path: Path; readonly delta: Uint8Array }
  /** The Map at `path` has `key` now, as its last; of a Set: the element `key`, and no `value`. */
  | { readonly op: 'add'; readonly path: Path; readonly key: unknown; readonly value?: unknown }
  /** The Map or Set at `path` has it no longer. */
  | { readonly op: 'delete'; readonly path: Path; readonly key: unknown }
  /** The places at `path` are in another order: the `n`th is what was the `order[n]`th. */
  | { readonly op: 'reorder'; readonly path: Path; readonly order: readonly number[] }
  /** What is at `path` is the very object at `to`; of what else has just been told to be new, too. These come last. */
  | { readonly op: 'reference'; readonly path: Path; readonly to: Path };

/** Moves in one list times its length: what is told in more work than that is told as its new order. */
const MOST_WORK = 5_000_000;

export function changesOf(edit: Edit | undefined): Change[] {
  const changes: Change[] = [];
  if (edit !== undefined) tell(edit, [], changes);
  return changes;
}

/** Whether it sets a property that was not there. */
export const isNewProperty = (change: Change): boolean => fresh.has(change);

const fresh = new WeakSet<Change>();

function tell(edit: Edit, path: Path, changes: Change[]): void {
  switch (edit.kind) {
    case 'set':
      return void changes.push({ op: 'set', path, value: edit.value });
    case 'text': {
      const { start: index, baseEnd, inserted: insert } = edit;
      return void changes.push({ op: 'splice', path, index, remove: baseEnd - index, insert });
    }
    case 'bytes':
      return void changes.push({ op: 'splice', path, delta: edit.delta });
    default:
      return edit.of === 'list' ? tellList(edit, path, changes) : tellKeyed(edit, path, changes);
  }
}

function tellKeyed(edit: SequenceEdit, path: Path, changes: Change[]): void {
  const { of, target, edits } = edit;
  const baseKeys = edit.baseKeys!;
  const targetKeys = edit.targetKeys!;
  const isCollection = of === 'map' || of === 'set';
  const source = edit.source ?? Int32Array.from(baseKeys.keys());
  const kept = source.filter((place) => place >= 0).toSorted();
  const isKept = new Set(kept);
  baseKeys.forEach((key, place) => {
    if (isKept.has(place)) return;
    changes.push(isCollection ? { op: 'delete', path, key } : { op: 'unset', path: [...path, key as PathStep] });
  });
  kept.forEach((place, rank) => {
    const inside = edits.get(place);
    const key = baseKeys[place];
    if (inside !== undefined) tell(inside, [...path, of === 'map' ? mapValue(key, rank) : (key as PathStep)], changes);
  });
  source.forEach((place, at) => {
    if (place >= 0) return;
    const key = targetKeys[at];
    const value = valueAt(of, target, targetKeys, at);
    if (of === 'set') changes.push({ op: 'add', path, key });
    else if (of === 'map') changes.push({ op: 'add', path, key, value });
    else {
      const change: Change = { op: 'set', path: [...path, key as PathStep], value };
      fresh.add(change);
      changes.push(change);
    }
  });
  const order =
    of === 'sparse' ? undefined : orderOf(source, kept, isCollection ? undefined : (targetKeys as string[]));
  if (order !== undefined) changes.push({ op: 'reorder', path, order });
}

/**
 * From the base's order, with what is new behind it; undefined: it is right so. An object's integer `keys` are always
 * first, and ascend.
 */
function orderOf(source: Int32Array, kept: Int32Array, keys: readonly string[] | undefined): number[] | undefined {
  const ranks = new Map<number, number>();
  kept.forEach((place, rank) => ranks.set(place, rank));
  let next = kept.length;
  const order = Array.from(source, (place) => (place < 0 ? next++ : ranks.get(place)!));
  const integers = keys === undefined ? 0 : keys.findIndex((key) => !isInteger(key));
  const first = integers < 0 ? order.length : integers;
  const later = order.slice(first);
  const places = new Map(later.toSorted((a, b) => a - b).map((rank, n) => [rank, first + n]));
  const told = order.map((rank, at) => (at < first ? at : places.get(rank)!));
  return told.every((place, at) => place === at) ? undefined : told;
}

/** As the engine sees it: an index that an array could have. */
const isInteger = (key: string): boolean => String(Number(key) >>> 0) === key && key !== '4294967295';

function tellList(edit: SequenceEdit, path: Path, changes: Change[]): void {
  const source = edit.source;
  if (source !== undefined) {
    tellRemoved(source, (edit.base as readonly unknown[]).length, path, changes);
    tellMoved(edit, source, path, changes);
    tellInserted(source, edit.target as readonly unknown[], path, changes);
  }
  const places = new Map<number, number>();
  source?.forEach((place, at) => places.set(place, at));
  for (const [place, inside] of edit.edits) tell(inside, [...path, places.get(place) ?? place], changes);
}

/** From the end, so that indices before stay. */
function tellRemoved(source: Int32Array, size: number, path: Path, changes: Change[]): void {
  const isKept = new Uint8Array(size);
  for (const place of source) if (place >= 0) isKept[place] = 1;
  for (let end = size; end > 0;) {
    let index = end;
    while (index > 0 && isKept[index - 1] === 0) index -= 1;
    if (index < end) changes.push({ op: 'remove', path, index, count: end - index });
    end = index === end ? end - 1 : index;
  }
}

function tellMoved({ stays }: SequenceEdit, source: Int32Array, path: Path, changes: Change[]): void {
  if (stays === undefined) return;
  const wanted = [...source.filter((place) => place >= 0)];
  const present = wanted.toSorted((a, b) => a - b);
  if (wanted.filter((place) => stays[place] === 0).length * wanted.length > MOST_WORK) {
    const ranks = new Map(present.map((place, rank) => [place, rank]));
    return void changes.push({ op: 'reorder', path, order: wanted.map((place) => ranks.get(place)!) });
  }
  wanted.forEach((place, n) => {
    if (stays[place] === 1) return;
    const from = present.indexOf(place);
    present.splice(from, 1);
    const to = n === 0 ? 0 : present.indexOf(wanted[n - 1]!) + 1;
    present.splice(to, 0, place);
    if (from !== to) changes.push({ op: 'move', path, from, to });
  });
}

function tellInserted(source: Int32Array, target: readonly unknown[], path: Path, changes: Change[]): void {
  for (let index = 0; index < source.length;) {
    let end = index;
    while (end < source.length && source[end]! < 0) end += 1;
    if (end > index) changes.push({ op: 'insert', path, index, values: target.slice(index, end) });
    index = end + (end === index ? 1 : 0);
  }
}
