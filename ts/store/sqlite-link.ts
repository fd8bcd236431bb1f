import { HoldfastError } from '../errors.ts';
import type { Answer, Request } from './sqlite-wire.ts';

/** A way to the threads of one open directory. */
export interface SqliteLink {
  /** What `request` holds may be changed once this has returned. `boundMs`: when the threads give it up. */
  ask(request: Request, boundMs: number): Promise<Answer>;
  /** What was asked before is still done. */
  close(boundMs: number): Promise<void>;
}

/** The threads answer within the bound that they were given; what the disk itself holds up is given up this much later. */
const GRACE_MS = 1000;
const TICKETS = 2 ** 32;

interface Pending {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: HoldfastError) => void;
  readonly timer: NodeJS.Timeout;
}

/** Questions under way. Only they keep the process alive, until they are given up. */
export class Tickets {
  readonly #pending = new Map<number, Pending>();
  #last = 0;

  /** `send` asks, under the ticket that its answer will bear. */
  ask(boundMs: number, send: (ticket: number) => void): Promise<Answer> {
    this.#last = (this.#last + 1) % TICKETS;
    const ticket = this.#last;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#giveUp(ticket, boundMs), giveUpMs(boundMs));
      this.#pending.set(ticket, { resolve, reject, timer });
      try {
        send(ticket);
      } catch (cause) {
        this.settle(ticket, new HoldfastError('ERR_UNAVAILABLE', `SQLite: ${String(cause)}`, { cause, outcome: 'unknown' }));
      }
    });
  }

  settle(ticket: number, answer: Answer | HoldfastError): void {
    const pending = this.#pending.get(ticket);
    if (pending === undefined) return; // given up before
    this.#pending.delete(ticket);
    clearTimeout(pending.timer);
    if (answer instanceof HoldfastError) pending.reject(answer);
    else pending.resolve(answer);
  }

  /** Nobody is left to answer. */
  fail(error: HoldfastError): void {
    for (const ticket of [...this.#pending.keys()]) this.settle(ticket, error);
  }

  #giveUp(ticket: number, boundMs: number): void {
    const message = `SQLite: the disk has not answered within ${Math.round(boundMs)} ms; it may have happened, or may still: offer the identical call again`;
    this.settle(ticket, new HoldfastError('ERR_UNAVAILABLE', message, { outcome: 'unknown' }));
  }
}

/** In whole seconds: timers of one length are cheap together. */
const giveUpMs = (boundMs: number): number => Math.ceil(Math.max(0, boundMs) / 1000) * 1000 + GRACE_MS;
