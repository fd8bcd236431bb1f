import { takeMemory } from './memory.ts';

const FIRST_RUNS = 64;
/** More are not kept for the next target: a list that was sorted has one for each element. */
const KEPT_RUNS = 16_384;

/**
 * How a target is put together: each run is a part of the base, then as many bytes as were added behind it, which lie
 * one after the other elsewhere.
 */
export class Runs {
  /** Where in the base, how many bytes, how many added. */
  private runs: Uint32Array = new Uint32Array(3 * FIRST_RUNS);
  private count = 0;
  /** All before it, in the base, is dealt with. */
  private cursor = 0;

  begin(): void {
    this.count = 0;
    this.cursor = 0;
  }

  end(): void {
    if (this.runs.length > 3 * KEPT_RUNS) this.runs = new Uint32Array(3 * FIRST_RUNS);
  }

  /** The base stays up to `at`; there `removed` bytes of it give way to `added` ones. */
  edit(at: number, removed: number, added: number): void {
    this.keepTo(at);
    this.cursor = at + removed;
    this.add(added);
  }

  add(bytes: number): void {
    if (bytes === 0) return;
    if (this.count === 0) this.next(0);
    this.runs[3 * this.count - 1]! += bytes;
  }

  /** The base stays from the last edit up to `at`. */
  keepTo(at: number): void {
    const bytes = at - this.cursor;
    if (bytes === 0) return;
    const last = 3 * this.count - 3;
    const { runs } = this;
    if (this.count > 0 && runs[last + 2] === 0 && runs[last]! + runs[last + 1]! === this.cursor)
      runs[last + 1]! += bytes;
    else {
      this.next(this.cursor);
      this.runs[3 * this.count - 2] = bytes;
    }
    this.cursor = at;
  }

  /** What comes next stands at `at` in the base. */
  moveTo(at: number): void {
    this.cursor = at;
  }

  private next(from: number): void {
    const at = 3 * this.count;
    if (at + 3 > this.runs.length) {
      const larger = new Uint32Array(2 * this.runs.length);
      larger.set(this.runs);
      this.runs = larger;
    }
    this.runs[at] = from;
    this.runs[at + 1] = 0;
    this.runs[at + 2] = 0;
    this.count += 1;
  }

  /** The target: `base` with these runs, to its end, and with what was `added`. */
  put(base: Uint8Array, added: Uint8Array): Uint8Array {
    this.keepTo(base.length);
    const { runs, count } = this;
    let length = 0;
    for (let i = 0; i < 3 * count; i += 3) length += runs[i + 1]! + runs[i + 2]!;
    const target = takeMemory(length, base);
    let at = 0;
    let from = 0;
    for (let i = 0; i < 3 * count; i += 3) {
      const start = runs[i]!;
      target.set(base.subarray(start, start + runs[i + 1]!), at);
      at += runs[i + 1]!;
      if (runs[i + 2]! > 0) {
        target.set(added.subarray(from, from + runs[i + 2]!), at);
        at += runs[i + 2]!;
        from += runs[i + 2]!;
      }
    }
    return target;
  }
}
