import { describe, expect, it } from 'vitest';
import type { Ids, Named } from '../../ts/codec/ids.ts';
import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { HoldfastError } from '../../ts/errors.ts';
import { seeded } from '../portions/programs.ts';
import type { Loose } from '../tracking/fixture.ts';
import { containersOf, editOnce, graphOf, treeOf } from './graphs.ts';
// @ts-expect-error -- plain JavaScript, which another process runs as it is
import { isSame as same } from './kinds.mjs';

const isSame = same as (a: unknown, b: unknown) => boolean;
const GRAPHS = Number(process.env['HOLDFAST_GRAPHS'] ?? 400);
const { encode, decode } = msgpackCodec;
const hexOf = (value: unknown, named?: Named): string => Buffer.from(encode(value, 'v', named)).toString('hex');
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));

describe('an object in several places', () => {
  const one = { a: 1 };
  const cycle: Loose = [];
  cycle.push(cycle);

  it.each([
    ['twice', [one, one], '92 d46900 81a16101 d47200'],
    ['in itself', cycle, 'd46900 91 d47200'],
    [
      'a Map',
      new Map<unknown, unknown>(Object.entries({ x: one, y: one })),
      'd44d00 94 a178 d46900 81a16101 a179 d47200',
    ],
    ['as a key and its value', new Map([[one, one]]), 'd44d00 92 d46900 81a16101 d47200'],
    ['an instance', ((x) => [x, x])(/y/), '92 d46900 d46300 92 a6526567457870 93 a179 a0 00 d47200'],
    ['a Date is a value', ((x) => [x, x])(new Date(0)), '92 d6ff00000000 d6ff00000000'],
  ])('is as drawn: %s', (_name, value, text) => {
    const bytes = encode(value, 'v');
    if (text !== undefined) expect(Buffer.from(bytes).toString('hex')).toBe(text.replaceAll(' ', ''));
    if (!String(_name).startsWith('a Date')) expect(isSame(value, decode(bytes))).toBe(true);
  });

  it('has ids of one, two and four bytes', () => {
    const many = Array.from({ length: 65_600 }, (_, n) => [n]);
    const value = [many, many.toReversed()];
    const bytes = encode(value, 'v');
    expect(isSame(value, decode(bytes))).toBe(true);
    const text = Buffer.from(bytes).toString('latin1');
    for (const mark of ['\xd4i\xff', '\xd5i\x01\x00', '\xd5i\xff\xff', '\xd6i\0\x01\0\0', '\xd6r\0\x01\0\0'])
      expect(text).toContain(mark);
  });

  it('in the data of an instance is one with that outside', () => {
    const error = new Error('boom', { cause: one });
    const back = decode(encode([one, error], 'v')) as [object, Error];
    expect(back[1].cause).toBe(back[0]);
  });
});

describe('random graphs', () => {
  it(`${GRAPHS} of them come back with what is one; no edit renumbers; equal graphs are equal bytes, written afresh`, () => {
    let kept = 0;
    let cycles = 0;
    for (let seed = 1; seed <= GRAPHS; seed += 1) {
      const random = seeded(seed);
      const graph = graphOf(seed, 2 + random(40));
      const named: Named = { ids: undefined };
      for (let edit = 0; edit < 6; edit += 1) {
        const before = named.ids ?? new Map();
        const bytes = encode(graph, 'v', named);
        const ids: Ids = named.ids ?? new Map();
        const shared = [...containersOf(graph)].filter(([, times]) => times > 1).map(([one]) => one);
        expect(new Set(ids.keys()), `seed ${seed}: what has an id`).toEqual(new Set(shared));
        expect(new Set(ids.values()).size).toBe(ids.size);
        for (const [object, id] of before) {
          if (!ids.has(object)) continue;
          kept += 1;
          if (ids.get(object) !== id) throw new Error(`seed ${seed}: an id has changed`);
        }
        const backNamed: Named = { ids: undefined };
        const back = decode(bytes, 'v', backNamed);
        if (!isSame(graph, back)) throw new Error(`seed ${seed}: another graph came back`);
        expect(hexOf(back, backNamed)).toBe(Buffer.from(bytes).toString('hex'));
        expect(hexOf(back)).toBe(hexOf(graph)); // whatever they were called before
        cycles += shared.includes(graph) ? 1 : 0;
        editOnce(graph, random);
      }
    }
    expect(kept).toBeGreaterThan(10 * GRAPHS);
    expect(cycles).toBeGreaterThan(GRAPHS / 10);
  });

  it('trees have no trace of what they were', () => {
    for (let seed = 1; seed <= GRAPHS; seed += 1) {
      const tree = treeOf(seed, 2 + (seed % 30));
      const named: Named = { ids: undefined };
      const alone = hexOf(tree);
      tree.push(tree[0], tree);
      expect(hexOf(tree, named)).not.toBe(alone);
      tree.length -= 2;
      expect([hexOf(tree, named), named.ids]).toEqual([alone, undefined]);
    }
  });

  it('one more shared object at the front of 200 changes none of their ids', () => {
    const all = Array.from({ length: 200 }, (_, n) => ({ n }));
    const value: Loose = { first: { x: 1 }, refs: all.flatMap((one) => [one, one, one]), last: null };
    const named: Named = { ids: undefined };
    encode(value, 'v', named);
    const before = named.ids!;
    value.last = value.first;
    encode(value, 'v', named);
    expect([...before].every(([object, id]) => named.ids!.get(object) === id)).toBe(true);
    expect(named.ids!.get(value.first)).toBe(200);
  });
});

describe('hostile bytes', () => {
  it.each([
    ['an id twice', '92 d46900 90 d46900 90'],
    ['a reference to nothing', '91 d47200'],
    ['a reference before its definition', '92 d47200 d46900 90'],
    ['an id without a reference', '91 d46900 90'],
    ['an id of two bytes that needs one', '92 d56900ff 90 d572 00ff'],
    ['an id of four bytes that needs two', '92 d6690000ffff 90 d672 0000ffff'],
    ['a reference that is longer than needed', '92 d46905 90 d5720005'],
    ['a definition of a number', '92 d46900 01 d47200'],
    ['a definition of a Date', '92 d46900 d6ff00000000 d47200'],
    ['a definition of bytes', '92 d46900 c40101 d47200'],
    ['a definition of a reference', '93 d46900 90 d46901 d47200 d47201'],
    ['a definition of a definition', '92 d46900 d46901 90 d47200'],
    ['a definition at the end', '92 90 d46900'],
    ['a definition before a property name', '81 d46900 a161 01'],
    ['a reference as a property name', '92 d46900 90 81 d47200 01'],
    ['a reference as an entry’s name', '92 d46900 90 d46f00 92 d47200 01'],
    ['a reference as a sparse array’s length', '92 d46900 90 d46800 91 d47200'],
    ['a reference as the list of a Map', '92 d46900 90 d44d00 d47200'],
    ['an instance in its own data', 'd46900 d46300 92 a3555249 91 d47200'],
    ['a Set with a reference twice', '92 d46900 90 d47300 92 d47200 d47200'],
    ['an extension of one byte of this type', '92 c70169 00 90'],
    ['deep definitions', `91`.repeat(1_001) + 'd46900 91 d47200'],
    ['a class without a list', 'd46300 01'],
    ['a class of three parts', 'd46300 93 a3555249 01 02'],
    ['a class whose name is a number', 'd46300 92 01 02'],
    ['a RegExp of a bad pattern', 'd46300 92 a6526567457870 93 a128 a0 00'],
    ['a RegExp of other flags', 'd46300 92 a6526567457870 93 a161 a26779 01'.replace('a26779', 'a27967')],
    ['a URL that is none', 'd46300 92 a355524c a161'],
    ['a URL in another form', `d46300 92 a355524c a8 ${Buffer.from('http://a').toString('hex')}`],
    ['an Error of a text', 'd46300 92 a54572726f72 a161'],
    ['an Error with a hidden property of another name', 'd46300 92 a54572726f72 92 81 a16101 80'],
    ['a boxed number of a text', 'd46300 92 a64e756d626572 a161'],
  ])('%s', (_name, text) => {
    const error = (() => {
      try {
        return decode(hex(text));
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(HoldfastError);
    expect((error as HoldfastError).code).toBe('ERR_CORRUPT');
  });

  it('made of good ones by a few changes give a graph, whose bytes are read again alike, or an error', () => {
    let read = 0;
    for (let seed = 1; seed <= 10 * GRAPHS; seed += 1) {
      const random = seeded(seed);
      const bytes = encode(graphOf(seed, 2 + random(12)), 'v').slice();
      for (let i = random(3); i >= 0; i -= 1) {
        const at = random(bytes.length);
        const mark = [0x69, 0x72, 0xd4, 0xd5, 0, 1, random(256), bytes[random(bytes.length)]!][random(8)]!;
        bytes[at] = mark;
      }
      const named: Named = { ids: undefined };
      try {
        const value = decode(bytes, 'v', named);
        const again = encode(value, 'v', named);
        if (!isSame(value, decode(again))) throw new Error(`seed ${seed}: another graph came back`);
        read += 1;
      } catch (error) {
        const isUnknown = error instanceof HoldfastError && error.message.includes('valueType(');
        if (!(error instanceof HoldfastError) || (error.code !== 'ERR_CORRUPT' && !isUnknown))
          throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
      }
    }
    expect(read).toBeGreaterThan(GRAPHS);
  });

  it('an Error takes no prototype from what is stored', () => {
    const name = Buffer.from('__proto__').toString('hex');
    const error = decode(hex(`d46300 92 a54572726f72 92 80 d46f00 92 a9 ${name} 81 a16101`)) as Error;
    expect([Object.getPrototypeOf(error), Object.keys(error)]).toEqual([Error.prototype, ['__proto__']]);
  });

  it('references to large things are as cheap as they look', () => {
    const wide = '91'.repeat(0) + 'd46900 dd 00010000' + 'c0'.repeat(65_536);
    const bytes = hex(`dd 00020001 ${wide} ${'d47200'.repeat(131_072)}`);
    const [first, ...others] = decode(bytes) as unknown[][];
    expect([
      others.length,
      others.every((one) => one === first),
      encode([first, others], 'v').length < 500_000,
    ]).toEqual([131_072, true, true]);
  });
});
