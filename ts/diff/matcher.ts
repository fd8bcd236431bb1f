import { findAnchor, type Anchor } from './anchor.ts';
import { commonBack, commonPrefix } from './bytes.ts';
import type { Far } from './far.ts';
import { fillGap } from './gap.ts';
import { hash8 } from './gram.ts';
import type { Script } from './script.ts';
import { skim } from './skim.ts';
import { DEBT_MIN, RECENT_BITS, RECENT_BITS_WIDE, type Tables } from './tables.ts';

/** Bytes of an anchor that later anchors may be found in. */
const NOTED = 64;
/** Once the debt has reached this, the target's own text is noted in a larger table. */
const DEBT_WIDE = 8192;
/** Work is limited to this, and so much per byte of the edited part. */
const WORK_FIXED = 1 << 13;
const WORK_PER_BYTE = 3;
/** Longer gaps are passed in stretches of this. */
const STRETCH = 4096;
/** What was found is poor if the operations take more than this part of what they make, and this much. */
const POOR = 5;
const POOR_MIN = 1536;

const viewOf = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/** One call's search; `crates/delta/src/matcher.rs` makes the same decisions. */
export class Matcher {
  readonly base: Buffer;
  readonly target: Buffer;
  readonly baseView: DataView;
  readonly targetView: DataView;
  /** Where the edited part starts in both, where it ends in the target, and where in the base. */
  readonly start: number;
  readonly end: number;
  readonly baseEnd: number;
  readonly tables: Tables;
  readonly stamp: number;
  readonly script: Script;
  /** What of the base is in the tables `near` and `fill`. */
  nearLow = 0;
  nearHigh = 0;
  fillLow = 0;
  fillHigh = 0;
  far: Far | undefined;
  /** Bits of the hash of `Tables.dense`; 0: it is not there yet. */
  denseBits = 0;
  /** Bits of the hash of the table of recent grams; 0: none is noted yet. */
  recentBits = 0;
  #recentTo = 0;
  /** Bytes that had to be passed to come to anchors, and something for each: what a wider search might have saved. */
  debt = 0;
  /** Bytes between anchors. */
  gaps = 0;
  /** Positions looked at, noted, and compared. */
  work = 0;
  readonly #budget: number;
  readonly anchor: Anchor = { at: 0, source: 0, length: 0, isOwn: false, score: 0 };
  /** Bytes by which the last `extend` went back. */
  back = 0;

  constructor(base: Buffer, target: Buffer, prefix: number, suffix: number, tables: Tables) {
    this.base = base;
    this.target = target;
    this.baseView = viewOf(base);
    this.targetView = viewOf(target);
    this.start = prefix;
    this.end = target.length - suffix;
    this.baseEnd = base.length - suffix;
    this.tables = tables;
    this.stamp = tables.stamp;
    this.script = tables.script;
    this.#budget = WORK_FIXED + WORK_PER_BYTE * (this.end - prefix);
  }

  /** Puts the operations that make the target from the base into the script. */
  run(): void {
    this.script.begin(this.base.length);
    this.script.copy(0, this.start);
    this.#walk();
    this.script.finish(this.target.length - this.end);
  }

  #walk(): void {
    const { anchor, script } = this;
    const base = this.base.length;
    let at = this.start;
    while (at < this.end) {
      if (this.#isLost(at)) {
        at = skim(this, at, this.end);
        continue;
      }
      const expected = script.left;
      findAnchor(this, at, expected);
      if (anchor.length === 0) {
        this.#passGap(at, this.end, this.baseEnd);
        return;
      }
      const { at: start, source, length, isOwn } = anchor;
      const right = isOwn ? expected + (start - at) : source;
      this.#passGap(at, start, Math.min(right, base));
      script.copy(isOwn ? base + source : source, length);
      this.#note(at, start + Math.min(length, NOTED));
      at = start + length;
    }
  }

  /** Makes `target[start..to]`, between anchors; the base goes on at `right` with what is after it. */
  #passGap(start: number, to: number, right: number): void {
    let from = start;
    while (from < to) {
      if (this.#isLost(from)) {
        from = skim(this, from, to);
        continue;
      }
      const end = Math.min(to, from + STRETCH);
      fillGap(this, from, end, this.script.left, Math.max(right - (to - end), 0));
      from = end;
    }
  }

  /** Whether what was found up to `at` is too little for the search, or took too much work. */
  #isLost(at: number): boolean {
    return this.work > this.#budget || POOR * this.script.cost > POOR_MIN + (at - this.start);
  }

  /** Notes recent grams in the larger table from now on. */
  useWide(): void {
    this.recentBits = RECENT_BITS_WIDE;
    if (this.tables.wide.length === 0) this.tables.wide = new Uint32Array(1 << RECENT_BITS_WIDE);
  }

  /** Remembers the grams of `target[start..to]`. */
  #note(start: number, to: number): void {
    if (this.recentBits === 0) {
      if (this.debt < DEBT_MIN) return;
      this.recentBits = RECENT_BITS;
    } else if (this.recentBits === RECENT_BITS && this.debt > DEBT_WIDE) this.useWide();
    const { targetView, stamp, recentBits: bits } = this;
    const table = bits === RECENT_BITS ? this.tables.recent : this.tables.wide;
    const from = Math.max(start, this.#recentTo);
    const end = Math.min(to, Math.max(this.target.length - 8, 0));
    this.work += Math.max(end - from, 0);
    for (let position = from; position < end; position++)
      table[hash8(targetView, position, bits)] = stamp + position + 1;
    this.#recentTo = Math.max(this.#recentTo, end);
  }

  /** Where in the target a gram like that at `at` was last noted, or -1. */
  recent(at: number): number {
    const bits = this.recentBits;
    if (bits === 0) return -1;
    const table = bits === RECENT_BITS ? this.tables.recent : this.tables.wide;
    const source = table[hash8(this.targetView, at, bits)]! - this.stamp - 1;
    return source < at ? source : -1;
  }

  /**
   * How far `from` (base or target) goes on from `source` as the target from `at`, to both sides, not before `floor`;
   * `back` tells the part before them.
   */
  extend(from: Buffer, source: number, at: number, floor: number): number {
    const { target } = this;
    this.back = commonBack(from, source, target, at, Math.min(at - floor, source));
    return commonPrefix(from, source, from.length, target, at, this.end) + this.back;
  }
}
