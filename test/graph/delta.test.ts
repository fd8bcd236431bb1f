import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { apply, diff, invert, merge } from '../../ts/graph.ts';
import { EditReader } from '../../ts/graph/apply.ts';
import { compare } from '../../ts/graph/compare.ts';
import { Reader } from '../../ts/graph/reader.ts';
import { EditWriter } from '../../ts/graph/write.ts';
import { anyValue } from '../codec/values.ts';
import { edited } from './edited.ts';

const bytesOf = (value: unknown): Buffer => Buffer.from(msgpackCodec.encode(value, 'value'));

/** Bytes tell what deepStrictEqual does not: the order of keys, in Maps and Sets too. */
function check(base: unknown, target: unknown): Uint8Array {
  const before = bytesOf(base);
  const wanted = bytesOf(target);
  const delta = diff(base, target);
  const made = apply(base, delta);
  deepStrictEqual(made, target);
  expect(bytesOf(made).equals(wanted)).toBe(true);
  expect(bytesOf(base).equals(before), 'the base is as it was').toBe(true);
  const back = apply(target, invert(base, delta));
  expect(bytesOf(back).equals(before)).toBe(true);
  const inBytes = diff(before, wanted, { bytes: true });
  expect(wanted.equals(apply(before, inBytes, { bytes: true }) as Uint8Array)).toBe(true);
  return delta;
}

/** The edits themselves, also where a delta would take another form because that is shorter. */
function checkEdits(base: unknown, target: unknown): void {
  const edit = compare(base, target, 0);
  expect(edit === undefined).toBe(bytesOf(base).equals(bytesOf(target)));
  if (edit === undefined || edit.kind === 'set') return;
  const written = new EditWriter();
  written.edit(edit, base);
  const steps = written.bytes.finish();
  const values = msgpackCodec.decode(bytesOf(written.values)) as unknown[];
  const reader = new EditReader(new Reader(steps, 0, steps.length), values, 1e9);
  expect(bytesOf(reader.whole(base)).equals(bytesOf(target))).toBe(true);
  expect(reader.seen).toEqual(written.seen);
}

const rows = (count: number): { id: number; name: string; done: boolean }[] =>
  Array.from({ length: count }, (_, id) => ({ id, name: `row ${id}`, done: id % 3 === 0 }));

describe('a delta', () => {
  it('makes the target of the base, whatever both are', () => {
    fc.assert(
      fc.property(anyValue, anyValue, (base, target) => {
        check(base, target);
        checkEdits(base, target);
      }),
      { numRuns: 100 },
    );
  });

  it('makes the target of the base after some edits', () => {
    fc.assert(
      fc.property(edited, ([base, target]) => {
        check(base, target);
        checkEdits(base, target);
      }),
      { numRuns: 250 },
    );
  });

  it('makes the target after edits, deletions, inserts and moves in one array', () => {
    const item = fc.record({ id: fc.nat(40), n: fc.nat(3) });
    const element = fc.oneof(fc.nat(5), item, fc.string({ maxLength: 3 }), fc.array(fc.nat(2), { maxLength: 3 }));
    fc.assert(
      fc.property(
        fc.array(element, { maxLength: 60 }),
        fc.array(fc.tuple(fc.nat(), fc.nat(), element)),
        (base, edits) => {
          const target = structuredClone(base);
          for (const [kind, at, value] of edits) {
            const place = at % (target.length + 1);
            if (kind % 4 === 0) target.splice(place, 1);
            else if (kind % 4 === 1) target.splice(place, 0, structuredClone(value));
            else if (kind % 4 === 2) target.splice(kind % (target.length + 1), 0, ...target.splice(place, 1));
            else target[place] = structuredClone(value);
          }
          check(base, target);
          checkEdits(base, target);
        },
      ),
      { numRuns: 200 },
    );
  });

  it.each<[what: string, most: number, base: unknown, target: unknown]>([
    ['nothing', 1, rows(100), rows(100)],
    [
      'a number three levels down',
      9,
      { a: rows(100) },
      { a: rows(100).with(50, { id: 50, name: 'row 50', done: true }) },
    ],
    ['an insert at the head of 5,000', 24, rows(5_000), [{ id: -1, name: 'new', done: false }, ...rows(5_000)]],
    ['a removal', 8, rows(1_000), rows(1_000).toSpliced(400, 1)],
    ['an element from the end to the start', 10, rows(1_000), [rows(1_000)[999], ...rows(999)]],
    [
      'a moved and changed element',
      16,
      rows(1_000),
      [{ ...rows(1_000)[999], done: true }, ...rows(999)].map((one) => ({ ...one })),
    ],
    ['a moved key', 12, { a: 1, b: 2, c: rows(9) }, { c: rows(9), a: 1, b: 2 }],
    [
      'an edit in a text of 200 KB',
      16,
      { t: 'word '.repeat(40_000) },
      { t: `${'word '.repeat(20_000)}x${'word '.repeat(20_000)}` },
    ],
    ['a byte in 64 KB', 20, { b: new Uint8Array(65_536) }, { b: new Uint8Array(65_536).fill(1, 500, 501) }],
    [
      '10,000 keys the other way round',
      24,
      Object.fromEntries(rows(10_000).map((row) => [row.name, 1])),
      Object.fromEntries(
        rows(10_000)
          .map((row) => [row.name, 1])
          .reverse(),
      ),
    ],
    ['half of a list before the other', 20, rows(1_000), [...rows(1_000).slice(500), ...rows(500)]],
    ['a decimal fraction', 10, { a: { price: 19.99 } }, { a: { price: 20.49 } }],
  ])('is small for %s', (_what, most, base, target) => {
    expect(check(base, target).length).toBeLessThanOrEqual(most);
  });

  it('leaves what it does not touch shared with the base, and nothing else', () => {
    const base = { kept: { a: [1] }, list: [{ id: 1 }, { id: 2 }], gone: { id: 3 } };
    const target = apply(base, diff(base, { kept: { a: [1] }, list: [{ id: 2 }, { id: 1, n: 1 }] })) as typeof base;
    expect(target.kept).toBe(base.kept);
    expect(target.list[0]).toBe(base.list[1]);
    expect(target.list[1]).not.toBe(base.list[0]);
    const doubled = apply(
      base,
      diff(base, { ...structuredClone(base), list: [{ id: 1 }, { id: 2 }, { id: 2 }] }),
    ) as typeof base;
    expect(new Set(doubled.list).size).toBe(3);
  });

  it('keeps `__proto__` as a key, and sets no prototype', () => {
    const evil = JSON.parse('{ "__proto__": { "polluted": 1 }, "a": 1 }') as object;
    check({ a: 1 }, evil);
    check(evil, JSON.parse('{ "__proto__": { "polluted": 2 }, "a": 1 }'));
    check({ a: { x: evil }, b: 1 }, { b: 2 });
    expect((apply({ a: 1 }, diff({ a: 1 }, evil)) as { polluted?: number }).polluted).toBeUndefined();
  });

  it('is refused where it was made for another base', () => {
    const delta = diff({ a: 1, list: rows(10) }, { a: 2, list: rows(10).toSpliced(3, 1) });
    for (const other of [
      { a: 3, list: rows(10) },
      { b: 1, list: rows(10) },
      { a: 1, list: rows(11) },
      { a: 1, list: {} },
      [],
      1,
      'a',
    ])
      expect(() => apply(other, delta)).toThrow(expect.objectContaining({ code: 'ERR_CORRUPT' }) as Error);
  });
});

describe('wrong use', () => {
  const invalid = expect.objectContaining({ code: 'ERR_INVALID' }) as Error;

  it('names what cannot be kept, and where it is', () => {
    class Money {}
    expect(() => diff({ a: [] }, { a: [{ price: new Money() }] })).toThrow(
      "target.a[0].price is an instance of Money, which cannot be kept: store a plain object with its data, or name its class, types: [valueType('Money', …)]",
    );
    expect(() => diff({ a: 1 }, { a: () => 1 })).toThrow(/^target\.a is a function/);
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    const other: { self?: unknown } = {};
    other.self = other;
    expect(diff(cycle, other)).toEqual(Uint8Array.of(0));
  });

  it('of options and arguments is told', () => {
    expect(() => diff(1, 2, { limitByte: 1 } as object)).toThrow(
      "there is no option 'limitByte'; is 'limitBytes' meant?",
    );
    expect(() => diff(1, 2, { bytes: 1 } as object)).toThrow(invalid);
    expect(() => diff(1, 2, { bytes: true })).toThrow('graph.diff: base must be a Uint8Array, not 1');
    expect(() => apply(1, 'delta' as unknown as Uint8Array)).toThrow(
      'graph.apply: delta must be a Uint8Array, not text',
    );
  });

  it('tells which of several byte strings is damaged', () => {
    const [fine, damaged] = [bytesOf({ a: 1 }), Uint8Array.of(0xc1)];
    const options = { bytes: true };
    for (const [call, what] of [
      [() => apply(damaged, Uint8Array.of(0), options), 'base cannot be read: '],
      [() => diff(fine, damaged, options), 'target cannot be read: '],
      [() => merge(fine, fine, damaged, options), 'theirs cannot be read: '],
      [
        () => merge(bytesOf(1), bytesOf(2), bytesOf(3), { ...options, merge: () => damaged }),
        'what the policy gave cannot be read: ',
      ],
    ] as const) {
      expect(call).toThrow(expect.objectContaining({ code: 'ERR_CORRUPT' }) as Error);
      expect(call).toThrow(what);
    }
    const delta = diff({ a: 1 }, { a: 'text' });
    delta[delta.indexOf('text'.charCodeAt(0)) - 1] = 0xc1;
    expect(() => apply({ a: 1 }, delta)).toThrow(
      /^the delta is damaged or was made for another base: what it brings is no encoded value/,
    );
  });

  it('speaks of no session where there is none', () => {
    for (const target of [() => 1, [Symbol('s')], new Map([[1, { x: () => 1 }]])]) {
      const call = (): unknown => apply(0, diff(0, target));
      expect(call).toThrow(expect.objectContaining({ code: 'ERR_INVALID' }) as Error);
      expect(call).not.toThrow(/session/);
    }
  });

  it('of a small limit is told, by diff and by apply', () => {
    const limit = expect.objectContaining({ code: 'ERR_LIMIT' }) as Error;
    const long = Array.from({ length: 250 }, (_, n) => 1_000 + ((n * 7_919) % 9_000)).join('');
    const delta = diff('', long);
    expect(apply('', delta, { limitBytes: 1_100 })).toBe(long);
    expect(() => apply('', delta, { limitBytes: 1_000 })).toThrow(limit);
    expect(() => diff('', long, { limitBytes: 900 })).toThrow(limit);
    expect(() => apply(bytesOf(long), bytesOf(0), { bytes: true, limitBytes: 900 })).toThrow(limit);
  });
});
