import { crc32 } from 'node:zlib';
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

/** What an image will be once the record that leads to it is in the primary. */
export interface Staged {
  /** Undefined: names and order stay. */
  readonly directory: Directory | undefined;
  readonly values: ReadonlyMap<string, Value>;
  readonly digest: Digest;
  /** Bytes of names and values. */
  readonly byteLength: number;
}

/** The attributes' names in order, and their encoding: per name a varint length and UTF-8. */
export interface Directory {
  readonly names: readonly string[];
  readonly bytes: Uint8Array;
}

/**
 * A session's state as bytes at one position of its log: the base that the next save is compared with.
 *
 * The digest sums up mixed 32-bit lanes of each value's XXH3-64 and its name's CRC-32, and of the directory's CRC-32: a
 * save updates it from the changed attributes alone. It finds damage and mistakes, not forgers.
 */
export class Image {
  #position: Position = ORIGIN;
  #directory: Directory = { names: [], bytes: new Uint8Array(0) };
  #values = new Map<string, Value>();
  #digest: Digest = digestOf(this.#directory, []);
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

  value(name: string): Value | undefined {
    return this.#values.get(name);
  }

  /** `directory`: the new names, when they change; an attribute whose name is missing there is deleted. */
  stage(directory: Directory | undefined, values: ReadonlyMap<string, Value>): Staged {
    const digest = directory === undefined ? this.#updatedDigest(values) : digestOf(directory, this.#merged(directory, values));
    return { directory, values, digest, byteLength: this.#stagedLength(directory, values) };
  }

  #stagedLength(directory: Directory | undefined, values: ReadonlyMap<string, Value>): number {
    let length = this.#byteLength;
    if (directory !== undefined) {
      length = directory.bytes.length;
      for (const [, value] of this.#merged(directory, values)) length += value.bytes.length;
    } else for (const [name, value] of values) length += value.bytes.length - (this.#values.get(name)?.bytes.length ?? 0);
    return length;
  }

  accept(staged: Staged, position: Position): void {
    if (staged.directory === undefined) {
      for (const [name, value] of staged.values) this.#values.set(name, value);
    } else {
      this.#values = new Map(this.#merged(staged.directory, staged.values));
      this.#directory = staged.directory;
    }
    this.#byteLength = staged.byteLength;
    this.#digest = staged.digest;
    this.#position = position;
  }

  #updatedDigest(values: ReadonlyMap<string, Value>): Digest {
    let { low, high } = this.#digest;
    for (const [name, value] of values) {
      const old = this.#values.get(name);
      const seed = crc32(name);
      low += lane(value.low, seed) - (old === undefined ? 0 : lane(old.low, seed));
      high += lane(value.high, seed) - (old === undefined ? 0 : lane(old.high, seed));
    }
    return { low: low >>> 0, high: high >>> 0 };
  }

  *#merged(directory: Directory, values: ReadonlyMap<string, Value>): Iterable<[string, Value]> {
    for (const name of directory.names) yield [name, values.get(name) ?? (this.#values.get(name) as Value)];
  }
}

function digestOf(directory: Directory, values: Iterable<[string, Value]>): Digest {
  const names = crc32(directory.bytes);
  let low = lane(names, 1);
  let high = lane(names, 2);
  for (const [name, value] of values) {
    const seed = crc32(name);
    low = (low + lane(value.low, seed)) >>> 0;
    high = (high + lane(value.high, seed)) >>> 0;
  }
  return { low, high };
}

/** The 32-bit finaliser of MurmurHash3 (A. Appleby, public domain) over a half hash and a seed. */
function lane(half: number, seed: number): number {
  let mixed = (half ^ Math.imul(seed, 0x9e3779b1)) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

export function encodeDirectory(names: readonly string[]): Directory {
  let capacity = 0;
  for (const name of names) capacity += VARINT_MAX + 3 * name.length;
  const out = new ByteWriter(capacity);
  for (const name of names) {
    const bytes = Buffer.from(name);
    out.varint(bytes.length);
    out.raw(bytes);
  }
  return { names, bytes: new Uint8Array(out.finish()) };
}

/** `fail` must throw. Names are unique. */
export function decodeDirectory(bytes: Uint8Array, fail: (what: string) => never): Directory {
  const reader = new ByteReader(bytes, fail);
  const names: string[] = [];
  while (!reader.done) names.push(reader.raw(reader.varint()).toString());
  if (new Set(names).size !== names.length) fail('an attribute is named twice');
  return { names, bytes };
}
