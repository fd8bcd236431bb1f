import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';

interface Item {
  n: number;
  tags?: unknown;
}
const bag = defineSession({
  item: mutable<Item>(),
  list: mutable<Item[]>(() => []),
  map: mutable<Map<string, Item>>(() => new Map()),
  set: mutable<Set<Item>>(() => new Set()),
});

/** Objects of the application that it goes on holding. */
describe('the same object assigned in two uses', () => {
  it.each<
    [
      string,
      (
        state: (typeof bag)['types'] extends infer T ? (NonNullable<T> extends [infer S, unknown] ? S : never) : never,
        mine: Item,
      ) => void,
    ]
  >([
    ['as an attribute', (state, mine) => void (state.item = mine)],
    ['inside another', (state, mine) => void (state.list = [mine])],
    [
      'pushed',
      (state, mine) => {
        state.list.length = 0;
        state.list.push(mine);
      },
    ],
    [
      'pushed, and moved in its list',
      (state, mine) => {
        state.list.length = 0;
        state.list.push(mine);
        state.list.push({ n: 0 });
        state.list.reverse();
      },
    ],
    [
      'in a Map',
      (state, mine) => {
        state.map = new Map([['k', mine]]);
      },
    ],
    [
      'set in a Map',
      (state, mine) => {
        state.map.set('k', mine);
      },
    ],
    [
      'in a Set',
      (state, mine) => {
        state.set.clear();
        state.set.add(mine);
      },
    ],
  ])('%s: what is written to it later is not seen', async (_name, assign) => {
    const store = new MemoryStore();
    const sessions = new SessionRepository({ store, definition: bag });
    const mine: Item = { n: 1 };
    const show = (): Promise<string> =>
      sessions.scope('s', (state) => JSON.stringify([state.item, state.list, [...state.map], [...state.set]]), {
        create: true,
      });
    await sessions.scope('s', (state) => assign(state, mine), { create: true });
    mine.n = 2;
    await sessions.scope('s', (state) => assign(state, mine), { create: true });
    const saved = await show();
    expect(saved).toContain('"n":2');
    mine.n = 3;
    expect(await show()).toBe(saved);
    await sessions.scope('s', (state) => void (state.list.length += 0), { create: true });
    expect(await show()).toBe(saved);
  });

  it('is looked through again: it may hold parts of the state by now', async () => {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition: bag });
    const mine: Item = { n: 1 };
    await sessions.scope('s', (state) => void (state.item = mine), { create: true });
    await sessions.scope(
      's',
      (state) => {
        state.list.push({ n: 7 });
        mine.tags = state.list;
        state.item = mine;
      },
      { create: true },
    );
    await sessions.scope(
      's',
      (state) => {
        (state.list[0] as Item).n = 8;
        expect(state.item).toEqual({ n: 1, tags: [{ n: 7 }] });
      },
      { create: true },
    );
    expect(await sessions.read('s')).toMatchObject({ item: { n: 1, tags: [{ n: 7 }] }, list: [{ n: 8 }] });
  });
});

describe('an object that is kept past its use', () => {
  const nested = defineSession({ list: mutable<{ n: number; in: { m: number } }[]>(() => [{ n: 1, in: { m: 1 } }]) });

  it('is of no use to the next, which has shown the same part again', async () => {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition: nested });
    const held: { m: number }[] = [];
    const over = expect.objectContaining({ code: 'ERR_CLOSED' }) as Error;
    await sessions.scope('s', (state) => void (state.list[0]!.n = 2), { create: {} });
    for (let i = 0; i < 4; i += 1) {
      await sessions.scope('s', (state) => {
        const inner = state.list[0]!.in;
        expect([inner.m, held.includes(inner), state.list[0]!.in === inner]).toEqual([1 + i, false, true]);
        for (const one of held) {
          expect(() => one.m).toThrow(over);
          expect(() => void (one.m = 9)).toThrow(over);
          expect(() => void (state.list[0]!.in = one)).toThrow(over);
        }
        held.push(inner);
        inner.m += 1;
      });
    }
    expect(await sessions.read('s')).toEqual({ list: [{ n: 2, in: { m: 5 } }] });
    await sessions.close();
  });
});

describe('a Map or Set that is kept past its use', () => {
  const nested = defineSession({
    map: mutable<Map<string, number>>(() => new Map()),
    sets: mutable<Set<Set<string>>>(() => new Set([new Set(['x'])])),
  });

  it('is of no use to the next, and cannot be seen or changed by it', async () => {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition: nested });
    let held: Map<string, number> | undefined;
    let inner: Set<string> | undefined;
    await sessions.scope(
      's',
      (state) => {
        held = state.map.set('k', 1);
        inner = [...state.sets][0];
      },
      { create: true },
    );
    for (let i = 0; i < 2; i += 1) {
      await sessions.scope(
        's',
        (state) => {
          expect([state.map.get('k'), [...state.sets].map((set) => set.has('x'))]).toEqual([1, [true]]);
          expect(state.map === held).toBe(false);
          expect(() => held?.set('k', 2)).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
          expect(() => inner?.add('y')).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
          expect(() => {
            state.map = held as Map<string, number>;
          }).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
        },
        { create: true },
      );
    }
  });

  it('is not read by being saved', async () => {
    const sessions = new SessionRepository({
      store: new MemoryStore(),
      definition: nested,
      saveMode: 'mutable-access',
    });
    const session = await sessions.open('s', { create: true });
    session.state.map.set('k', 1);
    session.state.sets.add(new Set(['z']));
    expect((await session.save()).changed.toSorted()).toEqual(['map', 'sets']);
    expect(session.tracked()).toEqual([]);
    await session.close();
  });
});

describe('a part of what the application holds, moved by its place in the state', () => {
  type Bag = { a: Record<string, unknown>; list: unknown[]; map: Map<string, unknown> };
  const definition = defineSession({
    a: mutable<Bag['a']>(() => ({})),
    list: mutable<unknown[]>(() => []),
    map: mutable<Map<string, unknown>>(() => new Map()),
  });

  it.each<[string, (state: Bag, mine: { inner: number[] }) => void]>([
    [
      'to be the attribute itself',
      (state, mine) => {
        state.a['k'] = mine;
        state.a = (state.a['k'] as { inner: Record<string, unknown> }).inner;
      },
    ],
    [
      'to another property',
      (state, mine) => {
        state.a['k'] = mine;
        state.a['z'] = (state.a['k'] as { inner: unknown }).inner;
        state.a['k'] = 1;
      },
    ],
    [
      'within an array',
      (state, mine) => {
        state.list.push(mine);
        state.list.splice(0, 1, (state.list[0] as { inner: unknown }).inner);
      },
    ],
    [
      'within a Map',
      (state, mine) => {
        state.map.set('k', mine);
        state.map.set('z', (state.map.get('k') as { inner: unknown }).inner);
        state.map.set('k', 1);
      },
    ],
  ])('%s, is not changed by it after the use', async (_name, move) => {
    const store = new MemoryStore();
    const sessions = new SessionRepository({ store, definition });
    const mine = { inner: [1] };
    await sessions.scope('s', (state) => move(state, mine), { create: {} });
    const saved = await sessions.read('s');
    mine.inner.push(2);
    expect(await sessions.scope('s', (state) => ({ ...state }))).toEqual(saved);
    expect(inspect(saved)).toContain('[ 1 ]');
  });
});

it.each<[string, (inner: object) => unknown]>([
  ['a frozen object', (inner) => Object.freeze({ f: inner })],
  ['an array in a frozen object', (inner) => Object.freeze({ f: [inner] })],
  ['a Set in a frozen object', (inner) => Object.freeze({ f: new Set([inner]) })],
  ['a frozen array', (inner) => Object.freeze([inner])],
  ['a frozen Map', (inner) => Object.freeze(new Map([['f', inner]]))],
])('what the application holds in %s is not changed by it after the use that looked at it', async (_name, hold) => {
  const definition = defineSession({ a: mutable<Record<string, unknown>>(() => ({})) });
  const sessions = new SessionRepository({ store: new MemoryStore(), definition });
  await sessions.scope('s', (state) => void (state.a['x'] = 1), { create: {} });
  const inner: Record<string, unknown> = { n: 1 };
  await sessions.scope('s', (state) => {
    state.a['z'] = hold(inner);
    expect(inspect(state.a, { depth: 9 })).toContain('n: 1'); // looked at by reading
    JSON.stringify(state.a);
    for (const part of [state.a['z'], ...Object.values(state.a['z'] as object)])
      if (part instanceof Set || part instanceof Map) expect([...part].length).toBe(1);
  });
  inner['n'] = 2;
  const saved = await sessions.read('s');
  expect(await sessions.scope('s', (state) => ({ ...state }))).toEqual(saved);
  expect(inspect(saved, { depth: 9 })).toContain('n: 1');
});

describe('what is gone through while it is saved', () => {
  const rows = (): Item[] => [{ n: 0 }, { n: 0 }, { n: 0 }];
  const named = (): Map<string, Item> => new Map(rows().map((row, i) => [`k${i}`, row]));

  it.each<[string, (session: Awaited<ReturnType<typeof opened>>) => Promise<unknown>]>([
    [
      'a list',
      async (session) => {
        session.state.list = rows();
        for (const one of session.state.list) await ((one.n = 1), session.save());
      },
    ],
    [
      'a list, by a callback',
      (session) => {
        session.state.list = rows();
        return Promise.all(session.state.list.map((one) => ((one.n = 1), session.save())));
      },
    ],
    [
      'a Map',
      async (session) => {
        session.state.map = named();
        for (const one of session.state.map.values()) await ((one.n = 1), session.save());
      },
    ],
    [
      'a Map, by a callback',
      async (session) => {
        session.state.map = named();
        const saves: Promise<unknown>[] = [];
        session.state.map.forEach((one) => ((one.n = 1), saves.push(session.save())));
        await Promise.all(saves);
      },
    ],
    [
      'a Set',
      async (session) => {
        session.state.set = new Set(rows());
        for (const one of session.state.set) await ((one.n = 1), session.save());
      },
    ],
  ])('takes every write: %s', async (_name, use) => {
    const session = await opened();
    await use(session);
    await session.save();
    const read = await sessions.read(session.id);
    const found = [...read!.list, ...read!.map.values(), ...read!.set];
    expect(found).toEqual([{ n: 1 }, { n: 1 }, { n: 1 }]);
    await session.close();
  });

  it('has what came meanwhile, and not what went', async () => {
    const session = await opened();
    const { state } = session;
    state.map = named();
    state.set = new Set(rows());
    const keys: string[] = [];
    for (const [key] of state.map) {
      keys.push(key);
      await session.save();
      state.map.delete('k1');
      state.map.set('late', { n: 2 });
    }
    expect(keys).toEqual(['k0', 'k2', 'late']);
    let seen = 0;
    for (const one of state.set) {
      seen += one.n === 0 ? 1 : 0;
      await session.save();
      state.set.delete(one);
    }
    expect([seen, state.set.size]).toEqual([3, 0]);
    await session.close();
  });

  const sessions = new SessionRepository({ store: new MemoryStore(), definition: bag });
  const opened = () => sessions.create({ item: { n: 0 } });
});
