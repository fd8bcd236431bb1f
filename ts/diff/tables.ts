import { Script } from './script.ts';

export const NEAR_BITS = 10;
export const FILL_BITS = 10;
export const OWN_BITS = 13;
export const RECENT_BITS = 12;
export const RECENT_BITS_WIDE = 16;
/** The target's own text is noted once the debt of the search has reached this. */
export const DEBT_MIN = 64;
/** Larger tables, in words, are given back after the call. */
const KEPT_WORDS = 1 << 20;
/** Below this an entry is a small integer to V8. */
const STAMP_MOST = 2 ** 30;
const NONE = new Uint32Array(0);

/**
 * The matcher's memory, which outlives the call: nothing is allocated or cleared for a small edit.
 *
 * A table's entry is the call's _stamp_ + a position + 1. Stamps grow by more than the positions of the call before, so
 * what an earlier call left behind is below the stamp, and ignored: the same input gives the same delta whatever came
 * before.
 */
export class Tables {
  /** 8-byte grams of the base around the expected position, the two latest of each hash. */
  readonly near: Uint32Array = new Uint32Array(2 << NEAR_BITS);
  /** 5-byte grams of the base around a gap, the two latest. */
  readonly fill: Uint32Array = new Uint32Array(2 << FILL_BITS);
  /** 4-byte grams of the target's gaps. */
  readonly own: Uint32Array = new Uint32Array(1 << OWN_BITS);
  /** 8-byte grams of the target so far; `wide` where much is new. */
  readonly recent: Uint32Array = new Uint32Array(1 << RECENT_BITS);
  wide: Uint32Array = NONE;
  /** 8-byte grams of the whole base. */
  dense: Uint32Array = NONE;
  /** `Far`'s grams: no stamps. */
  far: Uint32Array = NONE;
  readonly script: Script = new Script();
  stamp = 0;
  #next = 0;

  /** Makes ready for positions below `room`. What a call leaves behind that fails in between counts no more either. */
  begin(room: number): void {
    if (this.#next + room + 2 > STAMP_MOST) {
      this.#next = 0;
      for (const table of [this.near, this.fill, this.own, this.recent, this.wide, this.dense]) table.fill(0);
    }
    this.stamp = this.#next;
    this.#next += room + 2;
  }

  /** Gives large memory back. */
  end(): void {
    if (this.dense.length > KEPT_WORDS) this.dense = NONE;
    if (this.far.length > KEPT_WORDS) this.far = NONE;
    this.script.giveBack();
  }
}
