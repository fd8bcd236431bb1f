import { systemClock } from '../clock.ts';

const PAUSE_MS = 3000;
/** Told once the log is longer than this, then whenever it has doubled, and when it is short again. */
export const LONG_LOG: number = 64 << 20;
/** SQLite leaves so much of it (`journal_size_limit`). */
export const LOG_KEPT: number = 8 << 20;

/** When to look at the length of the log, and when to tell of it: as in `crates/sqlite`. */
export class LogWatch {
  #lookedAt = -Infinity;
  /** Something was written since the last look, or the log was long then. */
  #restless = false;
  #told = 0;

  /** How long to wait for work before the next look; undefined: until there is some. */
  get patienceMs(): number | undefined {
    return this.#restless ? Math.max(0, this.#lookedAt + PAUSE_MS - systemClock.monotonic()) : undefined;
  }

  isDue(writing: boolean): boolean {
    this.#restless ||= writing;
    return this.#restless && systemClock.monotonic() - this.#lookedAt >= PAUSE_MS;
  }

  /** There is none, or none that can be looked at. */
  rest(): void {
    this.#restless = false;
  }

  /** What is to be told. */
  note(bytes: number): number | undefined {
    this.#lookedAt = systemClock.monotonic();
    this.#restless = bytes > LOG_KEPT;
    const grown = bytes > LONG_LOG && bytes >= this.#told * 2;
    const shrunk = this.#told > 0 && bytes <= LONG_LOG;
    if (grown) this.#told = bytes;
    else if (shrunk) this.#told = 0;
    return grown || shrunk ? bytes : undefined;
  }
}
