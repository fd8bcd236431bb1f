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
  private encoded: Uint8Array | undefined;

  constructor(value: unknown, name: string) {
    this.value = value;
    this.name = name;
  }

  bytes(): Uint8Array {
    return (this.encoded ??= valueCodec().encode(this.value, this.name));
  }

  isShared(): boolean {
    return hasShared(this.value, new Set(), 0);
  }

  spanning(ids?: Ids): Spanning {
    if (ids !== undefined) this.encoded = valueCodec().encode(this.value, this.name, { ids });
    return spanningOf(this.bytes());
  }
}

/** Dates and bytes are values, wherever they are; instances have their data for themselves. */
function hasShared(value: unknown, met: Set<object>, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const isPlain = Object.getPrototypeOf(value) === Object.prototype || Array.isArray(value);
  if (!isPlain && isLeaf(value)) return false;
  const before = met.size;
  met.add(value);
  if (met.size === before) return true;
  if (depth >= DEPTH_LIMIT) return false; // whoever goes through it says so
  if (Array.isArray(value)) return value.some((part) => hasShared(part, met, depth + 1));
  if (value instanceof Map)
    for (const [key, part] of value) {
      if (hasShared(key, met, depth + 1) || hasShared(part, met, depth + 1)) return true;
    }
  else if (value instanceof Set) {
    for (const part of value) if (hasShared(part, met, depth + 1)) return true;
  } else if (isPlain || Object.getPrototypeOf(value) === null) {
    for (const key in value) if (hasShared((value as Record<string, unknown>)[key], met, depth + 1)) return true;
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
