import { CHANCE_EVEN, CHANCE_STEPS, RATE_MOST } from './format.ts';

/** A range is widened by a byte once it is below this. */
const RANGE_MIN = 2 ** 24;
const CARRY = 2 ** 32;
/** Bytes that may be read past the end: a writer leaves out as many zeros. */
const PAST_END = 4;

/** By how much of 2^16 the next decision moves a chance: first by a half, then less and less. */
const RATES = Int32Array.from({ length: CHANCE_STEPS }, (_, seen) => Math.floor(65536 / Math.min(seen + 2, RATE_MOST)));

/** How likely decisions are 0s, of 2^16, as learnt from those before them. */
export class Chances {
  readonly #zero: Uint16Array;
  readonly #seen: Uint8Array;

  constructor(count: number) {
    this.#zero = new Uint16Array(count);
    this.#seen = new Uint8Array(count);
  }

  forget(): void {
    this.#zero.fill(CHANCE_EVEN);
    this.#seen.fill(0);
  }

  /** The part of the range that a 0 takes. */
  bound(place: number, range: number): number {
    const chance = this.#zero[place]! >> 4;
    return (range >>> 12) * (chance === 0 ? 1 : chance);
  }

  learn(place: number, value: number): void {
    const zero = this.#zero[place]!;
    const seen = this.#seen[place]!;
    const rate = RATES[seen]!;
    this.#zero[place] = value === 0 ? zero + (((65535 - zero) * rate) >> 16) : zero - ((zero * rate) >> 16);
    if (seen < CHANCE_STEPS - 1) this.#seen[place] = seen + 1;
  }
}

/** Writes or reads decisions: what describes the fields once serves both. A reader's values are ignored. */
export interface Coder {
  /** A decision with a chance. */
  bit(place: number, value: number): number;
  /** So many bits without. */
  plain(value: number, count: number): number;
}

/**
 * An adaptive binary range coder, in integers below 2^40: each binary decision takes as much of the range as it is
 * likely. Range coding is Martin's (1979); a carry goes back into the bytes that are written.
 */
export class RangeWriter implements Coder {
  readonly #chances: Chances;
  #low = 0;
  #range = 0xffffffff;
  #out: Buffer;
  #at: number;

  /** Writes to `out[at..]`, or where that ends to longer memory: `bytes` tells. */
  constructor(chances: Chances, out: Buffer, at: number) {
    this.#chances = chances;
    this.#out = out;
    this.#at = at;
  }

  /** Where it will end at the least. */
  get end(): number {
    return this.#at;
  }

  get bytes(): Buffer {
    return this.#out;
  }

  bit(place: number, value: number): number {
    const bound = this.#chances.bound(place, this.#range);
    if (value === 0) this.#range = bound;
    else {
      this.#low += bound;
      this.#range -= bound;
    }
    this.#chances.learn(place, value);
    while (this.#range < RANGE_MIN) this.#widen();
    return value;
  }

  plain(value: number, count: number): number {
    for (let place = count - 1; place >= 0; place--) {
      this.#range = Math.floor(this.#range / 2);
      if (((value >>> place) & 1) !== 0) this.#low += this.#range;
      while (this.#range < RANGE_MIN) this.#widen();
    }
    return value;
  }

  /** Writes the fewest bytes that read right with zeros after them; where they end. */
  finish(): number {
    const top = this.#low + this.#range - 1;
    let unit = 2 ** 31;
    while (Math.floor(top / unit) * unit < this.#low) unit /= 2;
    this.#low = Math.floor(top / unit) * unit;
    for (let i = 0; i < PAST_END; i++) this.#shift();
    for (let i = 0; i < PAST_END && this.#out[this.#at - 1] === 0; i++) this.#at--;
    return this.#at;
  }

  #widen(): void {
    this.#range *= 256;
    this.#shift();
  }

  /** Moves the highest byte of `low` out. */
  #shift(): void {
    if (this.#low >= CARRY) this.#carry();
    if (this.#at === this.#out.length) {
      const grown = Buffer.allocUnsafeSlow(2 * this.#at);
      grown.set(this.#out);
      this.#out = grown;
    }
    this.#out[this.#at++] = Math.floor(this.#low / RANGE_MIN);
    this.#low = (this.#low % RANGE_MIN) * 256;
  }

  /** Adds one to the number that was written. */
  #carry(): void {
    this.#low -= CARRY;
    let place = this.#at - 1;
    for (; this.#out[place] === 0xff; place--) this.#out[place] = 0;
    this.#out[place]!++;
  }
}

/** Reads what a `RangeWriter` wrote. */
export class RangeReader implements Coder {
  readonly #chances: Chances;
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;
  #code = 0;
  #range = 0xffffffff;

  /** Reads `bytes[at..end]`. */
  constructor(chances: Chances, bytes: Uint8Array, at: number, end: number) {
    this.#chances = chances;
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
    for (let i = 0; i < 4; i++) this.#next();
  }

  /** Whether more was read than was written. */
  get isOver(): boolean {
    return this.#at > this.#end + PAST_END;
  }

  /** Bytes read so far, at most those that are there. */
  get offset(): number {
    return Math.min(this.#at, this.#end);
  }

  bit(place: number): number {
    const bound = this.#chances.bound(place, this.#range);
    const value = this.#code < bound ? 0 : 1;
    if (value === 0) this.#range = bound;
    else {
      this.#code -= bound;
      this.#range -= bound;
    }
    this.#chances.learn(place, value);
    while (this.#range < RANGE_MIN) {
      this.#range *= 256;
      this.#next();
    }
    return value;
  }

  plain(_value: number, count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) {
      this.#range = Math.floor(this.#range / 2);
      const bit = this.#code < this.#range ? 0 : 1;
      if (bit === 1) this.#code -= this.#range;
      value = value * 2 + bit;
      while (this.#range < RANGE_MIN) {
        this.#range *= 256;
        this.#next();
      }
    }
    return value;
  }

  #next(): void {
    const byte = this.#at < this.#end ? this.#bytes[this.#at]! : 0;
    this.#code = ((this.#code << 8) | byte) >>> 0;
    this.#at++;
  }
}
