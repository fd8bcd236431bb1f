import type { Clock } from '../clock.ts';
import { notNegative, positive, timeout } from '../options.ts';
import type { Rule, Rules } from '../options.ts';
import type { Store } from './store.ts';

/** 0 would sweep without end. */
const sweepTime: Rule = (name, value) => (value === 0 ? positive(name, value) : timeout(name, value));

export const SWEEP_RULES: Rules = { sweepEveryMs: sweepTime, sweepGraceMs: notNegative };

export interface SweepOptions {
  /** Ms between two sweeps in the background; Infinity: none. Default 60,000. */
  readonly sweepEveryMs?: number | undefined;
  /** Least ms between the two looks before something is deleted. Default 60,000. */
  readonly sweepGraceMs?: number | undefined;
}

const MINUTE_MS = 60_000;
const PAGE = 500;

/** Sweeps a store of its own accord, page by page with room for others between, and never keeps the process alive. */
export class Sweeper {
  readonly #store: Pick<Store, 'sweep'>;
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #graceMs: number;
  #cancel: () => void = () => undefined;
  #stopped = false;

  constructor(
    store: Pick<Store, 'sweep'>,
    clock: Clock,
    { sweepEveryMs = MINUTE_MS, sweepGraceMs = MINUTE_MS }: SweepOptions,
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#everyMs = sweepEveryMs;
    this.#graceMs = sweepGraceMs;
    this.#plan(this.#everyMs, undefined);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #plan(delayMs: number, cursor: string | undefined): void {
    if (this.#stopped || delayMs === Infinity) return;
    this.#cancel = this.#clock.after(delayMs, () => void this.#page(cursor), true);
  }

  async #page(cursor: string | undefined): Promise<void> {
    const request = { limit: PAGE, graceMs: this.#graceMs, ...(cursor !== undefined && { cursor }) };
    // Housekeeping: whoever next uses the store learns of its trouble.
    const page = await this.#store.sweep(request).catch(() => ({ cursor: undefined }));
    this.#plan(page.cursor === undefined ? this.#everyMs : 0, page.cursor);
  }
}
