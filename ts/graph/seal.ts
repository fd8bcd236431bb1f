import { Token } from '../codec/spanning.ts';
import { xxh3 } from '../xxh3.ts';
import { mix, mixLeaf, mixText } from './classes.ts';

export const SEAL_BYTES = 2;

const lanes = new Uint32Array(2);

/**
 * What a delta has met in its base: sizes and kinds of what it changes, keys and simple values of what it replaces. Both
 * sides take it in the same order, so that another base gives another seal.
 */
export class Seen {
  private hash = 0x2545f491;

  number(value: number): void {
    this.hash = mix(this.hash, value | 0);
  }

  /** Of a place that is changed; `key` undefined: it has none. */
  place(key: unknown, value: unknown): void {
    if (typeof key === 'string') this.hash = mixText(this.hash, key);
    if (typeof value !== 'object' || value === null || value instanceof Token) this.hash = mixLeaf(this.hash, value);
  }

  text(text: string, start: number, end: number): void {
    this.hash = mixText(mix(this.hash, text.length), text.slice(start, end));
  }

  /** 16 bits of it and of the first `length` bytes of the delta. */
  seal(delta: Uint8Array, length: number): number {
    xxh3(delta, 0, length, lanes, 0);
    return (lanes[0]! ^ (lanes[0]! >>> 16) ^ this.hash ^ (this.hash >>> 16)) & 0xffff;
  }
}
