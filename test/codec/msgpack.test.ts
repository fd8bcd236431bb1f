import { isDeepStrictEqual } from 'node:util';
import vm from 'node:vm';
import fc from 'fast-check';
import { addExtension, Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { HoldfastError, type ErrorCode } from '../../ts/errors.ts';
import { formatPath } from '../../ts/path.ts';
import { anyValue, jsonValue } from './values.ts';

const { encode, decode } = msgpackCodec;

function thrown(run: () => unknown): HoldfastError {
  try {
    run();
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

function expectKept(value: unknown): void {
  const bytes = encode(value, 'v');
  const back = decode(bytes);
  expect(isDeepStrictEqual(back, value)).toBe(true);
  expect(Buffer.from(encode(back, 'v')).equals(bytes)).toBe(true);
}

const holes: unknown[] = [1, , undefined, , 5]; // oxlint-disable-line no-sparse-arrays
const long: unknown[] = ['a'];
long.length = 1_000;
const far: unknown[] = [];
far[4_000_000_000] = 'end';
const bare = Object.assign(Object.create(null) as object, { a: 1 });

const KEPT: [string, unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['true', true],
  ['false', false],
  ...[
    0,
    -0,
    1,
    -1,
    31,
    -32,
    -33,
    127,
    128,
    -128,
    -129,
    255,
    256,
    65_535,
    65_536,
    -32_768,
    -32_769,
    2 ** 31,
    -(2 ** 31),
    2 ** 32 - 1,
    2 ** 32,
    -(2 ** 31) - 1,
    2 ** 53,
    -(2 ** 53),
    0.1,
    5e-324,
    1.7976931348623157e308,
    NaN,
    Infinity,
    -Infinity,
  ].map((n): [string, unknown] => [`number ${Object.is(n, -0) ? '-0' : n}`, n]),
  ...[
    0n,
    -1n,
    1n,
    2n ** 63n - 1n,
    2n ** 63n,
    2n ** 64n - 1n,
    2n ** 64n,
    -(2n ** 63n),
    -(2n ** 63n) - 1n,
    2n ** 127n,
    -(2n ** 127n),
    2n ** 127n - 1n,
    -(2n ** 128n),
    2n ** 5_000n,
    -(2n ** 80_000n),
  ].map((n): [string, unknown] => [`bigint of ${n.toString(16).length} digits`, n]),
  ...[0, 1, 15, 16, 31, 32, 47, 48, 49, 85, 86, 255, 256, 300, 65_535, 65_536, 100_000].flatMap(
    (n): [string, unknown][] => [
      [`ASCII string of ${n}`, 'x'.repeat(n)],
      [`Greek string of ${n}`, 'λ'.repeat(n)],
      [`emoji string of ${n}`, '🙂'.repeat(n)],
      [`mixed string of ${n}`, `${'x'.repeat(n)}é`],
      [`lone surrogate after ${n}`, `${'x'.repeat(n)}\ud800`],
    ],
  ),
  ['lone trail surrogate', '\udc00a'],
  ['U+FFFD itself', '\ufffd'.repeat(40)],
  ['byte order mark', '\ufeffa'],
  ['byte order mark, long', `\ufeff${'a'.repeat(100)}`],
  ['byte order mark inside', `a\ufeff${'a'.repeat(100)}`],
  ['NUL', '\0'],
  ['Date', new Date(1_700_000_000_123)],
  ['Date 0', new Date(0)],
  ['Date 1 ms', new Date(1)],
  ['Date -1 ms', new Date(-1)],
  ['Date before 1970', new Date(-1_234_567_890_123)],
  ['latest Date', new Date(8.64e15)],
  ['earliest Date', new Date(-8.64e15)],
  ['Date past 2106', new Date(2 ** 32 * 1_000 + 7)],
  [
    'Map with any keys',
    new Map<unknown, unknown>([
      [{ a: 1 }, 1],
      [NaN, 2],
      ['b', new Map()],
      [1n, null],
      [[1], undefined],
    ]),
  ],
  ['Map of 20', new Map(Array.from({ length: 20 }, (_, i) => [i, i]))],
  ['Set', new Set(['z', 'a', { k: 1 }, NaN])],
  ['Set of 70000', new Set(Array.from({ length: 70_000 }, (_, i) => i))],
  ['array with holes', holes],
  ['array of holes', Array(3)],
  ['array longer than its elements', long],
  ['far element', far],
  ['array of undefined', [undefined]],
  ['array of 70000', Array.from({ length: 70_000 }, () => 1)],
  ['__proto__ key', JSON.parse('{"__proto__":{"polluted":true},"a":1}')],
  ['constructor key', { constructor: 1, hasOwnProperty: 2, toJSON: 3 }],
  ['odd keys', { '': 1, '\ud800': 2, é: 3, ['k'.repeat(40)]: 4, ['k'.repeat(300)]: 5 }],
  ['null prototype', bare],
  ['long key with byte order mark', { ['\ufeff'.repeat(40)]: 1 }],
  [
    'null prototype with odd keys',
    Object.assign(Object.create(null) as object, JSON.parse('{"__proto__":[1]}'), { '\ud800': 2 }),
  ],
  ['-0 and NaN deep down', { a: [{ b: [1, -0] }, { c: NaN }], d: new Set([new Map([[-0, [-0]]])]) }],
  ['100000 keys', Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i]))],
  ['Buffer', Buffer.from([1, 2, 3])],
  ['Uint8Array', new Uint8Array([1, 2, 3])],
  ['large Buffer', Buffer.alloc(70_000, 7)],
  ['Uint8ClampedArray', new Uint8ClampedArray([1])],
  ['Int8Array', new Int8Array([-1])],
  ['Int16Array', new Int16Array([-1, 2])],
  ['Uint16Array', new Uint16Array([1])],
  ['Int32Array', new Int32Array([1])],
  ['Uint32Array', new Uint32Array([1])],
  ['Float32Array', new Float32Array([1.5, NaN])],
  ['Float64Array', new Float64Array([1.1, -0])],
  ['BigInt64Array', new BigInt64Array([-1n])],
  ['BigUint64Array', new BigUint64Array([1n])],
  ['empty Float64Array', new Float64Array(0)],
  ['large Uint8Array', new Uint8Array(70_000).fill(3)],
  ['middle of a buffer', new Uint16Array(new ArrayBuffer(16), 2, 3)],
  ['ArrayBuffer', new Uint8Array([1, 2]).buffer],
  ['DataView', new DataView(new Uint8Array([1, 2, 3]).buffer, 1)],
];

describe('what is kept', () => {
  it.each(KEPT)('%s', (_name, value) => expectKept(value));
  it.each(KEPT)('%s, inside', (_name, value) => expectKept({ a: [value], m: new Map([['k', 1]]) }));

  it('the order of keys', () => {
    expect(Object.keys(decode(encode({ b: 1, a: 2, 3: 0 }, 'v')) as object)).toEqual(['3', 'b', 'a']);
    expect([...(decode(encode(new Set([3, 1, 2]), 'v')) as Set<number>)]).toEqual([3, 1, 2]);
  });

  it('negative zero inside a Float64Array and a Map value', () => {
    const map = decode(encode(new Map([['a', -0]]), 'v')) as Map<string, number>;
    expect(Object.is(map.get('a'), -0)).toBe(true);
  });

  it('an invalid Date', () => {
    const [back] = decode(encode([new Date(NaN)], 'v')) as [Date];
    expect([back instanceof Date, back.getTime()]).toEqual([true, NaN]);
  });

  it('a key named __proto__ sets no prototype', () => {
    const back = decode(encode(JSON.parse('{"__proto__":{"polluted":1}}'), 'v')) as object;
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
    expect('polluted' in back).toBe(false);
  });

  it('plain values of another realm, as plain values of this one', () => {
    const foreign: unknown = vm.runInNewContext('({ a: [1, { b: 2 }] })');
    expect(isDeepStrictEqual(decode(encode(foreign, 'v')), { a: [1, { b: 2 }] })).toBe(true);
    const [map, set] = vm.runInNewContext('[new Map([[1, new Set([2])]]), new Set([new Map()])]') as [unknown, unknown];
    expect(
      isDeepStrictEqual(decode(encode([map, set, map], 'v')), [
        new Map([[1, new Set([2])]]),
        new Set([new Map()]),
        new Map([[1, new Set([2])]]),
      ]),
    ).toBe(true);
  });
});

class Account {
  owner = 'ada';
}
const tagged = Object.assign(new Map(), { extra: 1 });
const sparseWithName = Object.assign([1, , 2], { total: 3 }); // oxlint-disable-line no-sparse-arrays
const throwing = {
  get bad(): never {
    throw new Error('boom');
  },
};

const REFUSED: [string, unknown, string, RegExp][] = [
  ['function', { items: [0, { total: () => 1 }] }, 'cart.items[1].total', /function/],
  ['class', { items: [Account] }, 'cart.items[0]', /function/],
  ['symbol', { a: Symbol('x') }, 'cart.a', /symbol/],
  ['symbol as key', { a: { [Symbol('x')]: 1 } }, 'cart.a', /symbol/],
  [
    'arguments',
    {
      a: (function args() {
        return arguments;
      })(),
    },
    'cart.a',
    /symbol/,
  ],
  ['class instance', { owner: new Account() }, 'cart.owner', /instance of Account/],
  [
    'Error of an unknown class',
    [new (class Lost extends Error {})('x')],
    'cart[0]',
    /instance of Lost.*valueType\('Lost'/,
  ],
  ['RegExp with a property', { 'a b': Object.assign(/x/, { y: 1 }) }, 'cart["a b"]', /instance of RegExp with own/],
  ['Error of another realm', { p: vm.runInNewContext('new Error("x")') as unknown }, 'cart.p', /another realm's Error/],
  ['Promise', { p: Promise.resolve() }, 'cart.p', /instance of Promise/],
  ['WeakMap', { p: new WeakMap() }, 'cart.p', /instance of WeakMap/],
  ['subclass of URL', { p: new (class Link extends URL {})('http://a') }, 'cart.p', /instance of Link/],
  ['boxed symbol', { p: Object(Symbol('x')) }, 'cart.p', /instance of Symbol/],
  ['array subclass', { p: new (class List extends Array<number> {})() }, 'cart.p', /instance of List/],
  [
    'Date subclass that adds something',
    {
      p: new (class Day extends Date {
        week = (): number => 1;
        next(): number {
          return 2;
        }
      })(),
    },
    'cart.p',
    /instance of Day/,
  ],
  ['what only has the prototype of a Date', { p: Object.create(new Date()) as unknown }, 'cart.p', /instance of Date/],
  ['Map subclass', { p: new (class Dict extends Map<string, number> {})() }, 'cart.p', /instance of Dict/],
  [
    'foreign Map with a property',
    { p: vm.runInNewContext('Object.assign(new Map(), { extra: 1 })') as unknown },
    'cart.p',
    /instance of another realm's Map .*: make one/,
  ],
  [
    'foreign subclass of Map',
    { p: vm.runInNewContext('new (class Dict extends Map {})()') as unknown },
    'cart.p',
    /instance of Dict/,
  ],
  [
    'foreign bytes',
    { p: vm.runInNewContext('new Int8Array(2)') as unknown },
    'cart.p',
    /instance of another realm's Int8Array/,
  ],
  ['class of the name Map', { p: new (class Map {})() }, 'cart.p', /Map/],
  ['SharedArrayBuffer', { p: new SharedArrayBuffer(1) }, 'cart.p', /instance of SharedArrayBuffer/],
  ['Proxy of RegExp', { p: new Proxy(/x/, {}) }, 'cart.p', /instance of RegExp/],
  ['Proxy of Map', { p: new Proxy(new Map(), {}) }, 'cart.p', /could not be read/],
  ['false Date', { p: Object.create(Date.prototype) as object }, 'cart.p', /could not be read/],
  [
    'getter that throws',
    { p: [throwing] },
    'cart.p[0].bad',
    /could not be read \(Error, see `cause`\): store plain data$/,
  ],
  ['own property on a Map', { p: tagged }, 'cart.p', /own properties/],
  ['name on a sparse array', { p: sparseWithName }, 'cart.p', /"total"/],
  ['function as Map value', { m: new Map([['k', () => 1]]) }, 'cart.m.get("k")', /function/],
  ['function as Map key', { m: new Map([[() => 1, 1]]) }, 'cart.m.keys()[0]', /function/],
  ['function in a Set', { s: new Set([1, () => 1]) }, 'cart.s.values()[1]', /function/],
  ['function itself', () => 1, 'cart', /function/],
];

describe('what is refused', () => {
  it.each(REFUSED)('%s', (_name, value, path, message) => {
    const error = thrown(() => encode(value, 'cart'));
    expect([error.code, error.paths?.map(formatPath)]).toEqual(['ERR_INVALID' satisfies ErrorCode, [path]]);
    expect(error.message).toMatch(message);
    expect(error.message.startsWith(path)).toBe(true);
  });

  it('deep nesting, naming the path, however deep', () => {
    for (const depth of [1_001, 200_000]) {
      let value: unknown = 1;
      for (let i = 0; i < depth; i++) value = { a: value };
      const error = thrown(() => encode(value, 'cart'));
      expect(error.code).toBe('ERR_LIMIT');
      expect(error.paths).toEqual([['cart', ...Array<string>(1000).fill('a')]]);
    }
  });

  it('1,000 levels are kept', () => {
    let value: unknown = 1;
    for (let i = 0; i < 1_000; i++) value = i % 2 ? [value] : { a: value };
    expectKept(value);
  });

  it.each([
    ['Map', (value: unknown): unknown => new Map([[1, value]])],
    ['Set', (value: unknown): unknown => new Set([value])],
    ['sparse array', (value: unknown): unknown => Object.assign(Array<unknown>(3), { 1: value })],
    ['null prototype', (value: unknown): unknown => Object.assign(Object.create(null) as object, { a: value })],
  ])('each %s counts as two levels', (_name, wrap) => {
    let value: unknown = 1;
    for (let i = 0; i < 500; i++) value = wrap(value);
    const bytes = encode(value, 'v');
    expect(Buffer.from(encode(decode(bytes), 'v')).equals(bytes)).toBe(true);
    expect([thrown(() => encode([value], 'v')).code, thrown(() => encode(wrap(value), 'v')).code]).toEqual([
      'ERR_LIMIT',
      'ERR_LIMIT',
    ]);
  });

  it('an error of our own from a getter passes through', () => {
    const value = {
      get inner(): Uint8Array {
        return encode({ f: () => 1 }, 'other');
      },
    };
    expect(thrown(() => encode([value], 'v')).paths).toEqual([['other', 'f']]);
  });

  it('leaves the codec fit for the next call', () => {
    const before = encode({ a: 1 }, 'v');
    thrown(() => encode([1, [2, () => 1]], 'v'));
    expect(encode({ a: 1 }, 'v')).toEqual(before);
  });
});

describe('bytes', () => {
  it('that are only looked at are overwritten by the next call, and the same until then', () => {
    const seen = msgpackCodec.look({ a: 1 }, 'x');
    expect(Buffer.from(seen)).toEqual(Buffer.from(msgpackCodec.encode({ a: 1 }, 'x')));
    msgpackCodec.look('another', 'x');
    expect(Buffer.from(seen)).not.toEqual(Buffer.from(msgpackCodec.encode({ a: 1 }, 'x')));
  });

  it('are not overwritten by later calls, and share nothing with what is decoded', () => {
    const first = encode({ a: 'first', b: Buffer.from('abc') }, 'v');
    const copy = first.slice();
    encode({ a: 'other and longer', b: Buffer.from('xyz') }, 'v');
    expect(first).toEqual(copy);
    const back = decode(first) as { a: string; b: Buffer };
    first.fill(0);
    expect(back).toEqual({ a: 'first', b: Buffer.from('abc') });
  });

  it('are read from the middle of a larger buffer', () => {
    const bytes = encode({ a: ['x'.repeat(30), 1.5] }, 'v');
    const outer = new Uint8Array(bytes.length + 20).fill(0xa5);
    outer.set(bytes, 11);
    expect(decode(outer.subarray(11, 11 + bytes.length))).toEqual({ a: ['x'.repeat(30), 1.5] });
  });

  it('keep no larger buffer alive', () => {
    encode('x'.repeat(100_000), 'v');
    const bytes = encode({ a: 1 }, 'v');
    expect([bytes.byteOffset, bytes.buffer.byteLength]).toEqual([0, bytes.length]);
  });

  it.each([
    ['-0', -0, 'd42d00'],
    ['undefined', undefined, 'd40000'],
    ['Map', new Map([[1, 'a']]), 'd44d00 92 01 a161'],
    ['Set', new Set([1]), 'd47300 91 01'],
    ['hole', [, 7], 'd46800 93 02 01 07'], // oxlint-disable-line no-sparse-arrays
    ['null prototype', bare, 'd46e00 81 a161 01'],
    ['lone surrogate', '\ud800', 'd5 75 00d8'],
    ['Uint8Array', new Uint8Array([5]), 'c7 02 74 01 05'],
    ['odd key', JSON.parse('{"__proto__":1}'), `d46f00 92 a9${Buffer.from('__proto__').toString('hex')} 01`],
  ])('are as drawn: %s', (_name, value, text) => {
    expect(Buffer.from(encode(value, 'v')).toString('hex')).toBe(text.replaceAll(' ', ''));
  });

  it('do not depend on extensions that the application gives msgpackr', () => {
    const value = { s: new Set([1]), m: new Map([[1, 2]]) };
    const before = encode(value, 'v');
    addExtension({ Class: Set, type: 0x4d, write: () => 'theirs', read: () => 'theirs' });
    expect(encode(value, 'v')).toEqual(before);
    expect(decode(before)).toEqual(value);
  });

  it('a getter may encode another value', () => {
    const value = {
      a: 1,
      get b(): number {
        return encode(['other', { c: 1 }], 'w').length;
      },
      c: 'end',
    };
    expect(decode(encode(value, 'v'))).toEqual({ a: 1, b: encode(['other', { c: 1 }], 'w').length, c: 'end' });
  });

  it("equal msgpackr's for what both keep", () => {
    const packr = new Packr({
      useRecords: false,
      variableMapSize: true,
      moreTypes: true,
      useToJSON: false,
      structuredClone: false,
      bundleStrings: false,
      useFloat32: 0,
      copyBuffers: true,
    });
    // What msgpackr loses is written otherwise: `__proto__` keys, and a byte order mark at the start of a string.
    const common = jsonValue.filter((value) => !/"__proto__"|\ufeff/.test(JSON.stringify(value)));
    const both = fc.oneof(
      common,
      fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
      fc.date({ noInvalidDate: false }),
      fc.uint8Array(),
      fc.float64Array(),
    );
    fc.assert(
      fc.property(both, (value) => Buffer.from(encode(value, 'v')).equals(packr.pack(value))),
      { numRuns: 1_000 },
    );
  });
});

describe('properties', () => {
  it('any value is kept, gives the same bytes again, whatever was encoded before', () => {
    fc.assert(
      fc.property(anyValue, anyValue, (value, other) => {
        const alone = encode(value, 'v');
        encode(other, 'w');
        expect(Buffer.from(encode(value, 'v')).equals(alone)).toBe(true);
        expectKept(value);
      }),
      { numRuns: 500 },
    );
  });

  const survives = (bytes: Uint8Array): void => {
    const before = bytes.slice();
    try {
      encode(decode(bytes), 'v');
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      const isUnknown = error.code === 'ERR_INVALID' && error.message.includes('valueType('); // of a class
      if (!isUnknown) expect(['ERR_CORRUPT', 'ERR_LIMIT']).toContain(error.code);
    }
    expect(Buffer.compare(bytes, before)).toBe(0);
  };

  it('any bytes give a value or ERR_CORRUPT', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), survives), { numRuns: 5_000 });
  });

  it('so do damaged encodings', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(anyValue, damage, fc.nat(8), (value, changes, cut) => {
        const bytes = encode(value, 'v').slice();
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        survives(bytes);
        survives(bytes.slice(0, Math.max(0, bytes.length - cut)));
      }),
      { numRuns: 700 },
    );
  });

  it('every encoding cut short or followed by a byte is ERR_CORRUPT', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const bytes = encode(value, 'v');
        for (let end = 0; end < Math.min(bytes.length, 50); end++)
          expect(thrown(() => decode(bytes.subarray(0, end))).code).toBe('ERR_CORRUPT');
        expect(thrown(() => decode(Uint8Array.from([...bytes, 0xc0]))).code).toBe('ERR_CORRUPT');
      }),
      { numRuns: 200 },
    );
  });
});

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));

describe('hostile bytes', () => {
  it.each([
    ['nothing', ''],
    ['unused token', 'c1'],
    ['float32', 'ca 3f800000'],
    ['record definition', 'd4 72 40 91 a161 01'],
    ['RegExp', 'd4 78 00 92 a161 a0'],
    ['Error', 'd4 65 00 93 a161 a0 c0'],
    ['reference', 'd6 69 00000001 90'],
    ['bundle', 'd6 62 00000001'],
    ['huge array', 'dd ffffffff'],
    ['huge map', 'df ffffffff'],
    ['huge string', 'db ffffffff'],
    ['huge bin', 'c6 ffffffff'],
    ['huge Map', 'd4 4d 00 dd ffffffff'],
    ['array header too long', 'dc 0001 01'],
    ['string header too long', 'd9 01 61'],
    ['number as property name', '81 01 01'],
    ['bad UTF-8', 'a2 c328'],
    ['bad UTF-8, long', `d9 40 ${'61'.repeat(63)} ff`],
    ['surrogate in UTF-8', 'a3 eda080'],
    ['well-formed as UTF-16', 'c7 02 75 6100'],
    ['odd UTF-16', 'c7 01 75 00'],
    ['unaligned Float64Array', 'c7 04 74 08 000000'],
    ['no kind', 'c7 00 74'],
    ['short bigint', 'c7 08 42 0000000000000001'],
    ['Map with a key twice', 'd4 4d 00 94 01 01 01 02'],
    ['Map, key without value', 'd4 4d 00 91 01'],
    ['Set with an element twice', 'd4 73 00 92 01 01'],
    ['sparse without length', 'd4 68 00 90'],
    ['sparse, wrong order', 'd4 68 00 95 05 02 01 01 01'],
    ['sparse, past the end', 'd4 68 00 93 01 01 01'],
    ['Map without content', 'd4 4d 00 01'],
    ['Map with a map', 'd4 4d 00 80'],
    ['prefixes in a row', 'd4 6e 00 d4 6e 00 80'],
    ['null prototype of a list', 'd4 6e 00 90'],
    ['__proto__ in a map', `81 a9 ${Buffer.from('__proto__').toString('hex')} 01`],
    ['entries without value', 'd4 6f 00 91 a1 61'],
    ['entries with a key twice', 'd4 6f 00 94 a161 01 a161 02'],
    ['entries, number as name', 'd4 6f 00 92 01 01'],
    ['byte order mark in UTF-8', `d9 44 efbbbf ${'61'.repeat(65)}`],
    ['pointer', 'd6 70 00000001'],
    ['two-byte record', 'd5 72 40 00 91 a161 01'],
    ['record by ext 8', 'c7 01 72 40'],
    ['string16 by ext 8', 'c7 02 75 00d8'],
    ['Set by ext 8', 'c7 01 73 00'],
    ['date of 5 bytes', 'c7 05 ff 0000000000'],
    ['date out of range', 'c7 0c ff 00000000 7fffffffffffffff'],
    ['1000 ms', 'd7 ff ee6b2800 00000001'],
    ['deep arrays', '91'.repeat(100_000) + '01'],
    ['deep prefixes', 'd46800 93 01 00'.repeat(50_000)],
  ])('%s', (_name, text) => {
    expect(thrown(() => decode(hex(text))).code).toBe('ERR_CORRUPT');
  });

  it('a small header claims little memory', () => {
    const before = process.memoryUsage().rss;
    const bytes = hex(`dc 1000 ${'d46800 91 ce 01ffffff'.repeat(4_096)}`);
    expect((decode(bytes) as unknown[]).length).toBe(4_096);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1_048_576);
  });
});

it('a Date of another realm, or of a class that adds nothing, is kept as the Date that it is', () => {
  class Fake extends Date {}
  class Faker extends Fake {}
  const foreign = vm.runInNewContext('[new Date(5), new (class Fake extends Date {})(5)]') as Date[];
  for (const date of [new Fake(5), new Faker(5), ...foreign])
    expect(msgpackCodec.encode([date], 'x')).toEqual(msgpackCodec.encode([new Date(5)], 'x'));
  expect(msgpackCodec.encode(new Fake(NaN), 'x')).toEqual(msgpackCodec.encode(new Date(NaN), 'x'));
});
