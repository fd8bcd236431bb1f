import { describe, expect, it } from 'vitest';
import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { spanningOf } from '../../ts/codec/spanning.ts';
import { diff, merge } from '../../ts/graph.ts';
// @ts-expect-error -- plain JavaScript, which another process runs as it is
import { isSame as same } from '../codec/kinds.mjs';
import { containersOf, editOnce, graphOf } from '../codec/graphs.ts';
import { seeded } from '../portions/programs.ts';
import type { Loose } from '../tracking/fixture.ts';

/** More of them at length: HOLDFAST_GRAPHS=20000 npx vitest run test/graph/shared-merge.test.ts */
const GRAPHS = Number(process.env['HOLDFAST_GRAPHS'] ?? 400);
const LONG_MS = 1_200_000;
const isSame = same as (a: unknown, b: unknown) => boolean;
const encode = (value: unknown): Uint8Array => msgpackCodec.encode(value, 'v');
const copy = <T>(value: T): T => msgpackCodec.decode(encode(value)) as T;

/** A graph, and what some edits in it make of it. */
function pairOf(seed: number): [base: Loose, target: Loose] {
  const base = graphOf(seed, 2 + (seed % 40));
  const target = copy(base);
  for (let n = seed % 5; n >= 0; n -= 1) editOnce(target, seeded(1000 * seed + n));
  return [base, target];
}

/** Gives one of the objects a property, which refers to some other of them. */
function refer(all: readonly Loose[], key: string, seed: number): void {
  const random = seeded(seed);
  const holders = all.filter((one) => Object.getPrototypeOf(one) === Object.prototype);
  holders[random(holders.length)][key] = random(4) === 0 ? random(9) : all[random(all.length)];
}

const objectsOf = (root: Loose): Loose[] => [...containersOf(root).keys()];

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
          expect(diff(base(), { ...base(), ring: 1 }).length).toBeLessThan(20); // a verb within this one
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

  it(`has the references of both, wherever they are and lead to, of ${GRAPHS} graphs`, { timeout: LONG_MS }, () => {
    let tried = 0;
    let refused = 0;
    for (let seed = 1; seed <= GRAPHS; seed += 1) {
      const from = graphOf(seed, 2 + (seed % 12));
      const [mine, theirs, expected] = [copy(from), copy(from), copy(from)];
      const all = objectsOf(expected);
      // Elements of Sets, and objects that are keys of Maps, are known by what they hold.
      if (all.some((one) => one instanceof Set || one instanceof Map)) continue;
      tried += 1;
      for (const objects of [objectsOf(theirs), all]) refer(objects, 'theirs', 90 * seed + 1);
      for (const objects of [objectsOf(mine), all]) refer(objects, 'mine', 90 * seed);
      const made = merge(from, mine, theirs) as Loose;
      expect('value' in made, `seed ${seed}`).toBe('value' in merge(from, theirs, mine));
      if (!('value' in made)) refused += 1;
      else if (!isSame(made.value, expected)) throw new Error(`seed ${seed}: another value`);
    }
    expect(tried).toBeGreaterThan(GRAPHS / 10);
    expect(refused).toBeLessThan(tried / 10);
  });
});
