import { describe, expect, it } from 'vitest';
import type { Ids, Named } from '../../ts/codec/ids.ts';
import { codecOf, msgpackCodec } from '../../ts/codec/msgpack.ts';
import { valueType } from '../../ts/codec/value-types.ts';
import { apply, canonical, changes, diff, fromJsonPatch, invert, merge, toJsonPatch } from '../../ts/graph.ts';
import { graphOf, treeOf } from '../codec/graphs.ts';

class Money {
  readonly #cents: number;
  constructor(cents: number) {
    this.#cents = cents;
  }
  get cents(): number {
    return this.#cents;
  }
}
const money = valueType('Money', Money, {
  toData: ({ cents }) => cents,
  fromData: (cents: number) => new Money(cents),
});
const types = [money];

describe('an object in several places of a value', () => {
  const one = { n: 1 };
  const bytes = msgpackCodec.encode({ a: [one], b: one }, 'v');
  const refused = expect.objectContaining({ code: 'ERR_INVALID', paths: [['base', 'a', 0]] }) as Error;

  it('is not told by JSON patches of bytes', () => {
    const empty = Uint8Array.of(0x80);
    expect(() => toJsonPatch(bytes, empty, { bytes: true })).toThrow(refused);
    expect(() => fromJsonPatch(bytes, [], { bytes: true })).toThrow(refused);
    expect(() => toJsonPatch(empty, bytes, { bytes: true })).toThrow(
      'target.a[0] is in several places of the value, and a JSON Patch tells of trees: take a delta (graph.diff), or put a copy in each place',
    );
  });

  it('is one in what canonical gives, whatever it was called before', () => {
    for (let seed = 1; seed <= 100; seed += 1) {
      const fresh = msgpackCodec.encode(graphOf(seed, 2 + (seed % 20)), 'v');
      const named: Named = { ids: undefined };
      const value = msgpackCodec.decode(fresh, 'v', named);
      const ids: Ids = named.ids ?? new Map();
      for (const [object, id] of ids) ids.set(object, 300 - id);
      const other = msgpackCodec.encode(value, 'v', named);
      expect(other.length).toBeGreaterThanOrEqual(fresh.length + ids.size / 2);
      expect(Buffer.from(canonical(other)).equals(fresh)).toBe(true);
      const tree = msgpackCodec.encode(treeOf(seed, 9), 'v');
      expect(Buffer.from(canonical(tree)).equals(tree)).toBe(true);
    }
  });

  it('canonical refuses what is no encoding, and what is too large', () => {
    expect(() => canonical('x' as unknown as Uint8Array)).toThrow('graph.canonical: bytes must be a Uint8Array');
    expect(() => canonical(Uint8Array.of(0xc1))).toThrow(expect.objectContaining({ code: 'ERR_CORRUPT' }) as Error);
    expect(() => canonical(Uint8Array.of(0x91, 0xc0), { limitBytes: 1 })).toThrow(
      expect.objectContaining({ code: 'ERR_LIMIT' }) as Error,
    );
  });
});

describe('instances of classes', () => {
  const base = {
    price: new Money(5),
    pattern: /a/g,
    list: [new URL('http://a/b')],
    rows: [{ id: 1, m: new Money(1) }],
  };

  it('that are equal are no change, and others are set as a whole', () => {
    const same = {
      price: new Money(5),
      pattern: /a/g,
      list: [new URL('http://a/b')],
      rows: [{ id: 1, m: new Money(1) }],
    };
    expect(diff(base, same, { types })).toEqual(Uint8Array.of(0));
    const target = { ...same, price: new Money(7), pattern: /a/gi, rows: [{ id: 1, m: new Money(2) }] };
    expect(changes(base, target, { types }).map(({ path, op }) => [path.join('.'), op])).toEqual([
      ['price', 'set'],
      ['pattern', 'set'],
      ['rows.0.m', 'set'],
    ]);
    const delta = diff(base, target, { types });
    const made = apply(base, delta, { types }) as typeof target;
    expect([made.price.cents, made.pattern.flags, made.rows[0]!.m.cents]).toEqual([7, 'gi', 2]);
    expect(diff(apply(target, invert(base, delta, { types }), { types }), base, { types })).toEqual(Uint8Array.of(0));
  });

  it('are kept in bytes and in merges, and refused where they are not named', () => {
    const mine = { ...base, price: new Money(6) };
    const theirs = { ...base, pattern: /b/ };
    const { value } = merge(base, mine, theirs, { types }) as { value: typeof base };
    expect([value.price.cents, value.pattern.source]).toEqual([6, 'b']);
    expect(merge(base, mine, { ...base, price: new Money(9) }, { types })).toHaveProperty('conflicts');
    const { encode } = codecOf(types);
    const bytes = encode(base, 'v');
    expect(diff(bytes, encode({ ...base }, 'v'), { types, bytes: true })).toEqual(Uint8Array.of(0));
    expect(canonical(bytes, { types })).toEqual(bytes);
    for (const from of [{}, { ...base, price: 1, list: [] }, { ...base, rows: [] }]) {
      const start = encode(from, 'v');
      const delta = diff(start, bytes, { types, bytes: true });
      expect(Buffer.compare(apply(start, delta, { types, bytes: true }) as Uint8Array, bytes)).toBe(0);
      const back = invert(start, delta, { types, bytes: true });
      expect(Buffer.compare(apply(bytes, back, { types, bytes: true }) as Uint8Array, start)).toBe(0);
    }
    const more = [...base.rows, { id: 2, m: new Money(1) }];
    expect((apply(base.rows, diff(base.rows, more, { types }), { types }) as typeof more)[1]!.m.cents).toBe(1);
    expect(() => diff(base, mine)).toThrow(/price is an instance of Money.*valueType\('Money'/);
    expect(() => canonical(bytes)).toThrow(/the class "Money" is kept there, which is not known here/);
    expect(() => diff(1, 2, { types: [{}] as never })).toThrow('graph.diff: types[0] must be what valueType gives,');
  });
});
