import { afterEach, expect, it, vi } from 'vitest';
import { defineSession, immutable, mutable, unclassified } from '../../ts/session/definition.ts';
import type { OnSaved, Saved } from '../../ts/session/saved.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';

interface Line {
  sku: string;
  quantity: number;
}

const definition = defineSession({
  user: immutable<string>(),
  cart: mutable<Line[]>(() => []),
  theme: unclassified<string>(),
  doc: mutable<{ n: number; text: string }>(() => ({ n: 0, text: 'x'.repeat(3_000) })),
});
const open: SessionRepository<object>[] = [];

function repository(onSaved?: OnSaved): SessionRepository<{ cart: Line[]; theme?: string; doc: { n: number } }> {
  const sessions = new SessionRepository({ store: new MemoryStore(), definition, onSaved });
  open.push(sessions);
  return sessions as never;
}

afterEach(async () => {
  vi.restoreAllMocks();
  for (const sessions of open.splice(0)) await sessions.close();
});

it('tells part by part what it has changed, under the names of the attributes', async () => {
  const session = await repository().create({ user: 'ann', theme: 'dark' } as never);
  const first = await session.saveAndClose();
  expect(first.changes()).toEqual([
    { op: 'set', path: ['user'], value: 'ann' },
    { op: 'set', path: ['theme'], value: 'dark' },
  ]);
  const again = await open[0]!.open(session.id);
  const state = again.state as { cart: Line[]; theme?: string };
  state.cart.push({ sku: 'tea', quantity: 1 });
  const pushed = await again.save();
  expect(pushed.changes()).toEqual([{ op: 'set', path: ['cart'], value: [{ sku: 'tea', quantity: 1 }] }]);
  state.cart[0]!.quantity = 2;
  state.cart.unshift({ sku: 'jam', quantity: 1 });
  delete state.theme;
  const last = await again.saveAndClose();
  expect(last.changes()).toEqual([
    { op: 'unset', path: ['theme'] },
    { op: 'insert', path: ['cart'], index: 0, values: [{ sku: 'jam', quantity: 1 }] },
    { op: 'set', path: ['cart', 1, 'quantity'], value: 2 },
  ]);
  const values = last.changes()[1] as unknown as { values: Line[] };
  values.values[0]!.sku = 'mine'; // nobody else's
  expect(last.changes()[1]).toMatchObject({ values: [{ sku: 'jam' }] });
  expect(last).toEqual({ revision: 3, changed: ['cart', 'theme'], bytes: last.bytes, kind: 'delta', stored: true });
  const nothing = await (await open[0]!.open(session.id)).saveAndClose();
  expect([nothing.kind, nothing.changes()]).toEqual(['nothing', []]);
});

it('tells it also after later saves, of its session and of others', async () => {
  const sessions = repository();
  const session = await sessions.create({} as never);
  session.state.doc.n = 1;
  const all: Saved[] = [await session.save()];
  for (let n = 2; n < 6; n += 1) {
    session.state.doc.n = n;
    all.push(await session.save());
  }
  await session.close();
  for (let n = 6; n < 12; n += 1) await sessions.scope(session.id, (state) => void (state.doc.n = n));
  expect(all.slice(1).map((saved) => saved.changes())).toEqual(
    [2, 3, 4, 5].map((value) => [{ op: 'set', path: ['doc', 'n'], value }]),
  );
});

it('calls onSaved for each save that sends something: of a scope, of save, of a change of id', async () => {
  const calls: [string, number, unknown][] = [];
  const sessions = repository(
    (saved, id) => void calls.push([id, saved.revision, saved.changes().map(({ path }) => path)]),
  );
  const session = await sessions.create({ user: 'ann' } as never, { id: 'a' });
  await session.saveAndClose();
  await sessions.scope('a', (state) => void (state.doc.n = 7));
  await sessions.scope('a', (state) => state.doc.n);
  await sessions.scope('a', async (state, inside) => {
    state.doc.n = 8;
    await inside.changeId('b');
    state.theme = 'light';
  });
  expect(calls).toEqual([
    ['a', 1, [['user']]],
    ['a', 2, [['doc']]],
    ['a', 3, [['doc', 'n']]],
    ['b', 2, [['theme']]],
  ]);
});

it('keeps what an onSaved holds from being overwritten by later scopes', async () => {
  const all: Saved[] = [];
  const sessions = repository((saved) => all.push(saved));
  await (await sessions.create({} as never, { id: 'a' })).saveAndClose();
  for (let n = 1; n < 8; n += 1) await sessions.scope('a', (state) => void (state.doc.n = n));
  expect(all.slice(2).map((saved) => saved.changes())).toEqual(
    [2, 3, 4, 5, 6, 7].map((value) => [{ op: 'set', path: ['doc', 'n'], value }]),
  );
});

it('is not undone by an onSaved that fails, of which a warning tells once', async () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  let calls = 0;
  const sessions = repository(() => {
    calls += 1;
    if (calls === 1) throw new Error('no audit today');
    return Promise.reject(new Error('nor tomorrow'));
  });
  await (await sessions.create({ user: 'ann' } as never, { id: 'a' })).saveAndClose();
  await sessions.scope('a', (state) => void (state.doc.n = 1));
  await new Promise((resolve) => setImmediate(resolve));
  expect(await sessions.read('a')).toMatchObject({ user: 'ann', doc: { n: 1 } });
  expect([calls, warn.mock.calls.map(([text]) => text)]).toEqual([
    2,
    ['onSaved failed: no audit today; the save stands; it is called on, and its further failures are not reported'],
  ]);
});

it('tells of a save without a lock what it has changed there, and goes on telling it', async () => {
  const store = new MemoryStore();
  const counted = defineSession({ cart: mutable<Record<string, number>>(() => ({}), { differencing: 'off' }) });
  const told: Saved[] = [];
  const [one, two] = [{ onSaved: (saved: Saved) => told.push(saved) }, {}].map(
    (more) => new SessionRepository({ store, definition: counted, ...more }),
  ) as [SessionRepository<{ cart: Record<string, number> }>, SessionRepository<{ cart: Record<string, number> }>];
  open.push(one as never, two as never);
  await two.scope('s', (state) => void (state.cart = { base: 1, pad: 0 }), { create: true });
  await one.scope(
    's',
    async (state, session) => {
      state.cart['mine'] = 1;
      expect((await session.explain()).attributes).toMatchObject([
        { name: 'cart', op: 'put', paths: [['cart', 'mine']] },
      ]);
      await two.scope('s', (other) => void (other.cart['theirs'] = 2));
    },
    { mode: 'optimistic' },
  );
  for (let n = 0; n < 5; n += 1) await one.scope('s', (state) => void (state.cart['pad'] = n), { mode: 'optimistic' });
  for (let n = 0; n < 5; n += 1) await one.scope('s', (state) => void (state.cart['base'] = n));
  const changes = told.map((saved) => saved.changes());
  expect(changes[0]).toEqual([{ op: 'set', path: ['cart', 'mine'], value: 1 }]);
  expect(
    changes
      .slice(1)
      .flat()
      .map((change) => ('value' in change ? change.value : undefined)),
  ).toEqual([1, 2, 3, 4, 0, 1, 2, 3, 4]);
  expect((await one.read('s'))!.cart).toEqual({ base: 4, pad: 4, theirs: 2, mine: 1 });
});
