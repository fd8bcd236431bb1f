import { expect, it } from 'vitest';
import { ABSENT } from '../../ts/conflict.ts';
import type { HoldfastError } from '../../ts/errors.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { plain } from '../../ts/tracking/plain.ts';

const OPTIMISTIC = { mode: 'optimistic' } as const;
const failed = (promise: Promise<unknown>): Promise<HoldfastError> =>
  promise.then(
    () => expect.unreachable('it did not fail') as never,
    (error: HoldfastError) => error,
  );

const old = defineSession({ lines: mutable<Record<string, number>>(() => ({})), kept: mutable(() => 0) });
const migrate = (from: unknown): Record<string, { quantity: number }> =>
  Object.fromEntries(Object.entries(from as object).map(([sku, quantity]) => [sku, { quantity: Number(quantity) }]));
const after = defineSession(
  { lines: mutable<Record<string, { quantity: number }>>(() => ({}), { version: 2, migrate }) },
  { drop: ['kept'] },
);

async function begun() {
  const store = new MemoryStore();
  const before = new SessionRepository({ store, definition: old });
  await before.scope('s', (state) => void ((state.lines = { tea: 1 }), (state.kept = 1)), { create: true });
  return { store, before, now: new SessionRepository({ store, definition: after }) };
}

it('merges values of an older schema as they are shown, and keeps the newer one', async () => {
  const { before, now } = await begun();
  const session = await now.open('s', OPTIMISTIC);
  session.state.lines['jam'] = { quantity: 5 };
  await before.scope('s', (state) => void (state.lines['salt'] = 3));
  await session.saveAndClose();
  expect(await now.read('s')).toEqual({ lines: { tea: { quantity: 1 }, salt: { quantity: 3 }, jam: { quantity: 5 } } });
  const stays = await before.open('s', OPTIMISTIC);
  expect(() => (stays.state.lines['salt'] = 4)).toThrow(/newer/);
  await stays.close();
});

it('merges nothing into a value of a schema that it does not know', async () => {
  const { before, now } = await begun();
  const session = await before.open('s', OPTIMISTIC);
  session.state.lines['salt'] = 3;
  await now.scope('s', (state) => void (state.lines['jam'] = { quantity: 5 }));
  const { conflicts } = await failed(session.save());
  expect(conflicts).toEqual([
    {
      path: ['lines'],
      base: { tea: 1 },
      mine: { tea: 1, salt: 3 },
      theirs: { tea: { quantity: 1 }, jam: { quantity: 5 } },
    },
  ]);
});

it('drops what is dropped, whatever others have made of it meanwhile', async () => {
  const { before, now } = await begun();
  const session = await now.open('s', OPTIMISTIC);
  session.state.lines['jam'] = { quantity: 5 };
  await before.scope('s', (state) => void (state.kept = 7));
  await session.saveAndClose();
  expect(await before.read('s')).toMatchObject({ kept: 0 });
  expect(await now.read('s')).toMatchObject({ lines: { jam: { quantity: 5 } } });
});

it('merges attributes that are not declared, in the order in which they came', async () => {
  const store = new MemoryStore();
  const definition = defineSession({}, { undeclared: mutable<number>(undefined, { merge: 'theirs' }) });
  const [one, two] = [0, 1].map(() => new SessionRepository({ store, definition })) as [
    SessionRepository<{ [name: string]: number }>,
    SessionRepository<{ [name: string]: number }>,
  ];
  await one.scope('s', (state) => void ((state['a'] = 1), (state['b'] = 1)), { create: true });
  const session = await one.open('s', OPTIMISTIC);
  Object.assign(session.state, { mine: 1, both: 1 });
  delete session.state['a'];
  await two.scope('s', (state) => void Object.assign(state, { theirs: 2, both: 2 }));
  await session.save();
  const merged = { b: 1, theirs: 2, both: 2, mine: 1 };
  expect(Object.entries(session.state)).toEqual(Object.entries(merged));
  await session.close();
  expect(Object.entries((await two.read('s'))!)).toEqual(Object.entries(merged));
});

it('says which attribute a policy made what cannot be kept of, saves nothing, and stays open', async () => {
  const store = new MemoryStore();
  const refuse = (): never => {
    throw new Error('cannot tell');
  };
  const definition = defineSession({
    odd: mutable<string>(() => '', { merge: () => Symbol('odd') }),
    bad: mutable<string>(() => '', { merge: refuse }),
    keys: mutable<string[]>(() => [], { merge: { union: refuse } }),
  });
  const [one, two] = [0, 1].map(() => new SessionRepository({ store, definition }));
  await one!.scope('s', () => undefined, { create: true });
  for (const name of ['odd', 'bad', 'keys'] as const) {
    const session = await one!.open('s', { ...OPTIMISTIC, timeoutMs: 1000 });
    session.assign({ [name]: name === 'keys' ? ['mine'] : 'mine' });
    const theirs = name === 'keys' ? ['theirs'] : 'theirs';
    await two!.scope('s', (_, other) => other.assign({ [name]: theirs }));
    const message = name === 'odd' ? /^odd: / : new RegExp(`^${name}: the merge policy threw \\(Error, see \`cause\``);
    await expect(session.save()).rejects.toMatchObject({
      code: 'ERR_INVALID',
      message: expect.stringMatching(message) as string,
      paths: [[name]],
      ...(name !== 'odd' && { cause: { message: 'cannot tell' } }),
    });
    expect(session.closed).toBe(false);
    await session.close();
    expect((await two!.read('s'))?.[name]).toEqual(theirs);
  }
});

const planned = (merge: 'mine' | 'theirs') =>
  defineSession({
    plan: mutable<{ name?: string; limits?: { seats: number } }>(() => ({}), { frozen: ['limits'], merge }),
  });

it.each(['nested', 'whole', 'gone'])(
  'lets no policy replace a frozen portion that others have given first: %s',
  async (how) => {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition: planned('mine') });
    await sessions.scope('s', (state) => void (state.plan.name = 'a'), { create: true });
    const session = await sessions.open('s', OPTIMISTIC);
    if (how === 'nested') session.state.plan.limits = { seats: 1 };
    else if (how === 'whole') session.state.plan = { name: 'b', limits: { seats: 1 } };
    else delete (session.state as { plan?: object }).plan;
    await sessions.scope('s', (state) => void (state.plan.limits = { seats: 2 }));
    const { code, conflicts } = await failed(session.save());
    const mine = how === 'gone' ? ABSENT : { seats: 1 };
    expect([code, conflicts]).toEqual([
      'ERR_CONFLICT',
      [{ path: ['plan', 'limits'], base: ABSENT, mine, theirs: { seats: 2 } }],
    ]);
    expect(await sessions.read('s')).toEqual({ plan: { name: 'a', limits: { seats: 2 } } });
  },
);

it.each([
  ['mine', 2],
  ['theirs', 1],
] as const)('merges frozen portions that are alike, or of which theirs stay: %s', async (merge, seats) => {
  const sessions = new SessionRepository({ store: new MemoryStore(), definition: planned(merge) });
  await sessions.scope('s', (state) => void (state.plan.name = 'a'), { create: true });
  const session = await sessions.open('s', OPTIMISTIC);
  session.state.plan.limits = { seats };
  session.state.plan.name = 'b';
  await sessions.scope('s', (state) => void (state.plan.limits = { seats: 2 }));
  await session.saveAndClose();
  expect(await sessions.read('s')).toEqual({ plan: { name: 'b', limits: { seats: 2 } } });
});

it('saves a value whose objects in several places keep the numbers that they had', async () => {
  const sessions = new SessionRepository({
    store: new MemoryStore(),
    definition: defineSession({ graph: mutable<Record<string, object>>() }),
  });
  const [one, other] = [{ of: 1 }, { of: 2 }];
  await sessions.scope('s', (state) => void (state.graph = { a: one, b: one, c: other, d: other }), { create: true });
  const session = await sessions.open('s', OPTIMISTIC);
  delete session.state.graph?.['a'];
  expect((await session.saveAndClose()).changed).toEqual(['graph']);
  const read = await sessions.read('s');
  expect([read, read?.graph?.['c'] === read?.graph?.['d']]).toEqual([{ graph: { b: one, c: other, d: other } }, true]);
});

it('shows what others have saved also where bytes of its own are out and objects keep their numbers', async () => {
  const definition = defineSession({ graph: mutable<Record<string, object>>(() => ({}), { merge: 'theirs' }) });
  const sessions = new SessionRepository({ store: new MemoryStore(), definition });
  const [one, other] = [{ of: 1 }, { of: 2 }];
  const graph = { a: one, b: one, c: other, d: other, bytes: new Uint8Array(4) };
  await sessions.scope('s', (state) => void (state.graph = graph), { create: true });
  const session = await sessions.open('s', OPTIMISTIC);
  expect(session.state.graph['bytes']).toHaveLength(4);
  delete session.state.graph['a'];
  await sessions.scope('s', (state) => void (state.graph['e'] = { of: 3 }));
  await session.save();
  const { a: _gone, ...left } = graph;
  expect(plain(session.state)).toEqual({ graph: { ...left, e: { of: 3 } } });
  await session.close();
});

it('takes null for a first value, too, when it merges', async () => {
  const definition = defineSession({
    plan: mutable<{ limit?: number | null }>(() => ({}), { frozen: ['limit'], merge: 'mine' }),
  });
  const sessions = new SessionRepository({ store: new MemoryStore(), definition });
  await sessions.scope('s', (state) => void (state.plan = {}), { create: true });
  const session = await sessions.open('s', OPTIMISTIC);
  session.state.plan.limit = 1;
  await sessions.scope('s', (state) => void (state.plan.limit = null));
  const { conflicts } = await failed(session.save());
  expect(conflicts).toEqual([{ path: ['plan', 'limit'], base: ABSENT, mine: 1, theirs: null }]);
});
