import type { Ids } from '../codec/ids.ts';
import { isLeaf } from '../codec/kinds.ts';
import type { Attribute } from './attribute.ts';
import { valueAt, type ChangeSet } from './change-set.ts';
import { isObject, kindOf } from './kinds.ts';
import { addParts } from './parts.ts';

/** Whether an object is in several places of `value`. Dates and bytes are values, wherever they are. */
export const isShared = (value: unknown): boolean => findShared(value) !== undefined;

/** One of them. */
export function findShared(value: unknown): object | undefined {
  if (!isObject(value)) return undefined;
  const seen = new Set<object>();
  const open: object[] = [value];
  let count = 0;
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    if (Object.getPrototypeOf(one) !== Object.prototype && !Array.isArray(one) && isLeaf(one)) continue;
    seen.add(one);
    if (seen.size !== ++count) return one;
    addParts(one, open);
  }
  return undefined;
}

/**
 * What was assigned in the place of something else, whole or in part, is called as that was wherever it has the same
 * form: so that assigning an equal value changes no byte. `from`: the whole, as it was.
 */
export function keepIds({ owner: { ids }, root }: Attribute, changes: ChangeSet | undefined, from: unknown): void {
  const names = new Naming(ids);
  if (from !== root) names.pair(from, root);
  for (const { notes, raw } of changes?.noted ?? []) {
    if (notes?.before !== undefined && !(raw instanceof Set))
      for (const [key, old] of notes.before) names.pair(old, valueAt(raw, key));
    if (notes?.elements !== undefined) names.pair(notes.elements, raw);
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
      if (kind !== 'opaque') for (const both of partsOf(old, now)) open.push(both);
    }
  }
}

/** What is in the same place in both. */
function partsOf(old: object, now: object): [unknown, unknown][] {
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
