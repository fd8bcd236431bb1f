// Two app servers, two dozen users, a kill: shows what Holdfast does, and checks that nothing was lost or doubled.
//   npm run demo -- --seconds 16
//   npm run demo -- --redis         on a Redis server of its own, which is killed, too
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { whole } from '../cli/report.ts';
import { AppServer } from './app-server.ts';
import type { CheckOrder, CheckReport } from './check.ts';
import { Figures } from './figures.ts';
import { RedisServer, lackOfRedis } from './redis-server.ts';
import { Screen } from './screen.ts';
import { User } from './user.ts';

const USERS = 24;
/** Whatever happens, the demo ends. */
const HARD_LIMIT_MS = 60_000;
const CHECK_TIMEOUT_MS = 15_000;
/** Parts of the running time: before the first kill and after the last return, of what is away, and between. */
const CALM = 0.3;
const SERVER_AWAY = 0.2;
const BETWEEN = 0.1;
const PRIMARY_AWAY = 0.1;
const FINDINGS_SHOWN = 5;

const values = optionsOf(process.argv.slice(2));
const runMs = 1000 * Math.min(40, Math.max(2, Number(values.seconds) || 16));

const folder = mkdtempSync(join(tmpdir(), 'holdfast-demo-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
setTimeout(() => {
  console.error(`the demo did not end within ${HARD_LIMIT_MS / 1000} s`);
  process.exit(1);
}, HARD_LIMIT_MS).unref();

async function run(): Promise<boolean> {
  const redis = values.redis ? await RedisServer.start(join(folder, 'redis')) : undefined;
  const places = {
    primaryUrl: redis?.url ?? join(folder, 'primary'),
    backupUrl: join(folder, 'backup'),
    historyDir: join(folder, 'history'),
  };
  mkdirSync(places.historyDir);
  const newServer = (name: string): AppServer =>
    new AppServer(name, [places.primaryUrl, places.backupUrl, places.historyDir]);
  const [a, b] = [newServer('A'), newServer('B')];
  const servers = [a, b];
  for (const server of servers) await server.start();
  const figures = new Figures();
  const users = Array.from(
    { length: USERS },
    (_, index) => new User(`user${index + 1}`, servers, figures, seededRandom(index + 1)),
  );
  const screen = new Screen(process.stdout, { servers, primary: redis, figures, sessions: USERS });
  screen.say(
    `Servers A and B are up; both save to one primary ${redis === undefined ? 'on disk' : `on a Redis server (${redis.settings}: it acknowledges what is on its disk)`}, and feed one backup. ${USERS} users begin to click.`,
  );

  let stopped = false;
  const clicking = Promise.all(users.map((user) => user.clickUntil(() => stopped)));
  try {
    await Promise.race([plot({ a, b, redis, users }, figures, screen), clicking]);
    stopped = true;
    await clicking;
    await Promise.all(servers.map((server) => server.stop()));
  } finally {
    screen.end();
  }
  const acknowledged = users.map((user) => ({ name: user.name, acknowledged: user.acknowledged }));
  const isRight = judge(await check({ ...places, users: acknowledged }));
  await redis?.stop();
  return isRight;
}

interface Cast {
  readonly a: AppServer;
  readonly b: AppServer;
  readonly redis: RedisServer | undefined;
  readonly users: readonly User[];
}

/** What happens to the servers while the users click. */
async function plot({ a, b, redis, users }: Cast, figures: Figures, screen: Screen): Promise<void> {
  await pause(CALM * runMs);
  screen.say(`Killing server B (process ${b.pid}) with SIGKILL in the middle of its work.`);
  figures.killed(users.filter(({ savedBy }) => savedBy === b).map(({ name }) => name));
  await b.kill();
  await pause(SERVER_AWAY * runMs);
  await b.start();
  screen.say(`Server B is back (process ${b.pid}).`);
  if (redis === undefined) await pause((BETWEEN + PRIMARY_AWAY) * runMs);
  else await plotOfRedis(redis, a, figures, screen);
  await pause(CALM * runMs);
}

async function plotOfRedis(redis: RedisServer, a: AppServer, figures: Figures, screen: Screen): Promise<void> {
  await pause(BETWEEN * runMs);
  screen.say(`Killing Redis (process ${redis.pid}) with SIGKILL, and server A (process ${a.pid}) with it.`);
  figures.primaryKilled();
  // Nobody is left who could bring back what A has saved last.
  await Promise.all([redis.kill(), a.kill()]);
  await pause(PRIMARY_AWAY * runMs);
  await redis.start();
  figures.primaryBack();
  screen.say(`Redis is back (process ${redis.pid}), with what it has on its disk.`);
  await a.start();
  screen.say(`Server A is back (process ${a.pid}).`);
}

/** Reads everything back in a fresh process. */
async function check(order: CheckOrder): Promise<CheckReport> {
  const child = fork(fileURLToPath(new URL('check.js', import.meta.url)), [], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: [],
  });
  process.prependListener('exit', () => child.kill('SIGKILL'));
  // Its `exit` may be heard of before its last message.
  const died = once(child, 'disconnect').then(() => Promise.reject(new Error('the check did not finish')));
  died.catch(() => undefined);
  child.send(order);
  const [report] = (await Promise.race([
    once(child, 'message', { signal: AbortSignal.timeout(CHECK_TIMEOUT_MS) }),
    died,
  ])) as [CheckReport];
  return report;
}

function judge({ acknowledged, lost, doubled, wrong, unequal, sessions, appends, findings }: CheckReport): boolean {
  console.log('Checked by a process that took no part:');
  const verdicts = [
    verdict(acknowledged > 0 && lost === 0, `${whole(acknowledged)} changes were acknowledged, ${lost} of them lost`),
    verdict(doubled === 0, `${doubled} changes were done twice`),
    verdict(wrong === 0, `${sessions - wrong} of ${sessions} sessions hold exactly what was acknowledged`),
    verdict(
      appends > 0 && findings.length === 0,
      `${whole(appends)} appends stand in the servers' histories, ${findings.length} faults were found there`,
    ),
    verdict(
      unequal === 0,
      `${sessions - unequal} of ${sessions} sessions are the same in the primary and in the backup`,
    ),
  ];
  for (const finding of findings.slice(0, FINDINGS_SHOWN)) console.log(`          ${finding}`);
  return verdicts.every((ok) => ok);
}

function verdict(ok: boolean, text: string): boolean {
  console.log(`  ${ok ? 'ok    ' : 'FAILED'}  ${text}`);
  return ok;
}

function optionsOf(args: string[]): { readonly seconds: string; readonly redis: boolean } {
  try {
    const options = {
      seconds: { type: 'string', default: '16' },
      redis: { type: 'boolean', default: false },
    } as const;
    return parseArgs({ args, options }).values;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}; the demo takes --redis and --seconds N`);
    return process.exit(1);
  }
}

/** Mulberry32 (T. Ettinger, public domain). */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

try {
  const lack = values.redis ? lackOfRedis() : undefined;
  if (lack !== undefined) console.error(lack);
  process.exit(lack === undefined && (await run()) ? 0 : 1);
} catch (error) {
  console.error(error);
  process.exit(1);
}
