import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { sealMeta } from '../../ts/store/sqlite-seal.ts';
import { COMMITS_KEY, FORMAT_KEY } from '../../ts/store/sqlite-sql.ts';
import { newFolder } from '../folders.ts';
import { HAS_ADDON, MODULE, saidBy } from './drivers.ts';
import { onSmallDisk } from './small-disk.ts';

/** Each way to a SQLite: what it says of an opening that fails is the same. */
const DRIVERS = HAS_ADDON ? [MODULE, 'addon'] : [MODULE];

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
/** Root may read and write everything: another user opens. */
const NOBODY = process.getuid?.() === 0 ? 65534 : undefined;
const CAN_BE_NOBODY =
  NOBODY === undefined ||
  spawnSync(process.execPath, ['--check', script('openings.mjs')], { uid: NOBODY }).status === 0;

interface Failure {
  readonly name: string;
  readonly code: string;
  readonly outcome: string;
  readonly message: string;
}

/** In a process of its own: what became of each folder. */
function open(driver: string, dirs: readonly string[], uid?: number): readonly (Failure | null)[] {
  const ran = spawnSync(process.execPath, [script('openings.mjs'), ...dirs], {
    uid,
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, HOLDFAST_SQLITE: driver },
  });
  expect(saidBy(ran.stderr)).toBe('');
  return JSON.parse(ran.stdout) as readonly (Failure | null)[];
}

function execute(dir: string, sql: string, file = 'store.sqlite'): void {
  const { DatabaseSync } = createRequire(import.meta.url)('@photostructure/sqlite') as {
    DatabaseSync: new (path: string) => { exec(sql: string): void; close(): void };
  };
  const database = new DatabaseSync(join(dir, file));
  database.exec(sql);
  database.close();
}

/** A number of the store, with a checksum that fits. */
const set = (dir: string, key: number, value: number): void =>
  execute(dir, `UPDATE meta SET value=${value}, sum=${sealMeta(BigInt(key), BigInt(value))} WHERE key=${key}`);

interface Case {
  readonly what: string;
  /** `dir` holds a store of one commit, which nobody has open. */
  readonly harm: (dir: string) => void;
  readonly code: 'ERR_UNAVAILABLE' | 'ERR_CORRUPT' | 'ERR_INVALID';
  readonly says: RegExp;
  /** What is opened, in place of the folder. */
  readonly at?: string;
}

const remake = (dir: string, name: string, make: (path: string) => void): void => {
  rmSync(join(dir, name), { recursive: true, force: true });
  make(join(dir, name));
};
const PLAIN: Omit<Case, 'what' | 'harm'> = { code: 'ERR_INVALID', says: /is no plain file: move it away/ };
const TEXT = 'this is no database, but some text that is long enough to be taken for one'.repeat(20);

/** Whoever owns the files may not open them. */
const FORBIDDEN: readonly Case[] = [
  {
    what: 'a folder that may not be made',
    harm: (dir) => chmodSync(dir, 0o555),
    code: 'ERR_UNAVAILABLE',
    says: /below' cannot be made in '.*': .*permission denied.*give this user the right/i,
    at: 'below',
  },
  {
    what: 'a folder that may not be read',
    harm: (dir) => chmodSync(dir, 0o000),
    code: 'ERR_UNAVAILABLE',
    says: /cannot be read: .*permission denied/,
  },
  {
    what: 'an empty folder in which nothing may be made',
    harm: (dir) => {
      for (const name of readdirSync(dir)) rmSync(join(dir, name));
      chmodSync(dir, 0o555);
    },
    code: 'ERR_UNAVAILABLE',
    says: /mark' cannot be opened: .*permission denied/i,
  },
  {
    what: 'a store whose folder is read-only',
    harm: (dir) => chmodSync(dir, 0o555),
    code: 'ERR_UNAVAILABLE',
    says: /cannot be opened: .*permission denied/i,
  },
  {
    what: 'a mark that may not be written',
    harm: (dir) => chmodSync(join(dir, 'mark'), 0o444),
    code: 'ERR_UNAVAILABLE',
    says: /mark' cannot be opened: .*permission denied/i,
  },
  {
    what: 'a database that may not be read',
    harm: (dir) => chmodSync(join(dir, 'store.sqlite'), 0o000),
    code: 'ERR_UNAVAILABLE',
    says: /unable to open/,
  },
];

const HARMED: readonly Case[] = [
  {
    what: 'a path below a file',
    harm: (dir) => remake(dir, 'file', (path) => writeFileSync(path, '')),
    code: 'ERR_UNAVAILABLE',
    says: /cannot be read: .*not a directory/,
    at: 'file/below',
  },
  {
    what: 'a database that is a folder',
    harm: (dir) => remake(dir, 'store.sqlite', (path) => mkdirSync(path)),
    ...PLAIN,
  },
  {
    what: 'a database that is a link',
    harm: (dir) => remake(dir, 'store.sqlite', (path) => symlinkSync('mark', path)),
    ...PLAIN,
  },
  {
    what: 'a log that is a folder',
    harm: (dir) => remake(dir, 'store.sqlite-wal', (path) => mkdirSync(path)),
    ...PLAIN,
  },
  {
    what: 'an index of the log that is a link',
    harm: (dir) => remake(dir, 'store.sqlite-shm', (path) => symlinkSync('nowhere', path)),
    ...PLAIN,
  },
  {
    what: 'a mark that is a folder',
    harm: (dir) => remake(dir, 'mark', (path) => mkdirSync(path)),
    ...PLAIN,
  },
  {
    what: 'a mark that is a link',
    harm: (dir) => remake(dir, 'mark', (path) => symlinkSync('store.sqlite', path)),
    ...PLAIN,
  },
  {
    what: 'a text in place of the database',
    harm: (dir) => writeFileSync(join(dir, 'store.sqlite'), TEXT),
    code: 'ERR_CORRUPT',
    says: /file is not a database.*restore it from a backup/,
  },
  {
    what: 'a database of something else',
    harm: (dir) => remake(dir, 'store.sqlite', () => execute(dir, 'CREATE TABLE other(x)')),
    code: 'ERR_INVALID',
    says: /a database of something else: name another folder/,
  },
  {
    what: 'tables of another layout',
    harm: (dir) => set(dir, FORMAT_KEY, 9),
    code: 'ERR_INVALID',
    says: /has layout 9, this version of Holdfast reads 2/,
  },
  {
    what: 'tables without their numbers',
    harm: (dir) => execute(dir, 'DELETE FROM meta'),
    code: 'ERR_CORRUPT',
    says: /the store is damaged/,
  },
  {
    what: 'numbers that are none',
    harm: (dir) => execute(dir, `UPDATE meta SET value='many' WHERE key=4`),
    code: 'ERR_CORRUPT',
    says: /the store is damaged/,
  },
  {
    what: 'a database that was cut',
    harm: (dir) => truncateSync(join(dir, 'store.sqlite'), 5000),
    code: 'ERR_CORRUPT',
    says: /the store is damaged .*malformed/,
  },
  {
    what: 'a database that lacks half a page',
    harm: (dir) => truncateSync(join(dir, 'store.sqlite'), statSync(join(dir, 'store.sqlite')).size - 2048),
    code: 'ERR_CORRUPT',
    says: /the store is damaged \(it ends in the middle of a page\)/,
  },
  {
    what: 'a database that was emptied',
    harm: (dir) => truncateSync(join(dir, 'store.sqlite'), 0),
    code: 'ERR_CORRUPT',
    says: /went back: 1 commits were acknowledged, 0 are there/,
  },
  {
    what: 'a database that is gone',
    harm: (dir) => rmSync(join(dir, 'store.sqlite')),
    code: 'ERR_CORRUPT',
    says: /went back: 1 commits were acknowledged, 0 are there/,
  },
  {
    what: 'a mark that was cut',
    harm: (dir) => truncateSync(join(dir, 'mark'), 12),
    code: 'ERR_CORRUPT',
    says: /mark', which says what was acknowledged, is damaged.*acceptOlder/,
  },
  {
    what: 'an older database',
    harm: (dir) => set(dir, COMMITS_KEY, 0),
    code: 'ERR_CORRUPT',
    says: /went back: 1 commits were acknowledged, 0 are there/,
  },
];

/** A store of one commit, made by this driver, for all to see and write. */
function made(driver: string): string {
  const dir = join(newFolder(), 'made');
  const ran = spawnSync(process.execPath, [script('visit.mjs'), dir], {
    encoding: 'utf8',
    timeout: 20_000,
    env: { ...process.env, HOLDFAST_SQLITE: driver },
  });
  expect(ran.stdout.trim()).toBe('1 x');
  return dir;
}

/** Twice: a refusal changes nothing that the next would tell otherwise. */
function opened(driver: string, cases: readonly Case[], uid?: number): void {
  const source = made(driver);
  const root = newFolder();
  chmodSync(root, 0o755);
  const dirs = cases.map((each, index) => {
    const dir = join(root, String(index));
    cpSync(source, dir, { recursive: true });
    for (const name of readdirSync(dir)) chmodSync(join(dir, name), 0o666);
    chmodSync(dir, 0o777);
    each.harm(dir);
    return join(dir, each.at ?? '');
  });
  try {
    for (let round = 0; round < 2; round += 1) {
      const came = open(driver, dirs, uid);
      cases.forEach(({ what, code, says }, index) =>
        expect(came[index], `${driver}: ${what}`).toEqual({
          name: 'HoldfastError',
          code,
          outcome: 'none',
          message: expect.stringMatching(says) as string,
        }),
      );
    }
  } finally {
    cases.forEach((_, index) => chmodSync(join(root, String(index)), 0o700));
  }
}

describe.each(DRIVERS)('what cannot be opened is said, the same by each way to a SQLite: %s', (driver) => {
  it('harmed files', () => opened(driver, HARMED), 90_000);

  it.skipIf(!CAN_BE_NOBODY)(
    `files of others${CAN_BE_NOBODY ? '' : ' (skipped: nobody cannot read this clone)'}`,
    () => opened(driver, FORBIDDEN, NOBODY),
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
      expect(open(driver, [dir])).toEqual([null]);
    },
    60_000,
  );

  it('a full disk, and a read-only one', async ({ skip }) => {
    const disk = join(newFolder(), 'disk');
    const had = await onSmallDisk(disk, '256k', () => {
      const [begun, fresh] = [join(disk, 'begun'), join(disk, 'fresh')];
      expect(open(driver, [begun])).toEqual([null]);
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
      expect(open(driver, [begun, fresh])).toEqual([null, null]);
      expect(spawnSync('mount', ['-o', 'remount,ro', disk]).status).toBe(0);
      for (const came of open(driver, [begun, join(disk, 'new')]))
        expect(came).toMatchObject({
          code: 'ERR_UNAVAILABLE',
          outcome: 'none',
          message: expect.stringMatching(/cannot be (?:opened|made in '.*'): .*read-only/i) as string,
        });
    });
    if (!had) skip('no small disk can be mounted here: that needs root');
  }, 60_000);
});
