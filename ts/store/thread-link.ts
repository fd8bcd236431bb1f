import { Worker } from 'node:worker_threads';
import { systemClock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { findModule } from './sqlite-driver.ts';
import { Tickets, withGrace } from './sqlite-link.ts';
import type { Patience, SqliteLink } from './sqlite-link.ts';
import type { Opening, Question, Reply } from './sqlite-thread.ts';
import type { Answer, Request } from './sqlite-wire.ts';
import { threadEntry } from './thread-entry.ts';

/** Counts of what was begun and not answered, by the remainder of the ticket. */
const BEGUN = 1024;

/** The way through a helper thread, where there is no addon. A commit that hangs holds up the end of the process. */
export class ThreadLink implements SqliteLink {
  readonly #tickets: Tickets;
  readonly #worker: Worker;
  readonly #begun: Int32Array;

  private constructor(opening: Opening) {
    this.#begun = opening.begun;
    // The thread begins nothing whose time is over.
    this.#tickets = new Tickets(
      () => undefined,
      (tickets) => tickets.filter((ticket) => Atomics.load(this.#begun, ticket % BEGUN) === 0),
    );
    // Without the process's own flags: some, as of `node -e`, are refused in a thread.
    this.#worker = new Worker(threadEntry, { workerData: opening, execArgv: [] });
    this.#worker.unref();
    this.#worker.on('message', (replies: readonly Reply[]) => replies.forEach((reply) => this.#take(reply)));
    this.#worker.on('error', (cause) => this.#fail(cause));
    this.#worker.on('exit', () => this.#fail(undefined));
  }

  /** Opens `dir`, which is made when missing, by the module of this name or the first that can be used. */
  static async open(dir: string, acceptOlder: boolean, boundMs: number, name?: string): Promise<ThreadLink> {
    const module = findModule(name).name;
    const begun = new Int32Array(new SharedArrayBuffer(4 * BEGUN));
    const opening = { module, dir, acceptOlder, dueMs: systemClock.monotonic() + boundMs, ticket: 1, begun };
    const link = new ThreadLink(opening);
    await link.#tickets.ask(withGrace(boundMs), () => undefined);
    return link;
  }

  ask(request: Request, patience: Patience): Promise<Answer> {
    return this.#tickets.ask(patience, (ticket, dueMs) => this.#post({ ticket, request, dueMs }));
  }

  /** Some modules let go of the files with their thread only. */
  async close(boundMs: number): Promise<void> {
    await this.#tickets.ask(withGrace(boundMs), (ticket) =>
      this.#post({ ticket, request: undefined, dueMs: Infinity }),
    );
    this.#tickets.close();
    await this.#worker.terminate();
  }

  #post(question: Question): void {
    this.#worker.postMessage(question);
  }

  #take({ ticket, answer, failed }: Reply): void {
    Atomics.sub(this.#begun, ticket % BEGUN, 1);
    if (answer !== undefined) this.#tickets.settle(ticket, answer);
    else if (failed !== undefined)
      this.#tickets.settle(ticket, new HoldfastError(failed.code, failed.message, { outcome: failed.outcome }));
  }

  #fail(cause: unknown): void {
    this.#tickets.fail(
      new HoldfastError(
        'ERR_UNAVAILABLE',
        'SQLite: the helper thread has ended; it may have happened: open the store again, and offer the identical call',
        { cause, outcome: 'unknown' },
      ),
    );
  }
}
