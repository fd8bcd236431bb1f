import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { ORIGIN } from '../../ts/position.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import type { RepositoryOptions } from '../../ts/session/options.ts';
import { openStore } from '../../ts/store/open.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Store } from '../../ts/store/store.ts';
import { through } from '../store/through.ts';

const definition = defineSession({ n: mutable<number>(() => 0), log: mutable<string[]>(() => []) });
interface State {
  n: number;
  log: string[];
}
const repository = (
  store: Store,
  options: Partial<RepositoryOptions<State, Partial<State>>> = {},
): SessionRepository<State, Partial<State>> => new SessionRepository({ store, definition, ...options });

const unavailable = (): HoldfastError => new HoldfastError('ERR_UNAVAILABLE', 'connection lost', { outcome: 'none' });
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: { code?: unknown }) => error.code ?? error,
  );

describe('a lock', () => {
  it('that was granted when nobody waited any more does not hide what others wrote', async () => {
    const store = new MemoryStore();
    let slow = false;
    const one = repository(store);
    const two = repository(
      through(store, {
        async lock(call) {
          const reply = await call();
          if (slow && reply.granted) await wait(60);
          return reply;
        },
      }),
    );
    await two.scope('s', (state) => void (state.n = 1), { create: true });
    await one.scope('s', (state) => void (state.n = 2), { create: true });
    slow = true;
    expect(await codeOf(two.scope('s', (state) => state.n, { create: true, timeoutMs: 30 }))).toBe('ERR_LOCK_TIMEOUT');
    slow = false;
    await wait(80);
    expect(await two.scope('s', (state) => (state.n += 10), { create: true })).toBe(12);
  });

  it('is freed when a delete fails', async () => {
    let failing = false;
    const sessions = repository(
      through(new MemoryStore(), {
        append: (call, _id, append) => (failing && append.kind === 'end' ? Promise.reject(unavailable()) : call()),
      }),
    );
    await sessions.scope('s', (state) => void (state.n = 1), { create: true });
    failing = true;
    expect(await codeOf(sessions.delete('s'))).toBe('ERR_UNAVAILABLE');
    failing = false;
    expect(await sessions.scope('s', (state) => state.n, { create: true, timeoutMs: 500 })).toBe(1);
    expect(await sessions.delete('s')).toBe(true);
  });

  it('stays with its holder when the session expires in its hands', async () => {
    const store = new MemoryStore();
    const [one, two] = [
      repository(store, { maxAgeMs: 60, lock: { leaseMs: 300 } }),
      repository(store, { maxAgeMs: 60 }),
    ];
    const session = await one.open('s', { create: true });
    session.state.n = 1;
    await session.save();
    await wait(100);
    expect(await codeOf(two.open('s', { create: true, timeoutMs: 0 }))).toBe('ERR_LOCK_TIMEOUT');
    await session.close();
    await two.scope('s', (state) => expect(state.n).toBe(0), { create: true });
  });

  it('is left at once by one who deletes what was never saved, or who conflicts', async () => {
    const store = new MemoryStore();
    const [one, two] = [repository(store, { lock: { leaseMs: 60_000 } }), repository(store)];
    const session = await one.open('s', { create: true });
    await session.delete();
    await two.scope('s', (state) => void (state.n = 1), { create: true, timeoutMs: 1000 });
    expect(await codeOf((await one.open('s', { create: true })).changeId('s'))).toBe('ERR_INVALID');
  });
});

describe('an append of unknown outcome', () => {
  it('counts as done if the log has it, whoever wrote since', async () => {
    const store = new MemoryStore();
    let armed = false;
    const one = repository(
      through(store, {
        async append(call) {
          const answer = await call();
          if (!armed) return answer;
          armed = false;
          await wait(30);
          throw new HoldfastError('ERR_UNAVAILABLE', 'connection lost', { outcome: 'unknown' });
        },
      }),
    );
    const two = repository(store);
    await one.scope('s', (state) => void (state.n = 0), { create: true });
    armed = true;
    const other = wait(5).then(() => two.scope('s', (state) => void state.log.push('b'), { create: true }));
    await one.scope(
      's',
      async (state) => {
        state.n += 1;
        await wait(15);
      },
      { create: true },
    );
    await other;
    expect(await two.read('s')).toEqual({ n: 1, log: ['b'] });
  });
});

describe('backups', () => {
  it('that are damaged are mended after the lock has changed hands, and a primary from them', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const options = { backups: [{ store: backup }] };
    const [one, two] = [repository(primary, options), repository(primary, options)];
    for (const sessions of [one, one, two, one])
      await sessions.scope('s', (state) => void (state.n += 1), { create: true });
    const damage = async (store: Store): Promise<void> => {
      const record = (await store.read('s', { since: ORIGIN })).records[1] as Uint8Array;
      record[15] = (record[15] as number) ^ 1;
    };
    await damage(backup);
    await one.backups.catchUp('s');
    expect(await one.verifyBackups('s')).toEqual(['equal']);
    await damage(primary);
    const fresh = repository(primary, options);
    expect(await codeOf(fresh.read('s'))).toBe('ERR_CORRUPT');
    expect(await fresh.backups.restore('s')).toBe(true);
    expect(await fresh.scope('s', (state) => (state.n += 1), { create: true })).toBe(5);
    expect(await fresh.verifyBackups('s')).toEqual(['equal']);
    expect(await fresh.backups.restore('nobody')).toBe(false);
  });

  it('do not break a save by their listener, nor hold up an open by hanging', async () => {
    const hanging = through(new MemoryStore(), {
      append: () => new Promise(() => undefined),
      touch: () => new Promise(() => undefined),
    });
    const closed = new MemoryStore();
    await closed.close();
    const sessions = repository(new MemoryStore(), {
      ttlMs: 600,
      lock: { leaseMs: 1000 },
      backups: [{ store: hanging, ack: 'async' }, { store: closed }],
    });
    sessions.observe(() => {
      throw new Error('the listener itself');
    });
    await sessions.scope('s', (state) => void (state.n += 1), { create: true });
    await wait(350);
    expect(await sessions.scope('s', (state) => (state.n += 1), { create: true, timeoutMs: 500 })).toBe(2);
  });

  it('follow the expiry when they catch up', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    let down = false;
    const link = through(backup, { touch: (call) => (down ? Promise.reject(unavailable()) : call()) });
    const sessions = repository(primary, { ttlMs: 60_000, backups: [{ store: link }] });
    const session = await sessions.open('s', { create: true });
    session.state.n = 1;
    await session.save();
    down = true;
    await session.expire(undefined);
    down = false;
    await session.close();
    await sessions.backups.catchUp('s');
    expect((await backup.read('s', { since: ORIGIN })).head?.leftMs).toBe(Infinity);
  });

  it('must be another store than the primary', () => {
    const store = new MemoryStore();
    expect(() => repository(store, { backups: [{ store }] })).toThrow(expect.objectContaining({ code: 'ERR_INVALID' }));
    expect(() => repository(store, { backups: [store as unknown as { store: Store }] })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID' }),
    );
  });
});

describe('a scope', () => {
  it('returns plain copies of what it returns of the state', async () => {
    const sessions = repository(new MemoryStore());
    expect(await sessions.scope('s', (state) => (state.log.push('a'), state.log), { create: true })).toEqual(['a']);
    expect(await sessions.scope('s', (state) => ({ log: state.log, n: 3 }), { create: true })).toEqual({
      log: ['a'],
      n: 3,
    });
    expect(await sessions.scope('s', (state) => state, { create: true })).toEqual({ log: ['a'], n: 0 });
    const own = new Map([['k', 1]]);
    expect(await sessions.scope('s', () => own, { create: true })).toBe(own);
  });
});

describe('expiry', () => {
  it('takes no number that is none, and moves with the id', async () => {
    const store = new MemoryStore();
    const sessions = repository(store);
    const session = await sessions.open('s', { create: true });
    session.state.n = 1;
    await session.save();
    for (const wrong of [Infinity, NaN, 0, -1, '1000' as unknown as number])
      expect(await codeOf(session.expire(wrong))).toBe('ERR_INVALID');
    await session.expire(50_000);
    await session.changeId('t');
    await session.close();
    expect((await store.read('t', { since: ORIGIN })).head?.leftMs).toBeLessThanOrEqual(50_000);
  });
});

describe('the embedded store', () => {
  it('finishes what is under way before it closes, and does not open a file that is none of its own', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'holdfast-faults-'));
    try {
      const store = await openStore(dir);
      const ask = (member: string): Promise<unknown> =>
        store.lock('s', { member, ticket: 1, leaseMs: 2000, wait: true, since: ORIGIN });
      const asking = [ask('a'), ask('b'), ask('c')];
      await store.close();
      expect((await Promise.all(asking)).length).toBe(3);
      expect(() =>
        repository(store, {
          backups: [{ store: { ...new MemoryStore(), address: store.address } as unknown as Store }],
        }),
      ).toThrow(HoldfastError);
      writeFileSync(
        join(dir, 'store.sqlite'),
        'this is no database, but some text that is long enough to be read as a header'.repeat(9),
      );
      await expect(openStore(dir)).rejects.toMatchObject({ code: 'ERR_CORRUPT' });
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
