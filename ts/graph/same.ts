import { bytesOf, checkDepth, objectKind } from './kinds.ts';
import { instanceBytes, isRenamed } from './values.ts';

const hasOwn = Object.prototype.hasOwnProperty;

/**
 * Whether two values have the same bytes in the codec: types, key order, holes, -0 and NaN included. All of it stands
 * together because it is hot: most of a differ's work is to find that most is the same.
 */
export function same(a: unknown, b: unknown, depth: number): boolean {
  if (a === b) return a !== 0 || 1 / a === 1 / (b as number);
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a !== a && b !== b;
  return sameObjects(a, b, depth);
}

function sameObjects(a: object, b: object, depth: number): boolean {
  if (isRenamed(a, b)) return false;
  const prototype: unknown = Object.getPrototypeOf(a);
  if (prototype === Object.prototype && Object.getPrototypeOf(b) === prototype) return sameProperties(a, b, depth);
  if (Array.isArray(a)) return Array.isArray(b) && sameElements(a, b, depth);
  const kind = objectKind(a);
  if (kind !== objectKind(b)) return false;
  switch (kind) {
    case 'map':
      return sameEntries(a as ReadonlyMap<unknown, unknown>, b as ReadonlyMap<unknown, unknown>, depth);
    case 'set':
      return sameMembers(a as ReadonlySet<unknown>, b as ReadonlySet<unknown>, depth);
    case 'bytes':
      return Object.getPrototypeOf(a) === Object.getPrototypeOf(b) && Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
    case 'leaf':
      return a instanceof Date && b instanceof Date ? Object.is(a.getTime(), b.getTime()) : sameInstances(a, b);
    default:
      return sameProperties(a, b, depth);
  }
}

function sameInstances(a: object, b: object): boolean {
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  return Buffer.compare(instanceBytes(a), instanceBytes(b)) === 0;
}

function sameProperties(a: object, b: object, depth: number): boolean {
  checkDepth(depth);
  const keys = Object.keys(a);
  let at = 0;
  for (const key in b) {
    // In this form the engine makes the check free, and no second list of keys.
    if (!hasOwn.call(b, key)) continue;
    if (key !== keys[at]) return false;
    at += 1;
    const x = (a as Record<string, unknown>)[key];
    const y = (b as Record<string, unknown>)[key];
    if ((x !== y || x === 0) && !same(x, y, depth + 1)) return false;
  }
  return at === keys.length;
}

function sameElements(a: readonly unknown[], b: readonly unknown[], depth: number): boolean {
  checkDepth(depth);
  const { length } = a;
  if (length !== b.length) return false;
  for (let i = 0; i < length; i += 1) {
    const x = a[i];
    const y = b[i];
    if (x === undefined && (!Object.hasOwn(a, i) || !Object.hasOwn(b, i))) return sameProperties(a, b, depth);
    if ((x !== y || x === 0) && !same(x, y, depth + 1)) return false;
  }
  return true;
}

function sameEntries(a: ReadonlyMap<unknown, unknown>, b: ReadonlyMap<unknown, unknown>, depth: number): boolean {
  checkDepth(depth);
  if (a.size !== b.size) return false;
  const others = b.entries();
  for (const [key, value] of a) {
    const [otherKey, other] = others.next().value as [unknown, unknown];
    if (!same(key, otherKey, depth + 1) || !same(value, other, depth + 1)) return false;
  }
  return true;
}

function sameMembers(a: ReadonlySet<unknown>, b: ReadonlySet<unknown>, depth: number): boolean {
  checkDepth(depth);
  if (a.size !== b.size) return false;
  const others = b.values();
  for (const element of a) if (!same(element, others.next().value, depth + 1)) return false;
  return true;
}
