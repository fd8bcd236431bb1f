import { expect, it, vi } from 'vitest';
import type { Image } from '../../ts/log/image.ts';
import { CLIMATES } from '../../ts/simulation/knobs.ts';
import type { Knobs } from '../../ts/simulation/knobs.ts';
import { run } from '../../ts/simulation/run.ts';
import type { Base, Edited, merge } from '../../ts/sync/merge.ts';

type Plant = (base: Base, mine: Edited, theirs: Image) => Base;
const planted = vi.hoisted(() => ({ plant: undefined as Plant | undefined }));

vi.mock('../../ts/sync/merge.ts', async (original) => {
  const actual: { merge: typeof merge } = await original();
  const faulty: typeof merge = (line, rules, base, mine, theirs) =>
    actual.merge(line, rules, planted.plant?.(base, mine, theirs) ?? base, mine, theirs);
  return { ...actual, merge: faulty };
});

const KIND = 'acknowledged and missing';
const KNOBS: Partial<Knobs> = { ...CLIMATES.calm, clients: 0, optimistic: 0.6, ids: 1, lingers: 0.4 };

/**
 * A base that a merge must not take, and how many seeds may pass until it is found (four times the longest row of 40 without).
 * Beside each: how many of 40 seeds find it, and that row.
 */
const FAULTS: readonly (readonly [string, number, Plant])[] = [
  ['theirs', 8, (base, _mine, theirs) => ({ ...base, bytes: (name) => theirs.value(name)?.bytes })], // 27, 2
  ['mine', 8, (base, { changes }) => ({ ...base, bytes: (name) => changes.get(name) })], // 30, 2
];

it.each(FAULTS)('a merge that takes %s for the base is found in %i seeds', async (_what, budget, plant) => {
  planted.plant = plant;
  const found: string[] = [];
  for (let seed = 1; seed <= budget && !found.includes(KIND); seed += 1)
    found.push(...(await run(seed, { knobs: KNOBS })).findings.map(({ kind }) => kind));
  expect(found).toContain(KIND);
});

it('finds nothing where nothing is planted', async () => {
  planted.plant = undefined;
  for (let seed = 1; seed <= 10; seed += 1)
    expect([seed, (await run(seed, { knobs: KNOBS })).findings]).toEqual([seed, []]);
});
