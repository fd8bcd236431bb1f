import { describe, expect, it } from 'vitest';
import type { Named } from '../../ts/codec/ids.ts';
import { codecOf, msgpackCodec } from '../../ts/codec/msgpack.ts';
import { spanningOf } from '../../ts/codec/spanning.ts';
import { valueType } from '../../ts/codec/value-types.ts';
import { apply, changes, diff, invert, merge } from '../../ts/graph.ts';
// @ts-expect-error -- plain JavaScript, which another process runs as it is
import { isSame as same } from '../codec/kinds.mjs';
import { editOnce, graphOf } from '../codec/graphs.ts';
import { seeded } from '../portions/programs.ts';
import type { Loose } from '../tracking/fixture.ts';
import { changed } from './changed.ts';

/** More of them at length: HOLDFAST_GRAPHS=20000 npx vitest run test/graph/shared.test.ts */
const GRAPHS = Number(process.env['HOLDFAST_GRAPHS'] ?? 400);
const LONG_MS = 1_200_000;
const isSame = same as (a: unknown, b: unknown) => boolean;
const encode = (value: unknown, named?: Named): Uint8Array => msgpackCodec.encode(value, 'v', named);
const hex = (bytes: unknown): string => Buffer.from(bytes as Uint8Array).toString('hex');
const copy = <T>(value: T): T => msgpackCodec.decode(encode(value)) as T;

/** A graph, and what some edits in it make of it. */
function pairOf(seed: number): [base: Loose, target: Loose] {
  const base = graphOf(seed, 2 + (seed % 40));
  const target = copy(base);
  for (let n = seed % 5; n >= 0; n -= 1) editOnce(target, seeded(1000 * seed + n));
  return [base, target];
}

const text = 'a text of some length, so that it shows where it is sent '.repeat(4);
const items = (): Loose => Array.from({ length: 20 }, (_, n) => ({ id: n, text: `${n} ${text}` }));

describe('a value in which something is in several places', () => {
  it(
    `is made by its delta, and its base by the inverse, of ${GRAPHS} graphs, live and as bytes; the changes tell it`,
    { timeout: LONG_MS },
    () => {
      for (let seed = 1; seed <= GRAPHS; seed += 1) {
        const [base, target] = pairOf(seed);
        const before = hex(encode(base));
        const delta = diff(base, target);
        const made = apply(base, delta);
        if (!isSame(made, target)) throw new Error(`seed ${seed}: another value`);
        if (!isSame(apply(made, invert(base, delta)), base)) throw new Error(`seed ${seed}: another base`);
        const [from, to] = [encode(base), encode(target)];
        const inBytes = diff(from, to, { bytes: true });
        expect(hex(apply(from, inBytes, { bytes: true })), `seed ${seed}`).toBe(hex(to));
        const back = invert(from, inBytes, { bytes: true });
        expect(hex(apply(to, back, { bytes: true })), `seed ${seed}`).toBe(hex(from));
        if (!isSame(changed(base, changes(base, target)), target)) throw new Error(`seed ${seed}: other changes`);
        expect(hex(encode(base)), `seed ${seed}: the base has changed`).toBe(before);
      }
    },
  );

  it(
    `keeps the numbers that its bytes have, of ${GRAPHS} graphs whose edits renumber nothing`,
    { timeout: LONG_MS },
    () => {
      for (let seed = 1; seed <= GRAPHS; seed += 1) {
        const value = graphOf(seed, 2 + (seed % 30));
        const named: Named = { ids: undefined };
        encode(value, named);
        for (const [object, id] of named.ids ?? []) named.ids!.set(object, 300 - id);
        const from = encode(value, named);
        for (let n = 0; n < 3; n += 1) editOnce(value, seeded(500 * seed + n));
        const to = encode(value, named);
        expect(hex(apply(from, diff(from, to, { bytes: true }), { bytes: true })), `seed ${seed}`).toBe(hex(to));
      }
    },
  );

  it('that is equal but for who holds it is no change, and one that is no longer shared is one', () => {
    const make = (): Loose => ({ list: items(), in: graphOf(3, 20) });
    expect(diff(make(), make())).toEqual(Uint8Array.of(0));
    const [apart, one] = [{ a: { n: 1 }, b: { n: 1 } }, { a: { n: 1 } } as Loose];
    one.b = one.a;
    expect(changes(apart, one)).toEqual([{ op: 'reference', path: ['b'], to: ['a'] }]);
    expect(changes(one, apart)).toEqual([{ op: 'set', path: ['b'], value: { n: 1 } }]);
    expect(isSame(apply(one, diff(one, apart)), apart)).toBe(true);
  });

  it.each<[string, (state: Loose) => void, object[]]>([
    [
      'behind it',
      (state) => (state.z = state.items[7]),
      [{ op: 'set' }, { op: 'reference', path: ['z'], to: ['items', 7] }],
    ],
    [
      'before it',
      (state) => (state.chosen = state.items[7]),
      [{ op: 'reference', path: ['chosen'], to: ['items', 7] }],
    ],
    [
      'to what holds it',
      (state) => (state.items[3].all = state),
      [{ op: 'set' }, { op: 'reference', path: ['items', 3, 'all'], to: [] }],
    ],
    ['in a Map', (state) => state.map.set('k', state.items[7]), [{ op: 'add' }, { op: 'reference', to: ['items', 7] }]],
    [
      'as a key',
      (state) => state.map.set(state.items[7], 1),
      [{ op: 'add' }, { op: 'reference', path: ['map', { kind: 'map key' }] }],
    ],
    [
      'in a Set',
      (state) => state.set.add(state.items[7]),
      [{ op: 'add' }, { op: 'reference', path: ['set', { kind: 'set element' }] }],
    ],
    [
      'in a list',
      (state) => state.items.unshift(state.items[7]),
      [{ op: 'insert' }, { op: 'reference', path: ['items', 0], to: ['items', 8] }],
    ],
  ])('takes few bytes for one more reference: %s', (_name, edit, told) => {
    const make = (): Loose => ({ chosen: null, items: items(), map: new Map(), set: new Set() });
    for (const base of [make(), Object.assign(make(), { x: [1, 2] })]) {
      if (base.x !== undefined) base.y = base.x;
      const target = copy(base);
      edit(target);
      const delta = diff(base, target);
      expect(delta.length).toBeLessThan(40);
      const named: Named = { ids: undefined };
      const from = encode(base, named);
      const of = msgpackCodec.decode(from, 'v', named) as Loose;
      edit(of);
      expect(diff(from, encode(of, named), { bytes: true }).length).toBeLessThan(40);
      expect(changes(base, target)).toMatchObject(told);
      expect(isSame(apply(base, delta), target)).toBe(true);
    }
  });

  it('takes few bytes for an edit in it, through whichever place, however many there are', () => {
    const one = { n: 1, text };
    const refs = Array.from({ length: 50 }, (_, n) => ({ n, text: `${n} ${text}` }));
    const base = { first: one, refs: [...refs, ...refs], last: one };
    const target = copy(base);
    target.last.n = 2;
    target.refs[70]!.n = -1;
    target.refs.unshift({ n: 7, text: 'new' });
    expect(changes(base, target).map(({ op, path }) => [op, path.join('.')])).toEqual(
      [['splice', '']].slice(1).concat([
        ['set', 'first.n'],
        ['insert', 'refs'],
        ['set', 'refs.21.n'],
      ]),
    );
    expect(diff(base, target).length).toBeLessThan(40);
    const made = apply(base, diff(base, target)) as typeof base;
    expect([made.first === made.last, made.refs[1] === made.refs[51], made.first.n]).toEqual([true, true, 2]);
    expect([base.first.n, made.refs[71]!.n]).toEqual([1, -1]);
  });

  it('has instances of classes as they are, whatever they share with the rest', () => {
    class Box {
      readonly #content: unknown;
      constructor(content: unknown) {
        this.#content = content;
      }
      get content(): unknown {
        return this.#content;
      }
    }
    const types = [valueType('Box', Box, { toData: ({ content }) => content, fromData: (c) => new Box(c) })];
    const one = { n: 1 };
    const held = new Box([one]);
    const base = { a: held, b: held, one, list: [{ id: 1, in: new Box(1) }] };
    const target = {
      a: held,
      b: new Box(2),
      one,
      again: one,
      list: [...base.list, { id: 2, in: new Box(1) }],
      c: held,
    };
    const made = apply(base, diff(base, target, { types }), { types }) as typeof target;
    expect([made.a === made.c, (made.a.content as unknown[])[0] === made.one, made.again === made.one]).toEqual([
      true,
      true,
      true,
    ]);
    expect([made.b.content, made.list[1]!.in.content]).toEqual([2, 1]);
    const bytes = [base, target].map((value) => codecOf(types).encode(value, 'v')) as [Uint8Array, Uint8Array];
    const options = { types, bytes: true };
    expect(hex(apply(bytes[0], diff(...bytes, options), options))).toBe(hex(bytes[1]));
  });

  it('is not looked for where the option says that there is none, and refused where it shows', () => {
    const one = { n: 1 };
    const options = { trees: true };
    expect(diff({ a: 1 }, { a: 2 }, options)).toEqual(diff({ a: 1 }, { a: 2 }));
    expect(() => diff({}, { a: [one], b: one }, options)).toThrow(
      'target.a[0] is in several places of the value, and the option `trees` says that there is no such object: leave it out.',
    );
    const ring: Loose = {};
    ring.self = ring;
    expect(() => diff(ring, copy(ring), options)).toThrow(expect.objectContaining({ code: 'ERR_LIMIT' }) as Error);
    const bytes = encode({ a: one, b: one });
    expect(diff(Uint8Array.of(0x80), bytes, { ...options, bytes: true }).length).toBeGreaterThan(5);
  });

  it('is found behind holes, however many there are', () => {
    const one = { n: 1 };
    const base: unknown[] = [one];
    base.length = 2 ** 32 - 1;
    const target = base.slice(0, 1);
    target.length = 2 ** 32 - 1;
    target[2 ** 31] = one;
    const made = apply(base, diff(base, target)) as unknown[];
    expect([made.length, made[0], made[2 ** 31] === made[0]]).toEqual([2 ** 32 - 1, one, true]);
  });

  it('of sixty levels of one object twice is told in the time of sixty objects', () => {
    const doubled = (): Loose => {
      let value: Loose = { n: 0 };
      for (let level = 0; level < 60; level += 1) value = { left: value, right: value };
      return value;
    };
    const target = doubled();
    target.left.left.right.n = 1;
    const delta = diff(doubled(), target);
    expect(delta.length).toBeLessThan(40);
    expect(isSame(apply(doubled(), delta), target)).toBe(true);
    expect(changes(doubled(), target)).toHaveLength(1);
  });
});

describe('a merge of graphs', () => {
  const base = (): Loose => {
    const x: Loose = { id: 'x', n: 1, m: 1 };
    const y: Loose = { id: 'y', n: 1 };
    return { first: x, y, list: [x, { id: 'z', of: y }], ring: null };
  };
  const both = (mine: (state: Loose) => void, theirs: (state: Loose) => void, options = {}): Loose => {
    const [one, other] = [base(), base()];
    mine(one);
    theirs(other);
    const inBytes = merge(encode(base()), encode(one), encode(other), { ...options, bytes: true }) as Loose;
    const merged = merge(base(), one, other, options) as Loose;
    expect('conflicts' in inBytes).toBe('conflicts' in merged);
    if ('value' in merged && !isSame(msgpackCodec.decode(inBytes.value), merged.value)) throw new Error('other bytes');
    return merged;
  };

  it('has the edits of both in one object, through whichever place', () => {
    const { value } = both(
      (state) => (state.first.n = 2),
      (state) => (state.list[0].m = 3),
    );
    expect(value.first).toEqual({ id: 'x', n: 2, m: 3 });
    expect([value.first === value.list[0], value.y === value.list[1].of]).toEqual([true, true]);
  });

  it('has a reference that one side has put to what the other has edited, or moved', () => {
    const { value } = both(
      (state) => (state.ring = state.first),
      (state) => (state.list[0].m = 3),
    );
    expect([value.ring === value.first, value.ring === value.list[0], value.ring.m]).toEqual([true, true, 3]);
    const moved = both(
      (state) => (state.ring = state.list[1]),
      (state) => state.list.reverse(),
    ).value;
    expect([moved.ring === moved.list[0], moved.ring.of === moved.y]).toEqual([true, true]);
  });

  it('has one object that both sides have begun to share', () => {
    const { value } = both(
      (state) => (state.mine = state.list[1]),
      (state) => (state.theirs = [state.list[1]]),
    );
    expect([value.mine === value.list[1], value.theirs[0] === value.list[1]]).toEqual([true, true]);
  });

  it('never takes one object for another: what is no longer shared gives its number to nobody', () => {
    const { value } = both(
      (state) => {
        state.first = { id: 'own' };
        state.list[1].again = state.list[1].of;
        state.ring = state.list;
      },
      (state) => (state.third = state.list[0]),
    );
    expect(value.first).toEqual({ id: 'own' });
    expect([value.third === value.list[0], value.third.id, value.ring === value.list]).toEqual([true, 'x', true]);
    expect([value.list[1].again === value.y, value.list[1].of === value.y]).toEqual([true, true]);
  });

  it('tells a conflict once, where the object is, with the values themselves', () => {
    const { conflicts } = both(
      (state) => (state.first.n = 2),
      (state) => (state.list[0].n = 3),
    );
    expect(conflicts).toEqual([{ path: ['first', 'n'], base: 1, mine: 2, theirs: 3 }]);
  });

  it('puts something else into one place of what the other side edits', () => {
    const { value } = both(
      (state) => (state.first = { id: 'w' }),
      (state) => (state.first.n = 7),
    );
    expect([value.first, value.list[0]]).toEqual([{ id: 'w' }, { id: 'x', n: 7, m: 1 }]);
  });

  it('is by the policy, whose values may be in several places again', () => {
    expect(
      both(
        (state) => (state.first.n = 2),
        (state) => (state.list[0].n = 3),
        { merge: 'sum' },
      ).value.first.n,
    ).toBe(4);
    const { value } = both(
      (state) => (state.ring = { a: 1, of: state.y }),
      (state) => (state.ring = { a: 2 }),
      {
        merge: (conflict: Loose) => {
          if (conflict.mine instanceof Uint8Array) return encode([1]);
          expect(diff(base(), base())).toEqual(Uint8Array.of(0)); // a verb within this one
          return [1];
        },
      },
    );
    expect(value.ring).toEqual([1]);
    const mine = both(
      (state) => (state.ring = { of: state.y }),
      (state) => (state.ring = 2),
      { merge: 'mine' },
    ).value;
    expect([mine.ring.of === mine.y, mine.first === mine.list[0]]).toEqual([true, true]);
  });

  it('is of one part where references are left without what they refer to', () => {
    const { conflicts } = both(
      (state) => {
        delete state.first;
        state.list.shift();
      },
      (state) => (state.third = state.first),
    );
    expect(conflicts).toMatchObject([{ path: [] }]);
  });

  it(
    `is what one side has made of the base where the other has done nothing, of ${GRAPHS} graphs`,
    { timeout: LONG_MS },
    () => {
      for (let seed = 1; seed <= GRAPHS; seed += 1) {
        const [from, to] = pairOf(seed);
        const one = merge(from, to, from) as { value: unknown };
        const other = merge(from, from, to) as { value: unknown };
        if (!isSame(one.value, to) || !isSame(other.value, to)) throw new Error(`seed ${seed}: another value`);
      }
    },
  );

  it(`does both of two disjoint edits, of ${GRAPHS} graphs`, { timeout: LONG_MS }, () => {
    let merged = 0;
    for (let seed = 1; seed <= GRAPHS; seed += 1) {
      const make = (): Loose => ({
        a: graphOf(seed, 2 + (seed % 20)),
        b: graphOf(seed + 7, 2 + (seed % 15)),
        c: [{ id: 1 }],
      });
      const [mine, theirs, expected] = [make(), make(), make()];
      for (const state of [mine, theirs, expected]) state.d = state.c[0];
      const from = make();
      from.d = from.c[0];
      for (const state of [mine, expected]) editOnce(state.a, seeded(70 * seed));
      for (const state of [theirs, expected]) editOnce(state.b, seeded(70 * seed + 1));
      const made = merge(from, mine, theirs) as Loose;
      if ('conflicts' in made) throw new Error(`seed ${seed}: a conflict`);
      if (!isSame(made.value, expected)) throw new Error(`seed ${seed}: another value`);
      merged += spanningOf(encode(made.value)).marks.size;
    }
    expect(merged).toBeGreaterThan(GRAPHS);
  });
});
