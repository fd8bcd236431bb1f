import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { NO_REDIS } from '../store/redis-server.ts';

const main = fileURLToPath(new URL('../../dist/demo/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-demo-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const demo = (args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Ended> =>
  new Promise((resolve) => {
    const env = { ...process.env, TMPDIR: folder, ...more };
    execFile(process.execPath, [main, ...args], { env, timeout: 50_000 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    );
  });

function endedWell({ code, stdout, stderr }: Ended): void {
  expect(stderr).toMatch(/^(holdfast: going on in plain JavaScript.*\n)*$/);
  expect(stdout).toMatch(/ok {4} {2}[\d,]+ changes were acknowledged, 0 of them lost/);
  expect(stdout).toContain('24 of 24 sessions are the same in the primary and in the backup');
  expect(stdout).not.toContain('FAILED');
  expect(code).toBe(0);
  expect(readdirSync(folder)).toEqual([]);
}

test('the demo kills a server, loses nothing, and ends', { timeout: 60_000 }, async () => {
  const ended = await demo(['--seconds', '4']);
  expect(ended.stdout).toMatch(/Killing server B \(process \d+\) with SIGKILL in the middle of its work/);
  endedWell(ended);
});

test.skipIf(NO_REDIS !== undefined)(
  `on a Redis server (${NO_REDIS ?? 'of its own'}) it kills that, too, and loses nothing`,
  { timeout: 60_000 },
  async () => {
    const ended = await demo(['--redis', '--seconds', '2']);
    expect(ended.stdout).toContain('appendonly yes appendfsync always');
    expect(ended.stdout).toMatch(/Killing Redis \(process \d+\) with SIGKILL, and server A \(process \d+\) with it/);
    expect(ended.stdout).toMatch(/the primary was away for \d+ ms, and is back; a change was saved \d+ ms later/);
    endedWell(ended);
  },
);

test('where there is no Redis server it says how to get one', { timeout: 60_000 }, async () => {
  const { code, stdout, stderr } = await demo(['--redis'], { PATH: folder, Path: folder });
  expect(stderr).toMatch(/^the demo on Redis needs 'redis-server' .+ install it \(apt-get install redis-server,.+\n$/);
  expect([code, stdout, readdirSync(folder)]).toEqual([1, '', []]);
});
