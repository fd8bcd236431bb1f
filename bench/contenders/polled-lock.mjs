import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 1;

/**
 * A lock for stores that cannot call another process: a row of two characters, who has it and whether it is asked for,
 * looked at every millisecond by both. At its best: two writes a hand-over, unflushed where the store can, no lease, no
 * queue. `read()` gives the row as of now or undefined, `write(row)` resolves when the other side can see it.
 */
export class PolledLock {
  #side;
  #row;

  constructor(side, row) {
    this.#side = String(side);
    this.#row = row;
  }

  async take() {
    const row = this.#row.read();
    if (row === undefined) return this.#row.write(`${this.#side}-`);
    if (row[0] !== this.#side) await this.#row.write(`${row[0]}?`);
    while (this.#row.read()[0] !== this.#side) await delay(POLL_MS);
  }

  /** Gives it up when it is asked for. */
  async lost() {
    while (this.#row.read() !== `${this.#side}?`) await delay(POLL_MS);
    await this.#row.write(`${1 - Number(this.#side)}-`);
  }
}
