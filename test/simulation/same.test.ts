import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/simulate.mjs', import.meta.url));

/** Digests of the traces of `seeds` seeds from `first` on, by seed, as a process of its own finds them. */
async function digests(first: number, seeds: number, ...flags: string[]): Promise<Map<number, string>> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...flags, script, '--digests', '--first', String(first), '--seeds', String(seeds)],
    { timeout: 120_000 },
  );
  return new Map(
    [...stdout.matchAll(/^(\d+) ([0-9a-f]{32})$/gm)].map(([, seed, digest]) => [Number(seed), digest as string]),
  );
}

it('runs a seed the same byte for byte, under whatever flags of V8, alone and in a crowd', async () => {
  const plain = await digests(1, 20);
  expect([...plain.keys()]).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  expect(new Set(plain.values()).size).toBe(20);
  for (const flag of ['--jitless', '--stack-size=400', '--max-semi-space-size=1'])
    expect([flag, await digests(1, 20, flag)]).toEqual([flag, plain]);
  for (const seed of [7, 18]) expect(await digests(seed, 1)).toEqual(new Map([[seed, plain.get(seed)]]));
}, 300_000);
