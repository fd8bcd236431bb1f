import { systemClock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { LogWatch } from './log-watch.ts';
import { findModule } from './sqlite-driver.ts';
import { SqliteGround } from './sqlite-ground.ts';
import type { Answer, Reading, Request, Writing } from './sqlite-wire.ts';

export interface Opening {
  readonly module: string;
  readonly dir: string;
  readonly acceptOlder: boolean;
  readonly dueMs: number;
  readonly ticket: number;
}

export interface Question {
  readonly ticket: number;
  /** Undefined: it is to be closed. */
  readonly request: Request | undefined;
  /** On the system's monotonic clock, which all threads share. */
  readonly dueMs: number;
}

/** An error loses its class on the way. */
export interface Failed {
  readonly code: ErrorCode;
  readonly message: string;
  readonly outcome: 'none' | 'unknown';
}

export interface Reply {
  readonly ticket: number;
  readonly answer?: Answer;
  readonly failed?: Failed;
}

const failedBy = (error: unknown): Failed => {
  if (!(error instanceof HoldfastError))
    return { code: 'ERR_UNAVAILABLE', message: `SQLite: ${String(error)}`, outcome: 'unknown' };
  return { code: error.code, message: error.message, outcome: error.outcome === 'unknown' ? 'unknown' : 'none' };
};

function attempt(tickets: readonly number[], run: () => readonly Answer[]): Reply[] {
  try {
    const answers = run();
    return tickets.map((each, index) => ({ ticket: each, answer: answers[index] as Answer }));
  } catch (error) {
    return tickets.map((each) => ({ ticket: each, failed: failedBy(error) }));
  }
}

const BUSY: Failed = {
  code: 'ERR_UNAVAILABLE',
  message: 'SQLite: others kept the store busy until the time of the call was over; nothing was written',
  outcome: 'none',
};

/** Those whose time is not over; the others are told. */
function timely(questions: readonly Question[], replies: Reply[]): Question[] {
  const now = systemClock.monotonic();
  for (const { ticket: each, dueMs: due } of questions) if (due <= now) replies.push({ ticket: each, failed: BUSY });
  return questions.filter(({ dueMs: due }) => due > now);
}

const READS: readonly Request['kind'][] = ['fetch', 'page', 'lookUp', 'check'];
const isReading = (request: Request | undefined): request is Reading =>
  request !== undefined && READS.includes(request.kind);

/** What a helper does: opens one store, reads and writes as it is asked, and closes. */
export class SqliteServer {
  readonly #ground: SqliteGround | undefined;
  readonly #send: (replies: readonly Reply[]) => void;
  readonly #pass: (run: () => void) => void;
  readonly #count: (ticket: number, change: 1 | -1) => void;
  readonly #watch = new LogWatch();
  #waiting: Question[] = [];
  #nextLook: NodeJS.Timeout | undefined;

  /** Whether it is open is sent too. `pass` runs what calls the module; `count` hears of what is begun, before it is. */
  constructor(
    { module, dir, acceptOlder, dueMs, ticket }: Opening,
    send: (replies: readonly Reply[]) => void,
    pass: (run: () => void) => void = (run) => run(),
    count: (ticket: number, change: 1 | -1) => void = () => undefined,
  ) {
    this.#send = send;
    this.#pass = pass;
    this.#count = count;
    count(ticket, 1);
    let ground: SqliteGround | undefined;
    pass(() =>
      send(
        attempt([ticket], () => {
          ground = new SqliteGround(findModule(module), dir, acceptOlder, dueMs);
          return [{ kind: 'opened' }];
        }),
      ),
    );
    this.#ground = ground;
  }

  get isOpen(): boolean {
    return this.#ground !== undefined;
  }

  take(question: Question): void {
    this.#waiting.push(question);
    if (this.#waiting.length === 1) this.#workSoon();
  }

  /** For whoever is gone: nothing more is asked. */
  end(): void {
    clearTimeout(this.#nextLook);
    if (this.#ground !== undefined) attempt([], () => (this.#ground?.close(), []));
  }

  #workSoon(): void {
    setImmediate(() => this.#pass(() => this.#work()));
  }

  /** Before anybody looks at the clock: what is given up when its time is over, and does not count here, never happens. */
  #takeAll(): readonly Question[] {
    const taken = this.#waiting;
    this.#waiting = [];
    for (const { ticket } of taken) this.#count(ticket, 1);
    return taken;
  }

  #putBack(questions: readonly Question[]): void {
    this.#waiting.push(...questions);
    for (const { ticket } of questions) this.#count(ticket, -1);
  }

  #sendAll(replies: Reply[]): void {
    if (replies.length > 0) this.#send(replies.splice(0));
  }

  /** What came together is written together, then read. */
  #work(): void {
    const open = this.#ground as SqliteGround;
    const replies: Reply[] = [];
    const questions = timely(this.#takeAll(), replies);
    this.#write(
      open,
      questions.filter(({ request }) => request?.kind === 'draft' || request?.kind === 'raise'),
      replies,
    );
    for (const { ticket, request, dueMs } of questions)
      if (isReading(request)) replies.push(...attempt([ticket], () => [open.read(request, dueMs)]));
    this.#sendAll(replies); // what is done need not wait for what takes long
    for (const { ticket, request, dueMs } of questions) {
      if (request?.kind === 'copy') replies.push(...attempt([ticket], () => [open.copy(request.to, dueMs)]));
      if (request?.kind === 'compact') replies.push(...attempt([ticket], () => [open.compact(dueMs)]));
    }
    const closing = questions.find(({ request }) => request === undefined);
    const isLast = closing !== undefined && this.#waiting.length === 0;
    if (isLast) replies.push(...this.#close(open, closing.ticket));
    else if (closing !== undefined) this.#putBack([closing]);
    this.#sendAll(replies);
    if (!isLast) this.#lookAtLog(true);
    if (this.#waiting.length > 0) this.#workSoon();
  }

  /** Those whose time is not over wait on when others are in the way. */
  #write(open: SqliteGround, drafts: readonly Question[], replies: Reply[]): void {
    if (drafts.length === 0) return;
    const due = Math.min(...drafts.map((question) => question.dueMs));
    let busy = false;
    const written = attempt(
      drafts.map((draft) => draft.ticket),
      () => {
        const done = open.write(
          drafts.map(({ request }) => request as Writing),
          due,
        );
        busy = done === undefined;
        return (done ?? []).map((each) => ({ kind: 'committed', written: each }));
      },
    );
    if (busy) this.#putBack(timely(drafts, replies));
    // What is wrong with one, lies on a damaged page or is too large for the disk, is no reason to refuse the rest.
    else if (drafts.length > 1 && written[0]?.failed?.outcome === 'none')
      for (const draft of drafts) this.#write(open, timely([draft], replies), replies);
    else replies.push(...written);
  }

  #close(open: SqliteGround, ticket: number): Reply[] {
    clearTimeout(this.#nextLook);
    return attempt([ticket], () => {
      open.close();
      return [{ kind: 'closed' }];
    });
  }

  /**
   * Now and then, and while the log is long: whoever reads on and on, or was stopped while it read, keeps it from being
   * shortened.
   */
  #lookAtLog(writing: boolean): void {
    clearTimeout(this.#nextLook);
    if (this.#watch.isDue(writing)) this.#tendLog();
    const { patienceMs } = this.#watch;
    this.#nextLook =
      patienceMs === undefined
        ? undefined
        : setTimeout(() => this.#pass(() => this.#lookAtLog(false)), patienceMs).unref();
  }

  #tendLog(): void {
    try {
      const bytes = this.#watch.note((this.#ground as SqliteGround).tendLog());
      if (bytes !== undefined) this.#send([{ ticket: 0, answer: { kind: 'log', bytes } }]);
    } catch {
      this.#watch.rest(); // what is wrong is said to whoever calls next
    }
  }
}
