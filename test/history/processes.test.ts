import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadAddon } from '../../ts/addon.ts';
import { newFolder } from '../folders.ts';
import { runProcesses } from './run-processes.ts';
import type { Report } from './run-processes.ts';

const KINDS = ((): string[] => {
  try {
    loadAddon();
    return ['addon', '@photostructure/sqlite'];
  } catch {
    return ['@photostructure/sqlite']; // the addon is not built
  }
})();

const timeoutMs = 85_000;
const run = (...args: readonly string[]): Promise<Report> => runProcesses(args, { timeoutMs });

describe('four processes, of which some are killed and some are stopped', { timeout: 90_000 }, () => {
  it('lose, double and mix up nothing', async () => {
    const report = await run('--steps', '1200', '--kill-every', '250', '--stop-every', '400');
    expect(report).toMatchObject({ code: 0, killed: 4, stopped: 2, found: {}, wrong: [] });
    expect(report.acknowledged).toBeGreaterThan(1000);
  });

  it.each(KINDS)('lose, double and mix up nothing on an embedded store (%s)', async (kind) => {
    const store = join(newFolder(), 'store');
    const rates = ['--steps', '200', '--kill-every', '60', '--stop-every', '50'];
    const report = await runProcesses(['--store', store, ...rates], { timeoutMs, env: { HOLDFAST_SQLITE: kind } });
    expect(report).toMatchObject({ code: 0, found: {}, wrong: [] });
    expect([report.killed > 2, report.stopped > 2]).toEqual([true, true]);
    expect(report.acknowledged).toBeGreaterThan(120);
  });

  // Shows that the verdict can be another one.
  it.each(['drops an append', 'answers before it writes'])('are found out when their store %s', async (plant) => {
    const report = await run(
      '--steps',
      '500',
      '--kill-every',
      '150',
      '--stop-every',
      '300',
      '--plant',
      plant,
      '--every',
      '40',
    );
    expect(report.code).toBe(1);
    expect(report.found['acknowledged and missing']).toBeGreaterThan(0);
    expect(report.found['stale read']).toBeGreaterThan(0);
  });
});
