import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { basename, join } from 'node:path';
import { eraseRedis } from '../store/redis-erase.ts';
import { Crew } from './crew.ts';
import type { ExpectedSession, Places } from './messages.ts';
import type { ReplayOptions } from './options.ts';
import { nameOfPlace } from './places.ts';
import type { Result } from './result.ts';
import { Tally } from './result.ts';
import { Reference, isStep, openTrace } from './trace.ts';
import type { TraceHeader, TraceLine } from './trace.ts';
import { verify } from './verify.ts';

const REPORT_EVERY = 128;

export interface ReplayHooks {
  readonly onBegin: (header: TraceHeader) => void;
  readonly onSteps: (done: number) => void;
}

/** Drives one trace through sessions, the primary and the backups in `folder`, then has all of it read back. */
export async function replay(
  file: string,
  folder: string,
  options: ReplayOptions,
  hooks: ReplayHooks,
): Promise<Result> {
  const begun = performance.now();
  const { header, lines } = await openTrace(file);
  hooks.onBegin(header);
  const places = placesIn(folder, options);
  const histories = historyFolder(folder, options);
  const tally = new Tally();
  const temporary = options.dir === undefined ? folder : undefined;
  const run = new Run(header, options, { temporary, tally, onSteps: hooks.onSteps });
  try {
    const engine = await run.begin(places, histories);
    const expected = await run.drive(lines);
    const { failures, history } = await verify(places, header.binary, expected, {
      temporary,
      engine: options.engine,
      logOf: options.store === 'memory' ? (id) => run.crew.logOf(id) : undefined,
      history: histories === undefined ? undefined : { folder: histories, ended: () => run.finish() },
    });
    const { handOvers, backupBytes } = await run.finish();
    const { fullBytes, deltaBytes, snapshotBytes, saves, figures } = tally;
    return {
      trace: header.trace,
      sessions: expected.length,
      steps: run.steps,
      fullBytes,
      deltaBytes,
      deltaMedian: figures.deltaMedian,
      deltaP99: figures.deltaP99,
      backupBytes,
      stepP50Us: figures.stepP50Us,
      stepP99Us: figures.stepP99Us,
      handovers: handOvers,
      engine,
      ok: failures.length === 0 && (history?.findings.length ?? 0) === 0,
      snapshotBytes,
      sentBytes: deltaBytes + snapshotBytes,
      saves,
      seconds: Math.round(performance.now() - begun) / 1000,
      backups: options.backups,
      failures,
      explained: options.explain ? tally.explained : undefined,
      history,
    };
  } finally {
    run.crew.kill();
    if (options.server !== undefined) await Promise.all(places.dirs.map(eraseRedis));
  }
}

function placesIn(folder: string, { store, server, backups }: ReplayOptions): Places {
  const names = Array.from({ length: 1 + backups }, (_, place) => nameOfPlace(place).replace(' ', '-'));
  if (server === undefined) return { store, dirs: names.map((name) => join(folder, name)) };
  return { store, dirs: names.map((name) => `${server}?prefix=${basename(folder)}-${name}`) };
}

function historyFolder(folder: string, { record, history }: ReplayOptions): string | undefined {
  if (!record) return undefined;
  if (history !== undefined) return mkdtempSync(join(history, 'holdfast-history-'));
  const own = join(folder, 'history');
  mkdirSync(own);
  return own;
}

interface Pending {
  readonly lines: string[];
  steps: number;
}

/** Reads a trace into turns and hands them to the crew. */
class Run {
  readonly crew: Crew;
  readonly #header: TraceHeader;
  readonly #options: ReplayOptions;
  readonly #reference = new Reference();
  readonly #ids = new Map<string, string>();
  /** Steps that wait for others to be saved with. */
  readonly #pending = new Map<string, Pending>();
  /** Per session, the steps of each turn under way, oldest first. */
  readonly #underWay = new Map<string, number[]>();
  readonly #begun = new Set<string>();
  #turns = 0;
  #done = 0;
  steps = 0;
  #finished: ReturnType<Crew['finish']> | undefined;

  constructor(
    header: TraceHeader,
    options: ReplayOptions,
    { temporary, tally, onSteps }: { temporary: string | undefined; tally: Tally; onSteps: (done: number) => void },
  ) {
    this.#header = header;
    this.#options = options;
    this.crew = new Crew(options.processes, temporary, (report) => {
      const steps = this.#underWay.get(report.id)?.shift() ?? 0;
      tally.add(report, steps > 0);
      onSteps((this.#done += steps));
    });
  }

  begin(places: Places, histories: string | undefined): Promise<string> {
    const { lock, differ, base, saveMode, explain, engine, processes } = this.#options;
    const reportEvery = processes === 1 ? REPORT_EVERY : 1;
    const setup = { places, header: this.#header, lock, differ, base, saveMode, explain, engine, reportEvery };
    return this.crew.begin(setup, histories);
  }

  /** Resolves when all is saved, to what every session must hold. */
  async drive(lines: AsyncIterable<TraceLine>): Promise<ExpectedSession[]> {
    for await (const line of lines) {
      if (isStep(line.record) && this.steps >= this.#options.maxSteps) break;
      await this.#take(line);
    }
    for (const sid of [...this.#pending.keys()]) await this.#send(sid);
    await this.crew.drain();
    // Without other readers of the memory the worker has to stay for the verification.
    if (this.#options.store !== 'memory') await this.finish();
    return [...this.#reference.fingerprints()].map(([sid, sha256]) => ({ sid, id: this.#id(sid), sha256 }));
  }

  finish(): ReturnType<Crew['finish']> {
    return (this.#finished ??= this.crew.finish());
  }

  async #take({ record, text }: TraceLine): Promise<void> {
    this.#reference.follow(record);
    const { sid } = record;
    if (record.end !== undefined) return this.#send(sid);
    if (record.new !== undefined) return this.#begin(sid, text);
    if (!isStep(record)) return;
    this.steps += 1;
    let pending = this.#pending.get(sid);
    if (pending === undefined) this.#pending.set(sid, (pending = { lines: [], steps: 0 }));
    pending.lines.push(text);
    pending.steps += 1;
    if (pending.steps >= this.#options.group) await this.#send(sid);
  }

  /** The first state is saved on its own, by the process whose turn is next. */
  async #begin(sid: string, text: string): Promise<void> {
    await this.#send(sid);
    await this.#add(sid, [text], 0, this.#turns);
  }

  async #send(sid: string): Promise<void> {
    const pending = this.#pending.get(sid);
    if (pending === undefined) return;
    this.#pending.delete(sid);
    await this.#add(sid, pending.lines, pending.steps, this.#turns++);
  }

  async #add(sid: string, lines: readonly string[], steps: number, turn: number): Promise<void> {
    const id = this.#id(sid);
    const underWay = this.#underWay.get(id);
    if (underWay === undefined) this.#underWay.set(id, [steps]);
    else underWay.push(steps);
    const first = !this.#begun.has(id);
    this.#begun.add(id);
    await this.crew.add({ id, first, lines }, turn % this.#options.processes);
  }

  /** Sessions that exist. */
  get sessions(): number {
    return this.#begun.size;
  }

  #id(sid: string): string {
    let id = this.#ids.get(sid);
    if (id === undefined) this.#ids.set(sid, (id = storeId(sid)));
    return id;
  }
}

const LONGEST_ID_BYTES = 255;

/** The session's own id wherever a store takes it; else a digest of it. */
export function storeId(sid: string): string {
  const bytes = Buffer.byteLength(sid);
  const taken = bytes >= 1 && bytes <= LONGEST_ID_BYTES && !sid.includes('\0') && Buffer.from(sid).toString() === sid;
  return taken ? sid : `sha256-${createHash('sha256').update(JSON.stringify(sid)).digest('hex')}`;
}
