import { describe, expect, it } from 'vitest';
import { check } from '../../ts/history/check.ts';
import type { FindingKind } from '../../ts/history/finding.ts';
import { PLANTS } from '../../ts/history/planted.ts';
import type { PlantName } from '../../ts/history/planted.ts';
import { run } from './workload.ts';
import type { Knobs } from './workload.ts';

const LINGERING: Partial<Knobs> = { ids: 1, leaseMs: 60, lingers: 0.7, lingerMs: 400, uses: 14 };
const EXPIRING: Partial<Knobs> = { idleMs: 250, pauseMs: 300 };
const ENDING: Partial<Knobs> = { ends: 0.15 };
const RESTARTING: Partial<Knobs> = { restarts: 3 };
const PROMOTING: Partial<Knobs> = { promotions: 1 };
const OPTIMISTIC: Partial<Knobs> = { optimistic: 0.3 };

/**
 * The fault, what it must be called, how many seeds may pass until it is (twice the longest row that was measured), and
 * what the workload needs for it. Beside each what was measured over 600 seeds: how many called it so, and the longest
 * row of seeds until one did.
 */
const FAULTS: readonly (readonly [PlantName, FindingKind, number, Partial<Knobs>])[] = [
  ['drops an append', 'stale read', 8, {}], // 492, 4
  ['drops an append', 'acknowledged and missing', 18, {}], // 272, 9
  ['answers before it writes', 'stale read', 12, RESTARTING], // 417, 6
  ['answers before it writes', 'acknowledged and missing', 38, RESTARTING], // 190, 19
  ['applies twice', 'doubled', 6, {}], // 565, 3
  ['accepts an old token', 'old token accepted', 10, LINGERING], // 477, 5; without what it needs 50, 64
  ['fails although it wrote', 'failed and present', 6, {}], // 544, 3
  ['refuses although it wrote', 'failed and present', 6, {}], // 570, 3
  ['serves a stale read', 'stale read', 30, OPTIMISTIC], // 218, 15
  ['alters a record', 'broken chain', 32, OPTIMISTIC], // 222, 16
  ['skips a record', 'broken chain', 18, {}], // 308, 9
  ['grants twice', 'token granted twice', 30, {}], // 167, 15
  ['grants twice', 'lock held by two', 50, {}], // 108, 25
  ['loses an end', 'resurrected session', 22, ENDING], // 252, 11
  ['forgets the tail at a restart', 'stale read', 8, RESTARTING], // 550, 4
  ['forgets the tail at a restart', 'doubled', 8, RESTARTING], // 543, 4
  ['forgets the tail at a restart', 'acknowledged and missing', 16, RESTARTING], // 327, 8
  ['expires too early', 'expired too early', 4, EXPIRING], // 598, 2
  ['never expires', 'served though expired', 8, EXPIRING], // 496, 4
  ['keeps the epoch to itself', 'old token accepted', 8, PROMOTING], // 538, 4
];

async function seedsUntil(
  plant: PlantName,
  kind: FindingKind,
  budget: number,
  knobs: Partial<Knobs>,
): Promise<number | undefined> {
  for (let seed = 1; seed <= budget; seed += 1) {
    const { marks, finals, options } = await run(seed, { plant, knobs });
    if (check(marks, finals, options).findings.some((finding) => finding.kind === kind)) return seed;
  }
  return undefined;
}

describe('a planted fault is found and named', () => {
  it.each(FAULTS)(
    '%s: %s, in %i seeds',
    async (plant, kind, budget, knobs) => {
      expect(await seedsUntil(plant, kind, budget, knobs)).toBeDefined();
    },
    60_000,
  );

  it('covers all that can be planted', () => {
    expect(Object.keys(PLANTS).filter((plant) => FAULTS.every(([name]) => name !== plant))).toEqual([]);
  });

  it('drops one append in 1,000', async () => {
    const { marks, finals, options } = await run(1, {
      plant: 'drops an append',
      every: 1000,
      knobs: { clients: 4, uses: 400, idleMs: undefined, ends: 0, promotions: 0, lossBefore: 0, lossAfter: 0 },
    });
    const kinds = check(marks, finals, options).findings.map(({ kind }) => kind);
    expect(kinds).toContain('stale read');
  });
});

describe('a store without fault', () => {
  it('is clean over 2,000 seeds, and the workload does what it is there for', async () => {
    const sums = { acknowledged: 0, refused: 0, unknown: 0, grants: 0, kept: 0 };
    for (let seed = 1; seed <= 2000; seed += 1) {
      const { marks, finals, options } = await run(seed);
      const { findings, counts } = check(marks, finals, options);
      expect(findings, `seed ${seed}`).toEqual([]);
      for (const name of ['acknowledged', 'refused', 'unknown', 'grants', 'kept'] as const) sums[name] += counts[name];
    }
    expect(sums.acknowledged).toBeGreaterThan(40_000);
    expect(sums.kept).toBeGreaterThan(40_000);
    expect(sums.grants).toBeGreaterThan(30_000);
    expect(sums.refused).toBeGreaterThan(5000);
    expect(sums.unknown).toBeGreaterThan(5000);
  }, 300_000);

  it('gives the same history for the same seed', async () => {
    const [first, second] = [await run(7), await run(7)];
    expect(JSON.stringify(second.marks)).toBe(JSON.stringify(first.marks));
  });
});
