import { commonPrefix, word32 } from './bytes.ts';

/** Widest and least window, in bytes to either side. */
export const WINDOW_MAX = 4096;
export const WINDOW_MIN = 64;
export const GRAM = 8;
/** A match of this length is taken without more ado. */
export const STRONG = 48;
/** With a match of this length no other candidate is looked at. */
export const SETTLED = 256;
const HEAD_BITS = 12;
const RING_MASK = 2 * WINDOW_MAX - 1;
const CANDIDATES = 8;
/** After the first match the scan goes on at most this far for a longer one. */
const LOOK_ON = 8;
const MULTIPLIER_LOW = 0x9e3779b1 | 0;
const MULTIPLIER_HIGH = 0x85ebca77 | 0;

/** `target[at..at + length]` equals `base[source..source + length]`; no match where `length` is 0. */
export interface Match {
  at: number;
  source: number;
  length: number;
}

/**
 * Finds nearby matches: all 8-byte grams of the base within a window around the expected position, as chains of
 * positions (plus one; zero ends) by hash. Stale entries do no harm: every candidate is compared. One window serves the
 * whole process.
 */
export class Window {
  readonly #head: Int32Array = new Int32Array(1 << HEAD_BITS);
  readonly #previous: Int32Array = new Int32Array(RING_MASK + 1);
  #low = 0;
  #high = 0;
  /** Positions indexed and looked at, and candidates compared. */
  work = 0;

  clear(): void {
    this.#head.fill(0);
    this.#low = 0;
    this.#high = 0;
    this.work = 0;
  }

  /** Indexes the grams that start in `base[low..high]`, those already there left out. */
  cover(base: Buffer, low: number, high: number): void {
    const end = Math.min(high, base.length + 1 - GRAM);
    if (low >= end) return;
    if (end < this.#low || low > this.#high) {
      this.#low = low;
      this.#high = low;
    }
    if (end > this.#high) {
      this.#insertUp(base, this.#high, end);
      this.work += end - this.#high;
      this.#high = end;
    }
    if (low < this.#low) {
      for (let position = this.#low - 1; position >= low; position--) {
        this.#insert(slotOf(word32(base, position), word32(base, position + 4)), position);
      }
      this.work += this.#low - low;
      this.#low = low;
    }
  }

  #insertUp(base: Buffer, from: number, to: number): void {
    let first = word32(base, from);
    let second = word32(base, from + 4);
    for (let position = from; position < to - 1; position++) {
      this.#insert(slotOf(first, second), position);
      first = (first >>> 8) | (base[position + 4]! << 24);
      second = (second >>> 8) | (base[position + 8]! << 24);
    }
    this.#insert(slotOf(first, second), to - 1);
  }

  #insert(slot: number, position: number): void {
    const known = this.#head[slot]!;
    if (known === position + 1) return;
    this.#previous[position & RING_MASK] = known;
    this.#head[slot] = position + 1;
  }

  /**
   * Makes `best` the best match that starts in `target[at..end]`, where it is longer than what it holds already: a
   * settling one, or the longest that starts soon after the first. Matches end at `limit`.
   */
  scan(base: Buffer, target: Buffer, at: number, end: number, limit: number, best: Match): void {
    let stop = best.length > 0 ? Math.min(end, best.at + best.length) : end;
    let i = at;
    while (i < stop) {
      const entry = this.#head[slotOf(word32(target, i), word32(target, i + 4))]!;
      if (entry !== 0) {
        const known = best.length;
        const length = this.#longest(base, target, i, limit, entry, best);
        if (known === 0 && length > 0) stop = Math.min(stop, i + Math.min(length, LOOK_ON));
        if (length >= SETTLED) break;
      }
      i++;
    }
    this.work += i - at;
  }

  /** Length of the longest match at `target[at]`, 0 where none has a gram; noted in `best` where it is longer. */
  #longest(base: Buffer, target: Buffer, at: number, limit: number, first: number, best: Match): number {
    let entry = first;
    let length = 0;
    for (let i = 0; i < CANDIDATES && entry !== 0; i++) {
      this.work++;
      const source = entry - 1;
      if (base[source] === target[at] && base[source + GRAM - 1] === target[at + GRAM - 1]) {
        const same = commonPrefix(base, source, base.length, target, at, limit);
        if (same >= GRAM && same > length) {
          length = same;
          if (same > best.length) {
            best.at = at;
            best.source = source;
            best.length = same;
          }
          if (same >= SETTLED) break;
        }
      }
      entry = this.#previous[source & RING_MASK]!;
    }
    return length;
  }
}

function slotOf(first: number, second: number): number {
  return (Math.imul(first, MULTIPLIER_LOW) + Math.imul(second, MULTIPLIER_HIGH)) >>> (32 - HEAD_BITS);
}
