import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import type { CallOptions } from './store.ts';

/** The bound of one call: compared with the clock, and waited for only where a store waits. */
export class Deadline {
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #boundMs: number;
  readonly #end: number;
  /** See `CallOptions`. */
  readonly failMs: number | undefined;

  /** Throws where nothing is to be begun. */
  constructor(clock: Clock, { timeoutMs, signal, failMs }: CallOptions, defaultMs: number) {
    this.#clock = clock;
    this.#signal = signal;
    this.failMs = failMs;
    this.#boundMs = timeoutMs ?? defaultMs;
    this.#end = this.#boundMs === Infinity ? Infinity : clock.monotonic() + this.#boundMs;
    if (this.#boundMs <= 0 || signal?.aborted === true) this.check();
  }

  /** Throws where the call is to begin nothing any more. */
  check(): void {
    if (this.#signal?.aborted === true) throw this.#failure('none', 'was cancelled');
    if (this.#end !== Infinity && this.#clock.monotonic() >= this.#end)
      throw this.#failure('none', `was not begun within ${this.#boundMs} ms`);
  }

  /** As `bound`, of work that keeps the time itself. */
  orAbort<T>(work: Promise<T>, outcome: 'none' | 'unknown'): Promise<T> {
    return this.#signal === undefined ? work : this.#settled(work, outcome, Infinity);
  }

  /** Until the call gives up; Infinity: never. */
  get leftMs(): number {
    return this.#end === Infinity ? Infinity : this.#end - this.#clock.monotonic();
  }

  /** What `work` comes to, or a rejection at the deadline: it may still happen, unless `work` changes nothing. */
  bound<T>(work: Promise<T>, outcome: 'none' | 'unknown' = 'unknown'): Promise<T> {
    if (this.#end === Infinity && this.#signal === undefined) return work;
    return this.#settled(work, outcome, this.leftMs);
  }

  #settled<T>(work: Promise<T>, outcome: 'none' | 'unknown', leftMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => settle(() => reject(this.#failure(outcome, 'was cancelled')));
      const onTime = (): void =>
        settle(() => reject(this.#failure(outcome, `was not answered within ${this.#boundMs} ms`)));
      const cancel = leftMs === Infinity ? undefined : this.#clock.after(Math.max(0, leftMs), onTime);
      const settle = (finish: () => void): void => {
        cancel?.();
        this.#signal?.removeEventListener('abort', onAbort);
        finish();
      };
      this.#signal?.addEventListener('abort', onAbort, { once: true });
      work.then(
        (value) => settle(() => resolve(value)),
        (error: unknown) => settle(() => reject(error as Error)),
      );
    });
  }

  #failure(outcome: 'none' | 'unknown', what: string): HoldfastError {
    const then =
      outcome === 'none'
        ? 'nothing was written: call again'
        : 'it may have happened, or may still: offer the identical call again';
    return new HoldfastError('ERR_UNAVAILABLE', `the call to the store ${what}; ${then}`, {
      outcome,
      cause: this.#signal?.reason,
    });
  }
}
