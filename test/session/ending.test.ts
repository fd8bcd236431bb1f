import { describe, expect, it } from 'vitest';
import { ORIGIN } from '../../ts/position.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import type { RepositoryOptions } from '../../ts/session/options.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Store } from '../../ts/store/store.ts';
import { through } from '../store/through.ts';

interface State {
  n: number;
  raw?: Uint8Array;
  box: { raw?: Uint8Array };
}
const definition = defineSession({
  n: mutable<number>(() => 0),
  raw: mutable<Uint8Array>(),
  box: mutable<{ raw?: Uint8Array }>(() => ({})),
});
const repository = (
  store: Store,
  options: Partial<RepositoryOptions<State, Partial<State>>> = {},
): SessionRepository<State, Partial<State>> => new SessionRepository({ store, definition, ...options });

/** A store that counts locks taken and given back. */
function counting(store: Store): { store: Store; counts: { lock: number; unlock: number } } {
  const counts = { lock: 0, unlock: 0 };
  return {
    counts,
    store: through(store, {
      lock: (call) => ((counts.lock += 1), call()),
      unlock: (call) => ((counts.unlock += 1), call()),
    }),
  };
}

const transfer = (bytes: Uint8Array): void =>
  void structuredClone(bytes.buffer, { transfer: [bytes.buffer as ArrayBuffer] });

describe('a session with bytes whose buffer was transferred', () => {
  const own = (): Uint8Array => new Uint8Array(new ArrayBuffer(64)).fill(7);

  it('closes, and its lock is free', async () => {
    const store = new MemoryStore();
    const [one, two] = [repository(store), repository(store)];
    const session = await one.open('s', { create: true });
    session.state.raw = own();
    await session.save();
    transfer(session.state.raw);
    await session.close();
    expect(await two.scope('s', (state) => state.raw?.length, { create: true, timeoutMs: 500 })).toBe(64);
  });

  it.each(['save', 'saveAndClose'] as const)(
    'is not saved by %s, which says why, and its lock is free',
    async (how) => {
      const store = new MemoryStore();
      const [one, two] = [repository(store), repository(store)];
      await one.scope('s', (state) => void (state.n = 1), { create: true });
      const session = await one.open('s', { create: true });
      session.state.raw = own();
      transfer(session.state.raw);
      await expect(session[how]()).rejects.toMatchObject({ code: 'ERR_INVALID', paths: [['raw']] });
      await session.close();
      expect(await two.scope('s', (state) => [state.n, state.raw], { create: true, timeoutMs: 500 })).toEqual([
        1,
        undefined,
      ]);
    },
  );

  it.each<[string, (state: State, bytes: Uint8Array) => unknown, (state: State) => unknown]>([
    ['as an attribute', (state, bytes) => (state.raw = bytes), (state) => state.raw?.[63]],
    ['inside one', (state, bytes) => (state.box.raw = bytes), (state) => state.box.raw?.[63]],
  ])('%s, is saved by the saveAndClose that was under way', async (_name, put, get) => {
    const store = new MemoryStore();
    let meanwhile = (): void => undefined;
    const [one, two] = [repository(through(store, { append: (call) => (meanwhile(), call()) })), repository(store)];
    const bytes = own();
    const session = await one.open('s', { create: true });
    session.state.n = 5;
    put(session.state, bytes);
    meanwhile = () => transfer(bytes);
    expect(await session.saveAndClose()).toMatchObject({ kind: 'snapshot' });
    expect(await one.scope('s', (state) => [state.n, get(state)], { create: true })).toEqual([5, 7]);
    expect(await two.scope('s', (state) => [state.n, get(state)], { create: true, timeoutMs: 500 })).toEqual([5, 7]);
  });

  it.each(['close', 'delete'] as const)('inside an attribute, does not stop %s', async (how) => {
    const store = new MemoryStore();
    const [one, two] = [repository(store), repository(store)];
    const session = await one.open('s', { create: true });
    const bytes = own();
    session.state.box.raw = bytes;
    transfer(bytes);
    await session[how]();
    expect(await two.scope('s', (state) => Object.keys(state.box), { create: true, timeoutMs: 500 })).toEqual([]);
  });
});

describe('sessions opened and never saved', () => {
  it('give lock and row back', async () => {
    const memory = new MemoryStore();
    const { store, counts } = counting(memory);
    const sessions = repository(store);
    for (let i = 0; i < 1000; i += 1) await (await sessions.open(`visitor-${i}`, { create: true })).close();
    expect(counts).toEqual({ lock: 1000, unlock: 1000 });
    expect((await memory.inspect('visitor-7')).lock.holder).toBeUndefined();
    await sessions.close();
  });

  it('so also those that the cache lets go, the one that ends included', async () => {
    const { store, counts } = counting(new MemoryStore());
    const sessions = repository(store, { cacheBytes: 1 });
    for (let i = 0; i < 100; i += 1) await sessions.scope(`s${i}`, (state) => void (state.n = i), { create: true });
    expect(counts).toEqual({ lock: 100, unlock: 100 });
    expect(await sessions.scope('s7', (state) => state.n, { create: true })).toBe(7);
    expect((await store.read('s7', { since: ORIGIN })).head?.position.revision).toBe(1);
  });
});

it('a Date whose own method throws keeps no lock', async () => {
  const dated = defineSession({ at: mutable<Date>(() => new Date(0)) });
  const sessions = new SessionRepository({ store: new MemoryStore(), definition: dated });
  const session = await sessions.create({}, { id: 's' });
  await session.save();
  session.state.at.getTime = () => {
    throw new Error('not now');
  };
  session.state.at.setFullYear(2001);
  expect(session.tracked()).toEqual(['at']);
  await session.close();
  await (await sessions.open('s', { timeoutMs: 0 })).close();
  await sessions.close();
});

it('whoever uses a session that has ended is told which one, in the message and by the error', async () => {
  const definition = defineSession({ list: mutable<{ n: number }[]>(() => []) });
  const sessions = new SessionRepository({ store: new MemoryStore(), definition });
  const id = 'a-session-with-a-long-id';
  let held: { n: number }[] = [];
  const state = await sessions.scope(
    id,
    (s, session) => {
      s.list.push({ n: 1 });
      held = s.list;
      return () => session.state.list; // what is called later
    },
    { create: true },
  );
  const session = await sessions.open(id);
  await session.close();
  for (const use of [state, () => held.length, () => held.push({ n: 2 }), () => session.assign({ list: [] })]) {
    expect(use).toThrow(/^session 'a-sessio…' has ended, .*: await in the scope what it starts, or open it again/);
    expect(use).toThrow(expect.objectContaining({ code: 'ERR_CLOSED', session: id }) as Error);
  }
  await expect(session.save()).rejects.toThrow("session 'a-sessio…' has been closed; open it again");
  const last = await sessions.open(id);
  await last.delete();
  await expect(last.save()).rejects.toThrow("session 'a-sessio…' was destroyed; begin another");
  await sessions.close();
});

it.each(['save', 'saveAndClose'] as const)('a session whose %s was refused says so from then on', async (how) => {
  const sessions = repository(new MemoryStore());
  for (const [code, harm, told] of [
    ['ERR_CONFLICT', (id: string) => sessions.scope(id, (state) => void (state.n = 5)), 'open it again'],
    ['ERR_NOT_FOUND', (id: string) => sessions.delete(id), 'begin another'],
  ] as const) {
    const { id } = await sessions.create().then(async (made) => (await made.saveAndClose(), made));
    const session = await sessions.open(id, { mode: 'optimistic' });
    session.state.n = 7;
    const { box } = session.state;
    await harm(id);
    await expect(session[how]()).rejects.toMatchObject({ code });
    const message = new RegExp(`^session '.{8}…' ended when its save failed with ${code}: ${told}`);
    await expect(session.save()).rejects.toThrow(message);
    await expect(session.explain()).rejects.toMatchObject({ code: 'ERR_CLOSED', session: id });
    for (const use of [() => session.state.n, () => box.raw, () => session.assign({ n: 1 })])
      expect(use).toThrow(message);
    await session.close();
  }
  await sessions.close();
});
