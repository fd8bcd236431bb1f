import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import type { HoldfastEvent } from '../../ts/observe.ts';
import { ORIGIN } from '../../ts/position.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import type { RepositoryOptions } from '../../ts/session/options.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Store } from '../../ts/store/store.ts';
import { VirtualClock } from '../../ts/testing/index.ts';
import { through } from '../store/through.ts';
import type { Detours } from '../store/through.ts';

interface State {
  n: number;
  sum: number;
  keys: Record<string, number>;
  list: string[];
}

const definition = defineSession({
  n: mutable<number>(() => 0),
  sum: mutable<number>(() => 0, { merge: 'sum' }),
  keys: mutable<Record<string, number>>(() => ({})),
  list: mutable<string[]>(() => []),
});
const OPTIMISTIC = { mode: 'optimistic' } as const;
const MAKE = { ...OPTIMISTIC, create: true } as const;

const repository = (store: Store, options: Partial<RepositoryOptions<State, Partial<State>>> = {}) =>
  new SessionRepository({ store, definition, ...options });
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const failed = (promise: Promise<unknown>): Promise<HoldfastError> =>
  promise.then(
    () => expect.unreachable('it did not fail') as never,
    (error: HoldfastError) => error,
  );
const unknown = (): HoldfastError => new HoldfastError('ERR_UNAVAILABLE', 'connection lost', { outcome: 'unknown' });
const revisionOf = async (store: Store) => (await store.read('s', { since: ORIGIN })).head?.position.revision;

// docs/protocol.md: Uses without a lock
describe('an optimistic save of unknown outcome', () => {
  /** The answers to appends are lost while `lost`, the appends as well while `cut`. */
  async function lossy(options: Partial<RepositoryOptions<State, Partial<State>>> = {}) {
    const store = new MemoryStore();
    const trouble = { lost: false, cut: false, offered: [] as string[] };
    const link = through(store, {
      async append(call, _id, append) {
        trouble.offered.push(`${append.position.revision} ${append.position.nonce}`);
        if (trouble.cut) throw unknown();
        const answer = await call();
        if (trouble.lost) throw unknown();
        return answer;
      },
      touch: (call) => (trouble.cut ? Promise.reject(unknown()) : call()),
    });
    const one = repository(link, { storeTimeoutMs: 100, ...options });
    const two = repository(store);
    await two.scope('s', (state) => void (state.n = 1), { create: true });
    return { store, trouble, one, two };
  }

  it('is offered again identically, and goes on from what it was when it is known to be stored', async () => {
    const { store, trouble, one, two } = await lossy();
    const session = await one.open('s', OPTIMISTIC);
    session.state.sum += 1;
    session.state.keys['a'] = 1;
    trouble.lost = true;
    expect(await failed(session.save())).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'unknown' });
    expect(new Set(trouble.offered).size).toBe(1);
    expect(trouble.offered.length).toBeGreaterThan(1);
    session.state.sum += 10;
    session.state.keys['b'] = 2;
    trouble.lost = false;
    await session.save();
    expect(session.state).toMatchObject({ sum: 11, keys: { a: 1, b: 2 } });
    await session.close();
    expect(await two.read('s')).toMatchObject({ n: 1, sum: 11, keys: { a: 1, b: 2 } });
    expect(await revisionOf(store)).toBe(3);
  });

  it('that is refused in the end is saved again, on what has come since', async () => {
    const { trouble, one, two } = await lossy({ lock: { leaseMs: 100 } });
    const session = await one.open('s', OPTIMISTIC);
    session.state.sum += 1;
    trouble.cut = true;
    expect(await failed(session.save())).toMatchObject({ outcome: 'unknown' });
    await two.scope('s', (state) => void (state.sum += 100)); // takes the lock that has lapsed
    trouble.cut = false;
    session.state.sum += 10;
    await session.saveAndClose();
    expect((await two.read('s'))?.sum).toBe(111);
  });

  it('is never run again', async () => {
    const { trouble, one } = await lossy();
    let runs = 0;
    trouble.lost = true;
    const use = one.scope('s', (state) => void ((runs += 1), (state.sum += 1)), { ...OPTIMISTIC, retry: 5 });
    expect(await failed(use)).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'unknown' });
    trouble.lost = false;
    expect([runs, await one.scope('s', (state) => state.sum, OPTIMISTIC)]).toEqual([1, 1]);
  });
});

describe('the lock of an optimistic save', () => {
  it('of a process that dies with it lapses, and nothing is written', async () => {
    const store = new MemoryStore();
    const silent = () => new Promise<never>(() => undefined);
    const one = repository(through(store, { append: silent, touch: silent }), { lock: { leaseMs: 50 } });
    const two = repository(store);
    await two.scope('s', (state) => void (state.n = 1), { create: true });
    void one.scope('s', (state) => void (state.sum += 1), OPTIMISTIC).catch(() => undefined);
    await pause(20);
    await two.scope('s', (state) => void (state.sum += 10), { ...OPTIMISTIC, timeoutMs: 5000 });
    expect(await two.read('s')).toMatchObject({ n: 1, sum: 10 });
  });

  it('that another has taken before the append is a refusal that wrote nothing: the use is run again', async () => {
    const store = new MemoryStore();
    let stolen = 0;
    const link = through(store, {
      async append(call) {
        if (stolen > 0) {
          stolen -= 1;
          const { member } = await store.join(() => undefined);
          const { holder } = (await store.inspect('s')).lock;
          await store.unlock('s', { member: holder!.member, ticket: 1_000_000 });
          await store.lock('s', { member, ticket: 1, leaseMs: 50, wait: true, since: ORIGIN });
        }
        return call();
      },
    });
    const one = repository(link);
    await one.scope('s', (state) => void (state.n = 1), MAKE);
    const use = (retry?: number) => one.scope('s', (state) => void (state.sum += 1), { ...OPTIMISTIC, retry });
    stolen = 1;
    expect(await failed(use())).toMatchObject({ code: 'ERR_FENCED', outcome: 'none' });
    stolen = 1;
    await use(1);
    expect(await one.read('s')).toMatchObject({ n: 1, sum: 1 });
  });

  it('is found granted where the message of it is lost', async () => {
    const store = new MemoryStore();
    const deaf = through(store, { join: async (call) => ({ ...(await call()) }) });
    const hearsNothing = new Proxy(deaf, {
      get: (target, name) =>
        name === 'join' ? () => store.join(() => undefined) : (target[name as keyof Store] as unknown),
    });
    const [one, two] = [repository(hearsNothing, { lock: { leaseMs: 100 } }), repository(store)];
    await two.scope('s', (state) => void (state.n = 1), { create: true });
    const held = await two.open('s');
    const saving = one.scope('s', (state) => void (state.sum += 1), OPTIMISTIC);
    await pause(30);
    held.state.n = 2;
    await held.saveAndClose();
    await saving;
    expect(await two.read('s')).toMatchObject({ n: 2, sum: 1 });
  });

  it('that is not given in time leaves the session open, to be saved later', async () => {
    const store = new MemoryStore();
    const [one, two] = [repository(store), repository(store)];
    await two.scope('s', (state) => void (state.n = 1), { create: true });
    const held = await two.open('s');
    const session = await one.open('s', { ...OPTIMISTIC, timeoutMs: 20 });
    session.state.list.push('a');
    expect((await failed(session.save())).code).toBe('ERR_LOCK_TIMEOUT');
    session.state.list.push('b');
    held.state.list.push('theirs');
    await held.saveAndClose();
    await session.save();
    expect(session.state.list).toEqual(['theirs', 'a', 'b']);
    await session.close();
    const controller = new AbortController();
    const aborted = one.open('s', { ...OPTIMISTIC, signal: controller.signal });
    controller.abort(new Error('enough'));
    const late = await aborted;
    late.state.n = 5;
    await expect(late.save()).rejects.toThrow('enough');
    await expect(one.open('s', { ...OPTIMISTIC, signal: controller.signal })).rejects.toThrow('enough');
    await late.close();
  });
});

describe('beside other uses in its process, an optimistic one', () => {
  it('runs while an exclusive one does, and saves when that has ended', async () => {
    const store = new MemoryStore();
    const one = repository(store);
    await one.scope('s', (state) => void (state.n = 1), { create: true });
    const order: string[] = [];
    const session = await one.open('s');
    const use = one
      .scope('s', (state) => void ((state.sum += 1), order.push('ran')), OPTIMISTIC)
      .then(() => order.push('saved'));
    await pause(10);
    session.state.sum += 10;
    await session.save();
    order.push('exclusive saved');
    await session.close();
    await use;
    expect(order).toEqual(['ran', 'exclusive saved', 'saved']);
    expect(await one.scope('s', (state) => state.sum)).toBe(11);
  });

  it('is refused inside an exclusive scope of the session, and may have one inside', async () => {
    const one = repository(new MemoryStore());
    await one.scope('s', (state) => void (state.n = 1), { create: true });
    const inside = one.scope('s', () => one.scope('s', () => undefined, OPTIMISTIC));
    expect((await failed(inside)).code).toBe('ERR_DEADLOCK');
    const outer = await one.open('s', OPTIMISTIC);
    outer.state.sum += 1;
    const saved = one.scope('s', () => outer.save());
    expect((await failed(saved)).code).toBe('ERR_DEADLOCK');
    await outer.save();
    await one.scope(
      's',
      async (state) => {
        state.sum += 10;
        await one.scope('s', (inner) => void (inner.sum += 100));
        await one.scope('s', (inner) => void (inner.sum += 1000), OPTIMISTIC);
      },
      OPTIMISTIC,
    );
    expect((await one.read('s'))?.sum).toBe(1111);
    await outer.close();
  });

  it('keeps the state that it began with, whatever the memory of others is used for', async () => {
    const one = repository(new MemoryStore());
    const big = (n: number): Record<string, number> =>
      Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`key ${i}`, i === 7 ? n : i]));
    await one.scope('s', (state) => void (state.keys = big(0)), { create: true });
    const session = await one.open('s');
    const shown = (n: number) => ({ ...big(n) });
    const opened = [];
    for (let i = 1; i <= 6; i += 1) {
      session.state.keys['key 7'] = 1000 + i;
      await session.save();
      if (i % 2 === 0) opened.push([1000 + i, await one.open('s', OPTIMISTIC)] as const);
    }
    for (const [n, other] of opened) {
      expect({ ...other.state.keys }).toEqual(shown(n));
      await other.close();
    }
    await session.close();
  });

  it('that reads what has come leaves one that waits for the lock its own copy', async () => {
    const store = new MemoryStore();
    const [one, two] = [repository(store), repository(store)];
    await one.scope('s', (state) => void (state.n = 1), { create: true });
    const held = await two.open('s');
    const waiting = one.scope('s', (state) => void (state.n += 1));
    held.state.n = 10;
    await held.save();
    expect(await one.scope('s', (state) => state.n, OPTIMISTIC)).toBe(10);
    await held.close();
    await waiting;
    expect(await one.scope('s', (state) => state.n)).toBe(11);
  });

  it('leaves the lock and what is known to the next use, which asks the store for nothing', async () => {
    const calls: string[] = [];
    const note =
      (name: string) =>
      <T>(call: () => T): T => (calls.push(name), call());
    const store = through(new MemoryStore(), { lock: note('lock'), read: note('read'), append: note('append') });
    const one = repository(store);
    await one.scope('s', (state) => void (state.n = 1), { create: true });
    calls.length = 0;
    await one.scope('s', (state) => void (state.n += 1), OPTIMISTIC);
    expect(calls.splice(0)).toEqual(['read', 'append']);
    expect(await one.scope('s', (state) => (state.n += 1))).toBe(3);
    expect(calls.splice(0)).toEqual(['append']);
    const other = repository(store);
    await other.scope('s', (state) => void (state.n += 1), OPTIMISTIC);
    expect(new Set(calls.slice(0, -1))).toEqual(new Set(['read', 'lock'])); // asked until it is handed over
    expect(calls.at(-1)).toBe('append');
  });

  it('leaves the decoded values of the next exclusive use right', async () => {
    const one = repository(new MemoryStore());
    await one.scope('s', (state) => void (state.list = ['a']), { create: true });
    expect(await one.scope('s', (state) => state.list.length)).toBe(1);
    await one.scope('s', (state) => void state.list.push('b'), OPTIMISTIC);
    expect(await one.scope('s', (state) => (state.list.push('c'), [...state.list]))).toEqual(['a', 'b', 'c']);
    expect((await one.read('s'))?.list).toEqual(['a', 'b', 'c']);
  });
});

describe('a repository that closes', () => {
  it('lets optimistic uses under way save, and begins no other', async () => {
    const store = new MemoryStore();
    const [one, two] = [repository(store), repository(store)];
    await two.scope('s', (state) => void (state.n = 1), { create: true });
    let begun = false;
    const use = one.scope(
      's',
      async (state) => {
        begun = true;
        await pause(40);
        state.sum += 1;
      },
      OPTIMISTIC,
    );
    while (!begun) await pause(1);
    const closing = one.close({ timeoutMs: 5000 });
    expect((await failed(one.scope('s', () => undefined, OPTIMISTIC))).code).toBe('ERR_CLOSED');
    expect(await closing).toEqual({ unsettled: [], open: [], unstored: [], unfed: [] });
    await use;
    expect(await two.scope('s', (state) => state.sum, { timeoutMs: 1000 })).toBe(1);
  });

  it('names those that did not end in time, which can save all the same', async () => {
    const store = new MemoryStore();
    let members = 0;
    const join: Detours['join'] = async (call) => {
      const membership = await call();
      members += 1;
      return { ...membership, leave: () => ((members -= 1), membership.leave()) };
    };
    const one = repository(through(store, { join }));
    const session = await one.open('s', MAKE);
    await session.save();
    session.state.sum += 1;
    expect(await one.close({ timeoutMs: 20 })).toMatchObject({ open: ['s'] });
    expect(members).toBe(0);
    await session.saveAndClose();
    expect(members).toBe(0);
    expect((await repository(store).read('s'))?.sum).toBe(1);
  });
});

describe('the life of a session in optimistic use', () => {
  it('goes on as long as the use does', async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore({ clock });
    const one = repository(store, { clock, ttlMs: 3000 });
    await one.scope('s', (state) => void (state.n = 1), { create: true });
    const session = await one.open('s', OPTIMISTIC);
    session.state.n = 2;
    for (let i = 0; i < 100; i += 1) {
      clock.pass(200);
      await pause(0);
    }
    await session.saveAndClose();
    expect((await one.read('s'))?.n).toBe(2);
  });

  it('that has ended is not mixed up with another under its id', async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore({ clock });
    const [one, two] = [repository(store, { clock, maxAgeMs: 5000 }), repository(store, { clock, maxAgeMs: 5000 })];
    await one.scope('s', (state) => void (state.n = 1), { create: true });
    const session = await one.open('s', OPTIMISTIC);
    session.state.keys['mine'] = 1;
    clock.pass(6000);
    const expired = await one.open('s', MAKE);
    expect(expired.isNew).toBe(true);
    await two.scope('s', (state) => void (state.n = 5), MAKE);
    expect((await failed(session.save())).code).toBe('ERR_NOT_FOUND');
    expired.state.list.push('a');
    await expired.saveAndClose(); // it was to begin anew: merged with the one that did so first
    expect(await two.read('s')).toMatchObject({ n: 5, keys: {}, list: ['a'] });
  });

  it('moves, expires and ends by an optimistic use too', async () => {
    const store = new MemoryStore();
    const [one, two] = [repository(store), repository(store)];
    await two.scope('s', (state) => void (state.n = 1), { create: true });
    const session = await one.open('s', OPTIMISTIC);
    session.state.sum += 1;
    await two.scope('s', (state) => void (state.list = ['theirs']));
    await session.changeId('t');
    expect([session.id, session.state.sum, [...session.state.list]]).toEqual(['t', 1, ['theirs']]);
    session.state.sum += 1;
    await session.save();
    await session.expire(60_000);
    const { head } = await store.read('t', { since: ORIGIN });
    expect(head?.expiry).toEqual({ idleMs: 60_000 });
    expect(await two.read('t')).toMatchObject({ n: 1, sum: 2, list: ['theirs'] });
    expect(await two.read('s')).toBeUndefined();
    await session.delete();
    expect([session.closed, await two.read('t')]).toEqual([true, undefined]);
    expect(await two.scope('u', (state) => state.n, { create: true, timeoutMs: 1000 })).toBe(0);
  });

  it('goes on where its id was changed meanwhile, while that is told', async () => {
    const store = new MemoryStore();
    const [one, two] = [repository(store), repository(store)];
    await two.scope('s', (state) => void (state.n = 1), { create: true });
    const session = await one.open('s', OPTIMISTIC);
    session.state.sum += 1;
    await two.changeId('s', 't', { graceMs: 5000 });
    await session.save();
    expect([session.id, (await two.read('t'))?.sum]).toEqual(['t', 1]);
    await session.close();
  });

  it('goes on so where the store has another clock than the process that made it', async () => {
    const store = new MemoryStore({ clock: new VirtualClock() });
    const [one, two] = [repository(store), repository(store)];
    await two.scope('s', (state) => void (state.n = 1), { create: true });
    const session = await one.open('s', OPTIMISTIC);
    session.state.sum += 1;
    await two.changeId('s', 't', { graceMs: 5000 });
    await session.save();
    expect([session.id, (await two.read('t'))?.sum]).toEqual(['t', 1]);
    await session.close();
  });

  it('is autosaved, and tells what that could not merge', async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore({ clock });
    const [one, two] = [repository(store, { clock, autosave: { everyMs: 50 } }), repository(store, { clock })];
    await two.scope('s', (state) => void (state.n = 1), { create: true });
    const events: HoldfastEvent[] = [];
    one.observe((event) => void events.push(event));
    const session = await one.open('s', OPTIMISTIC);
    const turn = async (): Promise<void> => {
      for (let i = 0; i < 12; i += 1) {
        clock.pass(5);
        await pause(0);
      }
    };
    session.state.sum += 1;
    await turn();
    expect((await two.read('s'))?.sum).toBe(1);
    session.state.n = 7;
    await two.scope('s', (state) => void (state.n = 8));
    await turn();
    expect(events.filter(({ type }) => type === 'conflict' || type === 'autosave-error')).toMatchObject([
      { type: 'conflict', paths: [['n']] },
      { type: 'autosave-error', code: 'ERR_CONFLICT' },
    ]);
    expect([session.closed, (await two.read('s'))?.n]).toEqual([true, 8]);
  });
});
