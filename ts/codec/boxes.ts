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

/**
 * Stand-ins, by which msgpackr keeps what it would lose; `format.ts` draws their bytes. What they hold is prepared
 * already.
 */
export class NegativeZero {}

export class String16 {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

class Content<T> {
  readonly content: T;
  constructor(content: T) {
    this.content = content;
  }
}

/** [key, value, …] of a Map. */
export class MapBox extends Content<unknown[]> {}
/** [key, value, …] of a plain object. */
export class EntriesBox extends Content<unknown[]> {}
/** [length, index, value, …]. */
export class SparseBox extends Content<unknown[]> {}
export class NullPrototypeBox extends Content<unknown> {}

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

const ZERO = new Uint8Array(1);
const writeContent = (box: Content<unknown>): unknown => box.content;

addExtension({ Class: NegativeZero, type: EXT_NEGATIVE_ZERO, pack: () => ZERO, unpack: () => -0 });
addExtension({
  Class: String16,
  type: EXT_STRING16,
  pack: (box: String16) => Buffer.from(box.text, 'utf16le'),
  unpack: readString16,
});
addExtension({ Class: Set, type: EXT_SET, write: (set: ReadonlySet<unknown>) => Array.from(set), read: readSet });
addExtension({ Class: MapBox, type: EXT_MAP, write: writeContent, read: readMap });
addExtension({ Class: EntriesBox, type: EXT_ENTRIES, write: writeContent, read: readEntries });
addExtension({ Class: SparseBox, type: EXT_SPARSE, write: writeContent, read: readSparse });
addExtension({ Class: NullPrototypeBox, type: EXT_NULL_PROTOTYPE, write: writeContent, read: readNullPrototype });
