import { beforeEach, describe, expect, it } from 'vitest';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import type { Session } from '../../ts/session/session.ts';
import { MemoryStore } from '../../ts/store/memory.ts';

interface State {
  n: number;
  list: { n: number }[];
  map: Map<string, { n: number }>;
  set: Set<unknown>;
  at: Date;
}
const definition = defineSession({
  n: mutable<number>(() => 0),
  list: mutable<{ n: number }[]>(() => [{ n: 1 }]),
  map: mutable<Map<string, { n: number }>>(() => new Map([['k', { n: 2 }]])),
  set: mutable<Set<unknown>>(() => new Set([{ n: 3 }])),
  at: mutable<Date>(() => new Date(4)),
});
const numbers = defineSession({ n: mutable<number>(() => 0) });

const spread = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'next' in value ? [...(value as unknown as Iterable<unknown>)] : value;

/** What a use returns is read after its session has ended. */
describe('what a use returns', () => {
  let sessions: SessionRepository<State, Partial<State>>;
  beforeEach(() => {
    sessions = new SessionRepository({ store: new MemoryStore(), definition });
  });
  const saved = async (): Promise<number | undefined> => (await sessions.read('s'))?.n;

  it.each<[string, (state: State) => unknown, unknown]>([
    [
      'the state',
      (s) => s,
      { n: 1, list: [{ n: 1 }], map: new Map([['k', { n: 2 }]]), set: new Set([{ n: 3 }]), at: new Date(4) },
    ],
    ['a part', (s) => s.list, [{ n: 1 }]],
    ['deep in objects', (s) => ({ a: { b: [s.list, s.map] } }), { a: { b: [[{ n: 1 }], new Map([['k', { n: 2 }]])] } }],
    ['in a Map', (s) => new Map([['l', s.list]]), new Map([['l', [{ n: 1 }]]])],
    ['as a key', (s) => new Map([[s.list[0], 1]]), new Map([[{ n: 1 }, 1]])],
    ['in a Set', (s) => new Set([s.map]), new Set([new Map([['k', { n: 2 }]])])],
    [
      'in an object without prototype',
      (s) => Object.assign(Object.create(null), { l: s.list }),
      Object.assign(Object.create(null), { l: [{ n: 1 }] }),
    ],
    ['entries of an array', (s) => s.list.entries(), [[0, { n: 1 }]]],
    ['values of a Map', (s) => s.map.values(), [{ n: 2 }]],
    ['entries of a Set', (s) => s.set.entries(), [[{ n: 3 }, { n: 3 }]]],
    ['an iterator of an array of its own', (s) => [s.list].values(), [[{ n: 1 }]]],
    ['an array with holes', (s) => Object.assign([], { 2: s.list }), Object.assign([], { 2: [{ n: 1 }] })],
    ['what filter gives', (s) => s.list.filter(({ n }) => n === 1), [{ n: 1 }]],
  ])('is copied: %s', async (_name, pick, expected) => {
    const result = await sessions.scope('s', (state) => ((state.n += 1), pick(state)), { create: true });
    expect(spread(result)).toEqual(expected);
    expect(await saved()).toBe(1);
  });

  it('is copied when it is a state of primitives, and the use is not run again for it', async () => {
    const store = new MemoryStore();
    const plainer = new SessionRepository({ store, definition: numbers });
    expect(await plainer.scope('s', (state) => ((state.n += 1), state), { create: true })).toEqual({ n: 1 });
    expect(await plainer.read('s')).toEqual({ n: 1 });
  });

  it('keeps cycles and shared parts', async () => {
    const { ring, a, b } = await sessions.scope(
      's',
      (state) => {
        const made: { ring?: unknown; a: unknown; b: unknown } = { a: state.list, b: [state.list] };
        made.ring = made;
        return made as { ring: { a: unknown }; a: unknown; b: unknown[] };
      },
      { create: true },
    );
    expect([ring.a === a, b[0] === a, a]).toEqual([true, true, [{ n: 1 }]]);
  });

  it('is left alone where it holds nothing of the state', async () => {
    let deep: unknown = {};
    for (let i = 0; i < 100_000; i += 1) deep = { deep };
    const own = {
      deep,
      get trap(): never {
        throw new Error('ran');
      },
      made: new (class Made {})(),
      at: new Date(1),
      map: new Map([['k', 1]]),
    };
    expect(await sessions.scope('s', () => own, { create: true })).toBe(own);
    function* endless(): Generator<number> {
      for (;;) yield 1;
    }
    const generator = endless();
    expect((await sessions.scope('s', () => ({ generator }), { create: true })).generator).toBe(generator);
  });

  it('of a use that ended its session itself does not turn its save into a failure', async () => {
    const ended = await sessions.scope(
      's',
      async (state, session: Session<State, Partial<State>>) => {
        state.n += 1;
        const { list, map } = state;
        await session.saveAndClose();
        return { list, map };
      },
      { create: true },
    );
    expect(await saved()).toBe(1);
    expect(() => ended.list.length).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
    expect(() => ended.map.size).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
    for (const pick of [(s: State) => s, (s: State) => s.list] as ((s: State) => object)[]) {
      const part = await sessions.scope(
        's',
        async (state, session) => {
          const picked = pick(state);
          await session.saveAndClose();
          return picked;
        },
        { create: true },
      );
      expect(() => Object.keys(part)).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
    }
  });
});
