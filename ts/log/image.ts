import { isUtf8 } from 'node:buffer';
import { crc32 } from 'node:zlib';
import { HoldfastError } from '../errors.ts';
import { ORIGIN } from '../position.ts';
import type { Position } from '../position.ts';
import { ByteReader, ByteWriter, VARINT_MAX } from './bytes.ts';
import type { Digest } from './record.ts';

/** An attribute's canonical bytes and their XXH3-64, in halves. */
export interface Value {
  readonly bytes: Uint8Array;
  readonly low: number;
  readonly high: number;
}

/** What is left of a value whose bytes an image has let go: what they are told by. */
export interface Known {
  readonly bytes: undefined;
  /** Of the bytes. */
  readonly length: number;
  readonly low: number;
  readonly high: number;
  /** Undefined: none was made. */
  readonly signature: Uint8Array | undefined;
}

/** What an image will be once the record that leads to it is in the primary. */
export interface Staged {
  /** Undefined: names and order stay. */
  readonly directory: Directory | undefined;
  readonly values: ReadonlyMap<string, Value>;
  readonly digest: Digest;
  /** Bytes of names and values. */
  readonly byteLength: number;
}

/** The attributes' names in order, the versions of their schemas, and the encoding of both. */
export interface Directory {
  readonly names: readonly string[];
  /** Integers from 1 on; an attribute without one is missing here. */
  readonly versions: ReadonlyMap<string, number>;
  readonly bytes: Uint8Array;
}

const NO_VERSIONS: ReadonlyMap<string, number> = new Map();
const NO_NAMES: Directory = { names: [], versions: NO_VERSIONS, bytes: new Uint8Array(0) };
/** Of an image without attributes. */
const NO_ATTRIBUTES: Digest = { low: lane(0, 1), high: lane(0, 2) };

/**
 * A session's state as bytes at one position of its log: the base that the next save is compared with. Of a value whose
 * bytes it has let go it still knows what they add to the digest.
 *
 * The digest sums up mixed 32-bit lanes of each value's XXH3-64 and its name's CRC-32, and of the directory's CRC-32: a
 * save updates it from the changed attributes alone. It finds damage and mistakes, not forgers.
 */
export class Image {
  #position: Position = ORIGIN;
  #directory = NO_NAMES;
  #values = new Map<string, Value | Known>();
  #isWhole = true;
  /** Another image has this very map. */
  #isShared = false;
  #forks = 0;
  #digest = NO_ATTRIBUTES;
  #byteLength = 0;

  get position(): Position {
    return this.#position;
  }

  get digest(): Digest {
    return this.#digest;
  }

  get directory(): Directory {
    return this.#directory;
  }

  /** Bytes of names and values. */
  get byteLength(): number {
    return this.#byteLength;
  }

  /** How many images have begun with the bytes of this one, and may have them still. */
  get forks(): number {
    return this.#forks;
  }

  /** The bytes of all values are here. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  value(name: string): Value | Known | undefined {
    return this.#values.get(name);
  }

  /** Whether all that it will be is here as bytes. */
  isWholeWith({ directory, values }: Pick<Staged, 'directory' | 'values'>): boolean {
    if (this.#isWhole) return true;
    const { names } = directory ?? this.#directory;
    return names.every((name) => values.has(name) || this.#values.get(name)?.bytes !== undefined);
  }

  /** Keeps of a value no more than `signature` and what it is told by. */
  letGo(name: string, signature: Uint8Array | undefined): void {
    const { bytes, low, high } = this.#values.get(name) as Value;
    this.#own();
    this.#values.set(name, { bytes: undefined, length: bytes.length, low, high, signature });
    this.#isWhole = false;
  }

  /** Has the bytes again that it has let go: those of `whole`, an image of the same state. */
  regain(whole: Image): void {
    this.#own();
    for (const [name, value] of this.#values)
      if (value.bytes === undefined) this.#values.set(name, whole.#values.get(name) as Value);
    this.#isWhole = true;
  }

  #own(): void {
    if (this.#isShared) this.#values = new Map(this.#values);
    this.#isShared = false;
  }

  /** The same state, on its own from now on; bytes are shared, and so is the map of them until one of the two changes. */
  fork(): Image {
    const image = new Image();
    image.#position = this.#position;
    image.#directory = this.#directory;
    image.#values = this.#values;
    image.#isWhole = this.#isWhole;
    image.#digest = this.#digest;
    image.#byteLength = this.#byteLength;
    image.#isShared = this.#isShared = true;
    this.#forks += 1;
    return image;
  }

  /**
   * `directory`: the new names, when they change; an attribute whose name is missing there is deleted, and one that is
   * new there has a value.
   */
  stage(directory: Directory | undefined, values: ReadonlyMap<string, Value>): Staged {
    const sum: Sum = { low: this.#digest.low, high: this.#digest.high, byteLength: this.#byteLength };
    if (directory !== undefined) {
      countNames(sum, this.#directory, -1);
      countNames(sum, directory, 1);
      for (const name of this.#without(directory, values)) count(sum, this.#values.get(name)!, crc32(name), -1);
    }
    for (const [name, value] of values) {
      const old = this.#values.get(name);
      const seed = crc32(name);
      if (old !== undefined) count(sum, old, seed, -1);
      count(sum, value, seed, 1);
    }
    return { directory, values, digest: { low: sum.low, high: sum.high }, byteLength: sum.byteLength };
  }

  accept(staged: Staged, position: Position): void {
    const { directory, values, byteLength, digest } = staged;
    this.#isWhole = this.isWholeWith(staged);
    this.#own();
    if (directory !== undefined) {
      for (const name of this.#without(directory, values)) this.#values.delete(name);
      this.#directory = directory;
    }
    for (const [name, value] of values) this.#values.set(name, value);
    this.#byteLength = byteLength;
    this.#digest = digest;
    this.#position = position;
  }

  /** Names that there are no more. */
  #without({ names }: Directory, values: ReadonlyMap<string, Value>): string[] {
    let all = this.#values.size;
    for (const name of values.keys()) if (!this.#values.has(name)) all += 1;
    if (all === names.length) return [];
    const present = new Set(names);
    return [...this.#values.keys()].filter((name) => !present.has(name));
  }
}

/** A digest and the bytes of names and values, while these change. */
interface Sum {
  low: number;
  high: number;
  byteLength: number;
}

function countNames(sum: Sum, { bytes }: Directory, sign: 1 | -1): void {
  const names = crc32(bytes);
  sum.low = (sum.low + sign * lane(names, 1)) >>> 0;
  sum.high = (sum.high + sign * lane(names, 2)) >>> 0;
  sum.byteLength += sign * bytes.length;
}

function count(sum: Sum, value: Value | Known, seed: number, sign: 1 | -1): void {
  sum.low = (sum.low + sign * lane(value.low, seed)) >>> 0;
  sum.high = (sum.high + sign * lane(value.high, seed)) >>> 0;
  sum.byteLength += sign * (value.bytes ?? value).length;
}

/** The 32-bit finaliser of MurmurHash3 (A. Appleby, public domain) over a half hash and a seed. */
function lane(half: number, seed: number): number {
  let mixed = (half ^ Math.imul(seed, 0x9e3779b1)) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/**
 * Versions of attributes that are not among `names` are dropped. `ERR_INVALID` for a version that is no integer from 1
 * on.
 */
export function encodeDirectory(
  names: readonly string[],
  versions: ReadonlyMap<string, number> = NO_VERSIONS,
): Directory {
  let capacity = 0;
  for (const name of names) capacity += 1 + 2 * VARINT_MAX + 3 * name.length;
  const out = new ByteWriter(capacity);
  const kept = new Map<string, number>();
  for (const name of names) {
    const bytes = Buffer.from(name);
    const version = versions.get(name);
    if (version !== undefined) kept.set(name, checkVersion(name, version));
    // A length of 0 announces a version; so a name that is empty needs it too, with a version or with a 0 in its place.
    if (version !== undefined || bytes.length === 0) out.byte(0);
    if (version !== undefined) out.varint(version);
    out.varint(bytes.length);
    out.raw(bytes);
  }
  return { names, versions: kept.size === 0 ? NO_VERSIONS : kept, bytes: new Uint8Array(out.finish()) };
}

function checkVersion(name: string, version: number): number {
  if (Number.isSafeInteger(version) && version >= 1) return version;
  throw new HoldfastError(
    'ERR_INVALID',
    `attribute '${name}': a schema version is an integer from 1 on, not ${version}`,
    { paths: [[name]] },
  );
}

/**
 * `fail` must throw. Takes only what `encodeDirectory` gives: names are unique and well-formed, numbers have their
 * shortest form.
 */
export function decodeDirectory(bytes: Uint8Array, fail: (what: string) => never): Directory {
  const reader = new ByteReader(bytes, fail);
  const names: string[] = [];
  const versions = new Map<string, number>();
  while (!reader.done) {
    let length = reader.varint();
    const version = length === 0 ? reader.varint() : 0;
    if (version > 0) length = reader.varint();
    const name = reader.raw(length);
    if (!isUtf8(name)) fail('the name of an attribute is not UTF-8');
    names.push(name.toString());
    if (version > 0) versions.set(name.toString(), version);
  }
  if (new Set(names).size !== names.length) fail('an attribute is named twice');
  return { names, versions: versions.size === 0 ? NO_VERSIONS : versions, bytes };
}
