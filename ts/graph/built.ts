import { valueAt, type SequenceKind } from './kinds.ts';

/**
 * A sequence that is made from another. As long as parts of it are only changed in their places, that is noted; from
 * then on it is put together place by place.
 */
export class Built {
  readonly size: number;
  readonly hasKeys: boolean;
  readonly hasValues: boolean;
  private readonly kind: SequenceKind;
  private readonly base: object;
  private readonly baseKeys: readonly unknown[] | undefined;
  private readonly changes: [place: number, value: unknown][] = [];
  private keys: unknown[] | undefined;
  private values: unknown[] | undefined;

  constructor(kind: SequenceKind, base: object, keys: readonly unknown[] | undefined, size: number) {
    this.kind = kind;
    this.base = base;
    this.baseKeys = keys;
    this.size = size;
    this.hasKeys = keys !== undefined;
    this.hasValues = kind !== 'set';
  }

  get isOpen(): boolean {
    return this.values !== undefined;
  }

  /** Places so far; all of them, where it is not open. */
  get length(): number {
    return this.values?.length ?? this.size;
  }

  keyAt(place: number): unknown {
    return this.baseKeys?.[place];
  }

  valueAt(place: number): unknown {
    return valueAt(this.kind, this.base, this.baseKeys, place);
  }

  /** From here on places come, go or move; those before `cursor` are as they were, but for the changes. */
  open(cursor: number): void {
    if (this.values !== undefined) return;
    this.keys = [];
    this.values = [];
    this.keep(0, cursor);
    for (const [place, value] of this.changes) this.values[place] = value;
  }

  keep(start: number, end: number): void {
    const { keys, values, baseKeys, hasKeys } = this;
    if (values === undefined) return;
    for (let place = start; place < end; place += 1) {
      if (hasKeys) keys!.push(baseKeys![place]);
      values.push(this.valueAt(place));
    }
  }

  change(place: number, value: unknown): void {
    if (this.values === undefined) this.changes.push([place, value]);
    else this.insert(this.keyAt(place), value);
  }

  insert(key: unknown, value: unknown): void {
    if (this.hasKeys) this.keys!.push(key);
    this.values!.push(value);
  }

  rearrange(order: Int32Array): void {
    this.open(this.size);
    const { keys, values } = this;
    this.values = Array.from(order, (place) => values![place]);
    if (this.hasKeys) this.keys = Array.from(order, (place) => keys![place]);
  }

  /** Undefined where its keys cannot be. */
  finish(): object | undefined {
    return this.values === undefined ? this.copy() : this.make(this.keys!, this.values);
  }

  private copy(): object | undefined {
    const { kind, base } = this;
    if (kind === 'list') return this.changed((base as readonly unknown[]).slice());
    if (kind === 'object') return this.changed({ ...base });
    this.open(this.size);
    return this.make(this.keys!, this.values!);
  }

  /** Sets what is there already: no setter is met, `__proto__` included. */
  private changed(copy: object): object {
    for (const [place, value] of this.changes)
      (copy as Record<string, unknown>)[(this.baseKeys?.[place] ?? place) as string] = value;
    return copy;
  }

  private make(keys: readonly unknown[], values: unknown[]): object | undefined {
    return makeSequence(this.kind, this.base, keys, values);
  }
}

/** Undefined where the keys cannot be. `like` tells the length of an array with holes. */
export function makeSequence(
  kind: SequenceKind,
  like: object,
  keys: readonly unknown[],
  values: unknown[],
): object | undefined {
  switch (kind) {
    case 'list':
      return values;
    case 'map': {
      const map = new Map(keys.map((key, i) => [key, values[i]]));
      return map.size === keys.length ? map : undefined;
    }
    case 'set': {
      const set = new Set(keys);
      return set.size === keys.length ? set : undefined;
    }
    case 'sparse':
      return makeSparse((like as readonly unknown[]).length, keys, values);
    default:
      return makeObject(kind === 'bare' ? (Object.create(null) as object) : {}, keys, values);
  }
}

function makeObject(object: object, keys: readonly unknown[], values: readonly unknown[]): object | undefined {
  for (let i = 0; i < keys.length; i += 1) {
    const key = keys[i];
    if (typeof key !== 'string' || Object.hasOwn(object, key)) return undefined;
    // Assigning to `__proto__` would set the prototype.
    if (key !== '__proto__') (object as Record<string, unknown>)[key] = values[i];
    else Object.defineProperty(object, key, { value: values[i], writable: true, enumerable: true, configurable: true });
  }
  return object;
}

function makeSparse(length: number, keys: readonly unknown[], values: readonly unknown[]): unknown[] | undefined {
  const array: unknown[] = [];
  // The engine would reserve all of a short length; past this one it keeps a table of what is there.
  if (length > 4 * keys.length + 64) array.length = 2 ** 32 - 1;
  array.length = length;
  for (let i = 0; i < keys.length; i += 1) {
    const key = keys[i];
    if (typeof key !== 'number' || !Number.isInteger(key) || key < 0 || key >= length || Object.hasOwn(array, key))
      return undefined;
    array[key] = values[i];
  }
  return array;
}
