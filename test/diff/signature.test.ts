import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Differ } from '../../ts/diff/differ.ts';
import { putCheck } from '../../ts/diff/signature.ts';
import { HoldfastError } from '../../ts/errors.ts';
import { engines, js } from './engines.ts';
import { atOddOffset, makePair, randomBytes, seeded } from './pairs.ts';

const OVERHEAD = 48;

/** The bytes in hex, or code and message of the error. All engines must agree. */
function verdict(run: (engine: Differ) => Uint8Array): string {
  const answers = engines.map((engine) => {
    try {
      return Buffer.from(run(engine)).toString('latin1');
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      return `${error.code}: ${error.message}`;
    }
  });
  for (const answer of answers)
    if (answer !== answers[0])
      throw new Error(`engines differ: ${answers.map((text) => text.slice(0, 80)).join(' | ')}`);
  return answers[0]!;
}

function roundTrip(base: Uint8Array, target: Uint8Array, chunkBytes: number): Uint8Array {
  const signature = js.signature(base, { chunkBytes });
  verdict((engine) => engine.signature(base, { chunkBytes }));
  const delta = js.diffSignature(signature, target);
  verdict((engine) => engine.diffSignature(signature, target));
  expect(delta.length).toBeLessThanOrEqual(target.length + OVERHEAD);
  for (const engine of engines)
    if (Buffer.compare(engine.apply(base, delta, target.length), target) !== 0) throw new Error('misapplied');
  return delta;
}

describe('signatures', () => {
  it.each([
    [2_000, 400],
    [400, 4_000],
    [60, 60_000],
  ])('and their deltas are the same by every engine: %i pairs of up to %i bytes', (numRuns, scale) => {
    const pair = fc.property(fc.integer(), fc.integer({ min: 6, max: 10 }), fc.boolean(), (seed, bits, odd) => {
      const [base, target] = makePair(seeded(seed), scale);
      if (odd) roundTrip(atOddOffset(base), atOddOffset(target), 2 ** bits);
      else roundTrip(base, target, 2 ** bits);
    });
    fc.assert(pair, { numRuns });
  });

  it('are at most 3 % of 64 KB, and edits cost the chunks that they touch', () => {
    const base = randomBytes(seeded(1), 65_536);
    expect(js.signature(base).length).toBeLessThanOrEqual(0.03 * base.length);
    const set = Buffer.from(base);
    set[40_000]! ^= 1;
    expect(roundTrip(base, set, 512).length).toBeLessThan(600);
    const inserted = Buffer.concat([
      base.subarray(0, 10_000),
      Buffer.from('inserted'),
      base.subarray(10_000, 50_000),
      base.subarray(50_100),
    ]);
    expect(roundTrip(base, inserted, 512).length).toBeLessThan(4 * 512);
    expect(roundTrip(base, base, 512).length).toBeLessThan(40);
  });

  it('work for the longest chunks', () => {
    const base = randomBytes(seeded(3), 300_000);
    roundTrip(base, Buffer.concat([Buffer.from('x'), base]), 65_536);
  });

  it('that are damaged are refused, and so are their deltas', () => {
    const base = randomBytes(seeded(2), 700);
    const target = Buffer.concat([base.subarray(0, 300), Buffer.from('!'), base.subarray(300)]);
    const signature = js.signature(base, { chunkBytes: 64 });
    const delta = js.diffSignature(signature, target);
    for (let at = 0; at < signature.length; at++) {
      const bad = Buffer.from(signature);
      bad[at]! ^= 1 << (at & 7);
      expect(verdict((engine) => engine.diffSignature(bad, target))).toMatch(/^ERR_CORRUPT: /);
      expect(verdict((engine) => engine.diffSignature(signature.subarray(0, at), target))).toMatch(/^ERR_CORRUPT: /);
    }
    for (let at = 0; at < delta.length; at++) {
      const bad = Buffer.from(delta);
      bad[at]! ^= 1 << (at & 7);
      expect(verdict((engine) => engine.apply(base, bad, 5000))).toMatch(/^ERR_CORRUPT: /);
      expect(verdict((engine) => engine.apply(base, delta.subarray(0, at), 5000))).toMatch(/^ERR_CORRUPT: /);
    }
    for (let at = 0; at < base.length; at++) {
      const foreign = Buffer.from(base);
      foreign[at]! ^= 1;
      expect(verdict((engine) => engine.apply(foreign, delta, 5000))).toMatch(/^ERR_CORRUPT: /);
    }
    expect(verdict((engine) => engine.apply(base, delta, 700))).toMatch(/^ERR_LIMIT: /);
    expect(verdict((engine) => engine.applyChain(base, [Buffer.from([0]), delta], 5000))).toBe(
      target.toString('latin1'),
    );
    expect(verdict((engine) => Buffer.alloc(engine.applyInPlace(Buffer.from(base), delta)))).toMatch(/^ERR_INVALID: /);
  });

  it('and deltas of garbage with a right check are judged alike', () => {
    const base = randomBytes(seeded(4), 500);
    const target = randomBytes(seeded(5), 400);
    const good = [
      js.signature(base, { chunkBytes: 64 }),
      js.diffSignature(js.signature(base, { chunkBytes: 64 }), Buffer.concat([base.subarray(100), target])),
    ];
    const garbage = fc.property(fc.integer(), fc.integer({ min: 0, max: 1 }), (seed, which) => {
      const random = seeded(seed);
      const bytes = Buffer.from(good[which]!);
      for (let i = 1 + random(4); i > 0; i--) bytes[1 + random(bytes.length - 1)] = random(256);
      putCheck(bytes, bytes.length - 4);
      verdict((engine) => (which === 0 ? engine.diffSignature(bytes, target) : engine.apply(base, bytes, 1_000)));
    });
    fc.assert(garbage, { numRuns: 3_000 });
  });

  it('take only what they should', () => {
    for (const engine of engines) {
      for (const chunkBytes of [0, 32, 100, 131_072, Number.NaN, 64.5]) {
        expect(() => engine.signature(Buffer.alloc(9), { chunkBytes })).toThrow(/power of two/);
      }
      const wrong = 'text' as unknown as Uint8Array;
      expect(() => engine.signature(wrong)).toThrow(/Uint8Array/);
      expect(() => engine.diffSignature(wrong, Buffer.alloc(1))).toThrow(/Uint8Array/);
      expect(() => engine.diffSignature(engine.signature(Buffer.alloc(1)), wrong)).toThrow(/Uint8Array/);
    }
  });
});
