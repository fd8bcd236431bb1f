import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it, vi } from 'vitest';
import type { UnclosedEvent } from '../../ts/observe.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const definition = defineSession({ list: mutable<{ n: number }[]>(() => [{ n: 1 }]) });

/** Collects garbage until `done`, or for so many times. */
async function collectUntil(done: () => boolean, times = 200): Promise<void> {
  for (let i = 0; i < times && !done(); i += 1) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

it('a session that is dropped unclosed is told of, and its lock is given back', async () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const store = new MemoryStore();
  const lock = { leaseMs: 60_000 };
  const [one, two] = [
    new SessionRepository({ store, definition, lock }),
    new SessionRepository({ store, definition, lock }),
  ];
  const lost: UnclosedEvent[] = [];
  one.observe((event) => void (event.type === 'unclosed' && lost.push(event)));
  const drop = async (): Promise<void> => {
    (await one.open('s', { create: true })).state.list[0] = { n: 2 };
  };
  for (let i = 1; i <= 3; i += 1) {
    // its values are kept from one use to the next
    await one.scope('s', (state) => state.list.push({ n: 0 }), { create: true });
    await drop();
    await collectUntil(() => lost.length === i);
    expect(lost.length).toBe(i);
    await two.scope('s', (state) => expect(state.list[0]).toEqual({ n: 1 }), { create: true, timeoutMs: 1000 });
  }
  expect(lost.map(({ id, openedAt }) => [id, openedAt?.includes('unclosed.test.ts')])).toEqual([
    ['s', undefined],
    ['s', true],
    ['s', true],
  ]);
  const warnings = warn.mock.calls
    .map(([message]) => String(message))
    .filter((message) => message.includes('never closed'));
  expect(warnings.map((message) => message.includes('unclosed.test.ts'))).toEqual([false, true]);
  warn.mockRestore();
});

it('one that is saved now and then is let go and told of as well', async () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const sessions = new SessionRepository({ store: new MemoryStore(), definition, autosave: { everyMs: 2 } });
  const lost: unknown[] = [];
  sessions.observe((event) => void (event.type === 'unclosed' && lost.push(event.id)));
  const drop = async (): Promise<void> => {
    const session = await sessions.open('s', { create: true });
    session.state.list[0] = { n: 2 };
    await vi.waitFor(async () => expect(await sessions.read('s')).toEqual({ list: [{ n: 2 }] }));
  };
  await drop();
  await collectUntil(() => lost.length > 0);
  expect(lost).toEqual(['s']);
  expect(await sessions.scope('s', (state) => state.list[0], { timeoutMs: 1000 })).toEqual({ n: 2 });
  warn.mockRestore();
});

it('one of whose state a part is still in use is not taken for dropped, nor one that was closed', async () => {
  const sessions = new SessionRepository({ store: new MemoryStore(), definition });
  const lost: unknown[] = [];
  sessions.observe((event) => void (event.type === 'unclosed' && lost.push(event)));
  const part = (await sessions.open('held', { create: true })).state.list;
  await (await sessions.open('closed', { create: true })).close();
  await sessions.scope('scope', () => undefined, { create: true });
  await collectUntil(() => lost.length > 0, 20);
  expect([lost, part.length]).toEqual([[], 1]);
});

it('is not looked for under a clock of the caller\u2019s own: a simulation could not repeat it', async () => {
  const clock = { now: () => 1e12, monotonic: () => 1, after: () => () => undefined };
  const store = new MemoryStore({ clock });
  const sessions = new SessionRepository({ store, definition, clock });
  const lost: unknown[] = [];
  sessions.observe((event) => void (event.type === 'unclosed' && lost.push(event)));
  await (async () => void (await sessions.open('s', { create: true })).state.list)();
  await collectUntil(() => lost.length > 0, 20);
  expect([lost, (await store.inspect('s')).lock.holder !== undefined]).toEqual([[], true]);
});

it('one without a lock is told of as well, but for one that can only be read', async () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const sessions = new SessionRepository({ store: new MemoryStore(), definition });
  await sessions.scope('loose', (state) => void state.list.push({ n: 2 }), { create: true });
  const lost: string[] = [];
  sessions.observe(({ type }) => void (type === 'unclosed' && lost.push(type)));
  const drop = async (mode: 'optimistic' | 'read'): Promise<void> => {
    const opened = mode === 'read' ? sessions.open('loose', { mode }) : sessions.open('loose', { mode });
    expect((await opened).state.list.length).toBe(2);
  };
  await drop('read');
  await drop('optimistic');
  await collectUntil(() => lost.length === 1);
  await collectUntil(() => lost.length > 1, 20);
  expect(lost).toEqual(['unclosed']);
  const told = warn.mock.calls.map(([message]) => String(message)).filter((message) => message.includes("'loose'"));
  expect(told).toEqual([expect.not.stringContaining('lock')]); // others of this file may be collected late
  expect(await sessions.close({ timeoutMs: 1000 })).toEqual({ unsettled: [], open: [], unstored: [], unfed: [] });
  warn.mockRestore();
});
