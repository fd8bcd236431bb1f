import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromVcdiff, toVcdiff } from '../../ts/delta.ts';
import { sealLength, sealValue } from '../../ts/diff/check.ts';
import type { Differ } from '../../ts/diff/differ.ts';
import { HoldfastError, type ErrorCode } from '../../ts/errors.ts';
import { engines } from './engines.ts';
import { makePair, randomBytes, seeded } from './pairs.ts';

const LIMIT = 1 << 20;
const base = randomBytes(seeded(1), 1000);

/** A delta with a right check, whatever its body. */
function sealed(from: Uint8Array, body: readonly number[] | Uint8Array): Buffer {
  const bytes = Buffer.from(body);
  const check = sealValue(from, bytes, bytes.length);
  return Buffer.concat([bytes, Buffer.from([check & 0xff, check >> 8]).subarray(0, sealLength(bytes.length))]);
}

/** Code and message of the error, or the target in hex. */
function outcome(run: () => Uint8Array): string {
  try {
    return Buffer.from(run()).toString('hex');
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

function expectCode(code: ErrorCode, run: () => unknown): void {
  let thrown: unknown;
  try {
    run();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(HoldfastError);
  expect((thrown as HoldfastError).code).toBe(code);
}

/** What every engine says about a delta; they must say the same. */
function verdict(from: Uint8Array, delta: Uint8Array, limit: number): string {
  const verdicts = engines.map((engine) => outcome(() => engine.apply(from, delta, limit)));
  expect(new Set(verdicts).size).toBe(1);
  return verdicts[0]!;
}

const BAD: readonly [string, number[], ErrorCode][] = [
  ['a reserved header', [0x02, 0], 'ERR_CORRUPT'],
  ['reserved bits', [0x81, 0], 'ERR_CORRUPT'],
  ['the kind kept for later', [0xc0, 0], 'ERR_CORRUPT'],
  ['a code of three bytes', [0xc0, 0, 1, 2, 3], 'ERR_CORRUPT'],
  ['a code that makes less than nothing', [0xc0, 0xff, 0xff, 3, 0, 0, 0, 0], 'ERR_CORRUPT'],
  ['a code of 4 MB', [0xc0, 0x80, 0x80, 0x80, 4, 0, 0, 0, 0], 'ERR_LIMIT'],
  ['a code that goes on after its end', [0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 'ERR_CORRUPT'],
  ['a code that is read past its end', [0xc0, 0, 0x80, 1, 2, 3], 'ERR_CORRUPT'],
  ['a code of noise', [0xc0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 'ERR_CORRUPT'],
  ['an own copy at the start', [0x80, 0x88, 1, 0xd0, 0x0f], 'ERR_CORRUPT'],
  ['an own copy of what comes after it', [0x80, 0x20, 1, 2, 0x88, 1, 0xd0, 0x0f], 'ERR_CORRUPT'],
  ['an own copy of 32 GB', [0x80, 0x20, 1, 2, 0x88, 0xff, 0xff, 0xff, 0xff, 0x0f, 0xcc, 0x0f], 'ERR_LIMIT'],
  ['a deletion with literals', [0x47, 0, 1], 'ERR_CORRUPT'],
  ['a cut position', [0x70, 0, 0], 'ERR_CORRUPT'],
  ['cut literals', [0x4d, 0, 5, 1, 2], 'ERR_CORRUPT'],
  ['bytes after the end', [0x40, 0, 1, 2], 'ERR_CORRUPT'],
  ['a number too long in form', [0x4d, 0, 0x80, 0], 'ERR_CORRUPT'],
  ['a number over 32 bits', [0x4d, 0, 0xff, 0xff, 0xff, 0xff, 0x10], 'ERR_CORRUPT'],
  ['a number without end', [0x4d, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 'ERR_CORRUPT'],
  ['a splice beyond the base', [0x70, 0xff, 0xff, 0xff, 0xff, 1], 'ERR_CORRUPT'],
  ['a copy beyond the base', [0x80, 0x08, 0x7e], 'ERR_CORRUPT'],
  ['a copy before the base', [0x80, 0x81, 0x01], 'ERR_CORRUPT'],
  ['a copy of 32 GB', [0x80, 0x08, 0xff, 0xff, 0xff, 0xff, 0x0f], 'ERR_CORRUPT'],
  ['a copy of 4 GB and 8 bytes', [0x80, 0x08, 0x81, 0x80, 0x80, 0x80, 0x02], 'ERR_CORRUPT'],
  ['cut added bytes', [0x80, 0x50, 1, 2], 'ERR_CORRUPT'],
  ['added bytes of 4 GB', [0x80, 0x70, 0xff, 0xff, 0xff, 0xff, 0x0f, 1], 'ERR_CORRUPT'],
  ['added bytes of 4 GB and 2', [0x80, 0x70, 0xfc, 0xff, 0xff, 0xff, 0x0f, 1, 2], 'ERR_CORRUPT'],
  ['a byte and a run that make 4 GB', [0x80, 0x61, 0xff, 0xff, 0xff, 0xff, 0x0f, 7], 'ERR_LIMIT'],
  ['a run of 4 GB', [0x80, 0x60, 0xff, 0xff, 0xff, 0xff, 0x0f, 7], 'ERR_LIMIT'],
  [
    'copies of 4 MB',
    [0x80, 0x08, 0x7d, ...Array.from({ length: 4000 }, () => [0x88, 0x7d, 0xcf, 0x0f]).flat()],
    'ERR_LIMIT',
  ],
];

describe('every engine refuses', () => {
  it.each(BAD)('%s', (_name, body, code) => {
    expect(verdict(base, sealed(base, body), LIMIT)).toMatch(new RegExp(`^${code}: `));
  });

  it('an empty delta, and bytes after "same"', () => {
    expect(verdict(base, Buffer.alloc(0), LIMIT)).toMatch(/^ERR_CORRUPT: /);
    expect(verdict(base, Buffer.from([0, 0]), LIMIT)).toMatch(/^ERR_CORRUPT: /);
  });

  it('targets over the limit, of every kind', () => {
    const targets = [
      base,
      base.subarray(0, 999),
      randomBytes(seeded(2), 900),
      Buffer.concat([base.subarray(500), base]),
    ];
    for (const target of targets) {
      const delta = engines[0]!.diff(base, target);
      expect(verdict(base, delta, target.length)).toBe(target.toString('hex'));
      expect(verdict(base, delta, target.length - 1)).toMatch(/^ERR_LIMIT: /);
    }
  });

  it('every flipped bit of short deltas, and every cut', () => {
    const random = seeded(3);
    let seen = 0;
    while (seen < 60) {
      const [from, target] = makePair(random, 400);
      const delta = engines[0]!.diff(from, target);
      if (delta.length > 32) continue;
      seen++;
      for (let bit = 0; bit < delta.length * 8; bit++) {
        const damaged = Buffer.from(delta);
        damaged[bit >> 3]! ^= 1 << (bit & 7);
        expect(verdict(from, damaged, LIMIT)).toMatch(/^ERR_CORRUPT: /);
      }
      for (let n = 0; n < delta.length; n++) {
        const answer = verdict(from, delta.subarray(0, n), LIMIT);
        if (target.length > 0) expect(answer).not.toBe(target.toString('hex'));
      }
    }
  });

  it('or takes codes alike, with a bit flipped or cut and a right check', () => {
    const random = seeded(4);
    for (let seen = 0; seen < 40;) {
      const [from, target] = makePair(random, 2_000);
      const delta = engines[0]!.diff(from, target);
      if (delta[0] !== 0xc0) continue;
      seen++;
      const body = delta.subarray(0, delta.length - (delta.length > 33 ? 2 : 1));
      for (let bit = 8; bit < body.length * 8; bit += 1 + random(20)) {
        const damaged = Buffer.from(body);
        damaged[bit >> 3]! ^= 1 << (bit & 7);
        verdict(from, sealed(from, damaged), 4_000);
        verdict(from, sealed(from, body.subarray(0, bit >> 3)), 4_000);
      }
      expect(verdict(from, sealed(from, Buffer.concat([body, Buffer.alloc(8)])), LIMIT)).toMatch(/^ERR_CORRUPT: /);
    }
  });

  it('foreign bases, nearly always', () => {
    const delta = engines[0]!.diff(base, Buffer.concat([base, Buffer.from('more')]));
    let accepted = 0;
    for (let n = 0; n < 1000; n++)
      if (!verdict(base.subarray(0, n), delta, LIMIT).startsWith('ERR_CORRUPT')) accepted++;
    expect(accepted).toBeLessThan(20);
  });

  it('or takes garbage alike', () => {
    const body = fc.tuple(fc.constantFrom(0x40, 0x4d, 0x52, 0x43, 0x80, 0xa0, 0xc0), fc.uint8Array({ maxLength: 60 }));
    const garbage = fc.property(body, fc.boolean(), ([header, rest], isSealed) => {
      const bytes = Buffer.from([header, ...rest]);
      verdict(base, isSealed ? sealed(base, bytes) : bytes, LIMIT);
    });
    fc.assert(garbage, { numRuns: 5_000 });
  });

  it('a bad link of a chain, and names it', () => {
    const delta = engines[0]!.diff(base, Buffer.from('new'));
    const answers = engines.map((engine) => outcome(() => engine.applyChain(base, [delta, delta], LIMIT)));
    for (const answer of answers) expect(answer).toMatch(/^ERR_CORRUPT: delta 1 of the chain: /);
    expect(new Set(answers).size).toBe(1);
  });
});

describe.each(engines)('arguments, $engine', (engine: Differ) => {
  const target = randomBytes(seeded(5), 700);
  const words = new Uint32Array(3);

  it('ERR_INVALID for what is no Uint8Array', () => {
    for (const wrong of [undefined, null, 'text', 7, {}, [1, 2], new Uint16Array(4), new ArrayBuffer(4)]) {
      const bad = wrong as unknown as Uint8Array;
      expectCode('ERR_INVALID', () => engine.diff(bad, target));
      expectCode('ERR_INVALID', () => engine.diff(base, bad));
      expectCode('ERR_INVALID', () => engine.diffInto(base, target, bad));
      expectCode('ERR_INVALID', () => engine.apply(base, bad, LIMIT));
      expectCode('ERR_INVALID', () => engine.applyChain(base, [bad], LIMIT));
      expectCode('ERR_INVALID', () => engine.diffBatch([base], [bad], Buffer.alloc(2000), words));
      expectCode('ERR_INVALID', () => engine.hashBatch([base], bad as unknown as Uint32Array));
    }
    expectCode('ERR_INVALID', () => engine.diffBatch([base, base], [target], Buffer.alloc(2000), words));
    expectCode('ERR_INVALID', () => engine.hashBatch([base, base], words));
    for (const limit of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
      expectCode('ERR_INVALID', () => engine.apply(base, base, limit));
  });

  it('ERR_INVALID for memory that another thread may write to', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(4000)).fill(1);
    const foreign = runInNewContext('new Uint8Array(new SharedArrayBuffer(4000))') as Uint8Array;
    const delta = engine.diff(base, target);
    for (const bad of [shared, foreign, Buffer.from(shared.buffer, 8, 700)]) {
      expectCode('ERR_INVALID', () => engine.diff(bad, target));
      expectCode('ERR_INVALID', () => engine.diff(base, bad));
      expectCode('ERR_INVALID', () => engine.diffInto(base, target, bad));
      expectCode('ERR_INVALID', () => engine.apply(bad, delta, LIMIT));
      expectCode('ERR_INVALID', () => engine.apply(base, bad, LIMIT));
      expectCode('ERR_INVALID', () => engine.applyInPlace(bad, delta));
      expectCode('ERR_INVALID', () => engine.applyInPlace(Buffer.from(base), bad));
      expectCode('ERR_INVALID', () => engine.applyChain(bad, [delta], LIMIT));
      expectCode('ERR_INVALID', () => engine.applyChain(base, [bad], LIMIT));
      expectCode('ERR_INVALID', () => engine.signature(bad));
      expectCode('ERR_INVALID', () => engine.diffSignature(bad, target));
      expectCode('ERR_INVALID', () => engine.diffSignature(engine.signature(base), bad));
      expectCode('ERR_INVALID', () => engine.chunks(bad));
      expectCode('ERR_INVALID', () => engine.diffBatch([bad], [target], Buffer.alloc(2000), words));
      expectCode('ERR_INVALID', () => engine.diffBatch([base], [bad], Buffer.alloc(9000), words));
      expectCode('ERR_INVALID', () => engine.diffBatch([base], [target], bad, words));
      expectCode('ERR_INVALID', () => engine.hashBatch([bad], words));
      expectCode('ERR_INVALID', () => fromVcdiff(base, bad, LIMIT));
      expectCode('ERR_INVALID', () => toVcdiff(bad, delta, LIMIT));
      expectCode('ERR_INVALID', () => toVcdiff(base, bad, LIMIT));
    }
    const sharedWords = new Uint32Array(new SharedArrayBuffer(12));
    expectCode('ERR_INVALID', () => engine.hashBatch([base], sharedWords));
    expect(Buffer.from(shared).every((byte) => byte === 1)).toBe(true);
  });

  it('bytes are taken wherever they lie in memory', () => {
    const room = new Uint8Array(4000);
    const delta = engine.diff(base, target);
    for (let shift = 1; shift < 8; shift += 1) {
      const [from, to] = [room.subarray(shift, shift + base.length), room.subarray(2000 + shift).subarray(0, 700)];
      from.set(base);
      to.set(target);
      expect(engine.diff(from, to)).toEqual(delta);
      expect(engine.signature(from)).toEqual(engine.signature(base));
      expect(engine.chunks(to)).toEqual(engine.chunks(target));
      const moved = room.subarray(3000 + shift, 3000 + shift + delta.length);
      moved.set(delta);
      expect(Buffer.from(engine.apply(from, moved, LIMIT)).equals(target)).toBe(true);
    }
  });

  it('ERR_LIMIT for every room that is too small, and none for just enough', () => {
    const delta = engine.diff(base, target);
    for (let room = 0; room < delta.length; room++)
      expectCode('ERR_LIMIT', () => engine.diffInto(base, target, Buffer.alloc(room)));
    expect(engine.diffInto(base, target, Buffer.alloc(delta.length))).toBe(delta.length);
    expectCode('ERR_LIMIT', () => engine.diffBatch([base], [target], Buffer.alloc(target.length + 15), words));
  });

  it('ERR_INVALID for an output that overlaps an input', () => {
    const room = new Uint8Array(4000);
    const part = room.subarray(1000, 2000);
    const out = room.subarray(1999, 3999);
    expectCode('ERR_INVALID', () => engine.diffInto(part, target, out));
    expectCode('ERR_INVALID', () => engine.diffInto(base, part, out));
    expectCode('ERR_INVALID', () => engine.diffBatch([part], [target], out, words));
    expectCode('ERR_INVALID', () => engine.diffBatch([undefined], [target], room, new Uint32Array(room.buffer, 8, 3)));
    expectCode('ERR_INVALID', () => engine.hashBatch([part], new Uint32Array(room.buffer, 1000, 3)));
    expect(engine.diffInto(part, target, room.subarray(2000))).toBeGreaterThan(0);
  });

  it('leaves its inputs alone and hands out memory of its own', () => {
    const from = Buffer.from(base);
    const delta = engine.diff(from, target);
    const first = engine.apply(from, Buffer.from([0]), LIMIT);
    first.fill(0);
    engine.applyChain(from, [], LIMIT).fill(0);
    engine.applyChain(from, [delta], LIMIT).fill(0);
    expect(from.equals(base)).toBe(true);
    expect(Buffer.from(engine.diff(from, target)).equals(delta)).toBe(true);
  });
});
