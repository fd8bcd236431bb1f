import { ARRAY_ITERATOR } from './array-methods.ts';
import { DEPTH_LIMIT, isObject, kindOf } from './kinds.ts';
import { addParts } from './parts.ts';
import { MAP_ITERATOR } from './map-methods.ts';
import { isTracked } from './nodes.ts';
import { plainCopy } from './plain.ts';
import { SET_ITERATOR } from './set-methods.ts';

/**
 * What a use returns, fit to outlive its session: parts of the state are copied wherever they are in plain objects,
 * arrays, Maps, Sets, and iterators of these. What holds none is returned as it is. Getters, generators and instances
 * of classes are not looked into.
 */
export function withoutState<T>(result: T): T {
  return holdsState(result) ? (new Outgoing().value(result, 0) as T) : result;
}

/** Of built-in collections, tracked or not: what they yield is known only once they are used up. */
const ITERATORS: ReadonlySet<unknown> = new Set<unknown>([
  ...[[], new Map(), new Set()].map((collection): unknown => Object.getPrototypeOf(collection.values())),
  ARRAY_ITERATOR,
  MAP_ITERATOR,
  SET_ITERATOR,
]);
const isIterator = (value: object): value is Iterable<unknown> => ITERATORS.has(Object.getPrototypeOf(value));

/** Without recursion, and without running any code: a result of the application's own must not become an error here. */
function holdsState(result: unknown): boolean {
  if (!isObject(result)) return false;
  const seen = new Set<object>();
  const open: object[] = [result];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (seen.has(value)) continue;
    seen.add(value);
    try {
      if (isTracked(value) || isIterator(value)) return true;
      addParts(value, open);
    } catch {
      // A Proxy that was revoked, or throws: it goes out as it is.
    }
  }
  return false;
}

function isReadable(value: object): boolean {
  try {
    return isTracked(value) || Object.getPrototypeOf(value) !== undefined;
  } catch {
    return false;
  }
}

/** Copies containers, and in them parts of the state. */
class Outgoing {
  readonly #done = new Map<object, object>();
  readonly #copies = new Map<object, object>();

  value(value: unknown, depth: number): unknown {
    if (!isObject(value) || depth > DEPTH_LIMIT || !isReadable(value)) return value;
    if (isTracked(value)) return plainCopy(value, this.#copies);
    return this.#done.get(value) ?? this.#container(value, depth + 1);
  }

  #container(value: object, depth: number): object {
    const kind = kindOf(value);
    if (kind === 'map') {
      const map = this.#made(value, new Map<unknown, unknown>());
      for (const [key, member] of value as Map<unknown, unknown>)
        map.set(this.value(key, depth), this.value(member, depth));
      return map;
    }
    if (kind === 'set') {
      const set = this.#made(value, new Set<unknown>());
      for (const member of value as Set<unknown>) set.add(this.value(member, depth));
      return set;
    }
    if (kind === 'tree') return this.#tree(value, depth);
    return isIterator(value)
      ? this.#made(value, Array.from(value, (member) => this.value(member, depth)).values())
      : value;
  }

  #tree(value: object, depth: number): object {
    const tree = this.#made(
      value,
      Array.isArray(value) ? [] : (Object.create(Object.getPrototypeOf(value) as object | null) as object),
    );
    for (const key of Reflect.ownKeys(value)) {
      const descriptor = Object.getOwnPropertyDescriptor(value, key) as PropertyDescriptor;
      if ('value' in descriptor) descriptor.value = this.value(descriptor.value, depth);
      Object.defineProperty(tree, key, descriptor);
    }
    return tree;
  }

  #made<T extends object>(value: object, made: T): T {
    this.#done.set(value, made);
    return made;
  }
}
