import type { Clock } from '../clock.ts';

/** So many looks in the time of one lease. */
const LOOKS = 12;
/** For so many of them what was sent counts as under way: as long as it is not sent again. */
const COUNTED = 3;
/** Of a lease: once so much has passed it is renewed at the next look, and so before a third has. */
export const RENEWED_AFTER: number = 1 / 3 - 1 / LOOKS;
/** A timer that is so late never comes: it was one of a test's fake timers, and went with them. */
const LOST_MS = 1000;
/** What is asked of the store for each of thousands leaves room for other calls: so much of it is under way at once. */
export const MOST_UNDER_WAY = 256;

/**
 * Looks again and again at the locks that are in use, so that each is renewed in time: one timer for all of them, which
 * stops when there are none. A timer of its own for each use would take a twentieth of a short one. Where the store is
 * slower than that, leases lapse, which harms nobody: one that another waits for is renewed each time that he asks.
 */
export class Renewals<Lock> {
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #renew: (lock: Lock) => Promise<void> | undefined;
  readonly #inUse = new Set<Lock>();
  /** What is under way since each of the last looks. What hangs for longer counts no more: others may be answered. */
  #sent: { underWay: number }[] = [];
  /** Those that the last look has not come to yet. */
  #left: Lock[] = [];
  /** When the timer is to fire, monotonic; undefined: there is none. */
  #due: number | undefined;

  /** `renew` gives what is then under way, which never rejects; undefined: it is not due. */
  constructor(clock: Clock, leaseMs: number, renew: (lock: Lock) => Promise<void> | undefined) {
    this.#clock = clock;
    this.#everyMs = leaseMs / LOOKS;
    this.#renew = renew;
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
        this.#sent = [{ underWay: 0 }, ...this.#sent.slice(0, COUNTED - 1)];
        // else the look before goes on, so that those at its end have their turn
        if (this.#left.length === 0) this.#left = [...this.#inUse].toReversed();
        this.#goOn();
        if (this.#inUse.size > 0) this.#set(this.#clock.monotonic());
      },
      true,
    );
  }

  #goOn(): void {
    const [sent] = this.#sent;
    while (sent !== undefined && this.#underWay < MOST_UNDER_WAY) {
      const lock = this.#left.pop();
      if (lock === undefined) return;
      const renewing = this.#inUse.has(lock) ? this.#renew(lock) : undefined;
      if (renewing === undefined) continue;
      sent.underWay += 1;
      void renewing.then(() => {
        sent.underWay -= 1;
        this.#goOn();
      });
    }
  }

  get #underWay(): number {
    return this.#sent.reduce((sum, { underWay }) => sum + underWay, 0);
  }
}
