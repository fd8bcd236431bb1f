import type { Ids } from '../codec/ids.ts';
import { isLeaf } from '../codec/kinds.ts';
import type { Attribute } from './attribute.ts';
import { valueAt, type ChangeSet } from './change-set.ts';
import { DEPTH_LIMIT, isLong, isObject, kindOf } from './kinds.ts';
import { nodeOfRaw } from './nodes.ts';
import { addParts } from './parts.ts';

/**
 * Whether an object is in several places of `value`, or it is too deep to be kept. Dates and bytes are values, wherever
 * they are.
 */
export function isShared(value: unknown): boolean {
  return isObject(value) && meetsAgain(value, { number: (walks += 1), others: undefined }, 0);
}

/** Whether an object in `part`, which has a place in `whole`, is also elsewhere in that. */
export function isAlsoOutside(part: object, whole: object): boolean {
  const inside = new Set(containersIn(part));
  let places = 0;
  for (const one of containersIn(whole, part)) if (inside.has(one) && (one !== part || (places += 1) > 1)) return true;
  return false;
}

/** Each once, but for `edge`, which is not gone into: as often as it is met. */
function* containersIn(value: object, edge?: object): Generator<object> {
  const found = new Set<object>();
  const open = [value];
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    if (one === edge) yield one;
    if (one === edge || found.has(one) || kindOf(one) === 'opaque') continue;
    found.add(one);
    yield one;
    addParts(one, open);
  }
}

interface Walk {
  readonly number: number;
  /** Those that it met which have no node. */
  others: Set<object> | undefined;
}

let walks = 0;

function isMet(value: object, walk: Walk): boolean {
  const node = nodeOfRaw(value);
  if (node !== undefined && node.raw === value) {
    if (node.visit === walk.number) return true;
    node.visit = walk.number;
    return false;
  }
  const others = (walk.others ??= new Set());
  const before = others.size;
  others.add(value);
  return others.size === before;
}

function meetsAgain(value: object, seen: Walk, depth: number): boolean {
  const isArray = Array.isArray(value);
  const isPlain = !isArray && Object.getPrototypeOf(value) === Object.prototype;
  if (!isArray && !isPlain && isLeaf(value)) return false;
  if (depth > DEPTH_LIMIT || isMet(value, seen)) return true;
  if (isArray && !isLong(value)) {
    for (let i = 0; i < value.length; i += 1) {
      const part: unknown = value[i];
      if (typeof part === 'object' && part !== null && meetsAgain(part, seen, depth + 1)) return true;
    }
    return false;
  }
  if (!isPlain) return partsOf(value).some((part) => meetsAgain(part, seen, depth + 1));
  for (const key in value) {
    const part = (value as Record<string, unknown>)[key];
    if (typeof part === 'object' && part !== null && meetsAgain(part, seen, depth + 1)) return true;
  }
  return false;
}

function partsOf(value: object): object[] {
  const parts: object[] = [];
  addParts(value, parts);
  return parts;
}

/**
 * What was assigned in the place of something else, whole or in part, is called as that was wherever it has the same
 * form: so that assigning an equal value changes no byte. `from`: the whole, as it was.
 */
export function keepIds({ owner: { ids }, root }: Attribute, changes: ChangeSet | undefined, from: unknown): void {
  if (ids === undefined) return;
  const naming = new Naming(ids);
  try {
    if (from !== root) naming.pair(from, root);
    for (const { notes, raw } of changes?.noted ?? []) {
      if (notes?.before !== undefined && !(raw instanceof Set))
        for (const [key, old] of notes.before) naming.pair(old, valueAt(raw, key));
      if (notes?.elements !== undefined) naming.pair(notes.elements, raw);
    }
  } catch {
    // What cannot be read is found again, with its path, when it is encoded.
  }
}

class Naming {
  readonly #ids: Ids;
  readonly #old = new Set<unknown>();
  readonly #now = new Set<unknown>();

  constructor(ids: Ids) {
    this.#ids = ids;
  }

  /** Each of both once. */
  pair(from: unknown, to: unknown): void {
    const open: [unknown, unknown][] = [[from, to]];
    for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
      const [old, now] = pair;
      if (!isObject(old) || !isObject(now) || this.#old.has(old) || this.#now.has(now)) continue;
      const kind = kindOf(old);
      if (old === now || kind !== kindOf(now)) continue;
      this.#old.add(old);
      this.#now.add(now);
      const id = this.#ids.get(old);
      if (id !== undefined && !this.#ids.has(now)) this.#ids.set(now, id);
      if (kind !== 'opaque') for (const both of pairsOf(old, now)) open.push(both);
    }
  }
}

/** What is in the same place in both. */
function pairsOf(old: object, now: object): [unknown, unknown][] {
  if (old instanceof Map || old instanceof Set) {
    const others = [...(now as Map<unknown, unknown>).entries()];
    return [...old.entries()].flatMap(([key, value], i): [unknown, unknown][] => {
      const other = others[i];
      return other === undefined
        ? []
        : [
            [key, other[0]],
            [value, other[1]],
          ];
    });
  }
  return Object.keys(old).map((key) => [valueAt(old, key), Object.hasOwn(now, key) ? valueAt(now, key) : undefined]);
}
