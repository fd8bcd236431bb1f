import type { Clock } from '../clock.ts';

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/** Time that stands still until it is told to pass: for tests. */
export class VirtualClock implements Clock {
  #monotonic = 1_000_000;
  #wall = 1_800_000_000_000;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#wall + this.#monotonic;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { at: this.#monotonic + delayMs, run };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Runs what is due on the way, each at its time; what a timer leads to by promises comes after. */
  pass(ms: number): void {
    const end = this.#monotonic + ms;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#timers.delete(next);
      this.#monotonic = Math.max(this.#monotonic, next.at);
      next.run();
    }
    this.#monotonic = end;
  }

  /** The wall clock is set; the monotonic one does not notice. */
  jump(ms: number): void {
    this.#wall += ms;
  }

  #next(end: number): Timer | undefined {
    const due = [...this.#timers].filter(({ at }) => at <= end);
    return due.length === 0 ? undefined : due.reduce((first, timer) => (timer.at < first.at ? timer : first));
  }
}
