import type { Clock } from './clock.ts';
import { HoldfastError } from './errors.ts';

/**
 * Settles as what `begin` returns does (also where it throws at once), or rejects with `ERR_UNAVAILABLE`, outcome
 * `unknown`, when `ms` have passed: what hangs holds nobody up.
 */
export function within<T>(clock: Clock, ms: number, what: string, begin: () => Promise<T>): Promise<T> {
  let deadlines = ofClocks.get(clock);
  if (deadlines === undefined) ofClocks.set(clock, (deadlines = new Deadlines(clock)));
  return deadlines.within(ms, what, begin);
}

interface Waiting {
  readonly what: string;
  readonly ms: number;
  /** Monotonic. */
  readonly until: number;
  readonly reject: (error: HoldfastError) => void;
}

/** What has not come back by then gets a timer: most calls never need one. */
const FIRST_LOOK_MS = 1;
/** A look goes through all that waits: with more than this, one is a millisecond later for each time as many. */
const LOOKED_AT_A_MS = 1000;
/** At the most so much later. */
const LATEST_MS = 500;
/** A timer that is off by so much never comes: it was one of a test's fake timers, and went with them. */
const LOST_MS = 1000;

/** All that waits by one clock, with one timer. It keeps the process alive for as long as something waits. */
class Deadlines {
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiting>();
  /** Of the timer, if it is set; it ends a wait of its own accord only when it is the first look. */
  #stop: (() => void) | undefined;
  #looksSoon = false;
  /** When the timer is to fire; monotonic. */
  #due = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  within<T>(ms: number, what: string, begin: () => Promise<T>): Promise<T> {
    let work: Promise<T>;
    try {
      work = Promise.resolve(begin());
    } catch (error) {
      return Promise.reject(error as Error);
    }
    return this.#wait(ms, what, work);
  }

  /** Does not see `begin`: what hangs leads here, and would keep what it was called with. */
  #wait<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const now = this.#clock.monotonic();
      const waiting = { what, ms, until: now + ms, reject };
      this.#waiting.add(waiting);
      if (!this.#looksSoon || Math.abs(now - this.#due) > LOST_MS) this.#set(now, FIRST_LOOK_MS, true);
      work.then(
        (value) => (this.#end(waiting), resolve(value)),
        (error: unknown) => (this.#end(waiting), reject(error as Error)),
      );
    });
  }

  #end(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    if (this.#waiting.size > 0 || this.#looksSoon) return;
    this.#stop?.();
    this.#stop = undefined;
  }

  #set(now: number, ms: number, soon: boolean): void {
    this.#stop?.();
    this.#looksSoon = soon;
    const delayMs = Math.max(ms, Math.min(LATEST_MS, this.#waiting.size / LOOKED_AT_A_MS));
    this.#due = now + delayMs;
    this.#stop = this.#clock.after(delayMs, () => this.#look());
  }

  #look(): void {
    this.#stop = undefined;
    this.#looksSoon = false;
    const now = this.#clock.monotonic();
    let next = Infinity;
    for (const waiting of this.#waiting) {
      if (waiting.until <= now) this.#giveUp(waiting);
      else next = Math.min(next, waiting.until);
    }
    // A timer that fires a rounding error too early must not be set for what is left of that.
    // What waits for ever has a timer too, or the process would end.
    if (this.#waiting.size > 0) this.#set(now, Math.max(FIRST_LOOK_MS, next - now), false);
  }

  #giveUp(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    const message = `${waiting.what} has not answered within ${waiting.ms} ms`;
    waiting.reject(new HoldfastError('ERR_UNAVAILABLE', message, { outcome: 'unknown' }));
  }
}

const ofClocks = new WeakMap<Clock, Deadlines>();
