import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { newFolder } from '../folders.ts';
import { HAS_ADDON, MODULE, saidBy } from './drivers.ts';
import { FORBIDDEN, HALF_MADE, OLDER, REFUSED } from './folders-found.ts';
import type { Case } from './folders-found.ts';
import { onSmallDisk } from './small-disk.ts';

/** Each way to a SQLite: what it says of an opening that fails is the same. */
const DRIVERS = HAS_ADDON ? [MODULE, 'addon'] : [MODULE];

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
/** Root may read and write everything: another user opens. */
const NOBODY = process.getuid?.() === 0 ? 65534 : undefined;
const CAN_BE_NOBODY =
  NOBODY === undefined ||
  spawnSync(process.execPath, ['--check', script('openings.mjs')], { uid: NOBODY }).status === 0;

interface Came {
  readonly name?: string;
  readonly code?: string;
  readonly outcome?: string;
  readonly message?: string;
  /** Of one that was opened: its epoch, and the records of session `s` after one was appended. */
  readonly epoch?: number;
  readonly records?: number;
}

/** In a process of its own: what became of each folder. `how`: 'accept' an older state, 'append' a record. */
function open(driver: string, dirs: readonly string[], how = '', uid?: number): readonly Came[] {
  const ran = spawnSync(process.execPath, [script('openings.mjs'), how, ...dirs], {
    uid,
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, HOLDFAST_SQLITE: driver },
  });
  expect(saidBy(ran.stderr)).toBe('');
  return JSON.parse(ran.stdout) as readonly Came[];
}

/** A store of one commit, made by this driver, for all to see and write. */
function made(driver: string): string {
  const dir = join(newFolder(), 'made');
  expect(open(driver, [dir], 'append')).toEqual([{ epoch: 0, records: 1 }]);
  return dir;
}

const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Kind, time and bytes of all files in a folder. */
const allOf = (dir: string): unknown[] =>
  readdirSync(dir)
    .toSorted()
    .map((name) => {
      const { mode, mtimeMs } = statSync(join(dir, name), { throwIfNoEntry: false }) ?? {};
      const isFile = statSync(join(dir, name), { throwIfNoEntry: false })?.isFile();
      return [name, mode, mtimeMs, isFile === true ? digestOf(readFileSync(join(dir, name))) : ''];
    });

/** Each in a folder of its own, which is told. */
function harmed(driver: string, cases: readonly Pick<Case, 'harm'>[]): string[] {
  const source = made(driver);
  const root = newFolder();
  chmodSync(root, 0o755);
  return cases.map((each, index) => {
    const dir = join(root, String(index));
    cpSync(source, dir, { recursive: true });
    for (const name of readdirSync(dir)) chmodSync(join(dir, name), 0o666);
    chmodSync(dir, 0o777);
    each.harm(dir);
    return dir;
  });
}

/** Over and over: what is refused stays as it was. */
function refused(driver: string, cases: readonly Case[], ways: readonly string[], uid?: number): readonly string[] {
  const dirs = harmed(driver, cases);
  const before = dirs.map(allOf);
  try {
    for (const how of ways) {
      const at = dirs.map((dir, index) => resolve(dir, cases[index]?.at ?? ''));
      const came = open(driver, at, how, uid);
      cases.forEach(({ what, code, says }, index) => {
        expect(came[index], `${driver}: ${what}`).toEqual({
          name: 'HoldfastError',
          code,
          outcome: 'none',
          message: expect.stringMatching(says) as string,
        });
        expect(allOf(dirs[index] as string), `${driver}: ${what}`).toEqual(before[index]);
      });
    }
  } finally {
    for (const dir of dirs) chmodSync(dir, 0o700);
  }
  return dirs;
}

describe.each(DRIVERS)('what cannot be opened is said, the same by each way to a SQLite: %s', (driver) => {
  it('what is damaged, or of something else', () => void refused(driver, REFUSED, ['', 'accept', '']), 90_000);

  it('what may be older than what was acknowledged, until that is accepted', () => {
    const dirs = refused(driver, OLDER, ['', '']);
    for (const came of open(driver, dirs, 'accept')) expect(came).toEqual({ epoch: 1 });
    open(driver, dirs, 'append').forEach((came, index) =>
      expect(came, OLDER[index]?.what).toEqual({ epoch: 1, records: expect.any(Number) as number }),
    );
  }, 90_000);

  it('a first opening that was broken off is gone on with', () => {
    const harms = HALF_MADE.map(([, make]) => ({
      harm: (dir: string): void => {
        for (const name of readdirSync(dir)) rmSync(join(dir, name));
        make(dir);
      },
    }));
    const dirs = harmed(driver, harms);
    for (const records of [1, 2])
      open(driver, dirs, 'append').forEach((came, index) =>
        expect(came, HALF_MADE[index]?.[0]).toEqual({ epoch: 0, records }),
      );
  }, 90_000);

  it('a store without a session may lose its mark', () => {
    const dir = join(newFolder(), 'new');
    expect(open(driver, [dir])).toEqual([{ epoch: 0 }]);
    rmSync(join(dir, 'mark'));
    expect(open(driver, [dir], 'append')).toEqual([{ epoch: 0, records: 1 }]);
  }, 60_000);

  it.skipIf(!CAN_BE_NOBODY)(
    `files of others${CAN_BE_NOBODY ? '' : ' (skipped: nobody cannot read this clone)'}`,
    () => void refused(driver, FORBIDDEN, ['', ''], NOBODY),
    90_000,
  );

  it.skipIf(!HAS_ADDON)(
    `a folder that is open through the other kind${HAS_ADDON ? '' : ' (skipped: the addon is not built)'}`,
    async () => {
      const dir = made(driver);
      const other = spawn(process.execPath, [script('visit.mjs'), dir, 'stay'], {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: { ...process.env, HOLDFAST_SQLITE: driver === 'addon' ? MODULE : 'addon' },
      });
      await once(other.stdout, 'data');
      expect(open(driver, [dir])).toMatchObject([
        {
          code: 'ERR_INVALID',
          message: expect.stringContaining('use the addon in all processes or in none') as string,
        },
      ]);
      other.kill('SIGKILL');
      await once(other, 'close');
      expect(open(driver, [dir])).toEqual([{ epoch: 0 }]);
    },
    60_000,
  );

  it('a full disk, and a read-only one', async ({ skip }) => {
    const disk = join(newFolder(), 'disk');
    const had = await onSmallDisk(disk, '256k', () => {
      const [begun, fresh] = [join(disk, 'begun'), join(disk, 'fresh')];
      expect(open(driver, [begun])).toEqual([{ epoch: 0 }]);
      for (let bytes = 4096, at = 0; bytes > 0; at += 1) {
        try {
          writeFileSync(join(disk, `ballast${at}`), Buffer.alloc(bytes));
        } catch {
          bytes = 0;
        }
      }
      const kept = readFileSync(join(begun, 'store.sqlite'));
      for (const came of [...open(driver, [begun, fresh]), ...open(driver, [fresh])])
        expect(came).toMatchObject({
          code: 'ERR_UNAVAILABLE',
          outcome: 'none',
          message: expect.stringMatching(/the disk is full: make room|no space left/i) as string,
        });
      expect(readFileSync(join(begun, 'store.sqlite'))).toEqual(kept);
      for (const name of readdirSync(disk)) if (name.startsWith('ballast')) rmSync(join(disk, name));
      expect(open(driver, [begun, fresh])).toEqual([{ epoch: 0 }, { epoch: 0 }]);
      expect(spawnSync('mount', ['-o', 'remount,ro', disk]).status).toBe(0);
      for (const came of open(driver, [begun, join(disk, 'new'), join(disk, 'new/deep')]))
        expect(came).toMatchObject({
          code: 'ERR_UNAVAILABLE',
          outcome: 'none',
          message: expect.stringMatching(
            /cannot be (?:opened|made in '.*'): .*read-only file system.*can be written to/i,
          ) as string,
        });
    });
    if (!had) skip('no small disk can be mounted here: that needs root');
  }, 60_000);
});

describe('the first opening without the addon', () => {
  it('may be killed before any of its steps', () => {
    const dirs: string[] = [];
    const root = newFolder();
    for (let ended = false; !ended;) {
      dirs.push(join(root, String(dirs.length)));
      const ran = spawnSync(process.execPath, [script('first-opening.mjs'), dirs.at(-1) as string, `${dirs.length}`], {
        encoding: 'utf8',
        timeout: 20_000,
        env: { ...process.env, HOLDFAST_SQLITE: MODULE },
      });
      expect(saidBy(ran.stderr)).toBe('');
      expect([ran.status, ran.signal]).toEqual(ran.signal === null ? [0, null] : [null, 'SIGKILL']);
      ended = ran.status === 0;
      if (!existsSync(dirs.at(-1) as string)) mkdirSync(dirs.at(-1) as string);
    }
    expect(dirs.length).toBeGreaterThan(30);
    const epochs = open(MODULE, dirs, 'append').map((came) => {
      expect(came).toEqual({ epoch: expect.any(Number) as number, records: 1 });
      return came.epoch;
    });
    // What was committed was kept from one step on.
    expect(epochs).toEqual(epochs.toSorted());
    expect(new Set(epochs)).toEqual(new Set([0, 1]));
  }, 120_000);
});
