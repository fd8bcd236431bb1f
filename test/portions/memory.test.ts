import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { through } from '../store/through.ts';

const definition = defineSession({ doc: mutable<{ n: number; text: string }>() });
const doc = (): { n: number; text: string } => ({ n: 0, text: 'x'.repeat(2_000) });

describe('memory that is used again for later targets', () => {
  it('is not that of a session which came of another by a change of id whose outcome was unknown', async () => {
    let silent = false;
    const store = through(new MemoryStore(), {
      async append(call, id) {
        const answer = await call();
        if (id !== 'new' || !silent) return answer;
        throw new HoldfastError('ERR_UNAVAILABLE', 'cut', { outcome: 'unknown' });
      },
    });
    const sessions = new SessionRepository({ store, definition, storeTimeoutMs: 50 });
    const known = new Promise<void>((resolve) => {
      sessions.observe((event) => void (event.type === 'settled' && resolve()));
    });
    const session = await sessions.create({ doc: doc() }, { id: 'old' });
    await session.save();
    session.state.doc!.n = 1;
    await session.save();
    silent = true;
    await expect(session.changeId('new')).rejects.toMatchObject({ outcome: 'unknown' });
    silent = false;
    await known;
    for (let n = 2; n < 5; n += 1) {
      session.state.doc!.n = n;
      await session.save();
    }
    await session.close();
    expect(await sessions.scope('new', ({ doc }) => doc?.n)).toBe(1);
    await sessions.scope('new', (state) => void (state.doc!.n = 7));
    expect(await sessions.read('new')).toEqual({ doc: { ...doc(), n: 7 } });
    await sessions.close();
  });
});
