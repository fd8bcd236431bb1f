import { expect, it } from 'vitest';
import type { HoldfastError } from '../../ts/errors.ts';
import { ORIGIN } from '../../ts/position.ts';
import { defineSession, immutable, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { VirtualClock } from '../../ts/testing/index.ts';
import { through } from '../store/through.ts';

// oxlint-disable-next-line no-explicit-any -- writes that TypeScript would refuse
type Wrong = any;

const definition = defineSession({
  user: immutable<string>(),
  lines: mutable<{ sku: string; at: Date; bytes: Uint8Array }[]>(() => []),
  byKey: mutable<Map<string, { n: number }>>(() => new Map()),
  seen: mutable<Set<string>>(() => new Set()),
  n: mutable<number>(() => 0),
});
const READ = { mode: 'read' } as const;

async function stored(store = new MemoryStore()) {
  const sessions = new SessionRepository({ store, definition, saveMode: 'access' });
  await sessions.scope(
    's',
    (state, session) => {
      session.assign({ user: 'ann' });
      state.lines.push({ sku: 'tea', at: new Date(5), bytes: Uint8Array.of(1, 2) });
      state.byKey.set('a', { n: 1 });
      state.seen.add('x');
    },
    { create: true },
  );
  return { store, sessions, other: new SessionRepository({ store, definition }) };
}

it.each<[string, (state: Wrong) => unknown, string]>([
  ['an attribute', (state) => (state.n = 1), 'n'],
  ['one that is not there', (state) => (state.user = 'bob'), 'user'],
  ['a deletion', (state) => delete state.n, 'n'],
  ['a part', (state) => (state.lines[0].sku = 'jam'), 'lines[0].sku'],
  ['an array', (state) => state.lines.push({}), 'lines'],
  ['a Map', (state) => state.byKey.set('b', { n: 2 }), 'byKey'],
  ['inside a Map', (state) => (state.byKey.get('a').n = 2), 'byKey.get("a").n'],
  ['a Set', (state) => state.seen.clear(), 'seen'],
  ['a Date', (state) => state.lines[0].at.setTime(7), 'lines[0].at'],
])('a use that only reads is refused a write: %s', async (_what, write, path) => {
  const { sessions, other } = await stored();
  const error = await sessions.scope('s', (state) => void write(state), READ).catch((thrown: HoldfastError) => thrown);
  expect(error).toMatchObject({ code: 'ERR_INVALID', message: expect.stringContaining("mode 'read'") });
  expect((error as HoldfastError).message.startsWith(path)).toBe(true);
  expect((error as HoldfastError).paths).toHaveLength(1);
  expect(await other.read('s')).toMatchObject({ n: 0, user: 'ann', lines: [{ sku: 'tea', at: new Date(5) }] });
});

it('a use that only reads sees what was acknowledged before it, has no lock, and saves nothing', async () => {
  const { store, sessions, other } = await stored();
  const revision = async () => (await store.read('s', { since: ORIGIN })).head?.position.revision;
  await other.scope('s', async (theirs) => {
    theirs.n = 1; // not saved yet
    expect(await sessions.scope('s', (state) => state.n, READ)).toBe(0);
    expect(await other.scope('s', (state) => state.n, READ)).toBe(0); // in its own process, inside the scope
  });
  const before = await revision();
  const { member } = (await store.inspect('s')).lock.holder!;
  const session = await sessions.open('s', READ);
  expect(session.state).toMatchObject({ n: 1, user: 'ann' });
  await other.scope('s', (state) => void (state.n = 2));
  expect([session.state.n, session.revision]).toEqual([1, before]);
  expect(await session.save()).toMatchObject({ kind: 'nothing', changed: [] });
  expect(await sessions.scope('s', (state) => state.n, READ)).toBe(2);
  expect(await revision()).toBe(before! + 1);
  expect((await store.inspect('s')).lock.holder?.member).toBe(member);
  for (const [what, call] of [
    ['replace', async () => session.replace({})],
    ['assign', async () => session.assign({ n: 1 })],
    ['delete', () => session.delete()],
    ['changeId', () => session.changeId('t')],
    ['expire', () => session.expire(60_000)],
  ] as const)
    await expect(call(), what).rejects.toMatchObject({ code: 'ERR_INVALID', message: expect.stringMatching(/'read'/) });
});

it('bytes of a use that only reads are copies, and a change of them is told', async () => {
  const { sessions, other } = await stored();
  const used = sessions.scope('s', (state) => void (state.lines[0]!.bytes[0] = 9), READ);
  await expect(used).rejects.toMatchObject({ code: 'ERR_INVALID', message: expect.stringContaining('lines[0].bytes') });
  expect((await other.read('s'))?.lines[0]?.bytes).toEqual(Uint8Array.of(1, 2));
});

it('is ERR_NOT_FOUND where there is nothing, and creates nothing', async () => {
  const { sessions } = await stored();
  await expect(sessions.scope('t', () => undefined, READ)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
  const wrong: Wrong = { ...READ, create: true };
  await expect(sessions.scope('t', () => undefined, wrong)).rejects.toMatchObject({ code: 'ERR_INVALID' });
  await sessions.changeId('s', 'new', { graceMs: 5000 });
  expect(await sessions.scope('s', (_state, { id }) => id, READ)).toBe('new');
  await sessions.delete('new');
  await expect(sessions.open('new', READ)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
  await sessions.close();
  await expect(sessions.open('new', READ)).rejects.toMatchObject({ code: 'ERR_CLOSED' });
});

it('reading costs what has come since, from whatever use this process knows the session', async () => {
  const bytes: number[] = [];
  const store = new MemoryStore();
  const counting = through(store, {
    async read(call) {
      const tail = await call();
      bytes.push(tail.records.reduce((sum, record) => sum + record.length, 0));
      return tail;
    },
  });
  const { other } = await stored(store);
  const sessions = new SessionRepository({ store: counting, definition });
  await other.scope(
    's',
    (state) => void state.seen.add(Array.from({ length: 300 }, (_, i) => (i * 7919) % 1000).join('')),
  );
  const read = async (): Promise<number> => {
    await sessions.read('s');
    await sessions.scope('s', (state) => state.n, READ);
    await sessions.scope('s', (state) => state.n, { mode: 'optimistic' });
    return bytes.splice(0).reduce((sum, one) => sum + one, 0);
  };
  expect(await read()).toBeGreaterThan(300);
  expect(await read()).toBe(0);
  await other.scope('s', (state) => void (state.n = 1));
  const once = await read();
  expect([once > 20, once < 200]).toEqual([true, true]);
});

it('reading counts as a use for the expiry, as any opening does', async () => {
  const clock = new VirtualClock();
  const store = new MemoryStore({ clock });
  const sessions = new SessionRepository({ store, definition, clock, ttlMs: 10_000 });
  await sessions.scope('s', (state) => void (state.n = 1), { create: true });
  for (let i = 0; i < 4; i += 1) {
    await clock.pass(6000);
    expect(await sessions.scope('s', (state) => state.n, READ)).toBe(1);
  }
  await clock.pass(11_000);
  await expect(sessions.scope('s', (state) => state.n, READ)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
});
