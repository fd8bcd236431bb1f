import { systemClock } from '../../ts/clock.ts';
import { check } from '../../ts/history/check.ts';
import type { Mark } from '../../ts/history/mark.ts';
import { Recorder } from '../../ts/history/record.ts';
import { HoldfastError } from '../../ts/errors.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import type { RepositoryOf } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { RedisStore } from '../../ts/store/redis.ts';
import type { RedisClient } from '../../ts/store/redis.ts';
import { sleep, until } from './redis-records.ts';

const definition = defineSession({ seen: mutable<string[]>(() => []) });

/** Saves as fast as it can; writes down what it saw and what was acknowledged, and how much is lost as it was told. */
class Writer {
  readonly acknowledged = new Map<string, string[]>();
  readonly lost = new Map<string, number>();
  saves = 0;
  readonly sessions: RepositoryOf<typeof definition>;
  readonly #name: string;
  readonly #store: RedisStore;
  readonly #recorder: Recorder;
  #stopped = false;
  #keys = 0;

  constructor(name: string, store: RedisStore, marks: Mark[]) {
    this.#name = name;
    this.#store = store;
    this.#recorder = new Recorder({ who: name, clock: systemClock, sink: (mark) => void marks.push(mark) });
    this.sessions = new SessionRepository({ store, definition, lock: { leaseMs: 500 }, storeTimeoutMs: 1000 });
    this.sessions.observe((event) => {
      if (event.type === 'conflict' && event.lost === true) this.lost.set(event.id, (this.lost.get(event.id) ?? 0) + 1);
    });
  }

  async work(ids: readonly string[]): Promise<void> {
    await Promise.all(
      ids.map(async (id) => {
        while (!this.#stopped) await this.#use(id);
      }),
    );
  }

  async #use(id: string): Promise<void> {
    const key = `${this.#name}:${(this.#keys += 1)}`;
    const use = this.#recorder.use({ store: 'primary', id });
    use.put([key]);
    let seen: string[] = [];
    try {
      const length = await this.sessions.scope(
        id,
        (state) => {
          seen = [...state.seen];
          return state.seen.push(key);
        },
        { create: {}, timeoutMs: 500 },
      );
      this.saves += 1;
      this.acknowledged.set(id, [...(this.acknowledged.get(id) ?? []), key]);
      // Who is refused may have seen less: what the writer of the rest has brought back only then.
      use.saw(seen.length === 0 ? undefined : seen);
      use.done('ok', { length });
    } catch (error) {
      const isUnknown = !(error instanceof HoldfastError) || error.outcome === 'unknown';
      use.done(isUnknown ? 'unknown' : 'failed');
      await sleep(10);
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  async close(): Promise<void> {
    await this.sessions.close({ timeoutMs: 5000 }).catch(() => undefined);
    await this.#store.close();
  }
}

export interface Found {
  readonly acknowledged: number;
  readonly missing: number;
  /** Gone without a word. */
  readonly silent: readonly string[];
  /** What the checker of histories finds in sessions of which nothing was told to be lost. */
  readonly findings: readonly string[];
}

export interface Storm {
  readonly clients: readonly RedisClient[];
  readonly prefix?: string;
  /** Sessions that each writer has for itself; two more are everybody's. */
  readonly own: number;
  /** Comes when so many saves are acknowledged. */
  readonly before?: number;
  readonly trouble: () => Promise<unknown>;
}

/** Of each writer, before the end. */
const AFTER = 10;

/** Writers, one a client, with sessions of their own and two that they share; trouble comes in the middle of their work, and it goes on after it. */
export async function storm({ clients, prefix = 'hf', own, before = 60, trouble }: Storm): Promise<Found> {
  const marks: Mark[] = [];
  const writers = clients.map(
    (client, index) => new Writer(`w${index}`, new RedisStore({ client, prefix, sweepEveryMs: Infinity }), marks),
  );
  const working = writers.map((writer, index) => {
    const ids = Array.from({ length: own }, (_, session) => `own-${index}-${session}`);
    return writer.work([...ids, 'shared-1', 'shared-2']);
  });
  await until(() => writers.reduce((sum, { saves }) => sum + saves, 0) >= before);
  await trouble();
  const then = writers.map(({ saves }) => saves);
  await until(() => writers.every(({ saves }, index) => saves >= (then[index] as number) + AFTER));
  await sleep(500);
  for (const writer of writers) writer.stop();
  await Promise.all(working);
  let found = await compare(writers, marks);
  // Who waits for others learns after two seconds, or longer on a busy machine, that they do not come.
  for (
    const end = Date.now() + 30_000;
    found.silent.length > 0 && Date.now() < end;
    found = await compare(writers, marks)
  )
    await sleep(100);
  await Promise.all(writers.map((writer) => writer.close()));
  return found;
}

async function compare(writers: readonly Writer[], marks: readonly Mark[]): Promise<Found> {
  const all = new Map<string, string[]>();
  for (const { acknowledged } of writers)
    for (const [id, keys] of acknowledged) all.set(id, [...(all.get(id) ?? []), ...keys]);
  const toldOf = (id: string): number => writers.reduce((sum, { lost }) => sum + (lost.get(id) ?? 0), 0);
  let [acknowledged, missing] = [0, 0];
  const silent: string[] = [];
  const finals = [];
  for (const [id, keys] of all) {
    const state = await (writers[0] as Writer).sessions.read(id).catch(String);
    if (typeof state === 'string') {
      silent.push(`${id}: it cannot be read: ${state}`);
      continue;
    }
    if (state === undefined) {
      silent.push(`${id}: it is gone`);
      continue;
    }
    finals.push({ store: 'primary', id, wall: Date.now(), head: undefined, keys: state.seen });
    const seen = new Set(state.seen);
    const gone = keys.filter((key) => !seen.has(key));
    acknowledged += keys.length;
    missing += gone.length;
    if (gone.length > toldOf(id))
      silent.push(`${id}: ${gone.length} gone, ${toldOf(id)} told: ${gone.slice(0, 5).join(' ')}`);
  }
  const findings = check(marks, finals)
    .findings.filter(({ id }) => toldOf(id) === 0)
    .map(({ kind, id, detail }) => `${kind}: ${id}: ${detail}`);
  return { acknowledged, missing, silent, findings };
}
