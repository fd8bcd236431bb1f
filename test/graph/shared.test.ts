import { describe, expect, it } from 'vitest';
import type { Named } from '../../ts/codec/ids.ts';
import { codecOf, msgpackCodec } from '../../ts/codec/msgpack.ts';
import { valueType } from '../../ts/codec/value-types.ts';
import { apply, changes, diff, invert } from '../../ts/graph.ts';
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
      'target.a[0] is in several places of the value, and the option `trees` says that there is no such object: leave it out',
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
