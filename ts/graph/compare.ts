import { refuseDepth } from '../codec/fault.ts';
import { DEPTH_LIMIT } from '../codec/format.ts';
import { align, stationary } from './align.ts';
import { Classes } from './classes.ts';
import type { Edit, SequenceEdit, SetEdit, TextEdit } from './edit.ts';
import { binaryDiffer } from './engine.ts';
import { bytesOf, checkDepth, isSequence, keysOf, objectKind, valueAt, type SequenceKind } from './kinds.ts';
import { same } from './same.ts';
import { isRenamed } from './values.ts';

/** A text edit that inserts fewer characters is not worth the binary differ. */
const LEAST_FOR_DIFFER = 48;

const OBJECT: unknown = Object.prototype;

/** What makes `target` of `base`; undefined where they are the same. */
export function compare(base: unknown, target: unknown, depth: number): Edit | undefined {
  if (typeof base === 'object' && typeof target === 'object' && base !== null && target !== null) {
    if (base === target) return undefined;
    const prototype: unknown = Object.getPrototypeOf(base);
    return prototype === OBJECT && Object.getPrototypeOf(target) === prototype
      ? compareProperties(base as Properties, target as Properties, depth)
      : compareObjects(base, target, depth);
  }
  if (same(base, target, depth)) return undefined;
  return typeof base === 'string' && typeof target === 'string' ? compareText(base, target) : set(target);
}

const set = (value: unknown): SetEdit => ({ kind: 'set', value });

function compareObjects(base: object, target: object, depth: number): Edit | undefined {
  checkDepth(depth);
  const kind = objectKind(base);
  if (objectKind(target) !== kind) return set(target);
  if (!isSequence(kind)) {
    if (same(base, target, depth)) return undefined;
    return kind === 'bytes' ? compareBytes(base, target) : set(target);
  }
  if (kind === 'list') return compareLists(base as readonly unknown[], target as readonly unknown[], depth);
  if (kind === 'sparse' && (base as unknown[]).length !== (target as unknown[]).length) return set(target);
  return compareKeyed(kind, base, target, keysOf(kind, base)!, keysOf(kind, target)!, depth);
}

type Properties = Readonly<Record<string, unknown>>;

/** Hot: most objects have the keys that they had, in the same order, and most of what is in them is the same. */
function compareProperties(base: Properties, target: Properties, depth: number): Edit | undefined {
  if (depth >= DEPTH_LIMIT) refuseDepth();
  const keys = Object.keys(base);
  const others = Object.keys(target);
  const { length } = keys;
  if (others.length !== length) return compareKeyed('object', base, target, keys, others, depth);
  for (let i = 0; i < length; i += 1)
    if (keys[i] !== others[i]) return compareKeyed('object', base, target, keys, others, depth);
  // Read by its key, each takes twice as long where objects of many shapes are compared.
  const baseValues: readonly unknown[] = Object.values(base);
  const targetValues: readonly unknown[] = Object.values(target);
  let edits: Map<number, Edit> | undefined;
  for (let i = 0; i < length; i += 1) {
    const one = baseValues[i];
    const other = targetValues[i];
    if (one === other && one !== 0) continue;
    const edit = compare(one, other, depth + 1);
    if (edit === undefined) continue;
    if (edits === undefined) edits = new Map();
    edits.set(i, edit);
  }
  if (edits === undefined && !isRenamed(base, target)) return undefined;
  return sequence('object', base, target, keys, others, undefined, undefined, edits ?? new Map<number, Edit>());
}

function compareBytes(base: object, target: object): Edit {
  if (Object.getPrototypeOf(base) !== Object.getPrototypeOf(target)) return set(target);
  const bytes = bytesOf(target);
  const delta = binaryDiffer().diff(bytesOf(base), bytes);
  return delta.length < bytes.length ? { kind: 'bytes', delta } : set(target);
}

function compareText(base: string, target: string): Edit {
  const least = Math.min(base.length, target.length);
  let start = commonStart(base, target, least);
  if (start > 0 && isHigh(base.charCodeAt(start - 1))) start -= 1;
  let end = commonEnd(base, target, least - start);
  if (end > 0 && isLow(base.charCodeAt(base.length - end))) end -= 1;
  const inserted = target.slice(start, target.length - end);
  if (inserted.length + 4 >= target.length && target.length < LEAST_FOR_DIFFER) return set(target);
  return textEdit(base, start, base.length - end, inserted);
}

function textEdit(base: string, start: number, baseEnd: number, inserted: string): TextEdit {
  const edit = { kind: 'text', start, baseEnd, inserted, delta: undefined } as const;
  const removed = base.slice(start, baseEnd);
  if (inserted.length < LEAST_FOR_DIFFER || removed.length < LEAST_FOR_DIFFER) return edit;
  if (!removed.isWellFormed() || !inserted.isWellFormed()) return edit;
  const bytes = Buffer.from(inserted);
  const delta = binaryDiffer().diff(Buffer.from(removed), bytes);
  return delta.length < bytes.length ? { ...edit, delta } : edit;
}

const isHigh = (code: number): boolean => code >= 0xd800 && code < 0xdc00;
const isLow = (code: number): boolean => code >= 0xdc00 && code < 0xe000;

/** By halving: slices share memory, and comparing them is the engine's. */
function commonStart(a: string, b: string, most: number): number {
  let known = 0;
  for (let left = most; left > 0;) {
    const half = (left + 1) >> 1;
    if (a.slice(known, known + half) === b.slice(known, known + half)) {
      known += half;
      left -= half;
    } else left = half - 1;
  }
  return known;
}

function commonEnd(a: string, b: string, most: number): number {
  let known = 0;
  for (let left = most; left > 0;) {
    const half = (left + 1) >> 1;
    const [i, j] = [a.length - known, b.length - known];
    if (a.slice(i - half, i) === b.slice(j - half, j)) {
      known += half;
      left -= half;
    } else left = half - 1;
  }
  return known;
}

function compareLists(base: readonly unknown[], target: readonly unknown[], depth: number): Edit | undefined {
  const { source, changed } = align(base, target, depth + 1);
  const edits = new Map<number, Edit>();
  for (const j of changed) {
    const i = source[j]!;
    const edit = compare(base[i], target[j], depth + 1);
    if (edit !== undefined) edits.set(i, edit);
  }
  const moved = base.length !== target.length || source.some((i, j) => i !== j);
  if (!moved) return sequence('list', base, target, undefined, undefined, undefined, undefined, edits);
  const stays = stationary(source, base.length);
  if (stays !== undefined) forgetMovedSets(source, stays, edits);
  return sequence('list', base, target, undefined, undefined, source, stays, edits);
}

/** What moves and becomes another value is gone, and the other is new. */
function forgetMovedSets(source: Int32Array, stays: Uint8Array, edits: Map<number, Edit>): void {
  for (let j = 0; j < source.length; j += 1) {
    const i = source[j]!;
    if (i < 0 || stays[i] === 1 || edits.get(i)?.kind !== 'set') continue;
    edits.delete(i);
    source[j] = -1;
  }
}

function compareKeyed(
  kind: SequenceKind,
  base: object,
  target: object,
  baseKeys: readonly unknown[],
  targetKeys: readonly unknown[],
  depth: number,
): Edit | undefined {
  const edits = new Map<number, Edit>();
  const source = sameKeys(baseKeys, targetKeys) ? undefined : matchKeys(baseKeys, targetKeys, depth + 1);
  for (let j = 0; kind !== 'set' && j < targetKeys.length; j += 1) {
    const i = source === undefined ? j : source[j]!;
    if (i < 0) continue;
    const one = valueAt(kind, base, baseKeys, i);
    const other = valueAt(kind, target, targetKeys, j);
    if (one === other && one !== 0) continue;
    const edit = compare(one, other, depth + 1);
    if (edit !== undefined) edits.set(i, edit);
  }
  const stays = source === undefined ? undefined : stationary(source, baseKeys.length);
  return sequence(kind, base, target, baseKeys, targetKeys, source, stays, edits);
}

function sequence(
  of: SequenceKind,
  base: object,
  target: object,
  baseKeys: readonly unknown[] | undefined,
  targetKeys: readonly unknown[] | undefined,
  source: Int32Array | undefined,
  stays: Uint8Array | undefined,
  edits: ReadonlyMap<number, Edit>,
): SequenceEdit | undefined {
  if (source === undefined && edits.size === 0 && !isRenamed(base, target)) return undefined;
  return { kind: 'sequence', of, base, target, baseKeys, targetKeys, source, stays, edits };
}

/** Primitives only: objects are looked at by their content. */
function sameKeys(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i] && a[i] === a[i]) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== a[i] && b[i] === b[i]) return false;
  return true;
}

/**
 * For each key of `target` its place in `base`, or -1; undefined: both are the same. Equal keys that are objects are
 * matched in order: a Map may have several.
 */
export function matchKeys(base: readonly unknown[], target: readonly unknown[], depth: number): Int32Array | undefined {
  const isObject = (key: unknown): boolean => typeof key === 'object' && key !== null;
  const places = new Map<unknown, number>();
  const shared = new Map<number, number[]>();
  let classes: Classes | undefined;
  for (let i = base.length - 1; i >= 0; i -= 1) {
    if (!isObject(base[i])) {
      places.set(base[i], i);
      continue;
    }
    const name = (classes ??= new Classes()).of(base[i], depth);
    shared.set(name, [...(shared.get(name) ?? []), i]);
  }
  const source = new Int32Array(target.length);
  let isSame = base.length === target.length;
  for (let j = 0; j < target.length; j += 1) {
    const key = target[j];
    const place = isObject(key)
      ? classes === undefined
        ? undefined
        : shared.get(classes.of(key, depth))?.pop()
      : places.get(key);
    source[j] = place ?? -1;
    if (place !== j) isSame = false;
  }
  return isSame ? undefined : source;
}
