import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import type { Saved, Session } from '../../ts/session/session.ts';
import { MemoryStore } from '../../ts/store/memory.ts';

interface State {
  list: { n: number }[];
  any: Record<string, unknown>;
  map: Map<string, unknown>;
}

const definition = defineSession({
  list: mutable<State['list']>(() => []),
  any: mutable<State['any']>(() => ({})),
  map: mutable<State['map']>(() => new Map()),
});

/** What is stored after `use`, which may save and must close nothing. */
async function storedAfter(use: (session: Session<State>) => unknown): Promise<State> {
  const sessions = new SessionRepository({ store: new MemoryStore(), definition });
  const session = await sessions.create({ list: [{ n: 3 }, { n: 1 }, { n: 2 }] });
  await session.save();
  try {
    await use(session);
    await session.save();
    return (await sessions.read(session.id)) as State;
  } finally {
    await session.close();
    await sessions.close();
  }
}

describe('what calls back into its session', () => {
  it.each<[string, (session: Session<State>) => void]>([
    ['decoded', () => undefined],
    ['the application’s own', ({ state }) => void (state.list = [{ n: 3 }, { n: 1 }, { n: 2 }])],
  ])('a comparison that saves: the order that is shown is stored, of a list that was %s', async (_, prepare) => {
    let shown: unknown;
    const stored = await storedAfter(async (session) => {
      prepare(session);
      let saving: Promise<Saved> | undefined;
      session.state.list.sort((a, b) => {
        saving ??= session.save();
        return a.n - b.n;
      });
      shown = session.state.list.map(({ n }) => n);
      await saving;
    });
    expect(shown).toEqual([1, 2, 3]);
    expect(stored.list).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  it('a comparison that ends the session leaves the list as it was', async () => {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition });
    const session = await sessions.create({ list: [{ n: 2 }, { n: 1 }] });
    await session.save();
    const { list } = session.state;
    let closing: Promise<void> | undefined;
    const sorted = (): unknown => list.sort(() => ((closing ??= session.close()), 0));
    expect(sorted).toThrow(HoldfastError);
    await closing;
    expect(await sessions.read(session.id)).toMatchObject({ list: [{ n: 2 }, { n: 1 }] });
    await sessions.close();
  });

  it.each<[string, (state: State, value: unknown) => void]>([
    ['set', ({ any }, value) => void (any['x'] = value)],
    ['pushed', ({ list }, value) => void list.push(value as { n: number })],
    ['put into a Map', ({ map }, value) => void map.set('x', value)],
  ])('a getter that saves while its object is %s: that is refused, not lost', async (_, put) => {
    const stored = await storedAfter(async (session) => {
      session.state.any = {}; // the application's own, which a save replaces by a copy
      let saving: Promise<Saved> | undefined;
      const value = {
        get n(): unknown {
          saving ??= session.save();
          return { deep: 1 };
        },
      };
      expect(() => put(session.state, value)).toThrow(/a getter of what was assigned has saved the session/);
      await saving;
      session.state.any['after'] = 1;
    });
    expect([stored.any, stored.list.length, stored.map.size]).toEqual([{ after: 1 }, 3, 0]);
  });

  it('a default order and holes are the language’s own', async () => {
    const stored = await storedAfter(({ state }) => {
      // oxlint-disable-next-line no-sparse-arrays -- holes come last
      state.any['list'] = ['b', , undefined, 'a', , 'c'];
      (state.any['list'] as unknown[]).sort();
    });
    const { list } = stored.any as { list: unknown[] };
    expect([list.slice(0, 4), list.length]).toEqual([['a', 'b', 'c', undefined], 6]);
    expect([3 in list, 4 in list, 5 in list]).toEqual([true, false, false]);
  });
});
