import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../ts/errors.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Membership } from '../../ts/store/store.ts';
import type { Detours } from '../store/through.ts';
import { VirtualClock } from '../../ts/testing/index.ts';
import { through } from '../store/through.ts';

const definition = defineSession({ n: mutable<number>(() => 0) });
const hang = (): Promise<never> => new Promise(() => undefined);
const ALL: Detours = {
  read: hang,
  append: hang,
  replace: hang,
  lock: hang,
  unlock: hang,
  touch: hang,
  join: hang,
  list: hang,
  ping: hang,
};
const thrownBy = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (error: HoldfastError) => error.code,
  );

/** Time goes on, by steps, until it is done. */
async function passUntil(clock: VirtualClock, done: () => boolean, mostMs: number): Promise<number> {
  const began = clock.monotonic();
  while (!done() && clock.monotonic() - began < mostMs) {
    clock.pass(50);
    for (let i = 0; i < 5; i += 1) await new Promise((resolve) => setImmediate(resolve));
  }
  return clock.monotonic() - began;
}

async function took(clock: VirtualClock, work: Promise<unknown>, mostMs = 60_000): Promise<number> {
  let done = false;
  void work.then(
    () => (done = true),
    () => (done = true),
  );
  return passUntil(clock, () => done, mostMs);
}

describe('a backup that hangs', () => {
  it('keeps two records of a session in memory at the most: further ones become a catch-up', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const clock = new VirtualClock();
    const records: WeakRef<Uint8Array>[] = [];
    const primary = through(new MemoryStore({ clock }), {
      append: (call, _id, { bytes }) => (records.push(new WeakRef(bytes)), call()),
    });
    const silent = through(new MemoryStore({ clock }), { append: hang });
    const backups = [{ store: silent, ack: 'async' as const }];
    const sessions = new SessionRepository({ store: primary, definition, clock, backups });
    for (let i = 0; i < 20; i += 1) await sessions.scope('a', (state) => void (state.n = i), { create: true });
    const kept = (): number => records.filter((record) => record.deref() !== undefined).length;
    for (let i = 0; i < 20; i += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      collect(); // in another turn than `kept`, whose look keeps them
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect([records.length, kept()]).toEqual([20, expect.toSatisfy((count: number) => count <= 2)]);
  });
});

describe('a save', () => {
  it('waits for a slow backup no longer than for one that does not answer, and the catch-up goes on', async () => {
    const clock = new VirtualClock();
    const [primary, second] = [new MemoryStore({ clock }), new MemoryStore({ clock })];
    let slow = false;
    const lag = async <T>(call: () => Promise<T>): Promise<T> => {
      if (slow) await new Promise<void>((resolve) => void clock.after(4900, resolve));
      return call();
    };
    const link = through(second, { append: lag, read: lag, touch: lag, replace: lag, ping: lag });
    const sessions = new SessionRepository({ store: primary, definition, clock, backups: [{ store: link }] });
    const other = new SessionRepository({ store: primary, definition, clock });
    await sessions.scope('a', (state) => void (state.n = 1), { create: true });
    await other.scope('a', (state) => void (state.n = 2));
    await other.close();
    slow = true;
    const events: string[] = [];
    sessions.observe(({ type }) => void (type.startsWith('backup') && events.push(type)));
    expect(
      await took(
        clock,
        sessions.scope('a', (state) => void (state.n = 3)),
      ),
    ).toBeLessThan(6100);
    expect([events, [...sessions.backups.behind().keys()]]).toEqual([['backup-lag', 'backup-error'], ['a']]);
    await passUntil(clock, () => sessions.backups.behind().size === 0, 60_000);
    expect(events).toContain('backup-caught-up');
    slow = false;
    expect(await sessions.verifyBackups('a')).toEqual(['equal']);
  });
});

describe('a primary that keeps no deadline', () => {
  it('holds no call up, nor close', async () => {
    const clock = new VirtualClock();
    const sessions = new SessionRepository({
      store: through(new MemoryStore({ clock }), ALL),
      definition,
      clock,
      storeTimeoutMs: 500,
    });
    const calls = [
      sessions.scope('a', () => undefined, { timeoutMs: 2000 }),
      sessions.read('a'),
      sessions.ids()[Symbol.asyncIterator]().next(),
      sessions.rejoin(),
    ];
    const codes = Promise.all(calls.map(thrownBy));
    expect(await took(clock, codes)).toBeLessThan(2200);
    expect(await codes).toEqual([
      expect.stringMatching(/^ERR_(UNAVAILABLE|LOCK_TIMEOUT)$/),
      'ERR_UNAVAILABLE',
      'ERR_UNAVAILABLE',
      'ERR_UNAVAILABLE',
    ]);
    expect(await took(clock, sessions.close({ timeoutMs: 300 }))).toBeLessThan(400);
  });

  it('throws at once, and that is a rejection', async () => {
    const broken = through(new MemoryStore(), {
      join: () => {
        throw new Error('no network');
      },
      read: () => {
        throw new Error('no network');
      },
    });
    const sessions = new SessionRepository({ store: broken, definition, storeTimeoutMs: 200 });
    await expect(sessions.read('a')).rejects.toThrow('no network');
    await expect(sessions.scope('a', () => undefined, { timeoutMs: 300 })).rejects.toThrow();
    await sessions.close();
  });
});

describe('closing', () => {
  it('ends in its time, whatever hangs, and names what the backups lack', async () => {
    const clock = new VirtualClock();
    const primary = new MemoryStore({ clock });
    const link = through(primary, { unlock: hang, join: async (call) => ({ ...(await call()), leave: hang }) });
    const silent = through(new MemoryStore({ clock }), ALL);
    const sessions = new SessionRepository({
      store: link,
      definition,
      clock,
      backups: [{ store: silent, ack: 'async' }],
    });
    await sessions.scope('a', (state) => void (state.n = 1), { create: true });
    await sessions.scope('a', (state) => void (state.n = 2));
    const closing = sessions.close({ timeoutMs: 100 });
    expect(await took(clock, closing)).toBeLessThan(200);
    expect(await closing).toEqual({ unsettled: [], open: [], unstored: [], unfed: ['a'] });
  });

  it('is for good: nothing is read, restored or fed from then on', async () => {
    const [primary, second] = [new MemoryStore(), new MemoryStore()];
    const sessions = new SessionRepository({ store: primary, definition, backups: [{ store: second }] });
    await sessions.scope('a', (state) => void (state.n = 1), { create: true });
    await sessions.close();
    const calls = [
      sessions.read('a'),
      sessions.find('a'),
      sessions.create(),
      sessions.ids()[Symbol.asyncIterator]().next(),
      sessions.verifyBackups('a'),
      sessions.rejoin(),
      sessions.backups.catchUp('a'),
      sessions.backups.restore('a'),
    ];
    expect(await Promise.all(calls.map(thrownBy))).toEqual(calls.map(() => 'ERR_CLOSED'));
  });
});

describe('a touch that a backup misses', () => {
  it('is on the list of what it lacks, also after a feed that went well', async () => {
    let fails = false;
    const backup = through(new MemoryStore(), {
      touch: (call) => (fails ? Promise.reject(new Error('down')) : call()),
    });
    const sessions = new SessionRepository({
      store: new MemoryStore(),
      definition,
      backups: [{ store: backup, ack: 'async' }],
    });
    const session = await sessions.create({ n: 1 }, { id: 'a' });
    await session.save();
    fails = true;
    session.state.n = 2;
    await Promise.all([session.save(), session.expire(60_000)]);
    await session.close();
    await sessions.backups.drain();
    expect([[...sessions.backups.behind().keys()], (await sessions.close()).unfed]).toEqual([['a'], ['a']]);
  });
});

describe('several backups', () => {
  it('are told apart where one is meant, and all are asked where any is', async () => {
    const down = through(new MemoryStore(), {
      read: () => Promise.reject(new Error('down')),
      append: () => Promise.reject(new Error('down')),
    });
    const sessions = new SessionRepository({
      store: new MemoryStore(),
      definition,
      backups: [{ store: new MemoryStore() }, { store: down }],
    });
    await sessions.scope('a', (state) => void (state.n = 1), { create: true });
    expect([sessions.backups.behind().size, sessions.backups.behind(0).size, sessions.backups.behind(1).size]).toEqual([
      1, 0, 1,
    ]);
    expect(await sessions.verifyBackups('a')).toEqual(['equal', 'unreachable']);
    await expect(sessions.backups.restore('a')).rejects.toMatchObject({
      code: 'ERR_INVALID',
      message: expect.stringContaining('there are 2') as string,
    });
    for (const wrong of ['0', -1, 2, Number.NaN])
      await expect(sessions.backups.restore('a', wrong as number)).rejects.toMatchObject({ code: 'ERR_INVALID' });
    expect(await sessions.backups.restore('a', 0)).toBe(true);
    const alone = new SessionRepository({ store: new MemoryStore(), definition });
    expect([...alone.backups.behind()]).toEqual([]);
    expect(() => alone.backups.behind(0)).toThrow(/no backup 0/);
  });
});

it('a primary may be of classes throughout, its memberships too', async () => {
  class Joined implements Membership {
    readonly #inner: Membership;
    constructor(inner: Membership) {
      this.#inner = inner;
    }
    get member(): string {
      return this.#inner.member;
    }
    get epoch(): number {
      return this.#inner.epoch;
    }
    watch(ids: readonly string[] | 'all'): Promise<void> {
      return this.#inner.watch(ids);
    }
    leave(): Promise<void> {
      return this.#inner.leave();
    }
  }
  const store = through(new MemoryStore(), { join: async (call) => new Joined(await call()) });
  const sessions = new SessionRepository({ store, definition });
  await sessions.scope('s', (state) => void (state.n = 1), { create: true });
  expect(await sessions.read('s')).toEqual({ n: 1 });
  await sessions.close();
});
