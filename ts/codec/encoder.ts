import { Packr, RESET_BUFFER_MODE } from 'msgpackr/index-no-eval';
import { mapValue, type PathStep } from '../path.ts';
import { Fault, refuse, refuseDepth } from './fault.ts';
import {
  DEPTH_LIMIT,
  EXT_CLASS,
  EXT_DEFINITION,
  EXT_ENTRIES,
  EXT_MAP,
  EXT_NULL_PROTOTYPE,
  EXT_REFERENCE,
  EXT_SET,
  EXT_SPARSE,
  EXT_UNDEFINED,
  EXT_VIEW,
  OPTIONS,
  needsString16,
} from './format.ts';
import { idsOf, type Ids, type Named } from './ids.ts';
import { KnownKeys } from './known-keys.ts';
import { FIRST_BYTES, MAP, Writer } from './writer.ts';
import {
  LEAVES,
  asDate,
  checkedLeaf,
  foreignCollection,
  isForeignPlain,
  isLeaf,
  refuseInstance,
  refuseProperties,
  viewKind,
} from './kinds.ts';
import type { ValueType, ValueTypes } from './value-types.ts';

/** A scratch area larger than this is not kept between calls. */
const KEPT_BYTES = 16 * 1_048_576;
/** More objects are forgotten by a new set: to clear a large one takes longer. */
const SMALL_SET = 64;

const hasOwn = Object.prototype.hasOwnProperty;
const packr = new Packr({ ...OPTIONS });

/**
 * Writes values as `format.ts` draws them, in one pass that also finds what cannot be kept: `Fault`; in two where
 * something is in several places, which the first has then found. One value at a time: whoever encodes another
 * meanwhile (a getter may) takes another encoder. It takes 1.0 to 1.25 of bare msgpackr, where a walk before it made
 * 1.8 (`bench/codec.mjs`).
 */
export class Encoder extends Writer {
  /** Objects of this value, in the order in which they were met. */
  private seen = new Set<object>();
  /** How many they are: asked of the set, it takes longer. */
  private objects = 0;
  /** Of them, containers that were met again. */
  private shared: Set<object> | undefined;
  /** What those are called; undefined while they are found. */
  private ids: Ids | undefined;
  /** What `toData` made of each instance, and those whose data is being written. */
  private data: Map<object, unknown> | undefined;
  private readonly open = new Set<object>();
  private types!: ValueTypes;
  private readonly keys = new KnownKeys();
  /** Objects that may not come, as if they came twice; asked of each. Given where a value is written in pieces. */
  private isForeign: ((value: object) => boolean) | undefined;

  /** A view of the scratch area, which the next call overwrites. `named` is told what is in several places. */
  encode(value: unknown, types: ValueTypes, named?: Named): Uint8Array {
    try {
      this.types = types;
      this.value(value, 0);
      if (this.shared !== undefined) this.again(value, this.shared, named);
      else if (named !== undefined) named.ids = undefined;
      return this.bytes.subarray(0, this.at);
    } finally {
      this.reset();
    }
  }

  private again(value: unknown, shared: ReadonlySet<object>, named: Named | undefined): void {
    this.ids = idsOf(this.seen, shared, named?.ids);
    this.seen = new Set();
    this.objects = 0;
    this.at = 0;
    this.value(value, 0);
    if (named !== undefined) named.ids = this.ids;
  }

  /**
   * For a value that is written in pieces, which lie one behind the other until `end`. No container may come twice in
   * all of them, and nothing of which `isForeign` says so: both throw a `Fault`.
   */
  begin(types: ValueTypes, isForeign: (value: object) => boolean): void {
    this.types = types;
    this.isForeign = isForeign;
  }

  /** Writes a value that lies so deep; the bytes that it took. */
  piece(value: unknown, depth: number): number {
    const start = this.at;
    this.value(value, depth);
    return this.at - start;
  }

  /** Writes the header of an array or map; the bytes that it took. */
  header(family: 'array' | 'map', count: number): number {
    const start = this.at;
    this.room(0);
    if (family === 'array') this.list(count);
    else if (count < 16) this.bytes[this.at++] = MAP | count;
    else this.counted(start, count, 0xde);
    return this.at - start;
  }

  /** A view of all pieces, until the end. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.at);
  }

  end(): void {
    this.isForeign = undefined;
    this.reset();
  }

  private reset(): void {
    this.at = 0;
    this.shared = this.ids = this.data = undefined;
    if (this.open.size > 0) this.open.clear(); // which makes a new table even where it is empty
    if (this.objects > SMALL_SET) this.seen = new Set();
    else if (this.objects > 0) this.seen.clear();
    this.objects = 0;
    if (this.bytes.length > KEPT_BYTES) this.take(Buffer.allocUnsafeSlow(FIRST_BYTES));
  }

  private value(value: unknown, depth: number): void {
    this.room(0);
    switch (typeof value) {
      case 'string':
        return this.text(value);
      case 'number':
        return this.number(value);
      case 'object':
        if (value !== null) return this.object(value, depth);
        this.bytes[this.at++] = 0xc0;
        return;
      case 'boolean':
        this.bytes[this.at++] = value ? 0xc3 : 0xc2;
        return;
      case 'undefined':
        return this.prefix(EXT_UNDEFINED);
      case 'bigint':
        return this.packed(value);
      case 'function':
        return refuse('a function', 'keep data only, and attach behaviour elsewhere');
      default:
        return refuse('a symbol', 'use a string');
    }
  }

  protected object(value: object, depth: number): void {
    this.seen.add(value);
    if (this.seen.size !== ++this.objects) {
      this.objects -= 1;
      if (!isLeaf(value)) return this.met(value);
    } else if (this.ids !== undefined) {
      const id = this.ids.get(value);
      if (id !== undefined) this.mark(EXT_DEFINITION, id);
    }
    if (this.isForeign !== undefined && this.isForeign(value)) throw new Fault('is elsewhere too');
    if (depth >= DEPTH_LIMIT) refuseDepth();
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype) return this.properties(value as Record<string, unknown>, depth + 1);
    if (Array.isArray(value)) return this.array(value, prototype, depth + 1);
    if (LEAVES.has(prototype)) return this.leaf(checkedLeaf(value));
    if (isForeignPlain(prototype)) return this.properties(value as Record<string, unknown>, depth + 1);
    if (depth + 1 >= DEPTH_LIMIT) refuseDepth();
    if (prototype === null) {
      this.prefix(EXT_NULL_PROTOTYPE);
      return this.properties(value as Record<string, unknown>, depth + 2);
    }
    if (prototype === Map.prototype) return this.map(value as ReadonlyMap<unknown, unknown>, depth + 2);
    if (prototype === Set.prototype) return this.set(value as ReadonlySet<unknown>, depth + 2);
    const type = this.types.of(prototype);
    return type === undefined ? this.foreign(value, depth + 2) : this.instance(type, value, depth + 2);
  }

  /** Of another realm. */
  private foreign(value: object, depth: number): void {
    const kind = foreignCollection(value);
    if (kind === 'map') return this.map(value as ReadonlyMap<unknown, unknown>, depth);
    if (kind === 'set') return this.set(value as ReadonlySet<unknown>, depth);
    return this.leaf(asDate(value) ?? refuseInstance(value));
  }

  /** A container, again. */
  private met(value: object): void {
    if (this.isForeign !== undefined) throw new Fault('is elsewhere too');
    if (this.open.has(value)) refuse('an instance inside its own data', 'keep what it refers to beside it');
    if (this.ids === undefined) {
      (this.shared ??= new Set()).add(value);
      return;
    }
    const id = this.ids.get(value);
    if (id === undefined) return refuseChange();
    this.mark(EXT_REFERENCE, id);
  }

  private instance(type: ValueType, value: object, depth: number): void {
    this.prefix(EXT_CLASS);
    this.list(2);
    this.text(type.name);
    // The second pass must see the same.
    const data = this.data?.has(value) === true ? this.data.get(value) : type.toData(value);
    (this.data ??= new Map()).set(value, data);
    this.open.add(value);
    this.value(data, depth);
    this.open.delete(value);
  }

  /** The count is known at the end: a byte is kept for the header, and what follows moves where it needs more. */
  private properties(value: Record<string, unknown>, depth: number): void {
    if (Object.getOwnPropertySymbols(value).length > 0) refuse('an object with a symbol as key', 'use string keys');
    const start = this.at++;
    const objects = this.objects;
    let count = 0;
    let known = this.keys.first;
    let key: string | undefined;
    try {
      for (key in value) {
        // In this form the engine makes the check free.
        if (!hasOwn.call(value, key)) continue;
        const child = value[key];
        this.room(0);
        const next = this.keys.after(known, key, count);
        if (next !== undefined) {
          this.at = next.write(this.view, this.at);
          known = next;
        } else if (key === '__proto__' || needsString16(key)) return this.entries(value, depth, start, objects);
        else this.text(key);
        if (++count === 16) this.shift(start + 1, 2);
        else if (count === 0x10000) this.shift(start + 3, 2);
        this.value(child, depth);
      }
    } catch (cause) {
      throw Fault.at(key, cause);
    }
    if (count < 16) this.bytes[start] = MAP | count;
    else {
      const end = this.at;
      this.counted(start, count, 0xde);
      this.at = end;
    }
  }

  /** Of an object with a key that no map has: from its beginning again, as a list. */
  private entries(value: Record<string, unknown>, depth: number, start: number, objects: number): void {
    this.at = start;
    this.seen = new Set([...this.seen].slice(0, objects));
    this.objects = objects;
    const keys = Object.keys(value);
    this.prefix(EXT_ENTRIES);
    this.list(2 * keys.length);
    let at: string | undefined;
    try {
      for (const key of keys) {
        at = key;
        this.room(0);
        this.text(key);
        this.value(value[key], depth);
      }
    } catch (cause) {
      throw Fault.at(at, cause);
    }
  }

  private array(value: readonly unknown[], prototype: unknown, depth: number): void {
    // An instance of a subclass has an ordinary object as prototype; Array.prototype, of any realm, is an array.
    if (prototype !== Array.prototype && !Array.isArray(prototype)) refuseInstance(value);
    const { length } = value;
    for (let i = 0; i < length; i += 1)
      if (value[i] === undefined && !Object.hasOwn(value, i)) return this.sparse(value, depth);
    this.list(length);
    let i = 0;
    try {
      for (; i < length; i += 1) this.value(value[i], depth);
    } catch (cause) {
      throw Fault.at(i, cause);
    }
  }

  private sparse(value: readonly unknown[], depth: number): void {
    if (depth >= DEPTH_LIMIT) refuseDepth();
    const keys = Object.keys(value);
    for (const key of keys) {
      if (String(Number(key) >>> 0) !== key)
        refuse(`an array with a property ${JSON.stringify(key)}`, 'use an object beside it');
    }
    this.prefix(EXT_SPARSE);
    this.list(1 + 2 * keys.length);
    this.natural(value.length);
    let index: number | undefined;
    try {
      for (const key of keys) {
        index = Number(key);
        this.room(0);
        this.natural(index);
        this.value(value[index], depth + 1);
      }
    } catch (cause) {
      throw Fault.at(index, cause);
    }
  }

  private map(value: ReadonlyMap<unknown, unknown>, depth: number): void {
    refuseProperties(value);
    const { size } = value;
    this.prefix(EXT_MAP);
    this.list(2 * size);
    let step: PathStep | undefined;
    let index = 0;
    try {
      for (const [key, element] of value) {
        step = { kind: 'map key', index };
        this.value(key, depth);
        step = mapValue(key, index++);
        this.value(element, depth);
      }
    } catch (cause) {
      throw Fault.at(step, cause);
    }
    if (index !== size) refuseChange();
  }

  private set(value: ReadonlySet<unknown>, depth: number): void {
    refuseProperties(value);
    const { size } = value;
    this.prefix(EXT_SET);
    this.list(size);
    let index = 0;
    try {
      for (const element of value) {
        this.value(element, depth);
        index += 1;
      }
    } catch (cause) {
      throw Fault.at({ kind: 'set element', index }, cause);
    }
    if (index !== size) refuseChange();
  }

  private leaf(value: object): void {
    if (ArrayBuffer.isView(value)) {
      const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
      return Buffer.isBuffer(value) ? this.binary(bytes) : this.kept(viewKind(value), bytes);
    }
    return value instanceof ArrayBuffer ? this.kept(viewKind(value), new Uint8Array(value)) : this.packed(value);
  }

  /** A typed array and the like: its kind, and its bytes. */
  private kept(kind: number, bytes: Uint8Array): void {
    this.extension(EXT_VIEW, 1 + bytes.length, false);
    this.bytes[this.at++] = kind;
    this.copy(bytes);
  }

  /** Dates and large integers, whose forms are msgpackr's. */
  private packed(value: object | bigint): void {
    const bytes = packr.encode(value, RESET_BUFFER_MODE);
    this.room(bytes.length);
    this.copy(bytes);
    if (bytes.buffer.byteLength > KEPT_BYTES) packr.useBuffer(Buffer.allocUnsafeSlow(FIRST_BYTES));
  }
}

function refuseChange(): never {
  return refuse('a value that changed while it was read', 'change nothing in a getter');
}
