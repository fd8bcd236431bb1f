import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sealLength, sealValue } from '../../ts/diff/check.ts';
import { HoldfastError } from '../../ts/errors.ts';
import { engines, js } from './engines.ts';
import { makePair, randomBytes, seeded } from './pairs.ts';

const base = randomBytes(seeded(1), 1000);

function sealed(body: readonly number[]): Buffer {
  const bytes = Buffer.from(body);
  const check = sealValue(base, bytes, bytes.length);
  return Buffer.concat([bytes, Buffer.from([check & 0xff, check >> 8]).subarray(0, sealLength(bytes.length))]);
}

/**
 * The bytes written, or code and message of the error, which must have left the bytes alone. All engines must agree.
 */
function inPlace(from: Uint8Array, delta: Uint8Array): { verdict: number | string; bytes: Buffer } {
  const runs = engines.map((engine) => {
    const bytes = Buffer.from(from);
    try {
      return { verdict: engine.applyInPlace(bytes, delta), bytes };
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      expect(bytes.equals(from)).toBe(true);
      return { verdict: `${error.code}: ${error.message}`, bytes };
    }
  });
  for (const run of runs) {
    expect(run.verdict).toBe(runs[0]!.verdict);
    expect(run.bytes.equals(runs[0]!.bytes)).toBe(true);
  }
  return runs[0]!;
}

describe('in place', () => {
  it('one edit of any kind that keeps the length costs what it writes', () => {
    const target = Buffer.from(base);
    target.fill(7, 400, 420);
    expect(inPlace(base, js.diff(base, target))).toEqual({ verdict: 20, bytes: target });
    expect(inPlace(base, js.diff(base, base))).toEqual({ verdict: 0, bytes: base });
    const other = randomBytes(seeded(2), 1000);
    expect(inPlace(base, js.diff(base, other))).toEqual({ verdict: 1000, bytes: other });
    for (const at of [3, 333, 990]) target[at]! ^= 1;
    expect(inPlace(base, js.diff(base, target))).toEqual({ verdict: 23, bytes: target });
  });

  it('what moves bytes or changes the length is refused, and apply takes it', () => {
    const swapped = Buffer.concat([base.subarray(500), base.subarray(0, 500)]);
    const targets = [
      swapped,
      base.subarray(1),
      Buffer.concat([base, base]),
      Buffer.concat([base, Buffer.from([1])]),
      Buffer.alloc(0),
    ];
    for (const target of targets) {
      const delta = js.diff(base, target);
      expect(inPlace(base, delta).verdict).toMatch(/^ERR_INVALID: .*use apply/);
      expect(Buffer.compare(js.apply(base, delta, 5000), target)).toBe(0);
    }
  });

  it('what is damaged is refused as by apply, with a good start too', () => {
    expect(inPlace(base, sealed([0x80, 0x50, 1, 2])).verdict).toMatch(/^ERR_CORRUPT: /);
    expect(inPlace(base, sealed([0x80, 0x11, 9, 0x50, 1, 2])).verdict).toMatch(/^ERR_CORRUPT: /);
    expect(inPlace(base, Buffer.alloc(0)).verdict).toMatch(/^ERR_CORRUPT: /);
    expect(inPlace(base, sealed([0x80, 0x60, 0xff, 0xff, 0xff, 0xff, 0x0f, 7])).verdict).toMatch(/^ERR_INVALID: /);
    for (const engine of engines) {
      const room = Buffer.alloc(100);
      expect(() => engine.applyInPlace(room, room.subarray(50))).toThrow(/overlaps/);
      expect(() => engine.applyInPlace(base, 'x' as unknown as Uint8Array)).toThrow(/Uint8Array/);
    }
  });

  it('is apply or a refusal, for any pair', () => {
    const pair = fc.property(fc.integer(), (seed) => {
      const random = seeded(seed);
      const [from, other] = makePair(random, 2_000);
      const target = random(2) === 0 ? other : overwritten(from, random);
      const delta = js.diff(from, target);
      const { verdict, bytes } = inPlace(from, delta);
      if (typeof verdict === 'number') expect(bytes.equals(target)).toBe(true);
      else expect(verdict).toMatch(/^ERR_INVALID: /);
    });
    fc.assert(pair, { numRuns: 3_000 });
  });
});

function overwritten(bytes: Buffer, random: (n: number) => number): Buffer {
  const copy = Buffer.from(bytes);
  for (let i = random(8); i > 0; i--) copy.fill(random(256), random(copy.length + 1), random(copy.length + 1));
  return copy;
}
