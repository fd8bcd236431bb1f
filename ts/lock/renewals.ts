import type { Clock } from '../clock.ts';

/** So many looks in the time of one lease. */
const LOOKS = 6;

/**
 * Looks again and again at the locks that are in use, so that each is renewed in time: one timer for all of them, which
 * stops when there are none. A timer of its own for each use would take a twentieth of a short one.
 */
export class Renewals<Lock> {
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #look: (lock: Lock) => void;
  readonly #inUse = new Set<Lock>();
  #runs = false;

  constructor(clock: Clock, leaseMs: number, look: (lock: Lock) => void) {
    this.#clock = clock;
    this.#everyMs = leaseMs / LOOKS;
    this.#look = look;
  }

  add(lock: Lock): void {
    this.#inUse.add(lock);
    this.#run();
  }

  delete(lock: Lock): void {
    this.#inUse.delete(lock);
  }

  #run(): void {
    if (this.#runs || this.#inUse.size === 0) return;
    this.#runs = true;
    this.#clock.after(
      this.#everyMs,
      () => {
        this.#runs = false;
        for (const lock of [...this.#inUse]) this.#look(lock);
        this.#run();
      },
      true,
    );
  }
}
