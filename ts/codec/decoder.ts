import { HoldfastError } from '../errors.ts';
import {
  DEPTH_LIMIT,
  EXT_CLASS,
  EXT_DEFINITION,
  EXT_ENTRIES,
  EXT_MAP,
  EXT_NEGATIVE_ZERO,
  EXT_NULL_PROTOTYPE,
  EXT_REFERENCE,
  EXT_SET,
  EXT_SPARSE,
  EXT_TIMESTAMP,
  EXT_UNDEFINED,
} from './format.ts';
import type { Named } from './ids.ts';
import { KnownKeys, type KnownKey } from './known-keys.ts';
import { Reader } from './reader.ts';
import type { ValueTypes } from './value-types.ts';

/** Stands for an instance whose data is still being read. */
export const UNFINISHED: object = {};

/**
 * Reads values as `format.ts` draws them, in one pass that also checks: `ERR_CORRUPT` unless the bytes are one whole
 * value with nothing missing or left over, no claim larger than the bytes, no header longer than needed, no other
 * extension, no deeper than the limit. One value at a time: whoever decodes another meanwhile (`fromData` may) takes
 * another decoder.
 */
export class Decoder extends Reader {
  private types!: ValueTypes;
  private readonly keys = new KnownKeys();
  /** Before the keys of objects that are found at this place: see `KnownKey.inside`. */
  private known: KnownKey = this.keys.first;
  /** Containers that have an id; undefined: none was met. */
  protected defined: Map<number, object> | undefined;
  /** Ids to which no reference has come yet. */
  protected readonly unused: Set<number> = new Set();
  /** The id of the container that begins next; -1: it has none. */
  protected id: number = -1;

  /** `named` is told what is in several places. */
  decode(bytes: Buffer, types: ValueTypes, named: Named | undefined): unknown {
    this.open(bytes);
    this.known = this.keys.first;
    this.types = types;
    try {
      const value = this.value(0);
      if (this.at !== bytes.length) this.corrupt('bytes follow the value');
      const { defined } = this;
      if (this.unused.size > 0) this.corrupt('an object has an id and no reference');
      if (named !== undefined) named.ids = defined && new Map(Array.from(defined, ([id, object]) => [object, id]));
      return value;
    } finally {
      this.shut();
      if (this.defined !== undefined) this.forget();
    }
  }

  private forget(): void {
    this.defined = undefined;
    this.unused.clear();
    this.id = -1;
  }

  protected value(depth: number): unknown {
    const { bytes } = this;
    if (this.at >= bytes.length) this.corrupt('bytes are missing');
    const token = bytes[this.at++]!;
    if (token < 0x80) return token;
    if (token < 0x90) return this.properties({}, token & 0xf, depth);
    if (token < 0xa0) return this.elements(token & 0xf, depth);
    if (token < 0xc0) return this.text(token & 0x1f);
    if (token >= 0xe0) return token - 0x100;
    return this.token(token, depth);
  }

  private token(token: number, depth: number): unknown {
    switch (token) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.binary(this.length(1, 0));
      case 0xc5:
        return this.binary(this.length(2, 0x100));
      case 0xc6:
        return this.binary(this.length(4, 0x10000));
      case 0xc7:
        return this.extension(this.length(1, 0), false);
      case 0xc8:
        return this.extension(this.length(2, 0x100), false);
      case 0xc9:
        return this.extension(this.length(4, 0x10000), false);
      case 0xcb:
      case 0xcf:
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return this.number(token);
      case 0xcc:
        return this.length(1, 0x80);
      case 0xcd:
        return this.length(2, 0x100);
      case 0xce:
        return this.length(4, 0x10000);
      case 0xd4:
        return this.prefix(depth);
      case 0xd5:
        return this.marked(2, depth);
      case 0xd6:
        return this.marked(4, depth);
      case 0xd7:
      case 0xd8:
        return this.extension(8 << (token - 0xd7), true);
      case 0xd9:
        return this.text(this.length(1, 0x20));
      case 0xda:
        return this.text(this.length(2, 0x100));
      case 0xdb:
        return this.text(this.length(4, 0x10000));
      default:
        return this.counted(token, depth);
    }
  }

  private counted(token: number, depth: number): unknown {
    switch (token) {
      case 0xdc:
        return this.elements(this.length(2, 0x10), depth);
      case 0xdd:
        return this.elements(this.length(4, 0x10000), depth);
      case 0xde:
        return this.properties({}, this.length(2, 0x10), depth);
      case 0xdf:
        return this.properties({}, this.length(4, 0x10000), depth);
      default:
        return this.corrupt(`token ${token} is not used`);
    }
  }

  /** Enters a container whose content takes at least `bytes` more: no small header can claim a large one. */
  private enter<T extends object>(container: T, bytes: number, depth: number): T {
    if (bytes > this.bytes.length - this.at) this.corrupt('bytes are missing');
    if (depth >= DEPTH_LIMIT) this.corrupt(`nested deeper than ${DEPTH_LIMIT}`);
    if (this.id >= 0) this.define(container);
    return container;
  }

  protected define(container: object): void {
    this.defined!.set(this.id, container);
    this.id = -1;
  }

  private elements(count: number, depth: number): unknown[] {
    const array = this.enter<unknown[]>([], count, depth);
    for (let i = 0; i < count; i += 1) array.push(this.value(depth + 1));
    return array;
  }

  private properties(container: object, count: number, depth: number): object {
    const object = this.enter(container as Record<string, unknown>, 2 * count, depth);
    const above = this.known;
    let known = above.inside;
    for (let i = 0; i < count; i += 1) {
      const { next } = known;
      let key: string;
      if (next !== undefined && next.isAt(this.bytes, this.at)) {
        this.at += next.length;
        known = next;
        ({ key } = next);
      } else {
        key = this.key();
        known = this.knownAfter(known, key, i);
      }
      this.known = known;
      object[key] = this.value(depth + 1);
    }
    this.known = above;
    return object;
  }

  private knownAfter(before: KnownKey, key: string, count: number): KnownKey {
    return this.keys.after(before, key, count) ?? this.keys.first;
  }

  private key(): string {
    const token = this.bytes[this.at] ?? 0;
    if (!((token >= 0xa0 && token < 0xc0) || (token >= 0xd9 && token <= 0xdb)))
      this.corrupt('a property name is not a string');
    const key = this.value(0) as string;
    if (key === '__proto__') this.corrupt('a key would set a prototype');
    return key;
  }

  /** What is marked by a byte: `d4`, the type, the byte. */
  private prefix(depth: number): unknown {
    const type = this.bytes[this.at];
    const filler = this.bytes[this.at + 1] ?? 0;
    this.skip(2);
    if (type === EXT_DEFINITION) return this.definition(filler, depth);
    if (type === EXT_REFERENCE) return this.reference(filler);
    if (filler !== (type === EXT_TIMESTAMP ? 0xff : 0)) this.corrupt('a prefix is damaged');
    switch (type) {
      case EXT_UNDEFINED:
        return undefined;
      case EXT_NEGATIVE_ZERO:
        return -0;
      case EXT_TIMESTAMP:
        return new Date(Number.NaN);
      case EXT_MAP:
        return this.map(depth + 1);
      case EXT_SET:
        return this.set(depth + 1);
      case EXT_SPARSE:
        return this.sparse(depth + 1);
      case EXT_ENTRIES:
        // How an object's keys are written is known only after its values: it counts once.
        return this.entries({}, depth);
      case EXT_NULL_PROTOTYPE:
        return this.nullPrototype(depth + 1);
      case EXT_CLASS:
        return this.instance(depth + 1);
      default:
        return this.corrupt(`prefix ${type} is not used`);
    }
  }

  /** As a prefix, with a larger number; or another extension of so many bytes. */
  private marked(width: 2 | 4, depth: number): unknown {
    const type = this.bytes[this.at];
    if (type !== EXT_DEFINITION && type !== EXT_REFERENCE) return this.extension(width, true);
    this.at += 1;
    const id = this.length(width, width === 2 ? 0x100 : 0x10000);
    return type === EXT_DEFINITION ? this.definition(id, depth) : this.reference(id);
  }

  protected definition(id: number, depth: number): unknown {
    this.defined ??= new Map();
    if (this.defined.has(id)) this.corrupt(`the id ${id} is there twice`);
    if (this.id >= 0) this.corrupt('an object has two ids');
    this.id = id;
    this.unused.add(id);
    const value = this.value(depth);
    return this.id < 0 ? value : this.corrupt('what has an id is no container');
  }

  protected reference(id: number): object {
    const container = this.defined?.get(id);
    if (container === undefined || this.id >= 0) return this.corrupt(`a reference leads to nothing, id ${id}`);
    if (container === UNFINISHED) return this.corrupt(`a reference leads to an instance in its own data, id ${id}`);
    this.unused.delete(id);
    return container;
  }

  /** The number of elements in the array that must follow. */
  private list(): number {
    const token = this.bytes[this.at] ?? 0;
    this.at += 1;
    if (token >> 4 === 0x9) return token & 0xf;
    if (token === 0xdc) return this.length(2, 0x10);
    return token === 0xdd ? this.length(4, 0x10000) : this.corrupt('a prefix has no list');
  }

  private map(depth: number): Map<unknown, unknown> {
    const count = this.list();
    const map = this.enter(new Map<unknown, unknown>(), count, depth);
    if (count % 2 === 1) this.corrupt('a Map has a key without a value');
    for (let i = 0; i < count; i += 2) {
      const key = this.value(depth + 1);
      map.set(key, this.value(depth + 1));
    }
    return 2 * map.size === count ? map : this.corrupt('a Map has a key twice');
  }

  private set(depth: number): Set<unknown> {
    const count = this.list();
    const set = this.enter(new Set<unknown>(), count, depth);
    for (let i = 0; i < count; i += 1) set.add(this.value(depth + 1));
    return set.size === count ? set : this.corrupt('a Set has an element twice');
  }

  private entries(container: object, depth: number): object {
    const count = this.list();
    const object = this.enter(container, count, depth);
    if (count % 2 === 1) this.corrupt('an object has a key without a value');
    for (let i = 0; i < count; i += 2) {
      const key = this.value(depth + 1);
      if (typeof key !== 'string') return this.corrupt('a property name is not a string');
      if (Object.hasOwn(object, key)) this.corrupt('an object has a key twice');
      // Assigning to `__proto__` would set the prototype.
      const value = this.value(depth + 1);
      Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
    }
    return object;
  }

  private nullPrototype(depth: number): object {
    const object = Object.create(null) as object;
    const { bytes } = this;
    const token = bytes[this.at] ?? 0;
    this.at += 1;
    if (token >> 4 === 0x8) return this.properties(object, token & 0xf, depth);
    if (token === 0xde) return this.properties(object, this.length(2, 0x10), depth);
    if (token === 0xdf) return this.properties(object, this.length(4, 0x10000), depth);
    if (token !== 0xd4 || bytes[this.at] !== EXT_ENTRIES || bytes[this.at + 1] !== 0)
      this.corrupt('a prefix has no object');
    this.at += 2;
    return this.entries(object, depth);
  }

  private sparse(depth: number): unknown[] {
    const count = this.list();
    const array = this.enter<unknown[]>([], count, depth);
    if (count % 2 === 0) this.corrupt('a sparse array is incomplete');
    const length = this.index(-1, 2 ** 32);
    // The engine would reserve all of a length below 2^25: going over it first makes it keep a table of what is there.
    if (length > 4 * count + 64) array.length = 2 ** 32 - 1;
    array.length = length;
    let last = -1;
    for (let i = 1; i < count; i += 2) {
      last = this.index(last, length);
      array[last] = this.value(depth + 1);
    }
    return array;
  }

  private index(after: number, end: number): number {
    const index = this.value(DEPTH_LIMIT);
    return typeof index === 'number' && Number.isInteger(index) && index > after && index < end
      ? index
      : this.corrupt('a sparse array has a wrong index');
  }

  /** Complete only once its data is: no reference inside may lead to it. */
  protected instance(depth: number): object {
    const { id } = this;
    if (this.bytes[this.at] !== 0x92) this.corrupt('an instance has other parts than a name and its data');
    if (depth >= DEPTH_LIMIT) this.corrupt(`nested deeper than ${DEPTH_LIMIT}`);
    this.at += 1;
    if (id >= 0) this.define(UNFINISHED);
    const name = this.value(DEPTH_LIMIT);
    if (typeof name !== 'string') return this.corrupt('the name of a class is not a string');
    const instance = this.types.instanceOf(name, this.value(depth + 1));
    if (id >= 0) this.defined!.set(id, instance);
    return instance;
  }

  protected corrupt(why: string): never {
    throw new HoldfastError('ERR_CORRUPT', `not an encoded value: ${why}, near byte ${this.at}`);
  }
}
