import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../ts/clock.ts';
import { startProcess, startThread } from '../../ts/store/sidecar.ts';
import type { Reply } from '../../ts/store/sqlite-server.ts';
import type { Writing } from '../../ts/store/sqlite-wire.ts';
import { newFolder } from '../folders.ts';
import { MODULE } from './drivers.ts';

const raise: Writing = { kind: 'raise', expected: { epoch: 0, births: 0 }, next: { epoch: 1, births: 0 } };

async function until(isSo: () => boolean): Promise<void> {
  const end = systemClock.monotonic() + 10_000;
  while (!isSo() && systemClock.monotonic() < end) await pause(5);
  expect(isSo()).toBe(true);
}

describe.each([
  { helper: 'a thread', start: startThread, ended: [9] },
  // Nothing is left that would tell.
  { helper: 'a process', start: startProcess, ended: [] },
])('$helper without the addon', ({ start, ended }) => {
  it('gives back only what it has not begun', async () => {
    const dir = newFolder();
    const replies: Reply[] = [];
    const began = systemClock.monotonic();
    const sidecar = start(
      { module: MODULE, dir, acceptOlder: false, dueMs: began + 10_000, ticket: 1 },
      { onReplies: (some) => void replies.push(...some), onEnd: () => undefined },
    );
    const answered = (ticket: number) => (): boolean => replies.some((reply) => reply.ticket === ticket);
    await until(answered(1));
    const script = fileURLToPath(new URL('holder.mjs', import.meta.url));
    const holder = spawn(process.execPath, [script, join(dir, 'store.sqlite')], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    sidecar.post({ ticket: 2, request: { kind: 'compact' }, dueMs: systemClock.monotonic() + 10_000 });
    await pause(200); // it is begun
    sidecar.post({ ticket: 3, request: raise, dueMs: systemClock.monotonic() });
    expect(sidecar.withdraw([2, 3])).toEqual([3]);
    holder.stdin.end();
    await once(holder, 'close');
    await until(answered(3));
    expect(replies.map(({ ticket, answer, failed }) => [ticket, answer?.kind, failed?.outcome])).toEqual([
      [1, 'opened', undefined],
      [2, 'committed', undefined],
      [3, undefined, 'none'],
    ]);
    await sidecar.end();
    expect(sidecar.withdraw([9])).toEqual(ended);
  }, 30_000);
});

it.each(['thread', 'process'])(
  'a helper, a %s, says so where the system gives no room for it',
  (helper) => {
    const script = fileURLToPath(new URL('crowded.mjs', import.meta.url));
    const run = `ulimit -n 64; exec "${process.execPath}" "${script}" ${helper} "${newFolder()}"`;
    const { stdout, stderr } = spawnSync('sh', ['-c', run], { encoding: 'utf8', timeout: 30_000 });
    const said = stdout.trim().split('\n');
    expect([said.at(-1), stderr]).toEqual([expect.stringMatching(/^\d+ opened$/), '']);
    expect(said.length).toBeGreaterThan(3);
    for (const one of said.slice(0, -1))
      expect(one).toMatch(
        /^\d+ (?:HoldfastError ERR_UNAVAILABLE none EMFILE|ended (?:EMFILE|ERR_WORKER_INIT_FAILED|undefined))$/,
      );
  },
  40_000,
);
