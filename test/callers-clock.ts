import type { Clock } from '../ts/clock.ts';

/** A clock of the caller's own, as one would write it: a test's fake timers are its timers, and go with them. */
export const callersClock = (): Clock => ({
  now: () => Date.now(),
  monotonic: () => Number(process.hrtime.bigint() / 1000n) / 1000,
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
});
