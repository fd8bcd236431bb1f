import { foreignCollection } from '../codec/kinds.ts';

/** A plain object or array: tracked property by property. */
export type Tree = Record<PropertyKey, unknown>;
export type Collection = Map<unknown, unknown> | Set<unknown>;
export type Kind = 'tree' | 'map' | 'set' | 'opaque';

/** Deeper values could not be encoded either. */
export const DEPTH_LIMIT: number = 1_000;

/** Opaque: built-in and other classes, whose methods refuse to work through a Proxy. */
export function kindOf(value: object): Kind {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return 'tree';
  if (Array.isArray(value)) return 'tree';
  if (prototype === Map.prototype) return 'map';
  if (prototype === Set.prototype) return 'set';
  // Object.prototype of another realm.
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'isPrototypeOf')
    ? 'tree'
    : 'opaque';
}

/** Of what the application gives: a Map or Set of another realm is one too, of which a copy is kept. */
export function givenKindOf(value: object): Kind {
  const kind = kindOf(value);
  return kind === 'opaque' ? (foreignCollection(value) ?? kind) : kind;
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** A longer array may be all but empty: it is gone through by the keys that it has. */
const LONG_ARRAY = 100_000;

export const isLong = (array: readonly unknown[]): boolean => array.length >= LONG_ARRAY;

/** Keys of what may hold objects; indexes for arrays, unless a gap could be long. */
export function keysOf(tree: object): Iterable<string | number> {
  return Array.isArray(tree) && !isLong(tree) ? tree.keys() : Object.keys(tree);
}

/** A shallow copy that can be changed, of a tree that was frozen. */
export function thawed(tree: object): Tree {
  if (Array.isArray(tree)) return tree.slice() as unknown as Tree;
  // Spread defines, where assign would set a property named __proto__.
  if (Object.getPrototypeOf(tree) !== null) return { ...tree };
  return Object.assign(Object.create(null) as Tree, tree);
}

/** Exchanges each key and element for what `change` makes of it, in their order. */
export function refill(raw: Collection, change: (member: unknown) => unknown): void {
  const entries = [...raw.entries()];
  raw.clear();
  for (const [key, value] of entries) {
    if (raw instanceof Map) raw.set(change(key), value);
    else raw.add(change(key));
  }
}

export function isFrozenTree(value: unknown): value is object {
  return isObject(value) && !Object.isExtensible(value) && kindOf(value) === 'tree';
}

/** `tree.__proto__` and the like: not part of the state. */
export function isInherited(parent: object | undefined, key: unknown): boolean {
  return parent !== undefined && typeof key === 'string' && kindOf(parent) === 'tree' && !Object.hasOwn(parent, key);
}
