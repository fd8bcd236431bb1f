/** Time, injected: the simulation and the tests bring their own. All values are milliseconds. */
export interface Clock {
  /** Wall-clock time; stores compare leases and expiries by it. */
  now(): number;
  /** Never goes back; a holder measures its own lease by it. */
  monotonic(): number;
  /** Calls `run` once after `delayMs`; returns a function that cancels. Never keeps the process alive when `background`. */
  after(delayMs: number, run: () => void, background?: boolean): () => void;
}

/** Timers of Node are cut off at 2^31 - 1 ms, and fire at once beyond. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, run, background = false) {
    const timer = setTimeout(run, Math.min(delayMs, LONGEST_TIMER_MS));
    if (background) timer.unref();
    return () => clearTimeout(timer);
  },
};
