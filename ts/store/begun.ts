import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOM = 1024;
const BYTES = 4;

/**
 * How many questions were begun to which no answer was taken in, by the remainder of their tickets. Shared by a thread
 * and whoever asks it.
 */
export type Begun = Int32Array;

export const newBegun = (): Begun => new Int32Array(new SharedArrayBuffer(BYTES * ROOM));

export function count(begun: Begun, ticket: number, change: 1 | -1): void {
  Atomics.add(begun, ticket % ROOM, change);
}

/** Also true where another question has the same remainder. */
export const isBegun = (begun: Begun, ticket: number): boolean => Atomics.load(begun, ticket % ROOM) > 0;

/** Among the open files of the process. */
export const BEGUN = 4;

/** The same of a process, in a file without a name: it writes how many it has begun, and whoever asks reads that. */
export class BegunFile {
  readonly file: number;
  readonly #answered: Int32Array = new Int32Array(ROOM);
  #isOpen = true;

  constructor() {
    const path = join(tmpdir(), `holdfast-begun-${randomBytes(8).toString('hex')}`);
    this.file = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
    writeSync(this.file, new Uint8Array(BYTES * ROOM)); // its room is taken before the disk is full
  }

  answer(ticket: number): void {
    this.#answered[ticket % ROOM] = this.#answeredOf(ticket) + 1;
  }

  /** Of a process that has ended nobody can tell: true. */
  isBegun(ticket: number): boolean {
    if (!this.#isOpen) return true;
    const count = new Int32Array(1);
    readSync(this.file, count, 0, BYTES, (ticket % ROOM) * BYTES);
    return (count[0] as number) > this.#answeredOf(ticket);
  }

  #answeredOf(ticket: number): number {
    return this.#answered[ticket % ROOM] as number;
  }

  close(): void {
    if (this.#isOpen) closeSync(this.file);
    this.#isOpen = false;
  }
}

/** In the process: counts in such a file, there before anything is begun. */
export function countIn(file: number): (ticket: number, change: 1 | -1) => void {
  const counts = new Int32Array(ROOM);
  return (ticket, change) => {
    const at = ticket % ROOM;
    counts[at] = (counts[at] as number) + change;
    writeSync(file, counts, at * BYTES, BYTES, at * BYTES);
  };
}
