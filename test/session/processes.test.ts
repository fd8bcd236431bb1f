import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { openStore } from '../../ts/store/open.ts';

const PROCESSES = 4;
const INCREMENTS = 250;
const definition = defineSession({ n: mutable<number>(() => 0), marks: mutable<string[]>(() => []) });
const script = fileURLToPath(new URL('increments.mjs', import.meta.url));

interface Worker {
  readonly child: ChildProcess;
  /** Marks of acknowledged increments, and `fenced …` lines. */
  readonly lines: string[];
  readonly ended: Promise<{ code: number | null; signal: string | null; errors: string }>;
}

const running: Worker[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.splice(0).map(({ ended }) => ended));
  for (const dir of folders.splice(0)) rmSync(dir, { recursive: true, force: true });
});

async function start(dir: string, release: string, leaseMs: number): Promise<Worker[]> {
  const workers = Array.from({ length: PROCESSES }, (_, i) => worker(dir, `p${i}`, release, leaseMs));
  running.push(...workers);
  await until(() => workers.every(({ lines }) => lines.includes('ready')));
  for (const { child, lines } of workers) {
    lines.length = 0;
    child.stdin?.write('go\n');
  }
  return workers;
}

function worker(dir: string, name: string, release: string, leaseMs: number): Worker {
  const child = spawn(process.execPath, [script, dir, name, String(INCREMENTS), release, String(leaseMs)], {
    stdio: 'pipe',
  });
  const lines: string[] = [];
  let rest = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() as string;
    lines.push(...parts);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const ended = new Promise<Awaited<Worker['ended']>>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal, errors })),
  );
  return { child, lines, ended };
}

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 20_000; !condition();) {
    if (Date.now() > end) throw new Error('waited twenty seconds in vain');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function folder(): string {
  folders.push(mkdtempSync(join(tmpdir(), 'holdfast-processes-')));
  return folders.at(-1) as string;
}

/** What the store holds in the end: each acknowledged mark once, and the counter in step with the marks. */
async function check(dir: string, workers: readonly Worker[], inFlight: number): Promise<void> {
  const store = await openStore(dir);
  const state = await new SessionRepository({ store, definition }).read('counter');
  await store.close();
  const marks = state?.marks ?? [];
  const acknowledged = workers.flatMap(({ lines }) => lines.filter((line) => !line.startsWith('fenced')));
  expect(new Set(marks).size, 'doubled').toBe(marks.length);
  expect(
    acknowledged.filter((mark) => !marks.includes(mark)),
    'acknowledged, but missing',
  ).toEqual([]);
  expect(state?.n).toBe(marks.length);
  expect(marks.length - acknowledged.length, 'written, but not acknowledged').toBeLessThanOrEqual(inFlight);
}

describe.each(['lazy', 'access'])('four processes on one counter, %s locks', (release) => {
  it('count to exactly 1000', async () => {
    const dir = folder();
    const workers = await start(dir, release, 2000);
    for (const { ended } of workers)
      expect(await ended).toEqual({ code: 0, signal: null, errors: expect.not.stringContaining('Error') });
    expect(workers.flatMap(({ lines }) => lines).length).toBe(PROCESSES * INCREMENTS);
    await check(dir, workers, 0);
  }, 60_000);

  it('lose and double nothing when one is killed at work', async () => {
    const dir = folder();
    const workers = await start(dir, release, 500);
    const [victim, ...others] = workers as [Worker, ...Worker[]];
    await until(() => victim.lines.length > INCREMENTS / 4);
    victim.child.kill('SIGKILL');
    expect(await victim.ended).toMatchObject({ signal: 'SIGKILL' });
    expect(victim.lines.length).toBeLessThan(INCREMENTS);
    for (const { ended } of others) expect(await ended).toMatchObject({ code: 0 });
    await check(dir, workers, 1);
  }, 60_000);

  it('lose and double nothing when one is stopped for longer than its lease', async () => {
    const dir = folder();
    const leaseMs = 300;
    const workers = await start(dir, release, leaseMs);
    const [sleeper, ...others] = workers as [Worker, ...Worker[]];
    await until(() => sleeper.lines.length > INCREMENTS / 5);
    sleeper.child.kill('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 3 * leaseMs));
    sleeper.child.kill('SIGCONT');
    for (const { ended } of [sleeper, ...others]) expect(await ended).toMatchObject({ code: 0 });
    expect(workers.flatMap(({ lines }) => lines.filter((line) => !line.startsWith('fenced'))).length).toBe(
      PROCESSES * INCREMENTS,
    );
    await check(dir, workers, 0);
  }, 60_000);
});
