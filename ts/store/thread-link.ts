import { setTimeout as pause } from 'node:timers/promises';
import { isMainThread } from 'node:worker_threads';
import { systemClock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { packageFolder } from '../package.ts';
import { startProcess, startThread } from './sidecar.ts';
import type { Sidecar } from './sidecar.ts';
import { findModule } from './sqlite-driver.ts';
import { Tickets, withGrace } from './sqlite-link.ts';
import type { Patience, SqliteLink } from './sqlite-link.ts';
import type { Opening, Question, Reply } from './sqlite-server.ts';
import type { Answer, Request } from './sqlite-wire.ts';

export interface ThreadOptions {
  /** Of the module; default: the first that can be used. */
  readonly name?: string | undefined;
  /** Hears of the log's length when that is out of the ordinary, and when it no longer is. */
  readonly onLog?: (bytes: number) => void;
}

/** How long to wait for the end of a helper that has nothing more to do. */
const END_MS = 2000;

/** The way through a helper, where there is no addon: a thread, or a process where a thread would be too dangerous. */
export class ThreadLink implements SqliteLink {
  readonly #tickets: Tickets = new Tickets(
    () => undefined,
    (tickets) => this.#sidecar.withdraw(tickets),
  );
  readonly #sidecar: Sidecar;
  readonly #onLog: (bytes: number) => void;

  private constructor(opening: Opening, onLog: (bytes: number) => void, start: typeof startThread) {
    this.#onLog = onLog;
    this.#sidecar = start(opening, {
      onReplies: (replies) => replies.forEach((reply) => this.#take(reply)),
      onEnd: (cause) => this.#tickets.orphan(cause),
    });
  }

  /** Opens `dir`, which is made when missing. */
  static async open(
    dir: string,
    acceptOlder: boolean,
    boundMs: number,
    { name, onLog = () => undefined }: ThreadOptions = {},
  ): Promise<ThreadLink> {
    packageFolder(); // a bundle that is alone has no helper's file: that is said first
    const { name: module, abortsWithThread } = findModule(name);
    const opening = { module, dir, acceptOlder, dueMs: systemClock.monotonic() + boundMs, ticket: 1 };
    // A worker takes its own threads along when it is terminated; the main thread does so with the process only.
    const link = new ThreadLink(opening, onLog, abortsWithThread && !isMainThread ? startProcess : startThread);
    try {
      await link.#tickets.ask(withGrace(boundMs), () => undefined);
      return link;
    } catch (error) {
      await link.#end();
      throw error;
    }
  }

  ask(request: Request, patience: Patience): Promise<Answer> {
    return this.#tickets.ask(patience, (ticket, dueMs) => this.#post({ ticket, request, dueMs }));
  }

  async close(boundMs: number): Promise<void> {
    try {
      if (this.#tickets.isOrphaned) return;
      await this.#tickets.ask(withGrace(boundMs), (ticket) =>
        this.#post({ ticket, request: undefined, dueMs: Infinity }),
      );
    } finally {
      this.#tickets.close();
      await this.#end();
    }
  }

  /** Until then some modules have the files open, behind which SQLite tidies up. */
  async #end(): Promise<void> {
    const late = new AbortController();
    await Promise.race([this.#sidecar.end(), pause(END_MS, undefined, { signal: late.signal })]);
    late.abort();
  }

  #post(question: Question): void {
    this.#sidecar.post(question);
  }

  #take({ ticket, answer, failed }: Reply): void {
    if (answer?.kind === 'log') this.#onLog(answer.bytes);
    else if (answer !== undefined) this.#tickets.settle(ticket, answer);
    else if (failed !== undefined)
      this.#tickets.settle(ticket, new HoldfastError(failed.code, failed.message, { outcome: failed.outcome }));
  }
}
