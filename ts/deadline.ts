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

/** All that waits by one clock, with one timer. It keeps the process alive for as long as something waits. */
class Deadlines {
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiting>();
  /** Of the timer, if it is set; it ends a wait of its own accord only when it is the first look. */
  #stop: (() => void) | undefined;
  #looksSoon = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  within<T>(ms: number, what: string, begin: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const work = Promise.resolve(begin());
      const waiting = { what, ms, until: this.#clock.monotonic() + ms, reject };
      this.#waiting.add(waiting);
      if (!this.#looksSoon) this.#set(FIRST_LOOK_MS, true);
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

  #set(ms: number, soon: boolean): void {
    this.#stop?.();
    this.#looksSoon = soon;
    this.#stop = this.#clock.after(ms, () => this.#look());
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
    if (next < Infinity) this.#set(Math.max(FIRST_LOOK_MS, next - now), false);
  }

  #giveUp(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    const message = `${waiting.what} has not answered within ${waiting.ms} ms`;
    waiting.reject(new HoldfastError('ERR_UNAVAILABLE', message, { outcome: 'unknown' }));
  }
}

const ofClocks = new WeakMap<Clock, Deadlines>();
