import { describe, expect, it } from 'vitest';
import { valueType } from '../../ts/index.ts';
import { defineSession, immutable, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { seeded } from '../portions/programs.ts';
import { editOnce, graphOf } from '../codec/graphs.ts';
import type { Loose } from '../tracking/fixture.ts';
// @ts-expect-error -- plain JavaScript, which another process runs as it is
import { isSame as same } from '../codec/kinds.mjs';

const isSame = same as (a: unknown, b: unknown) => boolean;
const GRAPHS = 60;
type Part = Record<string, Loose>;
const definition = defineSession({
  a: mutable<Part>(() => ({})),
  b: mutable<Part>(() => ({})),
  fixed: immutable<Loose>(),
});
const open = (store = new MemoryStore()) => new SessionRepository({ store, definition });
/** As another process sees it. */
const elsewhere = (store: MemoryStore): Promise<Loose> => open(store).read('s');

describe('an object in several places of an attribute', () => {
  it('is one, in the state, in copies, in other processes, and after edits through either place', async () => {
    const store = new MemoryStore();
    const sessions = open(store);
    const one: Loose = { n: 1 };
    one.self = one;
    await sessions.scope('s', (state) => void Object.assign(state.a, { x: one, list: [one, { one }] }), { create: {} });
    const result = await sessions.scope('s', (state) => {
      const { x, list } = state.a;
      expect([x === list[0], x === list[1].one, x === x.self.self]).toEqual([true, true, true]);
      list[1].one.n = 2;
      expect(x.n).toBe(2);
      return { again: [x, state.a] };
    });
    expect([result.again[0].self === result.again[0], result.again[1].x === result.again[0]]).toEqual([true, true]);
    for (const { a } of [await elsewhere(store), (await sessions.read('s')) as Loose])
      expect([a.x.n, a.x === a.list[0], a.x === a.list[1].one, a.x.self === a.x]).toEqual([2, true, true, true]);
    await sessions.scope('s', (state) => {
      state.a.x.self.added = state.a.list; // an edit of one that was decoded
      state.b = { part: state.a.x };
    });
    const { a, b } = await elsewhere(store);
    expect([a.list[0].added === a.list, b.part.n, b.part.self === b.part, b.part === a.x]).toEqual([
      true,
      2,
      true,
      false,
    ]);
  });

  it('sends a few bytes where one field of it is changed, and nothing where what is assigned is equal', async () => {
    const store = new MemoryStore();
    const sessions = open(store);
    const shared = Array.from({ length: 50 }, (_, n) => ({ n, text: `one of fifty, number ${n}` }));
    await sessions.scope('s', (state) => void (state.a = { refs: [...shared, ...shared] }), { create: {} });
    const session = await sessions.open('s');
    session.state.a.refs[70].n = -1;
    const { bytes } = await session.save();
    expect(bytes).toBeLessThan(70);
    const first = session.state.a.refs.shift(); // now its other place comes first
    await session.save();
    session.state.a.refs.unshift(session.state.a.refs[49], { first });
    await session.save();
    // By now they are not called as in a fresh encoding.
    session.state.a = structuredClone((await elsewhere(store)).a);
    expect((await session.save()).kind).toBe('nothing');
    session.state.a.refs = structuredClone((await elsewhere(store)).a).refs;
    expect((await session.save()).kind).toBe('nothing');
    session.replace({ ...structuredClone((await elsewhere(store)) as Loose), b: {} });
    expect((await session.save()).changed).not.toContain('a');
    await session.close();
  });

  it('is named by a save that cannot read what was assigned in its place', async () => {
    const sessions = open();
    const one = { n: 1 };
    await sessions.scope('s', (state) => void (state.a = { x: one, y: one }), { create: {} });
    let late = false;
    const failing = sessions.scope('s', (state) => {
      state.a = {
        get x(): number {
          if (late) throw new Error('late');
          return 1;
        },
      };
      late = true;
    });
    await expect(failing).rejects.toMatchObject({ code: 'ERR_INVALID', paths: [['a', 'x']] });
  });

  it('of create, replace and immutable attributes is one too', async () => {
    const store = new MemoryStore();
    const sessions = open(store);
    const one = Object.freeze({ n: 1 });
    const session = await sessions.create({ a: [one, one] as Loose, fixed: new Map([[one, one]]) }, { id: 's' });
    await session.save();
    expect([session.state.a[0] === session.state.a[1], session.state.a[0] === one]).toEqual([true, false]);
    session.replace({ a: { x: session.state.a[0], y: session.state.a }, b: { z: [one, { one }] } });
    await session.saveAndClose();
    const { a, b, fixed } = await elsewhere(store);
    expect([a.x === a.y[1], a.y.length, b.z[0] === b.z[1].one, [...fixed][0][0] === [...fixed][0][1]]).toEqual([
      true,
      2,
      true,
      true,
    ]);
  });

  it('stays one where what holds it is copied: frozen, part of another attribute, or with a part of the state in it', async () => {
    const store = new MemoryStore();
    const sessions = open(store);
    await sessions.scope('s', (state) => void Object.assign(state.b, { part: { p: 1 } }), { create: {} });
    await sessions.scope('s', (state) => {
      const ring: Loose = { n: 1, inner: {} };
      ring.inner.back = ring;
      ring.part = state.b.part;
      ring.again = state.b.part;
      const cold: Loose = { list: [] };
      cold.list.push(cold);
      state.a = { ring, cold: Object.freeze(cold), map: new Map([['m', ring]]) };
    });
    const { a } = await elsewhere(store);
    expect([a.ring.inner.back === a.ring, a.map.get('m') === a.ring, a.ring.part === a.ring.again]).toEqual([
      true,
      true,
      true,
    ]);
    expect([a.cold.list[0] === a.cold, a.ring.part]).toEqual([true, { p: 1 }]);
    await sessions.scope('s', (state) => {
      state.a.ring.inner.back.inner.back.n = 5;
      expect([state.a.ring.n, state.a.cold.list[0].list[0] === state.a.cold]).toEqual([5, true]);
      state.a.cold.list[0].m = 6;
    });
    expect((await elsewhere(store)).a).toMatchObject({ ring: { n: 5 }, cold: { m: 6 } });
  });

  it(
    `is one for ${GRAPHS} random graphs, edited through the state and by hand alike`,
    { timeout: 60_000 },
    async () => {
      for (let seed = 1; seed <= GRAPHS; seed += 1) {
        const store = new MemoryStore();
        const sessions = open(store);
        const make = (): Loose => graphOf(seed, 2 + (seed % 25));
        const expected = make();
        await sessions.scope('s', (state) => void (state.a = make()), { create: {} });
        for (let use = 0; use < 4; use += 1) {
          const edits = 1 + (seed % 3);
          for (let i = 0; i < edits; i += 1) editOnce(expected, seeded(100 * seed + 10 * use + i));
          await sessions.scope('s', async (state, session) => {
            for (let i = 0; i < edits; i += 1) {
              editOnce(state.a, seeded(100 * seed + 10 * use + i));
              if (i === 1) await session.save();
            }
          });
          const found = (await elsewhere(store)).a;
          if (!isSame(expected, found)) throw new Error(`seed ${seed}, use ${use}: another graph was saved`);
          if (!isSame(expected, ((await sessions.read('s')) as Loose).a))
            throw new Error(`seed ${seed}, use ${use}: read`);
        }
      }
    },
  );
});

class Money {
  readonly #cents: number;
  note = '';
  constructor(cents: number) {
    this.#cents = cents;
  }
  get cents(): number {
    return this.#cents;
  }
}
const money = valueType('Money', Money, {
  toData: ({ cents, note }) => ({ cents, note }),
  fromData: ({ cents, note }) => Object.assign(new Money(cents), { note }),
});

describe('what is merged without a lock', () => {
  const merged = defineSession({ part: mutable<Part>(() => ({})) });
  const edit = async (mine: (part: Part) => void, theirs: (part: Part) => void): Promise<[unknown, Loose]> => {
    const store = new MemoryStore();
    const sessions = new SessionRepository({ store, definition: merged });
    const one: Loose = { n: 1 };
    one.self = one;
    await sessions.scope('s', (state) => void (state.part = { x: one, y: one, z: 1 }), { create: {} });
    const saving = sessions.scope(
      's',
      async (state) => {
        mine(state.part);
        await sessions.scope('s', (other) => void theirs(other.part), { mode: 'optimistic' });
      },
      { mode: 'optimistic' },
    );
    const error: unknown = await saving.catch((thrown: unknown) => thrown);
    return [error, ((await new SessionRepository({ store, definition: merged }).read('s')) as Loose).part];
  };
  const isOne = ({ x, y }: Loose): boolean => x === y && x.self === x;

  it('has the edits of both in what is in several places, and the references of both', async () => {
    const [done, part] = await edit(
      ({ x, z }) => Object.assign(x, { mine: z }),
      (state) => Object.assign(state, { again: [Object.assign(state['y'] as Loose, { theirs: 2 })] }),
    );
    expect([done, isOne(part), part.again[0] === part.x, part.x.mine, part.x.theirs]).toEqual([
      undefined,
      true,
      true,
      1,
      2,
    ]);
  });

  it('is refused with the place that both have changed, through whichever', async () => {
    const [refused, part] = await edit(
      ({ x }) => void (x.n = 2),
      ({ y }) => void (y.self.n = 3),
    );
    const conflicts = [{ path: ['part', 'x', 'n'], base: 1, mine: 2, theirs: 3 }];
    expect(refused).toMatchObject({ code: 'ERR_CONFLICT', conflicts });
    expect([isOne(part), part.x.n]).toEqual([true, 3]);
  });

  it('is refused as one part where a reference is left without what it refers to', async () => {
    const [refused, part] = await edit(
      (state) => Object.assign(state, { x: null, y: null }),
      (state) => Object.assign(state, { again: state['y'] }),
    );
    expect(refused).toMatchObject({ code: 'ERR_CONFLICT', conflicts: [{ path: ['part'] }] });
    expect([isOne(part), part.again === part.x]).toEqual([true, true]);
  });
});

describe('what is told and sent of what is in several places', () => {
  const text = 'a text of some length, so that it shows where it is sent '.repeat(4);
  const told = defineSession({
    a: mutable<Part>(() => ({}), { differencing: 'graph' }),
    b: mutable<Part>(() => ({})),
  });

  it('is its parts, in both ways of differencing, and comes back from the log', async () => {
    const store = new MemoryStore();
    const sessions = new SessionRepository({ store, definition: told });
    const items = (): Loose => Array.from({ length: 30 }, (_, id) => ({ id, text: `${id} ${text}` }));
    await sessions.scope('s', (state) => void Object.assign(state, { a: { items: items() }, b: { items: items() } }), {
      create: {},
    });
    const session = await sessions.open('s');
    for (const name of ['a', 'b'] as const) session.state[name]['chosen'] = session.state[name]['items'][7];
    const saved = await session.save();
    expect(saved.changes()).toEqual(
      ['a', 'b'].flatMap((name) => [
        { op: 'set', path: [name, 'chosen'], value: items()[7] },
        { op: 'reference', path: [name, 'chosen'], to: [name, 'items', 7] },
      ]),
    );
    for (const name of ['a', 'b'] as const) session.state[name]['chosen'].mark = 1;
    session.state.a['items'].push(session.state.a['items'].shift());
    const { attributes } = await session.explain();
    expect(attributes.find(({ name }) => name === 'a')).toMatchObject({
      op: 'graph',
      why: 'a delta between its parts',
    });
    const second = await session.saveAndClose();
    expect(second.changes().map(({ op, path }) => [op, path.join('.')])).toEqual([
      ['move', 'a.items'],
      ['set', 'a.items.6.mark'],
      ['set', 'b.items.7.mark'],
    ]);
    expect(second.bytes).toBeLessThan(100);
    for (const part of Object.values(
      (await new SessionRepository({ store, definition: told }).read('s')) as Loose,
    ) as Loose[])
      expect([part.chosen.mark, part.items.includes(part.chosen), part.items.length]).toEqual([1, true, 30]);
  });
});

describe('sixty levels of one object twice', () => {
  /** 2^60 objects, if each place were a part of its own. */
  const doubled = (): Loose => {
    let value: Loose = { n: 0 };
    for (let level = 0; level < 60; level += 1) value = { left: value, right: value };
    return value;
  };
  const levels = (value: Loose): number => {
    let count = 0;
    for (let at = value; at.left !== undefined; at = at.left) if (at.left === at.right) count += 1;
    return count;
  };

  it('cost sixty objects: assigned, saved, copied, compared, replaced and read', async () => {
    const store = new MemoryStore();
    const sessions = open(store);
    await sessions.scope('s', (state) => void (state.a = { list: [], in: doubled() }), { create: {} });
    const session = await sessions.open('s');
    expect(session.byteLength).toBeLessThan(2_000);
    session.state.a.in = doubled();
    expect((await session.save()).kind).toBe('nothing');
    session.state.a = { list: [], in: doubled() };
    expect((await session.save()).kind).toBe('nothing');
    session.replace({ a: { list: [], in: doubled() }, b: {} });
    expect((await session.save()).changed).not.toContain('a');
    session.replace({ a: { list: [], in: doubled() }, b: {} });
    session.state.b = { copy: session.state.a.in, frozen: Object.freeze(doubled()) };
    session.state.a.in.left.left.n = 1;
    session.state.a.list.push(session.state.a.in.right);
    await session.saveAndClose();
    const result = await sessions.scope('s', (state) => [state.a.in, { again: state.a.list[0] }]);
    expect([levels(result[0]), result[1].again === result[0].left]).toEqual([60, true]);
    const { a, b } = await elsewhere(store);
    expect([levels(a.in), levels(b.copy), levels(b.frozen), a.list[0] === a.in.right]).toEqual([60, 60, 60, true]);
  });
});

describe('instances of registered classes', () => {
  const shop = defineSession(
    { price: mutable<Loose>(), other: mutable(() => 0), once: immutable<Part>(() => new Money(1) as Part) },
    { types: [money] },
  );
  const plain = defineSession({
    price: mutable<Loose>(),
    other: mutable(() => 0),
    once: immutable<Part>(() => ({})),
  });
  const repository = (store: MemoryStore, kept = shop) =>
    new SessionRepository({ store, definition: kept as typeof shop });

  it('are kept, handed out as they are, and compared at each save', async () => {
    const store = new MemoryStore();
    const sessions = repository(store);
    const mine = new Money(5);
    await sessions.scope('s', (state) => void (state.price = { list: [mine, mine] }), { create: {} });
    mine.note = 'changed behind its back';
    await sessions.scope('s', (state) => {
      const [one, two] = state.price.list;
      expect([one instanceof Money, one.cents, one.note, one === two]).toEqual([true, 5, '', true]);
      one.note = 'changed in place';
    });
    const { price, once } = (await repository(store).read('s')) as Loose;
    expect([price.list[1].note, price.list[0] === price.list[1], once.cents]).toEqual(['changed in place', true, 1]);
    const session = await sessions.open('s');
    expect(session.state.price.list[0].cents).toBe(5);
    expect((await session.save()).kind).toBe('nothing');
    (session.state.once as Loose).note = 'lost'; // of what is read-only, copies are handed out
    await session.saveAndClose();
    expect(((await repository(store).read('s')) as Loose).once.note).toBe('');
  });

  it('are refused where they are not registered, by a message that tells how', async () => {
    const store = new MemoryStore();
    const failing = repository(store, plain).scope('s', (state) => void (state.price = [new Money(1)]), { create: {} });
    await expect(failing).rejects.toMatchObject({ code: 'ERR_INVALID', paths: [['price', 0]] });
    await expect(failing).rejects.toThrow(
      "price[0] is an instance of Money, which cannot be kept: store a plain object with its data, or name its class, types: [valueType('Money', …)]",
    );
  });

  it('of a class that this process does not know are an error at their attribute alone, and stay as they are', async () => {
    const store = new MemoryStore();
    await repository(store).scope('s', (state) => void (state.price = new Money(7)), { create: {} });
    const other = repository(store, plain);
    await other.scope('s', (state) => {
      state.other = 1;
      expect(() => state.price).toThrow('price: a value of the class "Money" is kept there, which is not known here');
      expect(() => state.price).toThrow(expect.objectContaining({ code: 'ERR_INVALID', paths: [['price']] }) as Error);
    });
    const { price, other: changed } = (await repository(store).read('s')) as Loose;
    expect([price.cents, changed]).toEqual([7, 1]);
  });

  it('are read by what fromData makes, which must be of the class', async () => {
    const store = new MemoryStore();
    await repository(store).scope('s', (state) => void (state.price = new Money(7)), { create: {} });
    const bad = (fromData: (data: unknown) => Money) =>
      repository(
        store,
        defineSession(
          { price: mutable<Loose>() },
          { types: [valueType('Money', Money, { toData: () => 1, fromData })] },
        ) as never,
      );
    const throwing = bad(() => {
      throw new RangeError('secret');
    });
    await expect(throwing.scope('s', (state) => state.price)).rejects.toThrow(
      "price: fromData of the value type 'Money' threw (RangeError, see `cause`)",
    );
    await expect(bad(() => ({}) as Money).scope('s', (state) => state.price)).rejects.toThrow(
      'returned another object',
    );
  });

  it('are named where toData throws, whatever it throws, and nothing is saved', async () => {
    const store = new MemoryStore();
    const cause = new RangeError('secret');
    const toData = (): never => {
      throw cause;
    };
    const money = valueType('Money', Money, { toData, fromData: () => new Money(1) });
    const definition = defineSession({ price: mutable<Loose>() }, { types: [money] });
    const save = repository(store, definition as never).scope('s', (state) => void (state.price = [new Money(7)]), {
      create: {},
    });
    await expect(save).rejects.toMatchObject({
      code: 'ERR_INVALID',
      message: expect.stringMatching(
        /^price\[0\] could not be read, as toData of the value type 'Money' threw \(RangeError, see `cause`\)/,
      ) as string,
      cause,
    });
    expect(await repository(store).read('s')).toBeUndefined();
  });

  it('are registered once, under a name of their own', () => {
    const functions = { toData: () => 1, fromData: () => new Money(1) };
    const define = (...types: unknown[]): unknown => defineSession({}, { types: types as never });
    class Other {}
    const other = (name: string) => valueType(name, Other, { toData: () => 1, fromData: () => new Other() });
    expect(() => define(money, other('Money'))).toThrow("valueType: the name 'Money' is taken; give it another");
    expect(() => define(money, valueType('Cash', Money, functions))).toThrow(
      "the class of 'Cash' is kept as 'Money' already",
    );
    expect(() => define(other('URL'))).toThrow("the name 'URL' is taken");
    expect(() => define(valueType('Link', URL, { toData: String, fromData: (text: string) => new URL(text) }))).toThrow(
      "the class of 'Link' is kept as 'URL' already",
    );
    expect(() => valueType('Day', Date, { toData: Number, fromData: (n: number) => new Date(n) })).toThrow(
      'Date is kept as it is',
    );
    expect(() => valueType('', Money, functions)).toThrow('its name must be text');
    expect(() => valueType('M', {} as never, functions)).toThrow("'M' needs a class");
    expect(() => valueType('', Money, functions)).toThrow('its name must be text, not empty');
    expect(() => valueType('M', Money, {} as never)).toThrow("'M' needs { toData, fromData }, two functions");
    expect(() => define({})).toThrow('defineSession: types[0] must be what valueType gives, with the methods toData');
  });
});
