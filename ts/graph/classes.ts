import { bytesOf, checkDepth, isSequence, keysOf, kindOf, sizeOf, valueAt, type Kind } from './kinds.ts';
import { same } from './same.ts';
import { instanceBytes, isInstance } from './values.ts';

/** Of more values with one hash, those behind are taken for different from all: a bound on planted collisions. */
const LONGEST_CHAIN = 16;
/** Characters of a text, and bytes, that its hash looks at. */
const LOOKED_AT = 16;
const NUMBER = new Float64Array(1);
const WORDS = new Int32Array(NUMBER.buffer);
const KINDS: readonly Kind[] = ['object', 'bare', 'list', 'sparse', 'map', 'set', 'text', 'bytes', 'leaf'];

export const mix = (hash: number, word: number): number => {
  const mixed = Math.imul(hash ^ word, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
};

export function mixText(hash: number, text: string): number {
  const { length } = text;
  const step = length <= LOOKED_AT ? 1 : length / LOOKED_AT;
  let h = mix(hash, length);
  for (let i = 0; i < length; i += step) h = mix(h, text.charCodeAt(i));
  return length > LOOKED_AT ? mix(h, text.charCodeAt(length - 1)) : h;
}

export function mixNumber(hash: number, value: number): number {
  if ((value | 0) === value && !Object.is(value, -0)) return mix(hash, value);
  NUMBER[0] = value === value ? value : Number.NaN;
  return mix(mix(hash ^ 0x55, WORDS[0]!), WORDS[1]!);
}

/** Of what is no container: all of a short one, a sample of a long one. */
export function mixLeaf(hash: number, value: unknown): number {
  switch (typeof value) {
    case 'number':
      return mixNumber(hash, value);
    case 'string':
      return mixText(hash ^ 1, value);
    case 'bigint':
      return mixText(hash ^ 2, value.toString(36));
    case 'object':
      if (value instanceof Date) return mixNumber(hash ^ 3, value.getTime());
      if (value === null) return mix(hash, 4);
      return mixBytes(hash, isInstance(value) ? instanceBytes(value) : bytesOf(value));
    default:
      return mix(hash, value === undefined ? 5 : value === true ? 6 : 7);
  }
}

function mixBytes(hash: number, bytes: Uint8Array): number {
  const step = bytes.length <= LOOKED_AT ? 1 : bytes.length / LOOKED_AT;
  let h = mix(hash ^ 8, bytes.length);
  for (let i = 0; i < bytes.length; i += step) h = mix(h, bytes[Math.floor(i)]!);
  return h;
}

export const kindNumber = (kind: Kind): number => KINDS.indexOf(kind);

function hashOf(value: unknown, hash: number, depth: number): number {
  if (typeof value !== 'object' || value === null) return mixLeaf(hash, value);
  checkDepth(depth);
  const kind = kindOf(value);
  if (!isSequence(kind)) return mixLeaf(hash, value);
  const keys = keysOf(kind, value);
  const size = sizeOf(kind, value, keys);
  let h = mix(hash ^ (kindNumber(kind) << 8), size);
  for (let i = 0; i < size; i += 1) {
    if (keys !== undefined) h = hashOf(keys[i], h, depth + 1);
    if (kind !== 'set') h = hashOf(valueAt(kind, value, keys, i), h, depth + 1);
  }
  return h;
}

interface Chain {
  readonly value: unknown;
  readonly name: number;
  readonly next: Chain | undefined;
  readonly length: number;
}

/** Gives equal values the same small number, and no others: hashes find what is worth comparing. */
export class Classes {
  private readonly primitives = new Map<unknown, number>();
  private readonly chains = new Map<number, Chain>();
  private negativeZero = -1;
  private count = 0;

  of(value: unknown, depth: number): number {
    if (typeof value === 'object' && value !== null) return this.ofObject(value, depth);
    if (Object.is(value, -0)) return (this.negativeZero = this.negativeZero < 0 ? this.count++ : this.negativeZero);
    let name = this.primitives.get(value);
    if (name === undefined) this.primitives.set(value, (name = this.count++));
    return name;
  }

  private ofObject(value: object, depth: number): number {
    const hash = hashOf(value, 0, depth);
    const first = this.chains.get(hash);
    for (let at = first; at !== undefined; at = at.next) if (same(at.value, value, depth)) return at.name;
    const name = this.count++;
    const length = (first?.length ?? 0) + 1;
    if (length <= LONGEST_CHAIN) this.chains.set(hash, { value, name, next: first, length });
    return name;
  }
}
