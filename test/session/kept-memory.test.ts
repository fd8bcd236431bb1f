import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

interface Entry {
  readonly at: Date;
}

/** How many of them are still in memory. */
async function left(refs: readonly WeakRef<object>[]): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 20)); // a WeakRef holds what it leads to until the turn is over
  collect();
  return refs.filter((ref) => ref.deref() !== undefined).length;
}

describe('a session that stays open for long', () => {
  it('lets go of Dates that were read, with what held them, once others have taken their place', async () => {
    const definition = defineSession({
      list: mutable<Entry[]>(() => []),
      map: mutable<Map<string, Entry>>(() => new Map()),
    });
    const sessions = new SessionRepository({ store: new MemoryStore(), definition });
    const session = await sessions.create();
    const refs: WeakRef<object>[] = [];
    for (let i = 0; i < 200; i += 1) {
      session.state.list = [{ at: new Date(i) }];
      session.state.map.set('last', { at: new Date(i) });
      await session.save();
      refs.push(new WeakRef((session.state.list[0] as Entry).at), new WeakRef(session.state.map.get('last')!.at));
    }
    expect(await left(refs)).toBeLessThan(10);
    await session.close();
    await sessions.close();
  });

  const bag = defineSession({}, { undeclared: mutable<{ n: number }>() });

  it('keeps nothing of attributes that are deleted, once that is saved: there may be ever others', async () => {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition: bag });
    const session = await sessions.create();
    const visit = async (from: number, count: number): Promise<void> => {
      for (let i = from; i < from + count; i += 50) {
        const names = Array.from({ length: 50 }, (_, n) => `name ${i + n}`);
        for (const name of names) session.state[name] = { n: 1 };
        await session.save();
        for (const name of names) delete session.state[name];
        await session.save();
      }
      await left([]);
    };
    await visit(0, 6_000);
    const before = process.memoryUsage().heapUsed;
    await visit(6_000, 24_000); // so many that half a megabyte of the engine's own is not in the way
    expect((process.memoryUsage().heapUsed - before) / 24_000).toBeLessThan(100);
    await session.close();
    await sessions.close();
  });

  it('goes on with what was deleted and saved where that is assigned again, until it ends', async () => {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition: bag, saveMode: 'mutable-access' });
    const session = await sessions.create();
    session.state['a'] = { n: 1 };
    await session.save();
    const { a } = session.state as { a: { n: number } };
    delete session.state['a'];
    await session.save();
    a.n = 2; // of no consequence
    expect([a.n, await session.save().then(({ changed }) => changed), Object.keys(session.state)]).toEqual([2, [], []]);
    session.state['a'] = a;
    await session.save();
    a.n = 3;
    await session.save();
    expect(await sessions.read(session.id)).toEqual({ a: { n: 3 } });
    delete session.state['a'];
    await session.save();
    await session.close();
    expect(() => a.n).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }) as Error);
    await sessions.close();
  });
});
