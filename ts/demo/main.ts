// Two app servers, two dozen users, one kill: shows what Holdfast does, and checks that nothing was lost or doubled.
//   npm run demo -- --seconds 16
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { whole } from '../cli/report.ts';
import type { CheckOrder, CheckReport } from './check.ts';
import { Figures } from './figures.ts';
import { Screen } from './screen.ts';
import { Server } from './servers.ts';
import { User } from './user.ts';

const USERS = 24;
/** Whatever happens, the demo ends. */
const HARD_LIMIT_MS = 60_000;
const CHECK_TIMEOUT_MS = 15_000;
/** Of the running time: when a server is killed, and when it comes back. */
const KILL_AT = 0.45;
const RESTART_AT = 0.7;
const FINDINGS_SHOWN = 5;

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '16' } } });
const runMs = 1000 * Math.min(40, Math.max(2, Number(values.seconds) || 16));

const folder = mkdtempSync(join(tmpdir(), 'holdfast-demo-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
setTimeout(() => {
  console.error(`the demo did not end within ${HARD_LIMIT_MS / 1000} s`);
  process.exit(1);
}, HARD_LIMIT_MS).unref();

const dirs = {
  primaryDir: join(folder, 'primary'),
  backupDir: join(folder, 'backup'),
  historyDir: join(folder, 'history'),
};
mkdirSync(dirs.historyDir);

async function run(): Promise<boolean> {
  const [a, b] = ['A', 'B'].map((name) => new Server(name, [dirs.primaryDir, dirs.backupDir, dirs.historyDir])) as [
    Server,
    Server,
  ];
  await a.start();
  await b.start();
  const figures = new Figures();
  const users = Array.from(
    { length: USERS },
    (_, index) => new User(`user${index + 1}`, [a, b], figures, seededRandom(index + 1)),
  );
  const screen = new Screen(process.stdout, [a, b], figures, USERS);
  screen.say(
    `Servers A and B are up; both save to one primary on disk, which feeds one backup. ${USERS} users begin to click.`,
  );

  let stopped = false;
  const clicking = Promise.all(users.map((user) => user.clickUntil(() => stopped)));
  const plot = (async () => {
    await pause(KILL_AT * runMs);
    const stranded = users.filter(({ savedBy }) => savedBy === b).map(({ name }) => name);
    screen.say(`Killing server B (process ${b.pid}) with SIGKILL in the middle of its work.`);
    figures.killed(stranded);
    b.kill();
    await pause((RESTART_AT - KILL_AT) * runMs);
    await b.start();
    screen.say(`Server B is back (process ${b.pid}).`);
    await pause((1 - RESTART_AT) * runMs);
  })();
  try {
    await Promise.race([plot, clicking]);
    stopped = true;
    await clicking;
    await Promise.all([a.stop(), b.stop()]);
  } finally {
    screen.end();
  }
  return judge(await check({ ...dirs, users: users.map(({ name, acknowledged }) => ({ name, acknowledged })) }));
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
  process.exit((await run()) ? 0 : 1);
} catch (error) {
  console.error(error);
  process.exit(1);
}
