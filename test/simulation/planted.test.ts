import { describe, expect, it } from 'vitest';
import { PLANTS } from '../../ts/history/planted.ts';
import type { PlantName } from '../../ts/history/planted.ts';
import { CLIMATES } from '../../ts/simulation/knobs.ts';
import type { Knobs } from '../../ts/simulation/knobs.ts';
import { run } from '../../ts/simulation/run.ts';

const EASY: Partial<Knobs> = { ...CLIMATES.calm, clients: 0, latencyMs: 1, patienceMs: 300 };
const FENCING: Partial<Knobs> = { pauses: 8, cuts: 4, leaseMs: 120, ids: 1, lingers: 0.7 };
const PROMOTED: Partial<Knobs> = { promotions: 1, members: 0, clients: 3, lingers: 0.7, ids: 1 };

/**
 * A fault in the primary, what it must be called, how many seeds may pass until it is (about twice the longest row of
 * 200 seeds without), and what it needs to show. Beside each: how many of 200 seeds called it so, and that row.
 */
const FAULTS: readonly (readonly [PlantName, string, number, Partial<Knobs>])[] = [
  ['drops an append', 'acknowledged and missing', 8, {}], // 190, 2
  ['answers before it writes', 'stale read', 12, { restarts: 3 }], // 136, 5
  ['applies twice', 'doubled', 6, {}], // 191, 2
  ['accepts an old token', 'old token accepted', 120, FENCING], // 10, 43
  ['fails although it wrote', 'failed and present', 6, {}], // 187, 2
  ['refuses although it wrote', 'failed and present', 6, {}], // 190, 2
  ['serves a stale read', 'head went back', 30, {}], // 60, 13
  ['alters a record', 'broken chain', 18, {}], // 127, 8
  ['skips a record', 'broken chain', 10, {}], // 161, 4
  ['grants twice', 'token granted twice', 10, {}], // 149, 4
  ['grants twice', 'lock held by two', 16, {}], // 116, 7
  ['loses an end', 'resurrected session', 16, { ends: 0.15 }], // 108, 6
  ['forgets the tail at a restart', 'acknowledged and missing', 12, { restarts: 2 }], // 163, 5
  ['expires too early', 'expired too early', 40, { expiry: 'near' }], // 50, 17
  ['never expires', 'served though expired', 12, { expiry: 'near' }], // 151, 4
  ['keeps the epoch to itself', 'old token accepted', 4, PROMOTED], // 200, 1
];

async function seedsUntil(
  plant: PlantName,
  kind: string,
  budget: number,
  knobs: Partial<Knobs>,
): Promise<number | undefined> {
  for (let seed = 1; seed <= budget; seed += 1) {
    const { findings } = await run(seed, { knobs: { ...EASY, ...knobs }, plant });
    if (findings.some((finding) => finding.kind === kind)) return seed;
  }
  return undefined;
}

describe('a fault that is planted in the primary is found and named', () => {
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

  it('finds nothing where nothing is planted', async () => {
    for (let seed = 1; seed <= 10; seed += 1)
      expect([seed, (await run(seed, { knobs: EASY })).findings]).toEqual([seed, []]);
  });
});
