// All of test/store by each SQLite that stands in for the addon: `node:sqlite` of each Node that is named, and better-sqlite3
// where a folder has it installed. Prints a line of JSON each, and exits 1 when a test failed.
// usage: node test/store/modules.mjs [--node PATH]… [--better FOLDER]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { node: { type: 'string', multiple: true }, better: { type: 'string' } } });
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
const folder = mkdtempSync(join(tmpdir(), 'holdfast-modules-'));
const LONGEST_MS = 900_000;

/** Counts of one run. */
function run(module, node, more = {}) {
  const file = join(folder, 'report.json');
  const args = [vitest, 'run', 'test/store', '--reporter=json', `--outputFile=${file}`];
  const env = { ...process.env, HOLDFAST_SQLITE: module, ...more };
  const ran = spawnSync(node, args, { cwd: root, env, stdio: ['ignore', 'ignore', 'inherit'], timeout: LONGEST_MS });
  const version = spawnSync(node, ['-p', 'process.version'], { encoding: 'utf8' }).stdout.trim();
  if (ran.signal !== null) return { module, node: version, ended: ran.signal };
  const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(readFileSync(file, 'utf8'));
  const failures = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === 'failed')
    .map(({ fullName }) => fullName);
  return {
    module,
    node: version,
    passed: numPassedTests,
    failed: numFailedTests,
    skipped: numPendingTests,
    ...(failures.length > 0 && { failures }),
  };
}

const runs = (values.node ?? []).map((node) => () => run('node:sqlite', resolve(node)));
if (values.better !== undefined) {
  const NODE_PATH = join(resolve(values.better), 'node_modules');
  runs.push(() => run('better-sqlite3', process.execPath, { NODE_PATH }));
}
try {
  for (const each of runs) {
    const report = each();
    console.log(JSON.stringify(report));
    if (report.failed !== 0) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
