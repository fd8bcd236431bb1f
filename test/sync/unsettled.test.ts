import { describe, expect, it } from 'vitest';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { through } from '../store/through.ts';

const definition = defineSession({ n: mutable(() => 0) });

// docs/protocol.md: Unknown outcomes
describe('a store that fails with an error of its client', () => {
  it('may have stored the record: it is offered again, and counted once', async () => {
    let offers = 0;
    const store = through(new MemoryStore(), {
      append: async (call) => {
        const answer = await call();
        offers += 1;
        if (offers === 2) throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
        return answer;
      },
    });
    const sessions = new SessionRepository({ store, definition });
    const session = await sessions.create({ n: 1 });
    await session.save();
    session.state.n += 1;
    expect(await session.save()).toMatchObject({ revision: 2, changed: ['n'] });
    expect(offers).toBe(3);
    session.state.n += 1;
    await session.saveAndClose();
    expect(await sessions.read(session.id)).toEqual({ n: 3 });
    await sessions.close();
  });

  it('and goes on doing so: the outcome is unknown, with that error as the cause', async () => {
    const gone = new Error('the socket was closed');
    let fails = false;
    const store = through(new MemoryStore(), { append: (call) => (fails ? Promise.reject(gone) : call()) });
    const sessions = new SessionRepository({ store, definition, storeTimeoutMs: 200 });
    const session = await sessions.create({ n: 1 });
    await session.save();
    fails = true;
    session.state.n += 1;
    const failed = await session.save().catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'unknown', cause: gone });
    fails = false; // it is asked on
    session.state.n += 1;
    expect(await session.save()).toMatchObject({ revision: 3 });
    await session.close();
    expect(await sessions.read(session.id)).toEqual({ n: 3 });
    await sessions.close();
  });
});
