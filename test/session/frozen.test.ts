import { afterEach, describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { defineSession, immutable, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import type { Session } from '../../ts/session/session.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { plain } from '../../ts/tracking/tracker.ts';

interface Plan {
  limits: { users: number; regions: string[] };
  since: Date;
  price?: number;
  note: string;
}
interface Doc {
  catalog?: { items: Map<string, { n: number }>; tags: Set<string>; key: Buffer; at: Date };
  plan: Plan;
  lines: { n: number }[];
  text: string;
}
interface State {
  doc: Doc;
  other?: unknown;
}

const doc = (): Doc => ({
  catalog: {
    items: new Map([['a', { n: 1 }]]),
    tags: new Set(['x']),
    key: Buffer.from([1, 2, 3]),
    at: new Date(1_000),
  },
  plan: { limits: { users: 3, regions: ['eu'] }, since: new Date(5_000), note: 'free' },
  lines: [{ n: 1 }],
  text: 'x'.repeat(600),
});
const frozen = ['catalog', ['plan', 'limits'], 'plan.since', 'plan.price', 'plan.limits.users'] as const;
const definition = defineSession({ doc: mutable<Doc>(undefined, { frozen }), other: mutable<unknown>() });
const repositories: SessionRepository<object>[] = [];

afterEach(async () => {
  for (const one of repositories.splice(0)) await one.close();
});

function repository(store = new MemoryStore()): SessionRepository<State> {
  const sessions = new SessionRepository({ store, definition, saveMode: 'mutable-access' });
  repositories.push(sessions);
  return sessions as never;
}

async function opened(sessions = repository()): Promise<Session<State>> {
  const session = await sessions.create({ doc: doc() } as never);
  await session.saveAndClose();
  return sessions.open(session.id);
}

function refused(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'ERR_INVALID') return error.paths?.[0];
    throw error;
  }
  return undefined;
}

const writes: [string, (doc: Doc) => unknown, unknown[]][] = [
  ['a value in a Map', (d) => d.catalog!.items.set('b', { n: 2 }), ['items']],
  ['a property behind a Map', (d) => void (d.catalog!.items.get('a')!.n = 2), ['items', { kind: 'map value' }, 'n']],
  ['an element of a Set', (d) => d.catalog!.tags.delete('x'), ['tags']],
  ['a Date', (d) => d.catalog!.at.setTime(1), ['at']],
  ['another property', (d) => void (d.catalog!.at = new Date(9)), ['at']],
  ['the portion', (d) => void (d.catalog = { ...doc().catalog!, tags: new Set() }), []],
  ['no portion any more', (d) => void delete d.catalog, []],
  ['nothing in its place', (d) => void (d.catalog = undefined as never), []],
  ['an accessor', (d) => Object.defineProperty(d, 'catalog', { value: 7 }), []],
];

describe('a frozen portion', () => {
  it.each(writes)('is given %s: refused, by its path', async (_, write, below) => {
    const session = await opened();
    const path = refused(() => write(session.state.doc)) as unknown[];
    expect(path.slice(0, 2)).toEqual(['doc', 'catalog']);
    expect(path.slice(2)).toMatchObject(below);
    expect(plain(session.state.doc)).toEqual(doc());
    session.state.doc.text = 'changed';
    expect(refused(() => write(session.state.doc))).toEqual(path); // also where others were written before
    expect((await session.save()).changes()).toMatchObject([{ path: ['doc', 'text'] }]);
    await session.close();
  });

  it('further in is named by its whole path, however it is met; what is beside it can be changed', async () => {
    const session = await opened();
    const { plan } = session.state.doc;
    plan.note = 'more';
    const { limits } = plan;
    expect(refused(() => limits.regions.push('us'))).toEqual(['doc', 'plan', 'limits', 'regions']);
    expect(refused(() => void (limits.users = 4))).toEqual(['doc', 'plan', 'limits', 'users']);
    expect(refused(() => void (plan.since = new Date(6_000)))).toEqual(['doc', 'plan', 'since']);
    expect(refused(() => void delete (session.state.doc as Partial<Doc>).plan)).toEqual(['doc', 'plan', 'limits']);
    expect(refused(() => void delete (session.state as Partial<State>).doc)).toEqual(['doc', 'catalog']);
    plan.since = new Date(5_000); // equal: nothing is done
    expect((await session.save()).changes()).toMatchObject([{ path: ['doc', 'plan', 'note'] }]);
    await session.close();
  });

  it('that is not there may be given, once', async () => {
    const sessions = repository();
    const session = await opened(sessions);
    session.state.doc.plan.price = 5;
    expect(refused(() => void (session.state.doc.plan.price = 6))).toEqual(['doc', 'plan', 'price']);
    await session.saveAndClose();
    const again = await sessions.open(session.id);
    expect(refused(() => void (again.state.doc.plan.price! += 1))).toEqual(['doc', 'plan', 'price']);
    await again.close();
  });

  it('must be in what is assigned in the place of what holds it, with the same content', async () => {
    const sessions = repository();
    const session = await opened(sessions);
    const { state } = session;
    expect(refused(() => void (state.doc = { ...doc(), catalog: undefined as never }))).toEqual(['doc', 'catalog']);
    const other = { ...doc(), plan: { ...doc().plan, limits: { users: 9, regions: [] } } };
    expect(refused(() => void (state.doc = other))).toEqual(['doc', 'plan', 'limits']);
    expect(refused(() => void (state.doc = 7 as never))).toEqual(['doc', 'catalog']);
    expect(refused(() => void (state.doc.plan = { note: 'x' } as never))).toEqual(['doc', 'plan', 'limits']);
    const unreadable = { ...doc(), get catalog(): never { throw new TypeError('no'); } }; // prettier-ignore
    expect(refused(() => void (state.doc = unreadable))).toEqual(['doc', 'catalog']);
    expect(plain(state.doc)).toEqual(doc());
    const mine = { ...doc(), text: 'assigned'.repeat(90) };
    state.doc = mine;
    mine.catalog!.tags.add('mine'); // the application's own: a copy was taken
    mine.text = 'mine';
    state.doc.plan = { ...state.doc.plan, note: 'spread' };
    state.doc = { ...state.doc, lines: [] };
    const expected = { ...doc(), text: 'assigned'.repeat(90), lines: [], plan: { ...doc().plan, note: 'spread' } };
    expect(plain(state.doc)).toEqual(expected);
    await session.saveAndClose();
    expect(await sessions.read(session.id)).toEqual({ doc: expected });
  });

  it('of a default, or before the first save, gives way to what is assigned whole', async () => {
    const withDefault = defineSession({ doc: mutable(() => ({ list: [1], n: 0 }), { frozen: ['list'] }) });
    const sessions = new SessionRepository({ store: new MemoryStore(), definition: withDefault });
    repositories.push(sessions as never);
    const session = await sessions.create({ doc: { list: [7], n: 1 } });
    session.state.doc = { list: [8], n: 1 };
    expect(refused(() => session.state.doc.list.push(1))).toEqual(['doc', 'list']);
    await session.save();
    expect(refused(() => void (session.state.doc = { list: [9], n: 1 }))).toEqual(['doc', 'list']);
    session.state.doc.n = 2;
    await session.saveAndClose();
    expect(await sessions.read(session.id)).toEqual({ doc: { list: [8], n: 2 } });
  });

  it('is handed out so that no save has to look at it', async () => {
    const session = await opened();
    expect(session.state.doc.catalog!.key.toString('hex')).toBe('010203');
    expect(session.state.doc.catalog!.at.getTime()).toBe(1_000);
    session.state.doc.text = 'y'.repeat(700);
    const [explained] = (await session.explain()).attributes;
    expect(explained).toMatchObject({ name: 'doc', way: 'portions', paths: [['doc', 'text']] });
    await session.save();
    session.state.doc.catalog!.key[0] = 9; // of a copy, which is noticed
    await expect(session.save()).rejects.toMatchObject({ code: 'ERR_INVALID', paths: [['doc', 'catalog', 'key']] });
    await session.close();
  });

  it('goes to other places as a copy, and ends with its session', async () => {
    const sessions = repository();
    const session = await opened(sessions);
    session.state.other = session.state.doc.catalog;
    (session.state.other as { tags: Set<string> }).tags.add('copied');
    const { catalog } = session.state.doc;
    await session.saveAndClose();
    expect(() => catalog!.tags).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }) as Error);
    const read = (await sessions.read(session.id)) as State;
    expect([read.doc, (read.other as { tags: Set<string> }).tags]).toEqual([doc(), new Set(['x', 'copied'])]);
    await sessions.scope(session.id, ({ doc: again }) => {
      expect(again.catalog!.items.get('a')!.n).toBe(1);
      expect(refused(() => again.catalog!.items.clear())).toEqual(['doc', 'catalog', 'items']);
    });
  });
});

it.each<[string, () => unknown, string]>([
  ['an empty path', () => mutable(undefined, { frozen: [[] as never] }), 'frozen[0]'],
  ['an index', () => mutable(undefined, { frozen: ['list[3]'] }), 'frozen[0]'],
  ['a number', () => mutable(undefined, { frozen: ['a', [3 as never]] }), 'frozen[1]'],
  ['text alone', () => mutable(undefined, { frozen: 'a' as never }), 'frozen'],
  ['a part of what is immutable', () => immutable(undefined, { frozen: ['a'] } as never), 'frozen as a whole'],
])('refuses %s', (_, make, message) => {
  expect(make).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID', message: expect.stringContaining(message) }) as Error,
  );
});

describe('what is elsewhere in the attribute, too', () => {
  const parts = defineSession({
    a: mutable<Record<string, Record<string, { n: number }>>>(() => ({}), { frozen: ['kept'] }),
  });
  const begun = async () => {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition: parts });
    repositories.push(sessions as never);
    return { sessions, session: await sessions.create() };
  };

  it('is a copy of a frozen portion that was assigned there', async () => {
    const { sessions, session } = await begun();
    session.state.a['kept'] = { one: { n: 1 } };
    await session.save();
    const { a } = session.state;
    a['whole'] = a['kept']!;
    a['part'] = { one: a['kept']!['one']! };
    a['whole']['one']!.n = 2;
    a['part']['one']!.n = 3;
    await session.saveAndClose();
    expect(await sessions.read(session.id)).toEqual({
      a: { kept: { one: { n: 1 } }, whole: { one: { n: 2 } }, part: { one: { n: 3 } } },
    });
  });

  it.each(['first', 'later', 'alone'])('is no part of one that is given with it: %s', async (when) => {
    const { sessions, session } = await begun();
    const one = { n: 1 };
    const pair = { one, again: one };
    const given = { before: pair, ...(when === 'alone' ? {} : { kept: { ...pair } }), after: { one } };
    if (when === 'later') session.state.a = { after: { one } };
    if (when === 'later') await session.save();
    session.state.a = given;
    if (when === 'alone') session.state.a['kept'] = session.state.a['before']!;
    await session.save();
    const { a } = session.state;
    a['after']!['one']!.n = 2;
    await session.saveAndClose();
    const read = (await sessions.read(session.id))!.a;
    expect([Object.keys(read).toSorted(), read['kept'], read['after']]).toEqual([
      ['after', 'before', 'kept'],
      { one: { n: 1 }, again: { n: 1 } },
      { one: { n: 2 } },
    ]);
    expect(read['kept']!['one'] === read['kept']!['again']).toBe(true);
  });

  it('is no part of one that a default or migrate has made', async () => {
    const made = (): Record<string, { n: number }> => {
      const one = { n: 1 };
      return Object.freeze({ kept: one, after: one });
    };
    const store = new MemoryStore();
    const old = new SessionRepository({ store, definition: defineSession({ b: mutable<object>() }) });
    await old.scope('s', (state) => void (state.b = {}), { create: true });
    const next = defineSession({
      a: mutable(made, { frozen: ['kept'] }),
      b: mutable(made, { frozen: ['kept'], version: 1, migrate: made }),
    });
    const sessions = new SessionRepository({ store, definition: next });
    repositories.push(old as never, sessions as never);
    await sessions.scope('s', ({ a, b }) => void ((a['new'] = { n: 0 }), (b['new'] = { n: 0 })));
    await sessions.scope('s', ({ a, b }) => void ((a['after']!.n = 2), (b['after']!.n = 2)));
    const shown = { kept: { n: 1 }, after: { n: 2 }, new: { n: 0 } };
    expect(await sessions.read('s')).toEqual({ a: shown, b: shown });
  });

  it('is parted from one that was saved before it was declared', async () => {
    type Parts = Record<string, Record<string, { n: number }>>;
    const store = new MemoryStore();
    const options = { store, saveMode: 'mutable-access' as const };
    const old = new SessionRepository({ ...options, definition: defineSession({ a: mutable<Parts>() }) });
    const [one, pair] = [{ n: 1 }, { n: 5 }];
    await old.scope(
      's',
      (state) => void (state.a = { kept: { one, again: one }, after: { one }, x: { pair, pair2: pair } }),
      {
        create: true,
      },
    );
    await old.scope('t', (state) => void (state.a = { kept: { one, again: one }, x: { pair, pair2: pair } }), {
      create: true,
    });
    await old.close();
    const sessions = new SessionRepository({ ...options, definition: parts });
    repositories.push(sessions as never);
    for (const mode of ['exclusive', 'optimistic'] as const) {
      await sessions.scope('s', ({ a }) => void (a['after']!['one']!.n += 1), { mode });
      const { a } = (await sessions.read('s'))!;
      expect(a['kept']).toEqual({ one: { n: 1 }, again: { n: 1 } });
      expect(a['kept']!['one']).toBe(a['kept']!['again']);
      expect(a['x']!['pair']).toBe(a['x']!['pair2']);
    }
    expect((await sessions.read('s'))!.a['after']).toEqual({ one: { n: 3 } });
    const session = await sessions.open('t'); // in which nothing is to be parted
    expect(session.state.a['kept']!['one']!.n).toBe(1);
    expect((await session.saveAndClose()).changes()).toEqual([]);
  });
});

describe('an attribute with frozen portions that was never saved', () => {
  const plan = { limits: { users: 3 }, note: '' };
  const made = defineSession({
    n: mutable(() => 0),
    plan: mutable(() => structuredClone(plan), { frozen: ['limits'] }),
  });

  it.each(['replace', 'delete'])('goes by %s, whatever was written to it; once it is saved it stays', async (how) => {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition: made });
    repositories.push(sessions as never);
    const session = await sessions.create({ n: 1 });
    const go = (): void =>
      how === 'replace' ? session.replace({ n: 4 }) : void delete (session.state as { plan?: unknown }).plan;
    go();
    await session.save();
    session.state.plan = { ...plan, note: 'mine' };
    go();
    await session.save();
    expect((await sessions.read(session.id))?.plan).toEqual(plan); // its default
    session.state.plan = { limits: { users: 5 }, note: '' };
    await session.save();
    expect(go).toThrow(expect.objectContaining({ code: 'ERR_INVALID' }));
    await session.saveAndClose();
    expect((await sessions.read(session.id))?.plan).toEqual({ limits: { users: 5 }, note: '' });
  });
});
