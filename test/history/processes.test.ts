import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('processes.mjs', import.meta.url));

interface Report {
  readonly code: number;
  readonly killed: number;
  readonly stopped: number;
  readonly acknowledged: number;
  readonly found: Readonly<Record<string, number>>;
  readonly wrong: readonly string[];
}

function run(...args: string[]): Promise<Report> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [script, ...args], { timeout: 60_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code);
      if (code === 0 || code === 1) resolve({ code, ...(JSON.parse(stdout) as Omit<Report, 'code'>) });
      else reject(new Error(`${String(error)}\n${stdout}${stderr}`));
    });
  });
}

describe('four processes, of which some are killed and some are stopped', { timeout: 90_000 }, () => {
  it('lose, double and mix up nothing', async () => {
    const report = await run('--steps', '1200', '--kill-every', '250', '--stop-every', '400');
    expect(report).toMatchObject({ code: 0, killed: 4, stopped: 2, found: {}, wrong: [] });
    expect(report.acknowledged).toBeGreaterThan(1000);
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
