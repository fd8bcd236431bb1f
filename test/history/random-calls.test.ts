import { describe, expect, it } from 'vitest';
import { check } from '../../ts/history/check.ts';
import type { CheckOptions } from '../../ts/history/check.ts';
import type { FindingKind } from '../../ts/history/finding.ts';
import type { PlantName } from '../../ts/history/planted.ts';
import { EXACT } from './pairs.ts';
import { randomCalls } from './random-calls.ts';

const CLEAN_SEEDS = 200;
const PLANTED_SEEDS = 24;
const MEASURED_SEEDS = 300;

const OPTIONS: readonly CheckOptions[] = [
  {},
  EXACT,
  { expiry: { slackMs: 300, overMs: 300, lateMs: 1500 } },
  { expiry: false, leases: false },
];

/**
 * The fault, what it must be called, and how many of the measured seeds called it so: a third of that share is
 * demanded.
 */
const FAULTS: readonly (readonly [PlantName, FindingKind, number])[] = [
  ['drops an append', 'stale read', 287],
  ['drops an append', 'acknowledged and missing', 207],
  ['answers before it writes', 'stale read', 76],
  ['applies twice', 'doubled', 297],
  ['accepts an old token', 'old token accepted', 286],
  ['fails although it wrote', 'failed and present', 299],
  ['refuses although it wrote', 'failed and present', 298],
  ['serves a stale read', 'stale read', 183],
  ['alters a record', 'broken chain', 262],
  ['skips a record', 'broken chain', 143],
  ['grants twice', 'token granted twice', 243],
  ['grants twice', 'lock held by two', 81],
  ['loses an end', 'resurrected session', 209],
  ['forgets the tail at a restart', 'stale read', 274],
  ['expires too early', 'expired too early', 290],
  ['never expires', 'served though expired', 239],
  ['keeps the epoch to itself', 'old token accepted', 259],
];

async function kindsOf(seed: number, plant: PlantName): Promise<ReadonlySet<FindingKind>> {
  const { marks, finals } = await randomCalls(seed, { plant });
  return new Set(check(marks, finals, EXACT).findings.map(({ kind }) => kind));
}

describe('calls of callers that follow no protocol', () => {
  it(`are clean over ${CLEAN_SEEDS} seeds, whatever the bounds`, async () => {
    let [acknowledged, unknown] = [0, 0];
    for (let seed = 1; seed <= CLEAN_SEEDS; seed += 1) {
      const { marks, finals } = await randomCalls(seed);
      for (const options of OPTIONS) {
        const { findings, counts } = check(marks, finals, options);
        expect(findings, `seed ${seed}, ${JSON.stringify(options)}`).toEqual([]);
        acknowledged += counts.acknowledged;
        unknown += counts.unknown;
      }
    }
    expect(acknowledged / OPTIONS.length).toBeGreaterThan(30 * CLEAN_SEEDS);
    expect(unknown / OPTIONS.length).toBeGreaterThan(15 * CLEAN_SEEDS);
  });

  it('show the faults of a store', async () => {
    for (const plant of new Set(FAULTS.map(([name]) => name))) {
      const found: ReadonlySet<FindingKind>[] = [];
      for (let seed = 1; seed <= PLANTED_SEEDS; seed += 1) found.push(await kindsOf(seed, plant));
      for (const [, kind, measured] of FAULTS.filter(([name]) => name === plant)) {
        const share = found.filter((kinds) => kinds.has(kind)).length / PLANTED_SEEDS;
        expect(share, `${plant}: ${kind}`).toBeGreaterThan(measured / MEASURED_SEEDS / 3);
      }
    }
  });
});
