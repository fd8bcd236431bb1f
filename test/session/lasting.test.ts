import { afterEach, describe, expect, it, vi } from 'vitest';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { VirtualClock } from '../../ts/testing/index.ts';
import { through } from '../store/through.ts';
import { callersClock } from '../callers-clock.ts';

const LEASE_MS = 2000;
const definition = defineSession({ n: mutable<number>(() => 0) });

/** Time goes by as in life: who has something to do does it in between. */
async function pass(clock: VirtualClock, ms: number): Promise<void> {
  for (let i = 0; i < ms; i += 10) {
    clock.pass(10);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** What becomes of a use of three leases that begins `idleMs` after another process has saved the session. */
async function longUse(ttlMs: number, idleMs: number, phaseMs: number): Promise<unknown> {
  const clock = new VirtualClock();
  const store = new MemoryStore({ clock });
  const make = (): SessionRepository<{ n: number }> =>
    new SessionRepository({ store, definition, clock, ttlMs, lock: { leaseMs: LEASE_MS, release: 'access' } });
  const [one, two] = [make(), make()];
  const before = await two.create({}, { id: 'other' }); // a use of this process may have begun at any time before
  await one.scope('s', (state) => void (state.n = 1), { create: true });
  await pass(clock, idleMs - phaseMs);
  await before.close();
  const another = await two.create({}, { id: 'another' });
  await pass(clock, phaseMs);
  const used = two.scope('s', async (state) => {
    await pass(clock, 3 * LEASE_MS);
    state.n += 1;
  });
  const outcome = await used.then(
    () => 'saved',
    (error: { code?: string }) => error.code,
  );
  await another.close();
  return outcome;
}

describe('a use that lasts', () => {
  it('keeps its session from expiring, however little of its time was left', { timeout: 60_000 }, async () => {
    const failed: unknown[] = [];
    for (const part of [0.5, 0.6, 0.7, 0.8, 0.9, 1])
      for (const idle of [0, 0.3, 0.48])
        for (const phase of [0, 10, 60, 110, 160, 210, 260, 320]) {
          const ttlMs = part * LEASE_MS;
          const outcome = await longUse(ttlMs, Math.max(phase, Math.round((idle * ttlMs) / 10) * 10), phase);
          if (outcome !== 'saved') failed.push(JSON.stringify([part, idle, phase, outcome]));
        }
    expect(failed).toEqual([]);
  });

  it('asks a store that hangs for its renewal four times in a lease at the most', async () => {
    const clock = new VirtualClock();
    const sentAt: number[] = [];
    const touch = (): Promise<never> => (sentAt.push(clock.monotonic()), new Promise(() => undefined));
    const store = through(new MemoryStore({ clock }), { touch });
    const sessions = new SessionRepository({ store, definition, clock, lock: { leaseMs: LEASE_MS } });
    const session = await sessions.open('s', { create: true });
    await pass(clock, 2 * LEASE_MS);
    expect(sentAt.length).toBeGreaterThan(4);
    expect(Math.min(...sentAt.slice(1).map((at, i) => at - (sentAt[i] as number)))).toBeGreaterThanOrEqual(
      LEASE_MS / 4,
    );
    const closing = session.close();
    await pass(clock, 6000);
    await closing;
  });

  it.each(['exclusive', 'optimistic'] as const)(
    'leaves the store room for other calls beside thousands that last (%s)',
    async (mode) => {
      const clock = new VirtualClock();
      const renewed = new Set<string>();
      let [underWay, most] = [0, 0];
      const store = through(new MemoryStore({ clock }), {
        touch: async (call, id) => {
          most = Math.max(most, (underWay += 1));
          await new Promise((resolve) => setImmediate(resolve));
          underWay -= 1;
          renewed.add(id);
          return call();
        },
      });
      const sessions = new SessionRepository({
        store,
        definition,
        clock,
        ttlMs: LEASE_MS,
        lock: { leaseMs: LEASE_MS },
      });
      const made = await Promise.all(Array.from({ length: 2000 }, () => sessions.create()));
      await Promise.all(made.map((session) => session.saveAndClose()));
      const open = await Promise.all(made.map(({ id }) => sessions.open(id, { mode })));
      expect(renewed.size).toBe(0);
      await pass(clock, LEASE_MS * 0.9);
      expect(renewed.size).toBe(2000);
      expect(most).toBeLessThanOrEqual(256);
      await Promise.all(open.map((session) => session.close()));
    },
  );

  it('is renewed beside hundreds whose part of the store hangs', async () => {
    const clock = new VirtualClock();
    const renewed = new Set<string>();
    const store = through(new MemoryStore({ clock }), {
      touch: (call, id) => (id.startsWith('hangs') ? new Promise<never>(() => undefined) : (renewed.add(id), call())),
    });
    const sessions = new SessionRepository({ store, definition, clock, lock: { leaseMs: LEASE_MS } });
    const open = (id: string): Promise<unknown> => sessions.create({}, { id }).then((made) => made.save());
    for (let n = 0; n < 400; n += 1) await open(`hangs ${n}`);
    for (let n = 0; n < 100; n += 1) await open(`goes ${n}`);
    await pass(clock, LEASE_MS);
    expect(renewed.size).toBe(100);
  });

  it('keeps the lock that another waits for, however slowly the store renews thousands', async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore({ clock });
    const slow = through(store, {
      touch: async (call) => {
        await new Promise<void>((resolve) => void clock.after(400, resolve)); // 256 of them: 640 a second
        return call();
      },
    });
    const make = (of: MemoryStore | typeof slow): SessionRepository<{ n: number }> =>
      new SessionRepository({ store: of, definition, clock, lock: { leaseMs: LEASE_MS } });
    const [one, two] = [make(slow), make(store)];
    const open = await Promise.all(Array.from({ length: 3000 }, () => one.create()));
    await Promise.all(open.map((session) => session.save()));
    const last = open.at(-1)!;
    last.state.n = 1;
    const waiting = two.scope(last.id, (state) => (state.n += 1), { timeoutMs: 60_000 });
    await pass(clock, 4 * LEASE_MS);
    await last.saveAndClose();
    await pass(clock, LEASE_MS);
    expect(await waiting).toBe(2);
  });

  it('keeps it also when the fake timers of a test before have taken the timer of renewals with them', async () => {
    const clock = callersClock();
    const options = { store: new MemoryStore({ clock }), definition, clock, ttlMs: 800, lock: { leaseMs: 800 } };
    const sessions = new SessionRepository(options);
    vi.useFakeTimers();
    await sessions.scope('s', (state) => void (state.n = 1), { create: true });
    vi.useRealTimers();
    await sessions.scope(
      's',
      async (state) => {
        await new Promise((resolve) => setTimeout(resolve, 1700)); // twice the time, of which it may lose half
        state.n = 2;
      },
      { create: true },
    );
    expect(await sessions.read('s')).toEqual({ n: 2 });
  });
});

it.each([
  [
    'that kept others waiting for too long is told how to ask for more time',
    60,
    undefined,
    /Why: .*lock\.maxHoldMs.*holdMs/,
  ],
  ['that asked for too little is told so', 30_000, 60, /Why: .*holdMs/],
  ['whose process merely slept is not', 30_000, undefined, /^(?!.*holdMs)/],
] as const)('a use %s', async (_name, maxHoldMs, holdMs, says) => {
  const clock = new VirtualClock();
  const store = new MemoryStore({ clock });
  const asleep = through(store, {
    touch: (call) => (maxHoldMs === 30_000 && holdMs === undefined ? new Promise<never>(() => undefined) : call()),
  });
  const make = (of: MemoryStore | typeof asleep): SessionRepository<{ n: number }> =>
    new SessionRepository({ store: of, definition, clock, lock: { leaseMs: LEASE_MS, maxHoldMs } });
  const [slow, other] = [make(asleep), make(store)];
  const using = slow.scope(
    's',
    async (state) => {
      await slow.read('s');
      state.n += 1;
      const waiting = other.scope('s', (its) => void (its.n = 10), { create: {} });
      await pass(clock, 3 * LEASE_MS);
      await waiting;
    },
    { create: {}, holdMs },
  );
  const error: unknown = await using.catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'ERR_FENCED', outcome: 'none', session: 's' });
  expect((error as Error).message).toMatch(says);
  expect(await other.read('s')).toEqual({ n: 10 });
});

afterEach(() => void vi.useRealTimers());
