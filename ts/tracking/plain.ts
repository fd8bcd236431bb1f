import { types as kinds } from 'node:util';
import { BUILT_IN_TYPES } from '../codec/built-in-types.ts';
import type { ValueTypes } from '../codec/value-types.ts';
import { HoldfastError } from '../errors.ts';
import { showPath } from '../path.ts';
import { DEPTH_LIMIT, givenKindOf, isLong, isObject, keysOf, type Kind } from './kinds.ts';
import { isLent, nodeOf } from './nodes.ts';
import { unreadable } from './unreadable.ts';

const { isDate } = kinds;

/**
 * A deep copy without proxies, as `structuredClone` and `postMessage` need it. Instances of unknown classes stay as
 * they are. `ERR_INVALID`, by its path, for what throws when it is read.
 */
export function plain<T>(value: T): T {
  try {
    return plainCopy(value, new Map());
  } catch (cause) {
    throw unreadable(cause, 'value', value);
  }
}

/** What a copy is for: an attribute, which errors name, and the classes whose instances it keeps. */
export interface Purpose {
  readonly name: string;
  readonly types: ValueTypes;
}

/** As `plain`, for an attribute; what is among `copies` already stands for what it was copied from. */
export function plainFor<T>(purpose: Purpose, value: T, copies: Map<object, object> = new Map()): T {
  try {
    return copy(value, copies, 0, purpose) as T;
  } catch (cause) {
    throw unreadable(cause, purpose.name, value);
  }
}

/** As `plain`; what is among `copies` already stands for what it was copied from. */
export function plainCopy<T>(value: T, copies: Map<object, object>): T {
  return copy(value, copies, 0, undefined) as T;
}

/** As `plainCopy`; throws where a part of a state is inside, or what no save takes and a copy would not have. */
export function ownCopy<T>(purpose: Purpose, value: T, copies: Map<object, object>): T {
  return copy(value, copies, 0, purpose, true) as T;
}

export function tooDeep(name: string | undefined): HoldfastError {
  const what = name === undefined ? 'the value' : showPath([name]);
  const details = name === undefined ? {} : { paths: [[name]] };
  return new HoldfastError('ERR_LIMIT', `${what} is nested deeper than ${DEPTH_LIMIT}: keep it flatter`, details);
}

const itself = (data: unknown): unknown => data;

/** Dates, bytes and instances copied, these with what `part` makes of their data; those of unknown classes as they are. */
export function copyOpaque(value: object, types: ValueTypes, part: Part = itself): object {
  if (isDate(value)) return new Date(value);
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  if (value instanceof ArrayBuffer) return value.slice(0);
  if (!ArrayBuffer.isView(value)) return copyInstance(value, types, part);
  const bytes = value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength);
  return new (value.constructor as new (buffer: ArrayBufferLike) => object)(bytes);
}

/** What is wrong with it is found again, with its path, when it is encoded. */
function copyInstance(value: object, types: ValueTypes, part: Part): object {
  try {
    return types.copy(value, part);
  } catch {
    return value;
  }
}

/** `purpose`: or what it is part of. `own`: there is no part of a state in it. */
function copy(
  value: unknown,
  copies: Map<object, object>,
  depth: number,
  purpose: Purpose | undefined,
  own: boolean = false,
): unknown {
  if (!isObject(value)) return value;
  const node = nodeOf(value);
  // Reading through a proxy is a read, and ends with the tracker.
  if (node?.proxy === value) {
    if (own) throw new HoldfastError('ERR_INVALID', 'a part of a state is inside');
    node.attribute.noteRead();
  }
  const raw = node === undefined || isLent(node, value) ? value : node.raw;
  const done = copies.get(raw);
  if (done !== undefined) return done;
  const at = purpose ?? node?.attribute;
  if (depth >= DEPTH_LIMIT) throw tooDeep(at?.name);
  const kind = givenKindOf(raw);
  if (own) checkKept(raw, kind);
  const part = (child: unknown): unknown => copy(child, copies, depth + 1, at, own);
  if (kind === 'map') return copyMap(raw as Map<unknown, unknown>, copies, part);
  if (kind === 'set') return copySet(raw as Set<unknown>, copies, part);
  if (kind === 'tree') return copyTree(raw, copies, part);
  return remember(copies, raw, copyOpaque(raw, at?.types ?? BUILT_IN_TYPES, part));
}

function checkKept(raw: object, kind: Kind): void {
  const prototype: unknown = Object.getPrototypeOf(raw);
  const isKept =
    kind === 'tree'
      ? Array.isArray(raw)
        ? prototype === Array.prototype
        : Object.getOwnPropertySymbols(raw).length === 0
      : kind === 'opaque'
        ? !isDate(raw) || prototype === Date.prototype
        : Object.keys(raw).length === 0;
  if (!isKept) throw new HoldfastError('ERR_INVALID', 'a copy would be another value');
}

type Part = (child: unknown) => unknown;

function copyTree(raw: object, copies: Map<object, object>, part: Part): object {
  if (Array.isArray(raw)) return copyArray(raw, copies, part);
  const tree = remember(copies, raw, Object.getPrototypeOf(raw) === null ? (Object.create(null) as object) : {});
  for (const key of Object.keys(raw)) {
    const value = part((raw as Record<string, unknown>)[key]);
    if (key === '__proto__')
      Object.defineProperty(tree, key, { value, writable: true, enumerable: true, configurable: true });
    else (tree as Record<string, unknown>)[key] = value;
  }
  return tree;
}

/** From a slice, which takes as much memory as it needs: an array that is filled one by one takes room for 17. */
function copyArray(raw: readonly unknown[], copies: Map<object, object>, part: Part): object {
  const array: unknown[] = isLong(raw) ? [] : Array.prototype.slice.call(raw);
  if (Object.getPrototypeOf(array) !== Array.prototype) Object.setPrototypeOf(array, Array.prototype); // of a subclass
  remember(copies, raw, array);
  for (const key of keysOf(raw) as Iterable<number>) {
    const value = raw[key];
    if (isLong(raw) || isObject(value)) array[key] = part(value);
  }
  array.length = raw.length;
  return array;
}

function copyMap(raw: Map<unknown, unknown>, copies: Map<object, object>, part: Part): object {
  const map = remember(copies, raw, new Map<unknown, unknown>());
  for (const [key, value] of raw) map.set(part(key), part(value));
  return map;
}

function copySet(raw: Set<unknown>, copies: Map<object, object>, part: Part): object {
  const set = remember(copies, raw, new Set<unknown>());
  for (const member of raw) set.add(part(member));
  return set;
}

function remember<T extends object>(copies: Map<object, object>, raw: object, made: T): T {
  copies.set(raw, made);
  return made;
}
