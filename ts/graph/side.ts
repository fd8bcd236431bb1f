import { isLeaf } from '../codec/kinds.ts';
import { DEPTH_LIMIT } from '../codec/format.ts';
import type { Ids, Named } from '../codec/ids.ts';
import { spanningOf, type Spanning } from '../codec/spanning.ts';
import { HoldfastError } from '../errors.ts';
import { valueCodec } from './values.ts';

/** A value, and its canonical bytes where they are there or wanted. */
export interface Side {
  readonly value: unknown;
  /** The bytes, where these are what was given. */
  readonly given: Uint8Array | undefined;
  bytes(): Uint8Array;
  /** Whether something is in several places of it. */
  isShared(): boolean;
  /** As a tree, of one that is shared: anew each time. With `ids`: those are what it is called. */
  spanning(ids?: Ids): Spanning;
}

export class LiveSide implements Side {
  readonly value: unknown;
  readonly given: undefined;
  private readonly name: string;
  private readonly isTree: boolean;
  private encoded: Uint8Array | undefined;

  /** `isTree`: nothing is in several places of it, says who has it. */
  constructor(value: unknown, name: string, isTree = false) {
    this.value = value;
    this.name = name;
    this.isTree = isTree;
  }

  bytes(): Uint8Array {
    return (this.encoded ??= valueCodec().encode(this.value, this.name));
  }

  isShared(): boolean {
    if (this.isTree) return false;
    const walk = { met: new Set<object>(), hasInstances: false };
    if (meetsAgain(this.value, walk, 0)) return true;
    if (!walk.hasInstances) return false;
    const named: Named = { ids: undefined };
    valueCodec().look(this.value, this.name, named);
    return named.ids !== undefined;
  }

  spanning(ids?: Ids): Spanning {
    if (ids !== undefined) this.encoded = valueCodec().encode(this.value, this.name, { ids });
    return spanningOf(this.bytes());
  }
}

interface Walk {
  readonly met: Set<object>;
  /** What these have in their data only the codec knows. */
  hasInstances: boolean;
}

/** Dates and bytes are values, wherever they are. Hot: all of a value is gone through before it is compared. */
function meetsAgain(value: unknown, walk: Walk, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = prototype === Object.prototype || prototype === null;
  const isList = !isPlain && Array.isArray(value);
  if (!isPlain && !isList && isLeaf(value)) return false;
  const { met } = walk;
  const before = met.size;
  met.add(value);
  if (met.size === before) return true;
  if (depth >= DEPTH_LIMIT) return false; // whoever compares it says so
  if (isPlain) {
    const keys = Object.keys(value);
    for (let i = 0; i < keys.length; i += 1) {
      const part = (value as Record<string, unknown>)[keys[i]!];
      if (typeof part === 'object' && part !== null && meetsAgain(part, walk, depth + 1)) return true;
    }
    return false;
  }
  if (isList) return meetsAgainIn(value, walk, depth + 1);
  if (value instanceof Map)
    return [...(value as Map<unknown, unknown>)].flat().some((part) => meetsAgain(part, walk, depth + 1));
  if (value instanceof Set) return [...(value as Set<unknown>)].some((part) => meetsAgain(part, walk, depth + 1));
  walk.hasInstances = true;
  return false;
}

/** What is behind a hole is found by its index: there may be billions of holes. */
function meetsAgainIn(list: readonly unknown[], walk: Walk, depth: number): boolean {
  for (let i = 0; i < list.length; i += 1) {
    const part = list[i];
    if (part === undefined && !Object.hasOwn(list, i))
      return Object.keys(list).some((key) => Number(key) > i && meetsAgain(list[Number(key)], walk, depth));
    if (typeof part === 'object' && part !== null && meetsAgain(part, walk, depth)) return true;
  }
  return false;
}

/** Of bytes that are decoded when their value is asked for. */
export class EncodedSide implements Side {
  readonly given: Uint8Array;
  private readonly name: string;
  private decoded: { readonly value: unknown; readonly ids: Ids | undefined } | undefined;

  constructor(bytes: Uint8Array, name: string) {
    this.given = bytes;
    this.name = name;
  }

  private decode(): { readonly value: unknown; readonly ids: Ids | undefined } {
    if (this.decoded !== undefined) return this.decoded;
    const named: Named = { ids: undefined };
    try {
      const value = valueCodec().decode(this.given, this.name, named);
      return (this.decoded = { value, ids: named.ids });
    } catch (cause) {
      if (!(cause instanceof HoldfastError) || cause.code !== 'ERR_CORRUPT') throw cause;
      throw new HoldfastError('ERR_CORRUPT', `${this.name} cannot be read: ${cause.message}`, { cause });
    }
  }

  get value(): unknown {
    return this.decode().value;
  }

  bytes(): Uint8Array {
    return this.given;
  }

  isShared(): boolean {
    return this.decode().ids !== undefined;
  }

  spanning(ids?: Ids): Spanning {
    return spanningOf(ids === undefined ? this.given : valueCodec().encode(this.value, this.name, { ids }));
  }
}
