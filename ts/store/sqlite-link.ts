import { systemClock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { failure } from './sqlite-wire.ts';
import type { Answer, Request } from './sqlite-wire.ts';

/** How long a question may take, in ms from now on. */
export interface Patience {
  /** The threads answer within this, but for what the disk itself holds up. */
  readonly boundMs: number;
  /** That is given up then. */
  readonly giveUpMs: number;
  /** What is known of what was given up. */
  readonly outcome: 'none' | 'unknown';
}

/** A way to the threads of one open directory. */
export interface SqliteLink {
  /** What `request` holds may be changed once this has returned. */
  ask(request: Request, patience: Patience): Promise<Answer>;
  /** What was asked before is still done. */
  close(boundMs: number): Promise<void>;
}

/** After the threads should have answered. */
const GRACE_MS = 1000;
const TICKETS = 2 ** 32;
/** A timer that is so late never comes: it was one of a test's fake timers, and went with them. */
const LOST_MS = 1000;

/** Of what belongs to no call with a bound of its own. */
export const withGrace = (boundMs: number): Patience => ({ boundMs, giveUpMs: boundMs + GRACE_MS, outcome: 'unknown' });

interface Pending {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: HoldfastError) => void;
  readonly patience: Patience;
  /** Monotonic ms. */
  readonly giveUpAt: number;
}

/**
 * Questions under way. Only they keep the process alive, until they are given up: one timer, for the earliest, serves
 * them all.
 */
export class Tickets {
  readonly #pending = new Map<number, Pending>();
  #last = 0;
  #closed = false;
  /** Why nobody answers any more. */
  #orphaned: { readonly cause: unknown } | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When it runs out. */
  #timerAt = Infinity;
  readonly #fetch: () => void;
  readonly #withdraw: (tickets: number[]) => readonly number[];

  /**
   * `fetch`: settles what has been answered already. `withdraw`: of writes whose time is over, those that were not
   * begun and never will be.
   */
  constructor(fetch: () => void, withdraw: (tickets: number[]) => readonly number[]) {
    this.#fetch = fetch;
    this.#withdraw = withdraw;
  }

  /** `send` asks, under the ticket that its answer will bear, to be begun before a moment of the monotonic clock. */
  ask(patience: Patience, send: (ticket: number, dueMs: number) => void): Promise<Answer> {
    if (this.#closed)
      return Promise.reject(new HoldfastError('ERR_CLOSED', 'the SQLite store is closed: open another'));
    if (this.#orphaned !== undefined) return Promise.reject(endedFailure(this.#orphaned.cause, 'none'));
    this.#last = (this.#last + 1) % TICKETS;
    const ticket = this.#last;
    return new Promise((resolve, reject) => {
      const now = systemClock.monotonic();
      const giveUpAt = now + patience.giveUpMs;
      this.#pending.set(ticket, { resolve, reject, patience, giveUpAt });
      if (giveUpAt < this.#timerAt) this.#watch(giveUpAt);
      else if (now > this.#timerAt + LOST_MS) this.#watch(this.#earliest());
      else if (this.#pending.size === 1) this.#timer?.ref();
      try {
        send(ticket, now + patience.boundMs);
      } catch (cause) {
        this.settle(
          ticket,
          new HoldfastError('ERR_UNAVAILABLE', `SQLite: ${String(cause)}`, { cause, outcome: 'none' }),
        ); // it was not sent
      }
    });
  }

  settle(ticket: number, answer: Answer | HoldfastError): void {
    const pending = this.#pending.get(ticket);
    if (pending === undefined) return; // given up before
    this.#pending.delete(ticket);
    if (this.#pending.size === 0) this.#timer?.unref(); // the next may need it
    if (answer instanceof HoldfastError) pending.reject(answer);
    else pending.resolve(answer);
  }

  /** Nobody is left who could answer. */
  get isOrphaned(): boolean {
    return this.#orphaned !== undefined;
  }

  /** What is asked from now on is refused; what was not answered never will be. */
  close(): void {
    this.#closed = true;
    this.#failAll(
      new HoldfastError('ERR_CLOSED', 'the SQLite store was closed before this was answered; it may have happened', {
        outcome: 'unknown',
      }),
    );
  }

  /** The helper has ended: what is under way may have happened, what is asked from now on never does. */
  orphan(cause: unknown): void {
    this.#orphaned ??= { cause };
    this.#failAll(endedFailure(cause, 'unknown'));
  }

  #failAll(error: HoldfastError): void {
    for (const ticket of [...this.#pending.keys()]) this.settle(ticket, error);
  }

  #watch(giveUpAt: number): void {
    clearTimeout(this.#timer);
    this.#timerAt = giveUpAt;
    // Once more around the event loop: where that was held up the answers may lie there already.
    this.#timer =
      giveUpAt === Infinity
        ? undefined
        : setTimeout(() => void setImmediate(() => this.#giveUp()), Math.max(1, giveUpAt - systemClock.monotonic()));
  }

  #giveUp(): void {
    this.#fetch();
    const now = systemClock.monotonic();
    const late = [...this.#pending].filter(([, { giveUpAt }]) => giveUpAt <= now);
    const unsure = late.filter(([, { patience }]) => patience.outcome === 'unknown').map(([ticket]) => ticket);
    const withdrawn = new Set(unsure.length > 0 ? this.#withdraw(unsure) : []);
    for (const [ticket, { patience }] of late) this.settle(ticket, lateFailure(patience, withdrawn.has(ticket)));
    this.#watch(this.#earliest());
  }

  #earliest(): number {
    let earliest = Infinity;
    for (const { giveUpAt } of this.#pending.values()) earliest = Math.min(earliest, giveUpAt);
    return earliest;
  }
}

function endedFailure(cause: unknown, outcome: 'none' | 'unknown'): HoldfastError {
  const why = cause instanceof Error ? ` (${cause.message})` : '';
  const { message } = failure('ERR_UNAVAILABLE', `the helper has ended${why}: open the store again`, outcome);
  return new HoldfastError('ERR_UNAVAILABLE', message, { cause, outcome });
}

function lateFailure({ giveUpMs, outcome }: Patience, isWithdrawn: boolean): HoldfastError {
  const time = `within ${Math.round(giveUpMs)} ms`;
  return isWithdrawn
    ? failure('ERR_UNAVAILABLE', `the call was not begun ${time}, for what came before it took as long`, 'none')
    : failure('ERR_UNAVAILABLE', `the disk has not answered ${time}`, outcome);
}
