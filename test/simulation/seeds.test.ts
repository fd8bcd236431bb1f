import { expect, it } from 'vitest';
import { CLIMATES, knobsOf } from '../../ts/simulation/knobs.ts';
import { run } from '../../ts/simulation/run.ts';
import { FAILED } from './seeds.ts';

it.each(FAILED)('$fault: seed $seed, $climate', async ({ seed, climate, knobs }) => {
  const { findings } = await run(seed, { knobs: { ...CLIMATES[climate], ...knobs } });
  expect(findings).toEqual([]);
});

it('draws knobs from the seed alone, and lets a climate and the caller set them', () => {
  expect(knobsOf(3)).toEqual(knobsOf(3));
  expect(new Set(Array.from({ length: 20 }, (_, seed) => JSON.stringify(knobsOf(seed)))).size).toBeGreaterThan(15);
  expect(knobsOf(3, { ids: 9 })).toEqual({ ...knobsOf(3), ids: 9 });
});
