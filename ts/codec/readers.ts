import { addExtension } from 'msgpackr/index-no-eval';
import {
  EXT_ENTRIES,
  EXT_MAP,
  EXT_NEGATIVE_ZERO,
  EXT_NULL_PROTOTYPE,
  EXT_SET,
  EXT_SPARSE,
  EXT_STRING16,
  needsString16,
} from './format.ts';

/** What msgpackr is to make of what it would not read, or read as something else; `format.ts` draws the bytes. */

function require(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

function list(content: unknown): unknown[] {
  require(Array.isArray(content), 'a prefix has no list');
  return content;
}

function readMap(content: unknown): Map<unknown, unknown> {
  const flat = list(content);
  const map = new Map<unknown, unknown>();
  for (let i = 0; i < flat.length; i += 2) map.set(flat[i], flat[i + 1]);
  require(map.size * 2 === flat.length, 'a Map has a key twice or without a value');
  return map;
}

function readSet(content: unknown): Set<unknown> {
  const flat = list(content);
  const set = new Set(flat);
  require(set.size === flat.length, 'a Set has an element twice');
  return set;
}

function readEntries(content: unknown): object {
  const flat = list(content);
  const object = {};
  for (let i = 0; i < flat.length; i += 2) {
    const key = flat[i];
    require(typeof key === 'string', 'a property name is not a string');
    // Assigning to `__proto__` would set the prototype.
    Object.defineProperty(object, key, { value: flat[i + 1], writable: true, enumerable: true, configurable: true });
  }
  require(Object.keys(object).length * 2 === flat.length, 'an object has a key twice or without a value');
  return object;
}

function readNullPrototype(content: unknown): object {
  require(typeof content === 'object' &&
    content !== null &&
    Object.getPrototypeOf(content) === Object.prototype, 'a prefix has no object');
  return Object.assign(Object.create(null) as object, content);
}

function readSparse(content: unknown): unknown[] {
  const flat = list(content);
  require(flat.length % 2 === 1, 'a sparse array is incomplete');
  const length = index(flat[0], -1, 2 ** 32);
  const array: unknown[] = [];
  // The engine would reserve all of a length below 2^25: going over it first makes it keep a table of what is there.
  if (length > 4 * flat.length + 64) array.length = 2 ** 32 - 1;
  array.length = length;
  let last = -1;
  for (let i = 1; i < flat.length; i += 2) {
    last = index(flat[i], last, length);
    array[last] = flat[i + 1];
  }
  return array;
}

function index(value: unknown, after: number, end: number): number {
  require(typeof value === 'number' &&
    Number.isInteger(value) &&
    value > after &&
    value < end, 'a sparse array has a wrong index');
  return value;
}

function readString16(data: Uint8Array): string {
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf16le');
  require(data.length % 2 === 0 && needsString16(text), 'a string is damaged');
  return text;
}

addExtension({ type: EXT_NEGATIVE_ZERO, unpack: () => -0 });
addExtension({ type: EXT_STRING16, unpack: readString16 });
addExtension({ type: EXT_SET, read: readSet });
addExtension({ type: EXT_MAP, read: readMap });
addExtension({ type: EXT_ENTRIES, read: readEntries });
addExtension({ type: EXT_SPARSE, read: readSparse });
addExtension({ type: EXT_NULL_PROTOTYPE, read: readNullPrototype });
