import { systemClock } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { withStatus } from './status.ts';

/** While all goes well the store is asked whether it is there once in so long of a wait. */
const LOOK_AGAIN_MS = 1000;

/** What a piece of work on a session is told by, and tells. */
export interface Watch {
  /** Ends the wait for a lock. */
  readonly signal: AbortSignal;
  /** What runs is the application's: it is no wait for the store. Throws when it was given up before. */
  use<R>(run: () => R | Promise<R>): Promise<R>;
}

/** Ends a wait of the caller's; returns a function that forgets about it. */
export type OnGone = (run: (reason: unknown) => void) => () => void;

/**
 * Knows whether the store answers, so that a request does not wait for one that does not. A wait that is long for
 * another reason, as a lock that others have, goes on.
 */
export class Health {
  readonly #ping: () => Promise<unknown>;
  readonly #answerMs: number;
  readonly #goesOnAfterMs: number | undefined;
  readonly #log: (line: string) => void;
  readonly #clock: Clock;
  #isDown = false;
  #asking: Promise<void> | undefined;

  /**
   * `downAfterMs`: so long after a request has begun to wait it is known. `goesOnAfterMs`: the sessions that are here go
   * on without the store, and those of the others wait for it, by then; undefined: none does.
   */
  constructor(
    ping: () => Promise<unknown>,
    downAfterMs: number,
    log: (line: string) => void,
    clock: Clock = systemClock,
    goesOnAfterMs?: number,
  ) {
    this.#goesOnAfterMs = goesOnAfterMs;
    this.#clock = clock;
    this.#ping = ping;
    this.#answerMs = downAfterMs / 2;
    this.#log = log;
  }

  /** Settles as `work` does, or rejects with `ERR_UNAVAILABLE` once the store does not answer, or as `onGone` says. */
  async run<R>(onGone: OnGone | undefined, work: (watch: Watch) => Promise<R>): Promise<R> {
    const abort = new AbortController();
    let stop = (): void => undefined;
    let isOver = false;
    let isUsed = false;
    let thrownInUse: unknown;
    const given = new Promise<never>((_resolve, reject) => {
      abort.signal.addEventListener('abort', () => reject(abort.signal.reason as Error), { once: true });
    });
    given.catch(() => undefined); // nobody waits for it before the work has begun
    const wait = (ms: number): void => {
      stop();
      if (!isOver) stop = this.#clock.after(ms, () => void this.#ask(isUsed).then(() => wait(LOOK_AGAIN_MS), giveUp));
    };
    const giveUp = (error: unknown): void => {
      if (!isOver) abort.abort(error);
    };
    const forget = onGone?.((reason) => !isUsed && giveUp(reason));
    const firstMs = this.#answerMs + (this.#goesOnAfterMs ?? 0);
    wait(firstMs);
    const use: Watch['use'] = async (run) => {
      abort.signal.throwIfAborted();
      isUsed = true;
      stop();
      try {
        return await run();
      } catch (error) {
        thrownInUse = error;
        throw error;
      } finally {
        wait(firstMs);
      }
    };
    try {
      if (this.#isDown && this.#goesOnAfterMs === undefined) await Promise.race([this.#ask(), given]);
      return await Promise.race([work({ signal: abort.signal, use }), given]);
    } catch (error) {
      if (error === thrownInUse) throw error; // it may be of another store of the application's
      throw withStatus(this.#noted(error));
    } finally {
      isOver = true;
      stop();
      forget?.();
    }
  }

  /** Resolves when the store answers. `hasWritten`: what was begun may be stored all the same. */
  async #ask(hasWritten: boolean = false): Promise<void> {
    try {
      await (this.#asking ??= this.#asked().finally(() => (this.#asking = undefined)));
    } catch (cause) {
      const message = 'the store of the sessions does not answer: try again later';
      throw new HoldfastError('ERR_UNAVAILABLE', message, { cause, outcome: hasWritten ? 'unknown' : 'none' });
    }
  }

  async #asked(): Promise<void> {
    try {
      await this.#inTime(this.#ping());
      this.#turn(false, '');
    } catch (error) {
      this.#turn(true, error instanceof Error ? error.message : '');
      throw error;
    }
  }

  #noted(error: unknown): unknown {
    if (error instanceof HoldfastError && error.code === 'ERR_UNAVAILABLE') this.#turn(true, error.message);
    return error;
  }

  /** One line each time it goes, and each time it is back. */
  #turn(isDown: boolean, why: string): void {
    if (isDown === this.#isDown) return;
    this.#isDown = isDown;
    this.#log(isDown ? `holdfast: the store is down (${why})` : 'holdfast: the store is back');
  }

  #inTime(asked: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const late = (): void => reject(new Error(`no answer within ${this.#answerMs} ms`));
      // An answer that came while this thread was busy goes first.
      const stop = this.#clock.after(this.#answerMs, () => void setImmediate(late));
      asked.then(resolve, reject).finally(stop);
    });
  }
}
