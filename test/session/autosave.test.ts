import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { VirtualClock } from '../../ts/testing/index.ts';
import { through } from '../store/through.ts';

const definition = defineSession({ n: mutable<number>(() => 0) });

async function pass(clock: VirtualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    clock.pass(50);
    for (let i = 0; i < 5; i += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

function made(everyMs = 1000) {
  const clock = new VirtualClock();
  const state = { appends: 0, down: false };
  const store = through(new MemoryStore({ clock }), {
    async append(call) {
      state.appends += 1;
      if (state.down) throw new HoldfastError('ERR_UNAVAILABLE', 'down', { outcome: 'none' });
      return call();
    },
  });
  const sessions = new SessionRepository({ store, definition, clock, autosave: { everyMs } });
  const failed: string[] = [];
  sessions.observe((event) => void (event.type === 'autosave-error' && failed.push(event.message)));
  return { clock, state, sessions, failed };
}

describe('autosave', () => {
  it('saves an open session that was touched, in its turn, and ends nothing', async () => {
    const { clock, state, sessions, failed } = made();
    const session = await sessions.create({ n: 1 }, { id: 's' });
    await pass(clock, 900);
    expect(state.appends).toBe(0);
    await pass(clock, 200);
    expect([state.appends, await sessions.read('s')]).toEqual([1, { n: 1 }]);
    await pass(clock, 5000);
    expect(state.appends).toBe(1); // nothing was touched
    session.state.n = 2;
    await pass(clock, 1000);
    expect([session.closed, await sessions.read('s')]).toEqual([false, { n: 2 }]);
    session.state.n = 3;
    await session.close();
    await pass(clock, 5000);
    expect([state.appends, failed, await sessions.read('s')]).toEqual([2, [], { n: 2 }]);
  });

  it('makes no session of one that was opened and not touched', async () => {
    const { clock, state, sessions } = made();
    const session = await sessions.open('visitor', { create: true });
    await pass(clock, 5000);
    expect([state.appends, await sessions.read('visitor')]).toEqual([0, undefined]);
    await session.close();
  });

  it('looks at what open and find give, not at a scope', async () => {
    const { clock, sessions } = made(100);
    await sessions.scope('s', (value) => void (value.n = 1), { create: true });
    await sessions.scope('s', async (value) => {
      value.n = 2;
      await pass(clock, 500);
      expect(await sessions.read('s')).toEqual({ n: 1 });
    });
    for (const [n, session] of [[3, await sessions.open('s')]] as const) {
      session.state.n = n;
      await pass(clock, 500);
      await session.close();
    }
    expect(await sessions.read('s')).toEqual({ n: 3 });
    const found = await sessions.find('s');
    if (found === undefined) throw new Error('it is there');
    found.state.n = 4;
    await pass(clock, 500);
    await found.close();
    expect(await sessions.read('s')).toEqual({ n: 4 });
  });

  it('goes on while no more than a part of the state is held, and lets the session go with that', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const clock = new VirtualClock();
    const sessions = new SessionRepository({
      store: new MemoryStore({ clock }),
      definition: defineSession({ list: mutable<number[]>(() => []) }),
      clock,
      autosave: { everyMs: 100 },
    });
    let session: WeakRef<object> | undefined;
    const opened = async (): Promise<number[]> => {
      const made = await sessions.create({}, { id: 's' });
      session = new WeakRef(made);
      return made.state.list;
    };
    const isHeld = async (): Promise<boolean> => {
      for (let i = 0; i < 10; i += 1) {
        await pass(clock, 100);
        collect();
      }
      await pass(clock, 0);
      return session?.deref() !== undefined;
    };
    const use = async (): Promise<void> => {
      const list = await opened();
      expect(await isHeld()).toBe(true);
      list.push(7);
      await pass(clock, 200);
      expect(await sessions.read('s')).toEqual({ list: [7] });
    };
    await use();
    await new Promise((resolve) => setImmediate(resolve));
    expect(await isHeld()).toBe(false);
  });

  it('tells once of what goes on failing, and again of what fails otherwise, or after a save', async () => {
    const { clock, state, sessions, failed } = made(100);
    const session = await sessions.create({ n: 1 }, { id: 's' });
    await session.save();
    state.down = true;
    session.state.n = 2;
    await pass(clock, 1000);
    expect([failed, state.appends > 5]).toEqual([['down'], true]);
    session.state.n = (() => 1) as unknown as number;
    await pass(clock, 1000);
    expect(failed).toEqual(['down', expect.stringContaining('n is a function')]);
    session.state.n = 3;
    await pass(clock, 500);
    expect(failed.length).toBe(3);
    state.down = false;
    await pass(clock, 200);
    expect(await sessions.read('s')).toEqual({ n: 3 });
    state.down = true;
    session.state.n = 4;
    await pass(clock, 500);
    expect([failed.length, failed[3]]).toEqual([4, 'down']);
    state.down = false;
    await session.saveAndClose();
  });

  it('tells of a save that failed, and tries again', async () => {
    const { clock, state, sessions, failed } = made(100);
    const session = await sessions.create({ n: 1 }, { id: 's' });
    await session.save();
    state.down = true;
    session.state.n = 2;
    await pass(clock, 150);
    expect(failed).toEqual(['down']);
    state.down = false;
    await pass(clock, 150);
    expect([await sessions.read('s'), failed.length]).toEqual([{ n: 2 }, 1]);
    await session.close();
  });
});
