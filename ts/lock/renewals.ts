import type { Clock } from '../clock.ts';

/** So many looks in the time of one lease. */
const LOOKS = 12;
/** Of a lease: once so much has passed it is renewed at the next look, and so before a third has. */
export const RENEWED_AFTER: number = 1 / 3 - 1 / LOOKS;
/** A timer that is so late never comes: it was one of a test's fake timers, and went with them. */
const LOST_MS = 1000;

/**
 * Looks again and again at the locks that are in use, so that each is renewed in time: one timer for all of them, which
 * stops when there are none. A timer of its own for each use would take a twentieth of a short one.
 */
export class Renewals<Lock> {
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #look: (lock: Lock) => void;
  readonly #inUse = new Set<Lock>();
  /** When the timer is to fire, monotonic; undefined: there is none. */
  #due: number | undefined;

  constructor(clock: Clock, leaseMs: number, look: (lock: Lock) => void) {
    this.#clock = clock;
    this.#everyMs = leaseMs / LOOKS;
    this.#look = look;
  }

  /** `now`: monotonic. */
  add(lock: Lock, now: number): void {
    this.#inUse.add(lock);
    if (this.#due === undefined || Math.abs(now - this.#due) > this.#everyMs + LOST_MS) this.#set(now);
  }

  delete(lock: Lock): void {
    this.#inUse.delete(lock);
  }

  #set(now: number): void {
    const due = now + this.#everyMs;
    this.#due = due;
    this.#clock.after(
      this.#everyMs,
      () => {
        if (this.#due !== due) return; // it was given up, and came all the same
        this.#due = undefined;
        for (const lock of [...this.#inUse]) this.#look(lock);
        if (this.#inUse.size > 0) this.#set(this.#clock.monotonic());
      },
      true,
    );
  }
}
