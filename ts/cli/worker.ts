// A process that opens, edits and saves the sessions of a trace; the parent says which and when.
import { systemClock, SteadyTime } from '../clock.ts';
import { loadDiffer } from '../diff/engine.ts';
import { historyFile } from '../history/judge.ts';
import { markFile } from '../history/mark-file.ts';
import type { MarkFile } from '../history/mark-file.ts';
import { Recorder } from '../history/record.ts';
import { ORIGIN } from '../position.ts';
import type { HoldfastEvent } from '../observe.ts';
import { SessionRepository } from '../session/repository.ts';
import type { Session } from '../session/session.ts';
import type { Head, Store } from '../store/store.ts';
import { readTail } from '../store/tail.ts';
import { logReader } from '../sync/log-reader.ts';
import { Largest } from './explained.ts';
import type { FromWorker, ToWorker, Turn, TurnReport, WorkerSetup } from './messages.ts';
import { definitionOf, nameOfPlace, openStores } from './places.ts';
import { serve } from './serve.ts';
import { applyEdits, revive } from './trace.ts';
import type { State, TraceRecord } from './trace.ts';

/** As the repository has it by default. */
const LIMIT_BYTES = 16 * 1024 * 1024;
/** Waiting longer for a lock means that its holder hangs. */
const LOCK_TIMEOUT_MS = 30_000;

class Worker {
  readonly #setup: WorkerSetup;
  readonly #stores: Store[];
  readonly #history: MarkFile | undefined;
  readonly #repository: SessionRepository<State>;
  readonly #binary: ReadonlySet<string>;
  readonly #backupBytes: number[];
  #handOvers = 0;
  #reports: TurnReport[] = [];
  readonly #largest = new Largest();

  static async open(setup: WorkerSetup): Promise<Worker> {
    return new Worker(setup, await openStores(setup.places));
  }

  private constructor(setup: WorkerSetup, stores: Store[]) {
    this.#setup = setup;
    this.#stores = stores;
    // A worker that is killed ends the run: nothing of its history is needed then.
    this.#history = setup.history && markFile(historyFile(setup.history.folder, setup.history.who), 'batched');
    this.#binary = new Set(setup.header.binary);
    const [store, ...backups] = recorded(stores, setup.history?.who, this.#history) as [Store, ...Store[]];
    this.#repository = new SessionRepository({
      store,
      backups: backups.map((backup) => ({ store: backup })),
      definition: definitionOf(setup.header, setup.saveMode),
      differencing: setup.differ,
      base: setup.base,
      saveMode: setup.saveMode,
      lock: { release: setup.lock },
      ...(setup.engine && { engine: setup.engine }),
    });
    this.#backupBytes = backups.map(() => 0);
    this.#repository.observe((event) => this.#count(event));
  }

  #count(event: HoldfastEvent): void {
    if (event.type === 'grant' && event.handOver) this.#handOvers += 1;
    if (event.type === 'sent' && event.place !== 'primary')
      this.#backupBytes[event.place] = (this.#backupBytes[event.place] as number) + event.bytes;
  }

  get ready(): FromWorker {
    return { kind: 'ready', engine: this.#repository.engine };
  }

  async take(turns: readonly Turn[], reply: (message: FromWorker) => void): Promise<void> {
    for (const turn of turns) {
      this.#reports.push(await this.#turn(turn));
      if (this.#reports.length >= this.#setup.reportEvery) this.#flush(reply);
    }
    this.#flush(reply);
  }

  #flush(reply: (message: FromWorker) => void): void {
    if (this.#reports.length > 0) reply({ kind: 'turned', reports: this.#reports });
    this.#reports = [];
  }

  async #turn({ id, lines, first }: Turn): Promise<TurnReport> {
    const records = lines.map((line) => JSON.parse(line) as TraceRecord);
    const begun = performance.now();
    const session = first
      ? await this.#repository.create(undefined, { id, timeoutMs: LOCK_TIMEOUT_MS })
      : await this.#repository.open(id, { timeoutMs: LOCK_TIMEOUT_MS });
    try {
      for (const record of records) this.#apply(session, record);
      const edited = performance.now();
      const explanation = this.#setup.explain && !first ? await session.explain() : undefined;
      const going = performance.now();
      const { kind, bytes, revision } = await session.saveAndClose();
      const tookUs = (performance.now() - going + edited - begun) * 1000;
      const step = explanation && { id, revision, explanation };
      const explained = step !== undefined && this.#largest.add(step) ? step : undefined;
      return { id, kind, recordBytes: bytes, fullBytes: session.byteLength, tookUs, explained };
    } finally {
      await session.close();
    }
  }

  #apply(session: Session<State, State>, { new: first, e, s }: TraceRecord): void {
    const whole = first ?? s;
    if (whole !== undefined) session.replace(revive(whole, this.#binary));
    else if (e !== undefined) applyEdits(session.state, e, this.#binary);
  }

  async logOf(id: string): Promise<FromWorker> {
    const reader = logReader({
      differ: loadDiffer(this.#setup.engine),
      limitBytes: LIMIT_BYTES,
      clock: systemClock,
      time: new SteadyTime(systemClock),
    });
    const logs = this.#stores.map(async (store, place) => {
      const tail = await readTail(store, id, ORIGIN, {});
      const { createdAt, expiry, token } = tail.head as Head;
      return { place, id, image: { records: reader.whole(id, tail), createdAt, expiry, token } };
    });
    return { kind: 'log', logs: await Promise.all(logs) };
  }

  async finish(): Promise<FromWorker> {
    await this.#repository.close();
    for (const store of this.#stores) await store.close();
    this.#history?.close();
    return { kind: 'finished', handOvers: this.#handOvers, backupBytes: this.#backupBytes };
  }
}

/** The stores, whose calls are written down where there is a history. */
function recorded(stores: readonly Store[], who: string | undefined, history: MarkFile | undefined): readonly Store[] {
  if (who === undefined || history === undefined) return stores;
  const recorder = new Recorder({ who, clock: systemClock, sink: history.sink });
  return stores.map((store, place) => recorder.store(store, nameOfPlace(place), place === 0 ? 'primary' : 'backup'));
}

let worker: Worker | undefined;

async function handle(message: ToWorker, reply: (message: FromWorker) => void): Promise<void> {
  if (message.kind === 'begin') {
    worker = await Worker.open(message.setup);
    reply(worker.ready);
  } else if (worker === undefined) throw new Error('turns came before the set-up');
  else if (message.kind === 'turns') await worker.take(message.turns, reply);
  else if (message.kind === 'sendLog') reply(await worker.logOf(message.id));
  else reply(await worker.finish());
}

serve(handle);
