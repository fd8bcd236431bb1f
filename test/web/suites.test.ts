import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const isHere = existsSync(join(root, '../shared/suites/run.sh'));
/** Where the script installs what this suite needs, from npm. */
const isInstalled = existsSync(join(tmpdir(), 'holdfast-suites/suite/node_modules'));

function run(suite: string): string {
  const script = join(root, 'scripts/suites.mjs');
  return spawnSync(process.execPath, [script, suite, 'memory'], { encoding: 'utf8', timeout: 110_000 }).stdout;
}

it.skipIf(!isHere)(
  '@fastify/session’s own tests pass (else: no ../shared/suites beside this repository)',
  { timeout: 120_000 },
  () => {
    expect(run('fastify')).toBe('fastify on memory: 126 of 126\n');
  },
);

it.skipIf(!isHere || !isInstalled)(
  'express-session’s own tests pass (else: as above, or `node scripts/suites.mjs express` never ran here)',
  { timeout: 120_000 },
  () => {
    expect(run('express')).toBe('express on memory: 160 of 160\n');
  },
);
