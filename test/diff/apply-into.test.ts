import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { engines, js } from './engines.ts';
import { makePair, randomBytes, seeded } from './pairs.ts';

const base = randomBytes(seeded(1), 1000);

/** What each engine says of the same call; they must say the same. */
function verdict(from: Uint8Array, delta: Uint8Array, room: number): { made?: Buffer; refusal?: string } {
  const verdicts = engines.map((engine) => {
    const out = Buffer.alloc(room, 0xee);
    try {
      const length = engine.applyInto(from, delta, out);
      expect(out.subarray(length).every((byte) => byte === 0xee)).toBe(true);
      return { made: out.subarray(0, length) };
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      return { refusal: `${error.code}: ${error.message}` };
    }
  });
  expect(verdicts.at(-1)).toEqual(verdicts[0]);
  return verdicts[0]!;
}

describe('applyInto', () => {
  it('makes what apply makes, writes no more, and takes as much room as there is for its limit', () => {
    const pair = fc.property(fc.integer(), (seed) => {
      const random = seeded(seed);
      const [from, target] = makePair(random, 3_000);
      const delta = js.diff(from, target);
      expect(Buffer.compare(verdict(from, delta, target.length).made!, target)).toBe(0);
      expect(Buffer.compare(verdict(from, delta, target.length + 1 + random(50)).made!, target)).toBe(0);
      if (target.length > 0)
        expect(verdict(from, delta, target.length - 1).refusal).toMatch(/^ERR_LIMIT: the target is longer/);
    });
    fc.assert(pair, { numRuns: 2_000 });
  });

  it('refuses damage as apply does', () => {
    const delta = Buffer.from(js.diff(base, base.subarray(1)));
    delta[1]! ^= 4;
    expect(verdict(base, delta, 2000).refusal).toMatch(/^ERR_CORRUPT: /);
    expect(verdict(base, Buffer.alloc(0), 2000).refusal).toMatch(/^ERR_CORRUPT: /);
  });

  it.each(engines)('refuses room that overlaps, and what are no bytes, $engine', (engine) => {
    const room = Buffer.alloc(3000);
    const delta = engine.diff(base, base.subarray(1));
    room.set(base);
    room.set(delta, 1500);
    const inside = room.subarray(1500, 1500 + delta.length);
    expect(() => engine.applyInto(room.subarray(0, 1000), delta, room.subarray(999))).toThrow(/overlaps an input/);
    expect(() => engine.applyInto(base, inside, room)).toThrow(/overlaps an input/);
    expect(() => engine.applyInto(base, delta, 'x' as unknown as Uint8Array)).toThrow(/out must be a Uint8Array/);
    expect(() => engine.applyInto(base, 7 as unknown as Uint8Array, room)).toThrow(/delta must be a Uint8Array/);
  });
});
