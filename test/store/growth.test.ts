import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { newFolder } from '../folders.ts';
import { HAS_ADDON, MODULE } from './drivers.ts';

const MB = 1 << 20;

it.concurrent.each(HAS_ADDON ? [MODULE, 'addon'] : [MODULE])(
  'saves that go on and on take three times the room of what is alive and 4 MB at the most: %s',
  async (driver) => {
    const ran = await promisify(execFile)(
      process.execPath,
      [fileURLToPath(new URL('growth.mjs', import.meta.url)), join(newFolder(), 'store'), '--saves', '3000', '--whole'],
      { timeout: 60_000, env: { ...process.env, HOLDFAST_SQLITE: driver } },
    );
    const { alive, most } = JSON.parse(ran.stdout) as { readonly alive: number; readonly most: number };
    // Without folding the log in, 3,000 saves of the whole would be 25 MB.
    expect(most).toBeGreaterThan(alive);
    expect(most).toBeLessThanOrEqual(3 * alive + 4 * MB);
  },
  90_000,
);
