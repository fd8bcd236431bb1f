import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/simulate.mjs', import.meta.url));
const SEEDS = 2000;

it(`finds nothing in ${SEEDS} seeds of all climates`, async () => {
  const running = promisify(execFile)(process.execPath, [script, '--seeds', String(SEEDS)], {
    timeout: 280_000,
    maxBuffer: 1 << 26,
  });
  const ran = await running.catch((error: { stdout: string; stderr: string }) => error);
  expect(ran.stdout, ran.stdout + ran.stderr).toMatch(new RegExp(`^${SEEDS} seeds in .* 0 seeds with findings$`, 'm'));
}, 300_000);
