import { describe, expect, it } from 'vitest';
import { defineSession, immutable, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';

let made = 0;
const definition = defineSession({
  since: immutable<number>(() => (made += 1)),
  roles: immutable<string[]>(() => ['guest']),
  n: mutable<number>(() => 0),
});
type Open = (
  store: MemoryStore,
) => SessionRepository<
  { n: number; readonly since: number; readonly roles: readonly string[] },
  { since?: number; roles?: string[]; n?: number }
>;
/** As another process would. */
const open: Open = (store) => new SessionRepository({ store, definition });

describe('the default of an immutable attribute', () => {
  it('is made once, at creation, and saved', async () => {
    const store = new MemoryStore();
    const before = made;
    await (await open(store).create({}, { id: 'a' })).saveAndClose();
    await open(store).scope('b', ({ since }) => expect(since).toBe(before + 2), { create: true });
    const reader = open(store);
    for (const repository of [reader, reader, open(store)]) {
      expect([(await repository.read('a'))?.since, await repository.scope('b', ({ since }) => since)]).toEqual([
        before + 1,
        before + 2,
      ]);
    }
    await reader.changeId('a', 'c');
    expect(await open(store).read('c')).toEqual({ since: before + 1, roles: ['guest'], n: 0 });
    expect(made).toBe(before + 2);
  });

  it('gives way to a value that is given, is not made for a session that is there, and is read-only', async () => {
    const store = new MemoryStore();
    const before = made;
    await (await open(store).create({ since: -1, roles: undefined }, { id: 'a' })).saveAndClose();
    await open(store).scope(
      'a',
      (state) => {
        expect([state.since, state.roles]).toEqual([-1, ['guest']]);
        expect(() => ((state as { since: number }).since = 5)).toThrow(/immutable and already set/);
        expect(() => (state.roles as string[]).push('admin')).toThrow(/immutable/);
      },
      { create: {} },
    );
    await open(store).scope('a', (_, session) => session.replace({ n: 4 }));
    expect(await open(store).read('a')).toEqual({ since: -1, roles: ['guest'], n: 4 });
    expect(made).toBe(before);
  });

  it('is sent with the first save alone', async () => {
    const plain = defineSession({ n: mutable<number>(() => 0) });
    const sizes = async (repository: SessionRepository<{ n: number }, object>): Promise<number[]> => {
      const session = await repository.create({ n: 1 } as object);
      const sent: number[] = [];
      for (const n of [1, 2, 3]) {
        session.state.n = n;
        sent.push((await session.save()).bytes);
      }
      await session.close();
      return sent;
    };
    const [[bare = 0, ...bareDeltas], [first = 0, ...deltas]] = await Promise.all([
      sizes(new SessionRepository({ store: new MemoryStore(), definition: plain })),
      sizes(open(new MemoryStore())),
    ]);
    expect(first).toBeGreaterThan(bare);
    expect(deltas).toEqual(bareDeltas);
  });

  it('is made anew at each opening of a session that is older than the attribute', async () => {
    const store = new MemoryStore();
    await new SessionRepository({ store, definition: defineSession({ n: mutable<number>() }) }).scope(
      's',
      (state) => void (state.n = 1),
      { create: true },
    );
    const before = made;
    expect([(await open(store).read('s'))?.since, (await open(store).read('s'))?.since]).toEqual([
      before + 1,
      before + 2,
    ]);
    await open(store).scope('s', (state) => void (state.n = 2));
    expect(await open(store).read('s')).toMatchObject({ n: 2, since: before + 3 });
  });

  it('that throws makes no session', async () => {
    const store = new MemoryStore();
    const broken = new SessionRepository({
      store,
      definition: defineSession({
        at: immutable<number>(() => {
          throw new RangeError('no time');
        }),
      }),
    });
    await expect(broken.create({}, { id: 's' })).rejects.toMatchObject({
      code: 'ERR_INVALID',
      cause: expect.any(RangeError),
    });
    expect((await store.inspect('s')).lock.holder).toBeUndefined();
    expect(await broken.read('s')).toBeUndefined();
  });
});

describe('Dates and bytes of what is read-only', () => {
  const files = defineSession({
    at: immutable<Date>(undefined, { required: true }),
    face: immutable<Uint8Array>(undefined, { required: true }),
    n: mutable<number>(() => 0),
  });

  it('cannot be changed in place unnoticed', async () => {
    const repository = new SessionRepository({ store: new MemoryStore(), definition: files });
    const values = { at: new Date(1), face: Uint8Array.of(1, 2) };
    await (await repository.create(values, { id: 'a' })).saveAndClose();
    await expect(repository.scope('a', (state) => state.at.setFullYear(1999))).rejects.toMatchObject({
      code: 'ERR_INVALID',
      message: expect.stringMatching(/^at is part of an immutable attribute.*: copy it/),
    });
    const changed = repository.scope('a', (state) => {
      state.n = 5;
      state.face[0] = 9;
    });
    await expect(changed).rejects.toMatchObject({
      code: 'ERR_INVALID',
      message: expect.stringMatching(/^face was changed in place, so that nothing is saved: .*: copy it/),
      paths: [['face']],
    });
    const kept = await repository.scope('a', ({ at, face, n }) => ({ at, face, n }));
    expect(kept).toEqual({ ...values, n: 0 });
    expect([kept.at.setTime(3), (kept.face[0] = 7)]).toEqual([3, 7]);
    expect(await repository.read('a')).toEqual({ ...values, n: 0 });
  });

  it('are Dates and bytes in one use after the other, whatever its mode', async () => {
    const definition = defineSession({
      at: immutable<Date>(undefined, { required: true }),
      card: immutable<{ until: Date }>(undefined, { required: true }),
      seen: mutable(() => ({ at: new Date(3), by: Uint8Array.of(4) })),
    });
    const sessions = new SessionRepository({ store: new MemoryStore(), definition });
    const values = { at: new Date(1), card: { until: new Date(2) } };
    await sessions.scope('s', () => undefined, { create: values });
    type Seen = typeof values & { readonly seen: { readonly at: Date; readonly by: Uint8Array } };
    const look = ({ at, card, seen: { at: last, by } }: Seen): unknown[] => [+at, +card.until, +last, by[0]];
    for (const mode of ['exclusive', 'read', 'exclusive', 'optimistic', 'read', 'exclusive', 'exclusive'] as const) {
      const seen = mode === 'read' ? sessions.scope('s', look, { mode }) : sessions.scope('s', look, { mode });
      expect([mode, ...(await seen)]).toEqual([mode, 1, 2, 3, 4]);
    }
    const changed = sessions.scope('s', ({ card }) => card.until.setTime(5));
    await expect(changed).rejects.toMatchObject({ code: 'ERR_INVALID', paths: [['card', 'until']] });
    await sessions.scope('s', ({ seen }) => void seen.at.setTime(6));
    expect((await sessions.read('s'))?.seen.at).toEqual(new Date(6));
  });

  it('cannot be changed in a value of a newer schema either', async () => {
    const store = new MemoryStore();
    const version = (n: number) =>
      new SessionRepository({
        store,
        definition: defineSession({ face: mutable<Uint8Array>(() => Uint8Array.of(1), { version: n }) }),
      });
    await version(2).scope('a', (state) => void (state.face[0] = 3), { create: {} });
    await expect(version(1).scope('a', (state) => void (state.face[0] = 4))).rejects.toThrow(
      /^face was changed in place, so that nothing is saved: it is of version 2 of its schema.*: update this process/,
    );
    expect((await version(1).read('a'))?.face).toEqual(Uint8Array.of(3));
  });
});
