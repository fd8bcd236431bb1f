import { commonPrefix, word32 } from './bytes.ts';
import { SETTLED, type Match } from './window.ts';

const GRAM = 16;
/** A base with more grams than this is sampled more thinly, which bounds the index to 8 MB. */
const GRAMS_MAX = 1 << 20;
const CANDIDATES = 8;
/**
 * After this many misses the scan goes on with wider steps. Steps are odd, so that they meet every phase of the grid.
 */
const PATIENCE_BITS = 8;
const STEP_MAX = 31;
const MULTIPLIERS = [0x9e3779b1 | 0, 0x85ebca77 | 0, 0xc2b2ae3d | 0, 0x27d4eb2f] as const;

/**
 * Finds far matches: 16-byte grams of the whole base at evenly spaced positions, as chains of gram numbers (plus one;
 * zero ends) by hash, nearest to the base's start first.
 */
export class GramIndex {
  readonly #base: Buffer;
  readonly #head: Int32Array;
  readonly #next: Int32Array;
  readonly #spacing: number;
  readonly #shift: number;
  /** Positions looked at by the last scan. */
  looked = 0;

  constructor(base: Buffer) {
    let spacing = GRAM;
    while (Math.floor(base.length / spacing) > GRAMS_MAX) spacing *= 2;
    const count = base.length < GRAM ? 0 : Math.floor((base.length - GRAM) / spacing) + 1;
    const bits = Math.max(32 - Math.clz32(count), 4);
    this.#base = base;
    this.#head = new Int32Array(2 ** bits);
    this.#next = new Int32Array(count);
    this.#spacing = spacing;
    this.#shift = 32 - bits;
    for (let number = count - 1; number >= 0; number--) {
      const slot = this.#slot(base, number * spacing);
      this.#next[number] = this.#head[slot]!;
      this.#head[slot] = number + 1;
    }
  }

  /**
   * Makes `match` the first match of at least a gram that starts in `target[from..end]`, or empties it. Matches end at
   * `limit`.
   */
  scan(target: Buffer, from: number, end: number, limit: number, match: Match): void {
    const stop = Math.min(end, limit + 1 - GRAM);
    let at = from;
    let misses = 0;
    match.length = 0;
    while (at < stop) {
      const entry = this.#head[this.#slot(target, at)]!;
      if (entry !== 0) this.#longest(target, at, limit, entry, match);
      if (match.length > 0) {
        misses++;
        break;
      }
      at += Math.min(1 + 2 * (misses >> PATIENCE_BITS), STEP_MAX);
      misses++;
    }
    this.looked = misses;
  }

  #longest(target: Buffer, at: number, limit: number, first: number, match: Match): void {
    const base = this.#base;
    let entry = first;
    for (let i = 0; i < CANDIDATES && entry !== 0; i++) {
      const source = (entry - 1) * this.#spacing;
      const same = commonPrefix(base, source, base.length, target, at, limit);
      if (same >= GRAM && same > match.length) {
        match.at = at;
        match.source = source;
        match.length = same;
        if (same >= SETTLED) return;
      }
      entry = this.#next[entry - 1]!;
    }
  }

  #slot(bytes: Buffer, at: number): number {
    const first = Math.imul(word32(bytes, at), MULTIPLIERS[0]) + Math.imul(word32(bytes, at + 4), MULTIPLIERS[1]);
    const second = Math.imul(word32(bytes, at + 8), MULTIPLIERS[2]) + Math.imul(word32(bytes, at + 12), MULTIPLIERS[3]);
    return (first + second) >>> this.#shift;
  }
}
