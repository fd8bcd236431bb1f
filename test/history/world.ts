import type { Clock } from '../../ts/clock.ts';
import type { Entropy } from '../../ts/entropy.ts';

/** Names of members are the same in every run. */
export const NO_ENTROPY: Entropy = { fill: (bytes) => void bytes.fill(0) };

/** A stream of numbers in [0, 1) that a seed determines (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Event {
  readonly at: number;
  readonly order: number;
  run(): void;
}

/** Time that passes only when all work of the moment is done. */
export class VirtualClock implements Clock {
  readonly #start: number;
  #time = 0;
  #order = 0;
  /** A binary heap by time, then by order. */
  readonly #events: Event[] = [];

  constructor(start = 1_700_000_000_000) {
    this.#start = start;
  }

  now = (): number => this.#start + this.#time;
  monotonic = (): number => this.#time;

  after = (delayMs: number, run: () => void): (() => void) => {
    let cancelled = false;
    this.#push({
      at: this.#time + Math.max(0, delayMs),
      order: (this.#order += 1),
      run: () => void (cancelled || run()),
    });
    return () => void (cancelled = true);
  };

  sleep = (ms: number): Promise<void> => new Promise((resolve) => void this.after(ms, resolve));

  /** Runs events in order until `done`. */
  async until(done: () => boolean): Promise<void> {
    for (;;) {
      await settled();
      if (done()) return;
      const event = this.#pop();
      if (event === undefined) throw new Error('nothing is left to do, and the work is not done');
      this.#time = event.at;
      event.run();
    }
  }

  #push(event: Event): void {
    const events = this.#events;
    let at = events.push(event) - 1;
    for (let up = (at - 1) >> 1; at > 0 && before(event, events[up] as Event); up = (at - 1) >> 1) {
      events[at] = events[up] as Event;
      at = up;
    }
    events[at] = event;
  }

  #pop(): Event | undefined {
    const events = this.#events;
    const first = events[0];
    const last = events.pop();
    if (last === undefined || events.length === 0) return first;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= events.length) break;
      if (down + 1 < events.length && before(events[down + 1] as Event, events[down] as Event)) down += 1;
      if (!before(events[down] as Event, last)) break;
      events[at] = events[down] as Event;
      at = down;
    }
    events[at] = last;
    return first;
  }
}

const before = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** All promises that can go on have gone on. */
const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
