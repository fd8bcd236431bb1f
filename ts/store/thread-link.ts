import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { systemClock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { packageFolder } from '../package.ts';
import { findModule } from './sqlite-driver.ts';
import { Tickets, withGrace } from './sqlite-link.ts';
import type { Patience, SqliteLink } from './sqlite-link.ts';
import type { Opening, Question, Reply } from './sqlite-thread.ts';
import type { Answer, Request } from './sqlite-wire.ts';

/** The file that the thread begins with; sources too run it as it is built: Node 20 reads no TypeScript. */
const ENTRY = 'dist/store/sqlite-thread.js';

export interface ThreadOptions {
  /** Of the module; default: the first that can be used. */
  readonly name?: string | undefined;
  /** Hears of the log's length when that is out of the ordinary, and when it no longer is. */
  readonly onLog?: (bytes: number) => void;
}

/** The way through a helper thread, where there is no addon. A commit that hangs holds up the end of the process. */
export class ThreadLink implements SqliteLink {
  readonly #tickets = new Tickets();
  readonly #worker: Worker;
  readonly #onLog: (bytes: number) => void;

  private constructor(entry: string, opening: Opening, onLog: (bytes: number) => void) {
    this.#onLog = onLog;
    // Without the process's own flags: some, as of `node -e`, are refused in a thread.
    this.#worker = new Worker(entry, { workerData: opening, execArgv: [] });
    this.#worker.unref();
    this.#worker.on('message', (replies: readonly Reply[]) => replies.forEach((reply) => this.#take(reply)));
    this.#worker.on('error', (cause) => this.#fail(cause));
    this.#worker.on('exit', () => this.#fail(undefined));
  }

  /** Opens `dir`, which is made when missing. */
  static async open(
    dir: string,
    acceptOlder: boolean,
    boundMs: number,
    { name, onLog = () => undefined }: ThreadOptions = {},
  ): Promise<ThreadLink> {
    const entry = join(packageFolder(), ENTRY);
    const module = findModule(name).name;
    const opening = { module, dir, acceptOlder, dueMs: systemClock.monotonic() + boundMs, ticket: 1 };
    const link = new ThreadLink(entry, opening, onLog);
    await link.#tickets.ask(withGrace(boundMs), () => undefined);
    return link;
  }

  ask(request: Request, patience: Patience): Promise<Answer> {
    return this.#tickets.ask(patience, (ticket) =>
      this.#post({ ticket, request, dueMs: systemClock.monotonic() + patience.boundMs }),
    );
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
    if (answer?.kind === 'log') this.#onLog(answer.bytes);
    else if (answer !== undefined) this.#tickets.settle(ticket, answer);
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
