import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SKIP_REASON, engines, native } from './engines.ts';

interface Pair {
  readonly name: string;
  readonly group: string;
  readonly base: Buffer;
  readonly target: Buffer;
}
/** Of each group: how many pairs it has, and the geometric mean of their deltas' bytes. */
type Sizes = Record<string, { pairs: number; bytes: number }>;

/** Larger by more than this is a loss that must be decided on. */
const GROWTH = 1.01;
const FILE = new URL('../../bench/record/diff-sizes.json', import.meta.url);
const folder = '../../bench/diff';
const { seededPairs } = (await import(`${folder}/states.mjs`)) as { seededPairs(): Pair[] };
const { corpusPairs } = (await import(`${folder}/pairs.mjs`)) as { corpusPairs(isQuick: boolean): Pair[] | undefined };

function sizesOf(pairs: readonly Pair[]): Sizes {
  const sizes: Sizes = {};
  for (const group of new Set(pairs.map((pair) => pair.group))) {
    const members = pairs.filter((pair) => pair.group === group);
    const logs = members.map(({ base, target }) => Math.log(engines[0]!.diff(base, target).length));
    const mean = Math.exp(logs.reduce((sum, log) => sum + log, 0) / members.length);
    sizes[group] = { pairs: members.length, bytes: Number(mean.toFixed(3)) };
  }
  return sizes;
}

it.skipIf(native === undefined)(
  `both engines make the same of each pair (${native === undefined ? SKIP_REASON : 'native is built'})`,
  { timeout: 60_000 },
  () => {
    for (const { name, base, target } of [...seededPairs(), ...(corpusPairs(true) ?? [])]) {
      const deltas = engines.map((engine) => Buffer.from(engine.diff(base, target)));
      expect(deltas.at(-1)!.equals(deltas[0]!), name).toBe(true);
    }
  },
);

const found = { seeded: sizesOf(seededPairs()), corpus: sizesOf(corpusPairs(true) ?? []) };
/** A change that is meant renews the record: `HOLDFAST_SIZES=write npx vitest run test/diff/sizes.test.ts`. */
if (process.env['HOLDFAST_SIZES'] === 'write') writeFileSync(FILE, `${JSON.stringify(found, undefined, 2)}\n`);
const recorded = JSON.parse(readFileSync(FILE, 'utf8')) as typeof found;

describe('no group of deltas is a hundredth larger than the record has it', () => {
  it.each(Object.entries(recorded.seeded))('made from a seed: %s', (group, { pairs, bytes }) => {
    expect(found.seeded[group]?.pairs).toBe(pairs);
    expect(found.seeded[group]?.bytes).toBeLessThanOrEqual(bytes * GROWTH);
  });

  it.for(Object.entries(recorded.corpus))('of the corpus: %s', ([group, { pairs, bytes }], { skip }) => {
    const now = found.corpus[group];
    if (now?.pairs !== pairs) return skip('this part of the corpus is not here');
    expect(now.bytes).toBeLessThanOrEqual(bytes * GROWTH);
  });
});
