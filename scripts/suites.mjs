// The public test suites of express-session and @fastify/session, over our stores for them: in memory, embedded, and on a
// Redis server where there is one. They are beside this repository, in ../shared/suites; what express-session's needs
// beside it comes from npm, once.
//
// usage: node scripts/suites.mjs [--at FOLDER] [express|fastify] [memory|sqlite|redis]…     without names: all
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { values, positionals } = parseArgs({
  options: { at: { type: 'string', default: join(root, '../shared/suites') } },
  allowPositionals: true,
});
const suites = resolve(values.at);
const TOTALS = { express: 160, fastify: 126 };
const GROUNDS = ['memory', 'sqlite', 'redis'];
/** Looks at a store while the response is sent: only one that answers at once, in memory, has answered by then. */
const AT_ONCE = 'should save the session properly';
const LIMIT_MS = 120_000;
const REDIS_PORT = 20_000 + (process.pid % 10_000);
const REDIS_READY_MS = 10_000;

const unknown = positionals.find((name) => !(name in TOTALS) && !GROUNDS.includes(name));
if (unknown !== undefined) {
  console.error(`suites: there is no '${unknown}'; there are ${[...Object.keys(TOTALS), ...GROUNDS].join(', ')}`);
  process.exit(2);
}
if (!existsSync(join(suites, 'run.sh'))) {
  console.log(
    `suites: skipped, as there is no ${join('..', 'shared/suites')} beside this repository (--at FOLDER names another)`,
  );
  process.exit(0);
}

const temporary = mkdtempSync(join(tmpdir(), 'holdfast-suites-'));
let redis;
try {
  for (const suite of chosen(Object.keys(TOTALS)))
    for (const ground of chosen(GROUNDS)) if (!(await run(suite, ground))) process.exitCode = 1;
} finally {
  redis?.kill();
  rmSync(temporary, { recursive: true, force: true });
}

function chosen(names) {
  const named = names.filter((name) => positionals.includes(name));
  return named.length > 0 ? named : names;
}

async function run(suite, ground) {
  const address = await addressOf(ground);
  if (address === undefined) {
    console.log(`${suite} on ${ground}: skipped, as redis-server is not installed`);
    return true;
  }
  const { status, stdout, stderr } = spawnSync(
    'bash',
    [join(suites, 'run.sh'), suite, join(root, 'test/web/suite-store.cjs'), workFor(suite)],
    { env: { ...process.env, SUITE_ADDRESS: address }, encoding: 'utf8', timeout: LIMIT_MS, maxBuffer: 1 << 28 },
  );
  const passed = Number((/(\d+) passing/.exec(stdout) ?? /^# pass (\d+)/m.exec(stdout))?.[1] ?? 0);
  const failed = [...stdout.matchAll(/^not ok \d+ - (.*)$/gm)].map(([, name]) => name);
  const isLate = suite === 'fastify' && ground !== 'memory' && failed.join() === AT_ONCE;
  console.log(`${suite} on ${ground}: ${passed} of ${TOTALS[suite]}${isLate ? ` (without '${AT_ONCE}')` : ''}`);
  if (passed + (isLate ? 1 : 0) === TOTALS[suite] && (status === 0 || isLate)) return true;
  console.log(stdout.replace(/^(# Subtest.*\n)?ok .*\n( +.*\n)*/gm, ''), stderr);
  return false;
}

/** express-session's is installed by its runner; the other runs over the version that is installed here. */
function workFor(suite) {
  if (suite === 'express') return join(tmpdir(), 'holdfast-suites');
  const work = mkdtempSync(join(temporary, 'fastify-'));
  cpSync(join(root, 'node_modules/@fastify/session'), join(work, 'suite'), { recursive: true });
  cpSync(join(suites, 'fastify-session/test'), join(work, 'suite/test'), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(work, 'suite/node_modules'), 'dir');
  return work;
}

/** Undefined: it is not here. */
async function addressOf(ground) {
  if (ground === 'memory') return 'memory:';
  if (ground === 'sqlite') return mkdtempSync(join(temporary, 'sqlite-'));
  if (spawnSync('redis-server', ['--version']).status !== 0) return undefined;
  const folder = join(temporary, 'redis');
  mkdirSync(folder, { recursive: true });
  const own = ['--port', String(REDIS_PORT), '--bind', '127.0.0.1', '--save', '', '--dir', folder];
  redis ??= spawn('redis-server', own, { stdio: 'ignore' });
  const { answers } = await import('../dist/demo/redis-server.js');
  for (const end = Date.now() + REDIS_READY_MS; !(await answers(REDIS_PORT)); await pause(20))
    if (Date.now() > end) throw new Error('redis-server did not start');
  return `redis://127.0.0.1:${REDIS_PORT}`;
}
