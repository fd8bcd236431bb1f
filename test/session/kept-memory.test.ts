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
});
