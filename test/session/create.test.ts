import { describe, expect, it } from 'vitest';
import { defineSession, immutable, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { through } from '../store/through.ts';
import { MemoryStore } from '../../ts/store/memory.ts';

const free = defineSession({ n: mutable<number>(() => 0), note: mutable<string>() });
const owned = defineSession({
  user: immutable<string>(undefined, { required: true }),
  plan: mutable<string>(undefined, { required: true }),
  n: mutable<number>(() => 0),
});

describe('an id that nobody has', () => {
  it('is not found, whatever it is asked for; nothing is left behind', async () => {
    const store = new MemoryStore();
    const sessions = new SessionRepository({ store, definition: free });
    let ran = false;
    await expect(sessions.open('from-a-cookie')).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
      session: 'from-a-cookie',
    });
    await expect(sessions.scope('from-a-cookie', () => void (ran = true))).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
    });
    expect([
      await sessions.find('from-a-cookie'),
      await sessions.delete('from-a-cookie'),
      await sessions.changeId('from-a-cookie', 'x'),
      ran,
    ]).toEqual([undefined, false, false, false]);
    expect((await store.inspect('from-a-cookie')).lock.holder).toBeUndefined();
    expect((await store.list({ limit: 9 })).ids).toEqual([]);
  });

  it('gets a session where that is said, and the second finds it', async () => {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition: free });
    expect(
      await sessions.scope('a', (state, { isNew }) => [state.n, state.note, isNew], { create: { note: 'first' } }),
    ).toEqual([0, 'first', true]);
    expect(
      await sessions.scope('a', (state, { isNew }) => [state.note, isNew], { create: { note: 'second' } }),
    ).toEqual(['first', false]);
    await sessions.scope('empty', () => undefined, { create: true });
    expect(await sessions.read('empty')).toEqual({ n: 0 });
    const session = await sessions.open('b', { create: true });
    await session.close();
    expect(await sessions.read('b')).toBeUndefined(); // never saved
  });

  it('is given first values that are checked by name, also while there is a session', async () => {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition: free });
    const wrong = { note: 'x', nope: 1 } as object;
    for (let round = 0; round < 2; round += 1) {
      for (const call of [
        () => sessions.scope('s', () => undefined, { create: wrong }),
        () => sessions.open('s', { create: wrong }),
        () => sessions.create(wrong),
      ]) {
        await expect(call()).rejects.toMatchObject({ code: 'ERR_INVALID', paths: [['nope']] });
      }
      await sessions.scope('s', (_, session) => expect(() => session.assign(wrong)).toThrow(/"nope" is not declared/), {
        create: true,
      });
    }
    expect(await sessions.read('s')).toEqual({ n: 0 });
  });

  it('is free again when its session has expired, but not when that was destroyed', async () => {
    let now = 1e12;
    const clock = { now: () => now, monotonic: () => now, after: () => () => undefined };
    const sessions = new SessionRepository({ store: new MemoryStore({ clock }), clock, definition: free, ttlMs: 5000 });
    await sessions.scope('s', (state) => void (state.n = 1), { create: true });
    now += 5001;
    await expect(sessions.open('s')).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    expect(await sessions.scope('s', (state) => state.n, { create: true })).toBe(0);
    await sessions.delete('s');
    await expect(sessions.open('s', { create: true })).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    await expect(sessions.open('s')).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
  });
});

describe('a required attribute', () => {
  const repository = (): SessionRepository<
    { readonly user: string; plan: string; n: number },
    { user: string; plan: string; n?: number }
  > => new SessionRepository({ store: new MemoryStore(), definition: owned });

  it('must be there at creation, by every way', async () => {
    const sessions = repository();
    const wrong = { user: 'ann' } as never;
    for (const call of [
      () => sessions.create(wrong),
      () => sessions.open('s', { create: wrong }),
      () => sessions.scope('s', () => undefined, { create: wrong }),
      () => sessions.open('s', { create: true as never }),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'ERR_INVALID', paths: expect.arrayContaining([['plan']]) });
    }
    await sessions.scope('s', (state) => expect([state.user, state.plan]).toEqual(['ann', 'free']), {
      create: { user: 'ann', plan: 'free' },
    });
    await sessions.scope('s', (state) => void (state.n += 1));
  });

  it('survives replace', async () => {
    const sessions = repository();
    await sessions.scope('s', (_, session) => session.replace({ user: 'bob', plan: 'paid' }), {
      create: { user: 'ann', plan: 'free' },
    });
    expect(await sessions.read('s')).toEqual({ user: 'ann', plan: 'paid', n: 0 });
    await expect(sessions.scope('s', (_, session) => session.replace({ user: 'ann' } as never))).rejects.toMatchObject({
      code: 'ERR_INVALID',
      paths: [['plan']],
    });
  });
});

describe('ids that clients make up', () => {
  it('leave no lock and no row behind, and cost one call each', async () => {
    const store = new MemoryStore();
    const calls: string[] = [];
    const link = through(store, {
      lock: (call) => (calls.push('lock'), call()),
      unlock: (call) => (calls.push('unlock'), call()),
    });
    const sessions = new SessionRepository({ store: link, definition: defineSession({ n: mutable<number>(() => 0) }) });
    for (let i = 0; i < 20; i += 1) {
      await expect(sessions.scope(`made-up-${i}`, () => undefined)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
      expect(await sessions.find(`made-up-${i}`)).toBeUndefined();
      expect(await sessions.delete(`made-up-${i}`)).toBe(false);
      expect(await store.inspect(`made-up-${i}`)).toEqual({ head: undefined, lock: { queue: [] } });
    }
    expect([calls.filter((name) => name === 'lock').length, calls.includes('unlock')]).toEqual([60, false]);
    await (await sessions.create({}, { id: 'made-up-1' })).saveAndClose();
    expect(await sessions.scope('made-up-1', (state) => (state.n += 1))).toBe(1);
  });
});

describe('undefined among the values', () => {
  const definition = defineSession({
    user: immutable<string>(),
    lang: immutable<string>(() => 'en'),
    theme: mutable<'light' | 'dark'>(() => 'light'),
    note: mutable<string>(),
    plan: mutable<string>(undefined, { required: true }),
  });
  const nothing = { user: undefined, lang: undefined, theme: undefined, note: undefined } as object;

  it('is as good as none: it takes the place of no default, nor an immutable one\u2019s for good', async () => {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition });
    const session = await sessions.create({ plan: 'free', ...nothing }, { id: 's' });
    expect(session.state).toEqual({ lang: 'en', theme: 'light', plan: 'free' });
    await session.save();
    session.assign({ plan: undefined, ...nothing } as object);
    expect(session.state).toEqual({ lang: 'en', theme: 'light', plan: 'free' });
    session.assign({ user: 'ann', note: 'x', theme: 'dark' });
    session.replace({ plan: 'paid', ...nothing });
    expect(session.state).toEqual({ lang: 'en', user: 'ann', theme: 'light', plan: 'paid' });
    await session.saveAndClose();
    expect(await sessions.read('s')).toEqual({ lang: 'en', user: 'ann', theme: 'light', plan: 'paid' });
    const made = await sessions.open('t', { create: { plan: 'free', ...nothing } });
    expect(Object.keys(made.state).toSorted()).toEqual(['lang', 'plan', 'theme']);
    await expect(made.save()).resolves.toMatchObject({ changed: ['plan', 'lang'] });
    await made.close();
  });

  it('is refused where a value is required', async () => {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition });
    const values = { plan: undefined } as unknown as { plan: string };
    await expect(sessions.create(values)).rejects.toMatchObject({ code: 'ERR_INVALID', paths: [['plan']] });
    const session = await sessions.create({ plan: 'free' });
    expect(() => session.replace(values)).toThrow(/needs a value for 'plan'/);
    await session.close();
  });
});

it('replace refuses what cannot be read, or is too deep, by its path, where an equal value might have been', async () => {
  const definition = defineSession({ x: mutable<{ bad: unknown }>() });
  const sessions = new SessionRepository({ store: new MemoryStore(), definition });
  await sessions.scope('s', (state) => void (state.x = { bad: {} }), { create: {} });
  const failing = {
    get bad(): unknown {
      throw new RangeError('secret');
    },
  };
  let deep: { bad: unknown } = { bad: 1 };
  for (let i = 0; i < 50_000; i += 1) deep = { bad: deep };
  const refused = (x: { bad: unknown }): Promise<unknown> =>
    sessions.scope('s', (_, session) => session.replace({ x })).catch((error: unknown) => error);
  expect(await refused(failing)).toMatchObject({ code: 'ERR_INVALID', paths: [['x', 'bad']] });
  expect(await refused(deep)).toMatchObject({ code: 'ERR_LIMIT', paths: [['x']] });
  expect(await sessions.read('s')).toEqual({ x: { bad: {} } });
});
