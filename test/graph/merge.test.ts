import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { ABSENT, merge, type Conflict, type MergePolicy, type Merged } from '../../ts/graph.ts';
import { anyValue } from '../codec/values.ts';
import { editedBy } from './edited.ts';

/** Of a class that nothing keeps. */
class Secret {
  readonly value = 'secret';
}

const text = (value: unknown): string => Buffer.from(msgpackCodec.encode(value, 'value')).toString('latin1');
const copyOf = (value: unknown): unknown => msgpackCodec.decode(msgpackCodec.encode(value, 'value'));

function valueOf(merged: Merged): unknown {
  if ('conflicts' in merged)
    throw new Error(`conflicts at ${JSON.stringify(merged.conflicts.map(({ path }) => path))}`);
  return merged.value;
}

function conflictsOf(merged: Merged): readonly Conflict[] {
  if ('value' in merged) throw new Error('there is no conflict');
  return merged.conflicts;
}

const paths = (merged: Merged): unknown[] => conflictsOf(merged).map(({ path }) => path);

/** A base and what two sides have made of it, each by edits of its own. */
const sides: fc.Arbitrary<[base: unknown, mine: unknown, theirs: unknown]> = fc
  .tuple(
    anyValue,
    fc.array(fc.nat(), { minLength: 40, maxLength: 40 }),
    fc.array(fc.nat(), { minLength: 40, maxLength: 40 }),
    fc.array(anyValue, { minLength: 4, maxLength: 4 }),
  )
  .map(([base, one, other, values]) => [
    base,
    editedBy(copyOf(base), one, values.slice(0, 2)),
    editedBy(copyOf(base), other, values.slice(2)),
  ]);

/** The leaves of a value, by their bytes. */
function leavesOf(value: unknown, leaves: string[] = []): string[] {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof ArrayBuffer)
    leaves.push(text(value));
  else if (value instanceof Date) leaves.push(text(value));
  else if (value instanceof Map || value instanceof Set) for (const one of value) leavesOf(one, leaves);
  else
    for (const [key, one] of Object.entries(value))
      leavesOf(one, Array.isArray(value) ? leaves : (leaves.push(text(key)), leaves));
  return leaves;
}

/** Without the order of anything: what a merge with the sides the other way round must share. */
function unordered(value: unknown): unknown {
  if (value instanceof Map) return ['map', ...[...value].map((entry) => text(entry.map(unordered))).toSorted()];
  if (value instanceof Set) return ['set', ...[...value].map((one) => text(unordered(one))).toSorted()];
  if (Array.isArray(value))
    return [
      'list',
      value.length,
      ...Object.values(value)
        .map((one) => text(unordered(one)))
        .toSorted(),
    ];
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof ArrayBuffer)
    return value;
  if (value instanceof Date) return value;
  return Object.entries(value)
    .map(([key, one]) => text([key, unordered(one)]))
    .toSorted();
}

describe('a merge', () => {
  it('with an unchanged side is the other side, exactly', () => {
    fc.assert(
      fc.property(sides, ([base, mine]) => {
        expect(text(valueOf(merge(base, mine, base)))).toBe(text(mine));
        expect(text(valueOf(merge(base, base, mine)))).toBe(text(mine));
        expect(text(valueOf(merge(base, copyOf(base), copyOf(base))))).toBe(text(base));
      }),
      { numRuns: 60 },
    );
  });

  it('the other way round is the same, but for the order of inserts at one place', () => {
    fc.assert(
      fc.property(sides, ([base, mine, theirs]) => {
        const one = merge(base, mine, theirs);
        const other = merge(base, theirs, mine);
        expect('value' in one).toBe('value' in other);
        if ('value' in one) expect(text(unordered(one.value))).toBe(text(unordered(valueOf(other))));
        else {
          const told = (conflicts: readonly Conflict[], swapped: boolean): string[] =>
            conflicts
              .map(({ base: from, mine: a, theirs: b }) =>
                text(
                  [from, ...(swapped ? [b, a] : [a, b])]
                    .map((value) => (value === ABSENT ? 'absent' : value))
                    .map(copyOf),
                ),
              )
              .toSorted();
          expect(told(one.conflicts, false)).toEqual(told(conflictsOf(other), true));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('makes nothing that neither side has', () => {
    fc.assert(
      fc.property(sides, fc.constantFrom<MergePolicy>('fail', 'mine', 'theirs'), ([base, mine, theirs], policy) => {
        const before = [text(base), text(mine), text(theirs)];
        const merged = merge(base, mine, theirs, { merge: policy });
        if (policy !== 'fail') expect('value' in merged).toBe(true);
        const known = new Set([...leavesOf(base), ...leavesOf(mine), ...leavesOf(theirs)]);
        if ('value' in merged) expect(leavesOf(merged.value).filter((leaf) => !known.has(leaf))).toEqual([]);
        expect([text(base), text(mine), text(theirs)]).toEqual(before);
      }),
      { numRuns: 60 },
    );
  });

  it('of edits in different parts is both edits', () => {
    const part = fc.tuple(anyValue, fc.array(fc.nat(), { minLength: 20, maxLength: 20 }), anyValue, anyValue);
    fc.assert(
      fc.property(fc.array(fc.tuple(part, fc.boolean()), { minLength: 2, maxLength: 8 }), (parts) => {
        const base: Record<string, unknown> = {};
        const [mine, theirs, both]: Record<string, unknown>[] = [{}, {}, {}];
        parts.forEach(([[value, numbers, one, other], isMine], n) => {
          const key = `part ${n}`;
          const edited = editedBy(copyOf(value), numbers, [one, other]);
          base[key] = value;
          mine![key] = isMine ? edited : copyOf(value);
          theirs![key] = isMine ? copyOf(value) : copyOf(edited);
          both![key] = copyOf(edited);
        });
        expect(text(valueOf(merge(base, mine, theirs)))).toBe(text(both));
        const map = (record: object): Map<string, unknown> => new Map(Object.entries(record));
        expect(text(valueOf(merge(map(base), map(mine!), map(theirs!))))).toBe(text(map(both!)));
      }),
      { numRuns: 40 },
    );
  });

  it('of edits in different halves of a list is both edits', () => {
    type Row = { id: number; n: number };
    const edits = fc.array(fc.tuple(fc.nat(3), fc.nat(), fc.nat(1e6)), { maxLength: 6 });
    const edit = (rows: Row[], all: readonly (readonly [number, number, number])[], first: number): Row[] => {
      const edited = structuredClone(rows);
      all.forEach(([kind, at, n], nth) => {
        const place = at % (edited.length + 1);
        if (kind === 0) edited.splice(place, 1);
        else if (kind === 1) edited.splice(place, 0, { id: first + nth, n });
        else if (kind === 2) edited.splice(n % (edited.length + 1), 0, ...edited.splice(place, 1));
        else if (place < edited.length) edited[place]!.n = n + 100;
      });
      return edited;
    };
    fc.assert(
      fc.property(fc.nat(12), fc.nat(12), edits, edits, (left, right, one, other) => {
        const halves = [
          Array.from({ length: left }, (_, id) => ({ id, n: id })),
          [{ id: 1_000, n: 0 }],
          Array.from({ length: right }, (_, id) => ({ id: 2_000 + id, n: id })),
        ] as const;
        const mine = edit(halves[0], one, 5_000);
        const theirs = edit(halves[2], other, 6_000);
        const base = halves.flat();
        expect(
          valueOf(merge(base, [mine, halves[1], halves[2]].flat(), [halves[0], halves[1], theirs].flat())),
        ).toEqual([mine, halves[1], theirs].flat());
      }),
      { numRuns: 300 },
    );
  });
});

describe('parts', () => {
  it('of lists: inserts, moves, edits and removals', () => {
    const base = [
      { id: 1, n: 1 },
      { id: 2, n: 1 },
      { id: 3, n: 1 },
      { id: 4, n: 1 },
    ];
    const [a, b, c, d] = base;
    const [x, y] = [
      { id: 8, n: 8 },
      { id: 9, n: 9 },
    ];
    expect(valueOf(merge(base, [x, a, b, c, d], [a, b, c, d, y]))).toEqual([x, a, b, c, d, y]);
    expect(valueOf(merge(base, [a, x, b, c, d], [a, y, b, c, d]))).toEqual([a, y, x, b, c, d]);
    expect(valueOf(merge(base, [d, a, b, c], [a, b, c, { id: 4, n: 7 }]))).toEqual([{ id: 4, n: 7 }, a, b, c]);
    expect(valueOf(merge(base, [a, c, d], [a, b, c, y, d]))).toEqual([a, c, y, d]);
    expect(valueOf(merge(base, [b, c, d, a], [b, c, d]))).toEqual([b, c, d]);
    expect(valueOf(merge([1], [1, 2], [1, 2]))).toEqual([1, 2, 2]);
  });

  it('that both sides have changed are conflicts, be it alike', () => {
    expect(conflictsOf(merge({ n: 5 }, { n: 6 }, { n: 6 }))).toEqual([{ path: ['n'], base: 5, mine: 6, theirs: 6 }]);
    expect(conflictsOf(merge({}, { n: 1 }, { n: 2 }))).toEqual([{ path: ['n'], base: ABSENT, mine: 1, theirs: 2 }]);
    expect(conflictsOf(merge({ n: 1 }, {}, { n: 2 }))).toEqual([{ path: ['n'], base: 1, mine: ABSENT, theirs: 2 }]);
    expect(conflictsOf(merge({ n: 1 }, {}, {}))).toEqual([{ path: ['n'], base: 1, mine: ABSENT, theirs: ABSENT }]);
    expect(paths(merge({ a: [{ t: 'one' }] }, { a: [{ t: 'two' }] }, { a: [{ t: 'three' }] }))).toEqual([
      ['a', 0, 't'],
    ]);
    expect(paths(merge({ a: 1, b: 1, c: 1 }, { a: 2, b: 2, c: 1 }, { a: 3, b: 1, c: 3 }))).toEqual([['a']]);
    const map = (v: number): Map<string, unknown> => new Map([['k', { v }]]);
    expect(paths(merge(map(1), map(2), map(3)))).toEqual([[{ kind: 'map value', index: 0, key: 'k' }, 'v']]);
    expect(paths(merge(new Set([1]), new Set([1, 2]), new Set([1, 2])))).toEqual([[{ kind: 'set element', index: 1 }]]);
    expect(paths(merge({ t: 'a text' }, { t: 'b text' }, { t: 'a texts' }))).toEqual([['t']]);
    expect(conflictsOf(merge(1, 2, 3))).toEqual([{ path: [], base: 1, mine: 2, theirs: 3 }]);
    expect(paths(merge([1, 2, 3, 4, 5], [5, 1, 2, 3, 4], [1, 5, 2, 3, 4]))).toEqual([[4]]);
    expect(paths(merge({ a: [1] }, { a: {} }, { a: [1, 2] }))).toEqual([['a']]);
  });

  it('that both sides have changed are for the policy', () => {
    const [base, mine, theirs] = [{ n: 5, gone: 1 }, { n: 7 }, { n: 4, gone: 2 }];
    expect(valueOf(merge(base, mine, theirs, { merge: 'mine' }))).toEqual({ n: 7 });
    expect(valueOf(merge(base, mine, theirs, { merge: 'theirs' }))).toEqual({ n: 4, gone: 2 });
    expect(paths(merge(base, mine, theirs, { merge: 'sum' }))).toEqual([['gone']]);
    expect(valueOf(merge({ n: 5, b: 1n }, { n: 6, b: 3n }, { n: 6, b: 4n }, { merge: 'sum' }))).toEqual({
      n: 7,
      b: 6n,
    });
    const asked: Conflict[] = [];
    const decide = (conflict: Conflict): unknown => {
      asked.push(conflict);
      return conflict.mine === ABSENT ? ABSENT : 'decided';
    };
    expect(valueOf(merge(base, mine, theirs, { merge: decide }))).toEqual({ n: 'decided' });
    expect(asked.map(({ path }) => path)).toEqual([['n'], ['gone']]);
    expect(valueOf(merge([1, 2, 3, 4], [4, 1, 2, 3], [1, 4, 2, 3], { merge: 'mine' }))).toEqual([4, 1, 2, 3]);
    expect(valueOf(merge([1, 2, 3, 4], [4, 1, 2, 3], [1, 4, 2, 3], { merge: 'theirs' }))).toEqual([1, 4, 2, 3]);
  });

  it('of lists are one where their keys are, under union', () => {
    const union: MergePolicy = { union: (item) => (item as { k?: string }).k ?? item };
    const merged = (base: unknown, mine: unknown, theirs: unknown): unknown =>
      valueOf(merge(base, mine, theirs, { merge: union }));
    expect(merged({ tags: ['a', 'b'] }, { tags: ['a', 'b', 'c', 'd'] }, { tags: ['a', 'e', 'c'] })).toEqual({
      tags: ['a', 'e', 'c', 'd'],
    });
    expect(merged([{ k: 'x', n: 1, m: 1 }], [{ k: 'x', n: 2, m: 1 }], [{ k: 'x', n: 1, m: 2 }])).toEqual([
      { k: 'x', n: 2, m: 2 },
    ]);
    expect(merged(new Set([1]), new Set([1, 2]), new Set([2]))).toEqual(new Set([2]));
    expect(paths(merge([], [{ k: 'x', n: 1 }], [{ k: 'x', n: 2 }], { merge: union }))).toEqual([[0]]);
  });

  it.each<[string, (item: unknown) => unknown, RegExp]>([
    ['a function', () => () => 1, /key is a function/],
    ['a symbol', () => Symbol('k'), /key is a symbol/],
    ['a function inside', () => ({ f: () => 1 }), /key\.f is a function/],
    ['an instance', () => [new Secret()], /key\[0\] is an instance of Secret/],
    ['a promise', async () => 1, /key is an instance of Promise/],
    ['a promise that rejects', async () => Promise.reject(new Error('late')), /key is an instance of Promise/],
  ])('%s as a key is refused by the place of its element', (_name, union, says) => {
    const call = (): unknown =>
      merge({ a: [[1], [2]] }, { a: [[1, 1], [2]] }, { a: [[1], [2], [3]] }, { merge: { union } });
    const told = { code: 'ERR_INVALID', paths: [['a', 0]], message: expect.stringMatching(says) as string };
    expect(call).toThrow(expect.objectContaining(told) as Error);
    expect(call).toThrow(
      /^value\.a\[0\] \(base\): the key that \{ union \} gave for it cannot be compared .*: give text, a number/,
    );
    expect(call).not.toThrow(/secret/);
    const ofNew = (item: unknown): unknown => (item === 3 ? union(item) : item);
    expect(() => merge([], [1], [2, 3], { merge: { union: ofNew } })).toThrow(/^value\[1\] \(theirs\): the key/);
  });

  it('are bytes in and out where that is asked', () => {
    const bytes = (value: unknown): Uint8Array => msgpackCodec.encode(value, 'value');
    const merged = merge(bytes({ a: 1, b: 1 }), bytes({ a: 2, b: 1 }), bytes({ a: 1, b: 2 }), { bytes: true });
    expect(msgpackCodec.decode(valueOf(merged) as Uint8Array)).toEqual({ a: 2, b: 2 });
    const [conflict] = conflictsOf(merge(bytes({}), bytes({ a: 1 }), bytes({ a: 2 }), { bytes: true }));
    expect(conflict).toEqual({ path: ['a'], base: ABSENT, mine: bytes(1), theirs: bytes(2) });
    const decided = merge(bytes(1), bytes(2), bytes(3), { bytes: true, merge: ({ theirs }) => theirs });
    expect(valueOf(decided)).toEqual(bytes(3));
  });

  it('and policies that are none are told', () => {
    expect(() => merge(1, 2, 3, { merge: 'ours' as MergePolicy })).toThrow(/merge must be 'fail', 'mine'/);
    expect(() => merge(1, 2, 3, { merge: { union: 'id' } as unknown as MergePolicy })).toThrow(/merge must be 'fail'/);
    expect(() => merge(1, 2, 3, { merge: () => ABSENT })).toThrow('it gave ABSENT for the whole');
    expect(() => merge(new Set([1, 2]), new Set(), new Set(), { merge: () => 5 })).toThrow(
      'an element into a Set that is there already',
    );
    for (const [what, given] of [
      ['promise', async () => 1],
      ['promise', async () => Promise.reject(new Error('late'))],
      ['function', () => () => 1],
      ['symbol', () => Symbol('s')],
    ] as const)
      expect(() => merge({ s: [5] }, { s: [4] }, { s: [3] }, { merge: given })).toThrow(
        expect.objectContaining({
          code: 'ERR_INVALID',
          message: expect.stringMatching(new RegExp(`^value\\.s.*: the merge policy gave a ${what}`)) as string,
        }) as Error,
      );
    const broken = new Error('the policy broke');
    expect(() =>
      merge(1, 2, 3, {
        merge: () => {
          throw broken;
        },
      }),
    ).toThrow(broken);
  });
});
