import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BATCH_STRIDE, type Differ } from '../../ts/diff/differ.ts';
import { SKIP_REASON, engines, js, native } from './engines.ts';
import { atOddOffset, makePair, randomBytes, seeded } from './pairs.ts';

const LIMIT = 1 << 24;

/** Pairs per run and the size of the largest in each. */
const ROUNDS = [
  { runs: 14_000, scale: 300 },
  { runs: 5_000, scale: 3_000 },
  { runs: 1_000, scale: 30_000 },
  { runs: 60, scale: 600_000 },
];

function roundTrip(base: Uint8Array, target: Uint8Array): void {
  const delta = js.diff(base, target);
  expect(delta.length).toBeLessThanOrEqual(target.length + 16);
  for (const engine of engines) {
    if (Buffer.compare(engine.diff(base, target), delta) !== 0) throw new Error(`${engine.engine} differs`);
    if (Buffer.compare(engine.apply(base, delta, target.length), target) !== 0)
      throw new Error(`${engine.engine} misapplies`);
  }
}

describe.skipIf(native === undefined)(
  `both engines agree (${native === undefined ? SKIP_REASON : 'native is built'})`,
  () => {
    for (const { runs, scale } of ROUNDS) {
      it(`on ${runs} pairs of up to ${scale} bytes`, { timeout: 60_000 }, () => {
        const pair = fc.property(fc.integer(), fc.boolean(), (seed, odd) => {
          const [base, target] = makePair(seeded(seed), scale);
          if (odd) roundTrip(atOddOffset(base), atOddOffset(target));
          else roundTrip(base, target);
        });
        fc.assert(pair, { numRuns: runs });
      });
    }

    it('on pairs of arbitrary arrays', () => {
      const bytes = fc.uint8Array({ maxLength: 200 });
      fc.assert(fc.property(bytes, bytes, roundTrip), { numRuns: 2_000 });
    });

    it('on batches', () => {
      fc.assert(
        fc.property(fc.integer(), (seed) => {
          const random = seeded(seed);
          const pairs = Array.from({ length: random(12) }, () => makePair(random, 2_000));
          const bases = pairs.map(([base]) => (random(4) === 0 ? undefined : base));
          const targets = pairs.map(([, target]) => target);
          const runs = engines.map((engine) => runBatch(engine, bases, targets));
          expect(runs[0]).toEqual(runs[1]);
        }),
        { numRuns: 500 },
      );
    });

    it('on hashes of every length to 2,048 and some long ones', () => {
      const random = seeded(7);
      const values: Uint8Array[] = [];
      for (let n = 0; n <= 2048; n++)
        values.push(n % 2 === 0 ? randomBytes(random, n) : atOddOffset(randomBytes(random, n)));
      for (const n of [4_095, 4_096, 4_097, 65_536, 65_599, 1_000_003]) values.push(randomBytes(random, n));
      values.push(new Uint8Array(5_000).fill(255), new Uint8Array(5_000));
      const [a, b] = engines.map((engine) => {
        const results = new Uint32Array(BATCH_STRIDE * values.length);
        engine.hashBatch(values, results);
        return results;
      });
      expect(a).toEqual(b);
    });

    it('on chains', () => {
      fc.assert(
        fc.property(fc.integer(), (seed) => {
          const random = seeded(seed);
          let [base, target] = makePair(random, 3_000);
          const first = base;
          const deltas: Uint8Array[] = [];
          for (let i = random(8); i > 0; i--) {
            deltas.push(js.diff(base, target));
            [base, target] = [target, i % 3 === 0 ? makePair(random, 3_000)[1] : patched(target, random)];
          }
          for (const engine of engines) expect(Buffer.compare(engine.applyChain(first, deltas, LIMIT), base)).toBe(0);
        }),
        { numRuns: 500 },
      );
    });
  },
);

function patched(bytes: Buffer, random: (n: number) => number): Buffer {
  const at = random(bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), randomBytes(random, random(9)), bytes.subarray(at + random(9))]);
}

function runBatch(engine: Differ, bases: (Uint8Array | undefined)[], targets: Uint8Array[]): object {
  const out = new Uint8Array(targets.reduce((sum, target) => sum + target.length + 16, 0));
  const results = new Uint32Array(BATCH_STRIDE * targets.length);
  const written = engine.diffBatch(bases, targets, out, results);
  let at = 0;
  bases.forEach((base, i) => {
    const length = results[BATCH_STRIDE * i]!;
    if (base === undefined) expect(length).toBe(0);
    else if (length === 0) expect(Buffer.compare(base, targets[i]!)).toBe(0);
    else expect(Buffer.compare(engine.apply(base, out.subarray(at, at + length), LIMIT), targets[i]!)).toBe(0);
    at += length;
  });
  expect(at).toBe(written);
  return { deltas: out.slice(0, written), results };
}
