import { expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Hint, Store } from '../../ts/store/store.ts';

/**
 * Three repositories on one store and one backup, six workers, and a link that delays, fails before or after the effect, and
 * loses, delays and doubles hints. Whatever the order: what was acknowledged is there once, what failed for certain is not.
 * The seed fixes what is drawn, not how the event loop runs: a failing seed finds its order again within a few runs.
 * `HOLDFAST_SEEDS=500:40` runs 40 seeds from 500 on.
 */
const [FIRST = 1, SEEDS = 5] = (process.env['HOLDFAST_SEEDS'] ?? '').split(':').filter(Boolean).map(Number);
const definition = defineSession({ n: mutable<number>(() => 0), log: mutable<string[]>(() => []), marks: mutable<Map<string, object>>(() => new Map()) });
type Sessions = SessionRepository<{ n: number; log: string[]; marks: Map<string, object> }, object>;
const EXPECTED = ['ERR_UNAVAILABLE', 'ERR_LOCK_TIMEOUT', 'ERR_FENCED', 'ERR_CONFLICT', 'ERR_CLOSED', 'thrown', 'aborted'];
const IDS = ['a', 'b', 'c'];

/** Marsaglia's xorshift32 (2003). */
function randomFrom(seed: number): () => number {
  let state = Math.imul(seed, 2_654_435_761) >>> 0 || 1;
  return () => {
    state = (state ^ (state << 13)) >>> 0;
    state = (state ^ (state >>> 17)) >>> 0;
    state = (state ^ (state << 5)) >>> 0;
    return state / 2 ** 32;
  };
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Link {
  chaos: boolean;
  readonly random: () => number;
}

/** Chances that a call fails before, and after its effect. */
const FAULTS: Partial<Record<keyof Store, readonly [number, number]>> = { append: [0.04, 0.04], replace: [0.1, 0], lock: [0.02, 0.02], read: [0.02, 0], unlock: [0.05, 0], leaveQueue: [0.05, 0] };

function unreliable(store: MemoryStore, link: Link): Store {
  const { random } = link;
  const delay = async (): Promise<void> => void (random() < 0.3 && (await sleep(random() * 6)));
  const fail = (chance: number): void => {
    if (link.chaos && random() < chance) throw new HoldfastError('ERR_UNAVAILABLE', 'simulated');
  };
  return new Proxy(store, {
    get(target, name: Exclude<keyof Store, 'address'>) {
      const method = target[name] as unknown;
      if (typeof method !== 'function') return undefined;
      const call = method.bind(target) as (...args: unknown[]) => Promise<unknown>;
      if (name === 'join') return (listener: (hint: Hint) => void) => call(hints(listener, link));
      const [before, after] = FAULTS[name] ?? [0, 0];
      return async (...args: unknown[]) => {
        await delay();
        fail(before);
        const result = await call(...args);
        await delay();
        fail(after);
        return result;
      };
    },
  });
}

function hints(listener: (hint: Hint) => void, link: Link): (hint: Hint) => void {
  const { random } = link;
  return (hint) => {
    const fate = random();
    if (link.chaos && fate < 0.15) return;
    if (fate < 0.3) return void setTimeout(() => listener(hint), random() * 30);
    listener(hint);
    if (fate > 0.9) setTimeout(() => listener(hint), random() * 20);
  };
}

interface History {
  readonly acknowledged: Map<string, string>;
  readonly failed: Map<string, string>;
  /** Entries that a session is known to have. */
  readonly least: Map<string, number>;
}

const codeOf = (error: unknown): string => (error instanceof HoldfastError ? error.code : error instanceof DOMException ? 'aborted' : (error as Error).message);

async function work(worker: number, all: readonly Sessions[], random: () => number, history: History): Promise<void> {
  for (let k = 0; k < 25; k += 1) {
    const sessions = all[Math.floor(random() * all.length)] as Sessions;
    const id = IDS[Math.floor(random() * IDS.length)] as string;
    const key = `${worker}.${k}`;
    const least = history.least.get(id) ?? 0;
    const hasty = random() < 0.3;
    const options = hasty ? { timeoutMs: 1 + random() * 40 } : random() < 0.2 ? { signal: AbortSignal.timeout(1 + Math.floor(random() * 40)), timeoutMs: 20_000 } : { timeoutMs: 20_000 };
    const throws = random() < 0.05;
    const savesTwice = random() < 0.2;
    const lingersMs = random() < 0.05 ? random() * 250 : 0;
    try {
      const length = await sessions.scope(id, async (state, session) => {
        expect(state.log.length, 'a stale state under the lock').toBeGreaterThanOrEqual(least);
        state.log.push(key);
        state.n += 1;
        if (savesTwice) await session.save();
        state.marks.set(key, {});
        await sleep(lingersMs);
        if (throws) throw new Error('thrown');
        return state.log.length;
      }, options);
      history.acknowledged.set(key, id);
      history.least.set(id, Math.max(history.least.get(id) ?? 0, length));
    } catch (error) {
      const code = codeOf(error);
      expect(EXPECTED, String(error)).toContain(code);
      if (code !== 'ERR_UNAVAILABLE' && !savesTwice) history.failed.set(key, id);
    }
  }
}

it.each(Array.from({ length: SEEDS }, (_, i) => FIRST + i))('nothing acknowledged is lost or doubled, seed %i', async (seed) => {
  const random = randomFrom(seed);
  const link: Link = { chaos: true, random };
  const [primary, backup] = [new MemoryStore(), new MemoryStore()];
  const all = (['write', 'access', 'all'] as const).map(
    (saveMode, i): Sessions =>
      new SessionRepository({
        store: unreliable(primary, link),
        definition,
        saveMode,
        backups: [{ store: unreliable(backup, link), ack: i === 0 ? 'async' : 'sync' }],
        onBackupError: () => undefined,
        lock: { leaseMs: 120, release: i === 2 ? 'access' : 'lazy' },
        ...(i === 1 && { cacheBytes: 200 }),
      }),
  );
  const history: History = { acknowledged: new Map(), failed: new Map(), least: new Map() };
  await Promise.all(Array.from({ length: 6 }, (_, worker) => work(worker, all, random, history)));
  link.chaos = false;

  const clean: Sessions = new SessionRepository({ store: primary, definition, backups: [{ store: backup }] });
  for (const id of IDS) {
    const state = await clean.read(id);
    const log = state?.log ?? [];
    const of = (entries: Map<string, string>): string[] => [...entries].filter(([, owner]) => owner === id).map(([key]) => key);
    expect(new Set(log).size, 'doubled').toBe(log.length);
    expect(of(history.acknowledged).filter((key) => !log.includes(key)), 'acknowledged, but missing').toEqual([]);
    expect(of(history.failed).filter((key) => log.includes(key)), 'failed, but there').toEqual([]);
    expect(state?.n ?? 0).toBe(log.length);
    for (const sessions of all) expect(await sessions.scope(id, (seen) => seen.log, { timeoutMs: 5000 })).toEqual(log);
    await clean.backups.catchUp(id);
    expect(await clean.verifyBackups(id)).toEqual(['equal']);
  }
  expect(history.acknowledged.size).toBeGreaterThan(30);
  await Promise.all([...all, clean].map((sessions) => sessions.close()));
}, 30_000);
