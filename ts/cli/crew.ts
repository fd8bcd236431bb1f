import { shortId } from '../errors.ts';
import { Child } from './child.ts';
import type { FromWorker, PlacedImage, ToWorker, Turn, TurnReport, WorkerSetup } from './messages.ts';

/** As much is read ahead of the workers, and no more. */
const AHEAD_TURNS = 1024;
const AHEAD_BYTES = 8 * 1024 * 1024;

interface Queued {
  readonly turn: Turn;
  readonly worker: number;
  readonly bytes: number;
}

/** A session's turns: those not sent yet, and those under way, all at one worker. */
interface Line {
  readonly waiting: Queued[];
  readonly underWay: Queued[];
}

/**
 * The workers, taking turns. A session's turns are done one after the other: one goes to another worker only when all
 * before it are acknowledged. Turns of different sessions go on at the same time.
 */
export class Crew {
  readonly #workers: Child<ToWorker, FromWorker>[];
  readonly #lines = new Map<string, Line>();
  readonly #outboxes: Turn[][];
  readonly #onReport: (report: TurnReport) => void;
  #failure: Error | undefined;
  #ahead = 0;
  #aheadBytes = 0;
  #wake: () => void = () => undefined;

  constructor(processes: number, temporary: string | undefined, onReport: (report: TurnReport) => void) {
    this.#onReport = onReport;
    this.#workers = Array.from(
      { length: processes },
      (_, index) => new Child<ToWorker, FromWorker>(`worker ${index + 1}`, 'worker.js', temporary),
    );
    this.#outboxes = this.#workers.map(() => []);
    for (const worker of this.#workers) worker.failed.catch((error: Error) => this.#fail(error));
  }

  /** Resolves to the differ's engine. `history`: the folder where every worker writes its own. */
  async begin(setup: Omit<WorkerSetup, 'history'>, history: string | undefined): Promise<string> {
    const setupOf = (index: number): WorkerSetup => ({
      ...setup,
      history: history === undefined ? undefined : { folder: history, who: `worker-${index + 1}` },
    });
    const ready = await Promise.all(
      this.#workers.map((worker, index) => worker.ask({ kind: 'begin', setup: setupOf(index) }, 'ready')),
    );
    for (const [index, worker] of this.#workers.entries()) worker.onMessage((message) => this.#receive(index, message));
    return (ready[0] as { engine: string }).engine;
  }

  /** Queues a turn for a worker; resolves when there is room for more. */
  async add(turn: Turn, worker: number): Promise<void> {
    const bytes = turn.lines.reduce((sum, line) => sum + line.length, 0);
    this.#ahead += 1;
    this.#aheadBytes += bytes;
    let line = this.#lines.get(turn.id);
    if (line === undefined) this.#lines.set(turn.id, (line = { waiting: [], underWay: [] }));
    line.waiting.push({ turn, worker, bytes });
    this.#advance(line);
    await this.#until(() => this.#ahead < AHEAD_TURNS && this.#aheadBytes < AHEAD_BYTES);
  }

  /** Resolves when every turn is acknowledged. */
  drain(): Promise<void> {
    return this.#until(() => this.#ahead === 0);
  }

  /** The logs of one session, from the memory of the only worker. */
  async logOf(id: string): Promise<readonly PlacedImage[]> {
    return (await (this.#workers[0] as Child<ToWorker, FromWorker>).ask({ kind: 'sendLog', id }, 'log')).logs;
  }

  /** Ends the workers in peace. */
  async finish(): Promise<{ handOvers: number; backupBytes: number[] }> {
    const parts = await Promise.all(this.#workers.map((worker) => worker.ask({ kind: 'finish' }, 'finished')));
    this.kill();
    return {
      handOvers: parts.reduce((sum, part) => sum + part.handOvers, 0),
      backupBytes: (parts[0]?.backupBytes ?? []).map((_, backup) =>
        parts.reduce((sum, part) => sum + (part.backupBytes[backup] as number), 0),
      ),
    };
  }

  kill(): void {
    for (const worker of this.#workers) worker.kill();
  }

  #advance(line: Line): void {
    for (let next = line.waiting[0]; next !== undefined; next = line.waiting[0]) {
      const at = line.underWay[0];
      if (at !== undefined && at.worker !== next.worker) return;
      line.waiting.shift();
      line.underWay.push(next);
      this.#post(next);
    }
  }

  /** Turns that become due at the same moment share a message. */
  #post({ turn, worker }: Queued): void {
    const outbox = this.#outboxes[worker] as Turn[];
    outbox.push(turn);
    if (outbox.length > 1) return;
    setImmediate(() => {
      const turns = outbox.splice(0);
      (this.#workers[worker] as Child<ToWorker, FromWorker>).send({ kind: 'turns', turns }, turns.length);
    });
  }

  #receive(worker: number, message: FromWorker): void {
    if (message.kind !== 'turned') return this.#fail(new Error(`worker ${worker + 1} sent '${message.kind}' unasked`));
    (this.#workers[worker] as Child<ToWorker, FromWorker>).answered(message.reports.length);
    for (const report of message.reports) this.#acknowledge(report);
    this.#wake();
  }

  #acknowledge(report: TurnReport): void {
    const line = this.#lines.get(report.id);
    const done = line?.underWay.shift();
    if (line === undefined || done === undefined)
      return this.#fail(new Error(`a turn of session '${shortId(report.id)}' was acknowledged that nobody sent`));
    this.#ahead -= 1;
    this.#aheadBytes -= done.bytes;
    this.#advance(line);
    if (line.underWay.length === 0) this.#lines.delete(report.id);
    this.#onReport(report);
  }

  async #until(reached: () => boolean): Promise<void> {
    while (!reached() && this.#failure === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#failure !== undefined) throw this.#failure;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }
}
