import { HoldfastError } from '../errors.ts';
import { DEPTH_LIMIT, isObject, kindOf } from './kinds.ts';
import { nodeOf } from './nodes.ts';

/** A deep copy without proxies, as `structuredClone` and `postMessage` need it. Instances of unknown classes stay as they are. */
export function plain<T>(value: T): T {
  return copy(value, new Map(), 0) as T;
}

/** Dates and bytes copied; instances of unknown classes as they are. */
export function copyOpaque(value: object): object {
  if (value instanceof Date) return new Date(value);
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  if (value instanceof ArrayBuffer) return value.slice(0);
  if (!ArrayBuffer.isView(value)) return value;
  const bytes = value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength);
  return new (value.constructor as new (buffer: ArrayBufferLike) => object)(bytes);
}

function copy(value: unknown, copies: Map<object, object>, depth: number): unknown {
  if (!isObject(value)) return value;
  const node = nodeOf(value);
  // Reading through a proxy is a read, and ends with the tracker.
  if (node?.proxy === value) node.attribute.noteRead();
  const raw = node?.raw ?? value;
  const done = copies.get(raw);
  if (done !== undefined) return done;
  if (depth >= DEPTH_LIMIT) throw new HoldfastError('ERR_LIMIT', `The value is nested deeper than ${DEPTH_LIMIT}: keep it flatter.`);
  const kind = kindOf(raw);
  if (kind === 'map') return copyMap(raw as Map<unknown, unknown>, copies, depth);
  if (kind === 'set') return copySet(raw as Set<unknown>, copies, depth);
  return kind === 'opaque' ? remember(copies, raw, copyOpaque(raw)) : copyTree(raw, copies, depth);
}

function copyTree(raw: object, copies: Map<object, object>, depth: number): object {
  const tree = remember(copies, raw, Array.isArray(raw) ? [] : Object.getPrototypeOf(raw) === null ? (Object.create(null) as object) : {});
  for (const key of Object.keys(raw)) {
    const value = copy((raw as Record<string, unknown>)[key], copies, depth + 1);
    if (key === '__proto__') Object.defineProperty(tree, key, { value, writable: true, enumerable: true, configurable: true });
    else (tree as Record<string, unknown>)[key] = value;
  }
  if (Array.isArray(raw)) (tree as unknown[]).length = raw.length;
  return tree;
}

function copyMap(raw: Map<unknown, unknown>, copies: Map<object, object>, depth: number): object {
  const map = remember(copies, raw, new Map<unknown, unknown>());
  for (const [key, value] of raw) map.set(copy(key, copies, depth + 1), copy(value, copies, depth + 1));
  return map;
}

function copySet(raw: Set<unknown>, copies: Map<object, object>, depth: number): object {
  const set = remember(copies, raw, new Set<unknown>());
  for (const member of raw) set.add(copy(member, copies, depth + 1));
  return set;
}

function remember<T extends object>(copies: Map<object, object>, raw: object, made: T): T {
  copies.set(raw, made);
  return made;
}
