import type { Clock } from '../clock.ts';
import { HoldfastError, isSilence, shortId } from '../errors.ts';
import type { OutageTerms } from '../store/outage-terms.ts';
import type { CallOptions, Store } from '../store/store.ts';

/** From one question whether the primary answers again to the next. */
const PROBE_MS = 100;
/** Of a record that waits, about, beside its bytes. */
const QUEUED_BYTES = 500;

/** Whether the primary answers, as far as this process knows, and how much waits here until it does. */
export class Outage {
  /** Of uses that say nothing else. */
  readonly terms: OutageTerms | undefined;
  readonly #store: Pick<Store, 'ping'>;
  readonly #clock: Clock;
  readonly #call: CallOptions;
  #over: Promise<void> | undefined;
  #stopped = false;
  #queuedBytes = 0;

  constructor(store: Pick<Store, 'ping'>, clock: Clock, call: CallOptions, terms: OutageTerms | undefined) {
    this.#store = store;
    this.#clock = clock;
    this.#call = call;
    this.terms = terms;
  }

  get isOut(): boolean {
    return this.#over !== undefined;
  }

  /** A call was not answered: from now on the primary is asked until it answers. */
  begin(): void {
    if (!this.#stopped) this.#over ??= this.#probe().finally(() => (this.#over = undefined));
  }

  /** Resolves when the primary answers, or nobody asks it any more. Undefined: it does, as far as this process knows. */
  over(): Promise<void> | undefined {
    return this.#over;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** `ERR_UNAVAILABLE`, outcome `none`, when there is no room for a record. */
  take(id: string, append: { readonly bytes: Uint8Array }, queueBytes: number): void {
    const bytes = append.bytes.length + QUEUED_BYTES;
    if (this.#queuedBytes + bytes > queueBytes)
      throw new HoldfastError(
        'ERR_UNAVAILABLE',
        `session '${shortId(id)}': the primary does not answer, and ${this.#queuedBytes} bytes wait for it here already, of outage.queueBytes = ${queueBytes}; nothing was written: save again later`,
        { session: id, outcome: 'none' },
      );
    this.#queuedBytes += bytes;
  }

  /** It waits no more. */
  give(append: { readonly bytes: Uint8Array }): void {
    this.#queuedBytes -= append.bytes.length + QUEUED_BYTES;
  }

  async #probe(): Promise<void> {
    while (!this.#stopped) {
      try {
        return void (await this.#store.ping(this.#call));
      } catch (error) {
        if (!isSilence(error)) return; // whoever calls learns what is wrong
      }
      await new Promise<void>((resolve) => void this.#clock.after(PROBE_MS, resolve, true));
    }
  }
}
