import { commonPrefix } from './bytes.ts';
import { GramIndex } from './gram-index.ts';
import { OpsWriter } from './ops.ts';
import { GRAM, STRONG, WINDOW_MAX, WINDOW_MIN, Window, type Match } from './window.ts';

/** On the diagonal the next equal gram is looked for this far. */
const DIAGONAL_REACH = 24;
/** A window is at most this many times as wide as the target that is left: little is to be won there. */
const WINDOW_PER_LEFT = 16;
/** With less target than this left, windows (index) are not worth their set-up. */
const WINDOW_LEFT_MIN = 24;
const INDEX_LEFT_MIN = 64;
/** Least and most weak matches in a row before a wide search. */
const PATIENCE_MIN = 2;
const PATIENCE_MAX = 16;
/** A wide search that has a weak match stops at this window. */
const WIDE_ENOUGH = 1024;
/**
 * The index is built where nothing else is found, or once the debt has reached this much and such a part of the base.
 */
const DEBT_FIXED = 64;
const DEBT_PER_BASE = 1024;
/** Once the windows have done this much work, and so much per byte of the edited part, they are used no more. */
const BUDGET_FIXED = 1 << 16;
const BUDGET_PER_BYTE = 2;

const sharedWindow = new Window();

/**
 * Walks base and target along their diagonal and finds where they agree again after each edit;
 * `crates/delta/src/walk.rs` makes the same decisions. Writes the body of an ops delta into `out[0..room]`; its length,
 * or -1 where it does not fit.
 */
export function walk(
  base: Buffer,
  target: Buffer,
  prefix: number,
  suffix: number,
  out: Uint8Array,
  room: number,
): number {
  const end = target.length - suffix;
  const finder = new Finder(base, target, end, BUDGET_FIXED + BUDGET_PER_BYTE * (end - prefix));
  const writer = new OpsWriter(base, target, out, room);
  let at = prefix;
  let expected = prefix;
  writer.copy(0, prefix);
  for (;;) {
    const next = finder.best;
    next.length = 0;
    if (at < end) finder.find(at, expected);
    if (!writer.add(at, next.length > 0 ? next.at : end)) return -1;
    if (next.length === 0) return writer.finish(suffix);
    writer.copy(next.source, next.length);
    at = next.at + next.length;
    expected = next.source + next.length;
  }
}

class Finder {
  readonly #base: Buffer;
  readonly #target: Buffer;
  readonly #end: number;
  readonly #budget: number;
  #window: Window | undefined;
  #index: GramIndex | undefined;
  /** Weak matches taken since the last strong one or the last wide search, and how many are taken before the next. */
  #weak = 0;
  #patience: number = PATIENCE_MIN;
  /** Bytes of weak matches and of literals so far: what an index might have saved. */
  #debt = 0;
  /** What the last `find` found. */
  readonly best: Match = { at: 0, source: 0, length: 0 };
  readonly #far: Match = { at: 0, source: 0, length: 0 };

  constructor(base: Buffer, target: Buffer, end: number, budget: number) {
    this.#base = base;
    this.#target = target;
    this.#end = end;
    this.#budget = budget;
  }

  /**
   * Looks for the next match at or after `target[at]`, where `base[expected]` differs from it. `best` must be empty.
   *
   * A weak match may be a chance one that leads astray: after a few of them in a row a wider search looks for a strong
   * one.
   */
  find(at: number, expected: number): void {
    const { best } = this;
    const patient = this.#weak < this.#patience;
    this.#onDiagonal(at, expected);
    if (best.length < STRONG && !(patient && best.length > 0)) this.#nearby(at, expected, patient);
    const isDue =
      !patient && best.length < STRONG && this.#debt >= DEBT_FIXED + Math.floor(this.#base.length / DEBT_PER_BASE);
    if (best.length === 0 || isDue) this.#anywhere(at);
    if (best.length > 0) this.#judge(at, expected, patient);
  }

  /** A strong match off the diagonal shows that wide searches pay. */
  #judge(at: number, expected: number, patient: boolean): void {
    const { best } = this;
    this.#debt += best.at - at;
    if (best.length >= STRONG) {
      this.#weak = 0;
      if (best.source - expected !== best.at - at) this.#patience = PATIENCE_MIN;
      return;
    }
    this.#debt += best.length;
    this.#weak++;
    if (!patient) {
      this.#weak = 0;
      this.#patience = Math.min(this.#patience * 2, PATIENCE_MAX);
    }
  }

  #onDiagonal(at: number, expected: number): void {
    const base = this.#base;
    const target = this.#target;
    const room = Math.min(base.length - expected, this.#end - at);
    // A gram that starts before DIAGONAL_REACH ends before this.
    const reach = Math.min(room, DIAGONAL_REACH + GRAM - 1);
    let same = 0;
    for (let i = 0; i < reach; i++) {
      if (base[expected + i] !== target[at + i]) {
        same = 0;
      } else if (++same === GRAM) {
        const start = i + 1 - GRAM;
        this.best.at = at + start;
        this.best.source = expected + start;
        this.best.length = GRAM + commonPrefix(base, expected + i + 1, base.length, target, at + i + 1, this.#end);
        return;
      }
    }
  }

  /** The best match in growing windows around `expected`; a patient search ends with the first window that has one. */
  #nearby(at: number, expected: number, patient: boolean): void {
    const { best } = this;
    const left = this.#end - at;
    if (left < WINDOW_LEFT_MIN || (this.#window !== undefined && this.#window.work > this.#budget)) return;
    if (this.#window === undefined) {
      this.#window = sharedWindow;
      sharedWindow.clear();
    }
    for (let width = WINDOW_MIN; width <= WINDOW_MAX && width <= WINDOW_PER_LEFT * left; width *= 4) {
      this.#window.cover(this.#base, Math.max(expected - width, 0), expected + width);
      const end = Math.min(at + width, this.#end + 1 - GRAM);
      this.#window.scan(this.#base, this.#target, at, end, this.#end, best);
      if (best.length >= STRONG || (patient && best.length > 0) || (best.length > 0 && width >= WIDE_ENOUGH)) break;
    }
    if (best.length > 0) this.#extendBack(best, at);
  }

  /** The first far match, or, where there is a match already, a strong one that starts before its end. */
  #anywhere(at: number): void {
    const { best } = this;
    const far = this.#far;
    if (this.#end - at < INDEX_LEFT_MIN) return;
    this.#index ??= new GramIndex(this.#base);
    this.#index.scan(this.#target, at, best.length > 0 ? best.at + best.length : this.#end, this.#end, far);
    if (far.length > 0) this.#extendBack(far, at);
    if (best.length === 0 || far.length >= STRONG) Object.assign(best, far);
  }

  #extendBack(match: Match, floor: number): void {
    let { at, source } = match;
    while (at > floor && source > 0 && this.#base[source - 1] === this.#target[at - 1]) {
      at--;
      source--;
    }
    match.length += match.at - at;
    match.at = at;
    match.source = source;
  }
}
