import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { frameOf, inScope } from '../../ts/session/nesting.ts';
import type { Frame } from '../../ts/session/nesting.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { openStore } from '../../ts/store/open.ts';

const definition = defineSession({ n: mutable<number>(() => 0) });
const store = await openStore('memory:nesting');
const sessions = new SessionRepository({ store, definition });
const other = new SessionRepository({ store, definition });
const byAnotherHandle = new SessionRepository({ store: await openStore('memory:nesting'), definition });
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const forEver = { timeoutMs: Infinity };

it.each<[string, () => Promise<unknown>]>([
  ['scope', () => sessions.scope('s', () => 'inner', forEver)],
  ['open', () => sessions.open('s', forEver)],
  ['find', () => sessions.find('s', forEver)],
  ['delete', () => sessions.delete('s', forEver)],
  ['changeId', () => sessions.changeId('s', 't', forEver)],
  ['a scope of another repository on this store', () => other.scope('s', () => 'inner', forEver)],
  [
    'a scope through another handle on this store',
    () => byAnotherHandle.scope('s', () => 'inner', { ...forEver, create: true }),
  ],
  [
    'a scope in a scope of another session',
    () => sessions.scope('between', () => sessions.scope('s', () => 'inner', forEver), { create: true }),
  ],
  [
    'a scope some steps later',
    async () => {
      await wait(1);
      return Promise.resolve().then(() => sessions.scope('s', () => 'inner', forEver));
    },
  ],
])('inside a scope of the same session is refused at once: %s', async (_name, call) => {
  const used = sessions.scope(
    's',
    async (state) => {
      state.n += 1;
      await call();
    },
    { create: true },
  );
  await expect(used).rejects.toMatchObject({ code: 'ERR_DEADLOCK', session: 's' });
  // nothing was saved, and the lock is free
  expect(await sessions.scope('s', (state) => state.n, { create: true })).toBe(0);
});

it('does not stop other sessions, nor what is started inside and runs later', async () => {
  let later: Promise<number> | undefined;
  const inner = await sessions.scope(
    'a',
    (state) => sessions.scope('b', (deep) => ((state.n += 1), (deep.n += 2)), { create: true }),
    { create: true },
  );
  expect(inner).toBe(2);
  await sessions.scope(
    'a',
    () => {
      later = wait(5).then(() => sessions.scope('a', (state) => (state.n += 1), { create: true }));
    },
    { create: true },
  );
  expect(await later).toBe(2);
});

it('goes by the id that the session has now', async () => {
  await sessions.scope('old', (state) => void (state.n = 1), { create: true });
  const moved = sessions.scope(
    'old',
    async (_state, session) => {
      await session.changeId('new');
      await sessions.find('new', forEver);
    },
    { create: true },
  );
  await expect(moved).rejects.toMatchObject({ code: 'ERR_DEADLOCK', session: 'new' });
});

it('begins anew when the session was ended inside its scope', async () => {
  await sessions.scope(
    'e',
    async (state, session) => {
      state.n = 1;
      await session.saveAndClose();
      await sessions.scope('e', (again) => void (again.n += 1), { create: true });
    },
    { create: true },
  );
  expect(await sessions.read('e')).toEqual({ n: 2 });
});

it('what is started inside and goes on for long holds nothing of the session once its scope has ended', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let used: WeakRef<object> | undefined;
  let timer: NodeJS.Timeout | undefined;
  await sessions.scope(
    'long',
    (state, session) => {
      state.n += 1;
      used = new WeakRef(session);
      timer = setInterval(() => undefined, 60_000); // or a pool's connection
    },
    { create: true },
  );
  for (let i = 0; i < 20; i += 1) {
    await wait(1);
    collect();
  }
  await wait(1);
  expect(used?.deref()).toBeUndefined();
  clearInterval(timer);
});

it.each(['has ended', 'is about to end'])(
  'who begins scope after scope from within one that %s is in no more for that',
  async (when) => {
    const depths: number[] = [];
    const depthOf = (frame: Frame | undefined): number => (frame === undefined ? 0 : 1 + depthOf(frame.outer));
    await new Promise<void>((resolve) => {
      const job = (number: number): void => {
        const frame = frameOf(store, { id: `job ${number}`, closed: false }, true);
        depths.push(depthOf(frame));
        inScope(frame, () =>
          setImmediate(() => {
            if (number === 100) return resolve();
            if (when === 'has ended') frame.session = undefined;
            job(number + 1);
            frame.session = undefined;
          }),
        );
      };
      job(1);
    });
    expect([depths.length, Math.max(...depths)]).toEqual([100, when === 'has ended' ? 1 : 2]);
  },
);
