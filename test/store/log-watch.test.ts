import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { newFolder } from '../folders.ts';
import { HAS_ADDON, MODULE } from './drivers.ts';

const MB = 1 << 20;

interface Report {
  readonly dir: string;
  readonly told: readonly { readonly type: string; readonly dir: string; readonly bytes: number }[];
  readonly warned: readonly string[];
  readonly grown: number;
  readonly shortMs: number;
}

it.concurrent.each(HAS_ADDON ? [MODULE, 'addon'] : [MODULE])(
  'a log that somebody keeps from being shortened is told of, and shortened after that without a write: %s',
  async (driver) => {
    const dir = join(newFolder(), 'store');
    const ran = await promisify(execFile)(
      process.execPath,
      [fileURLToPath(new URL('long-log.mjs', import.meta.url)), dir],
      { timeout: 60_000, env: { ...process.env, HOLDFAST_SQLITE: driver } },
    );
    const { told, warned, grown, shortMs } = JSON.parse(ran.stdout) as Report;
    expect(told.map((event) => [event.type, event.dir, event.bytes > 64 * MB])).toEqual([
      ['log-length', dir, true],
      ['log-length', dir, false],
    ]);
    expect(warned).toEqual([expect.stringMatching(/store\.sqlite-wal' has grown to \d+ MB: a process that has/)]);
    expect(grown).toBeGreaterThan(64 * MB);
    expect(shortMs).toBeLessThan(10_000);
  },
  90_000,
);
