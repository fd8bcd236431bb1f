import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { SqliteDriver } from '../../ts/store/sqlite-driver.ts';
import { translate, unreached } from '../../ts/store/sqlite-error.ts';
import { explained } from '../../ts/store/sqlite-lack.ts';
import { newFolder } from '../folders.ts';
import { HAS_ADDON, MODULE } from './drivers.ts';

const VISIT = fileURLToPath(new URL('visit.mjs', import.meta.url));
const CAN_BOUND = spawnSync('prlimit', ['--version']).status === 0;

const systemError = (code: string): Error => Object.assign(new Error(`${code}: it said so, write`), { code });

/** What becomes of this error of a module, where a write of ours fails so, or goes. */
function told(
  error: object,
  lack?: Error,
): { readonly code: string; readonly outcome: string; readonly message: string } {
  const fail = (): never => {
    throw Object.assign(new Error('SQLite said so'), error);
  };
  const driver: SqliteDriver = { exec: fail, run: fail, all: fail, close: () => undefined };
  try {
    explained(driver, () => lack).exec('COMMIT');
  } catch (thrown) {
    return translate(thrown) as ReturnType<typeof told>;
  }
  throw new Error('it went');
}

/** As each module says it. */
const sayings = (extended: number, name: string): object[] => [
  { code: 'ERR_SQLITE_ERROR', errcode: extended },
  { code: 'ERR_SQLITE_ERROR', sqliteExtendedCode: extended, errcode: extended & 0xff },
  { code: `SQLITE_${name}` },
];
const WRITES = [
  [778, 'IOERR_WRITE'],
  [1546, 'IOERR_TRUNCATE'],
  [4618, 'IOERR_SHMOPEN'],
  [4874, 'IOERR_SHMSIZE'],
] as const;
const OTHERS = [
  [266, 'IOERR_READ'],
  [1034, 'IOERR_FSYNC'],
  [1290, 'IOERR_DIR_FSYNC'],
  [1802, 'IOERR_FSTAT'],
  [2570, 'IOERR_DELETE'],
  [3850, 'IOERR_LOCK'],
  [5130, 'IOERR_SHMLOCK'],
  [5386, 'IOERR_SHMMAP'],
] as const;

const FULL = {
  code: 'ERR_UNAVAILABLE',
  outcome: 'none',
  message: 'SQLite: the disk is full: make room; nothing was written',
};

describe('without the addon, what the system said is told, and lack is no damage', () => {
  it.each(['ENOSPC', 'EDQUOT', 'EFBIG'])('%s: the disk is full', (code) => {
    for (const [extended, name] of WRITES)
      for (const error of sayings(extended, name)) expect(told(error, systemError(code))).toMatchObject(FULL);
    // What was to be flushed may be there: a commit that says so is not offered as one that did not happen.
    for (const error of sayings(1034, 'IOERR_FSYNC'))
      expect(told(error, systemError(code))).toMatchObject({
        code: 'ERR_UNAVAILABLE',
        message: expect.stringContaining(code) as string,
      });
    expect(unreached('a file', systemError(code))).toMatchObject(FULL);
  });

  it.each(['EMFILE', 'ENFILE', 'EINTR', 'ENOMEM', 'EROFS', 'EACCES'])('%s is said as what it is', (code) => {
    for (const [extended, name] of [...WRITES, ...OTHERS])
      for (const error of sayings(extended, name))
        expect(told(error, systemError(code))).toMatchObject({
          code: 'ERR_UNAVAILABLE',
          outcome: 'none',
          message: expect.stringContaining(code) as string,
        });
    expect(unreached('a file', systemError(code))).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'none' });
  });

  it('what nothing else is wrong with is damage, or what SQLite says', () => {
    for (const [extended, name] of [...WRITES, ...OTHERS].filter(([, each]) => each !== 'IOERR_SHMSIZE'))
      for (const error of sayings(extended, name)) expect(told(error)).toMatchObject({ code: 'ERR_CORRUPT' });
    for (const [extended, name] of [
      [11, 'CORRUPT'],
      [26, 'NOTADB'],
      [522, 'IOERR_SHORT_READ'],
    ] as const)
      for (const error of sayings(extended, name))
        expect(told(error, systemError('EDQUOT'))).toMatchObject({ code: 'ERR_CORRUPT' });
    for (const [extended, name] of [
      [3, 'PERM'],
      [7, 'NOMEM'],
      [3082, 'IOERR_NOMEM'],
      [14, 'CANTOPEN'],
      [22, 'NOLFS'],
    ] as const)
      for (const error of sayings(extended, name))
        expect(told(error)).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'none' });
    for (const error of sayings(13, 'FULL')) expect(told(error)).toMatchObject(FULL);
    for (const error of sayings(18, 'TOOBIG')) expect(told(error)).toMatchObject({ code: 'ERR_INVALID' });
  });
});

describe.skipIf(!CAN_BOUND)(
  `a file that may grow no longer${CAN_BOUND ? '' : ' (skipped: there is no prlimit)'}`,
  () => {
    it.each(HAS_ADDON ? [MODULE, 'addon'] : [MODULE])(
      'is a full disk, and gone on from: %s',
      async (driver) => {
        const dir = newFolder();
        const other = spawn(process.execPath, [VISIT, dir, 'again'], {
          stdio: ['pipe', 'pipe', 'inherit'],
          env: { ...process.env, HOLDFAST_SQLITE: driver },
        });
        other.stdout.setEncoding('utf8');
        const next = async (): Promise<string> => {
          const [said] = (await once(other.stdout, 'data')) as [string];
          return said.trim();
        };
        const bound = (bytes: number | 'unlimited'): void => {
          const ran = spawnSync('prlimit', ['--pid', `${other.pid}`, `--fsize=${bytes}:unlimited`], {
            encoding: 'utf8',
          });
          expect([ran.status, ran.stderr]).toEqual([0, '']);
        };
        expect(await next()).toBe('1 x');
        bound(statSync(join(dir, 'store.sqlite-wal')).size);
        for (let i = 0; i < 2; i += 1) {
          other.stdin.write('go\n');
          expect(await next()).toBe('ERR_UNAVAILABLE SQLite: the disk is full: make room; nothing was written');
        }
        bound('unlimited');
        other.stdin.write('go\n');
        expect(await next()).toBe('2 xx');
        other.kill();
        await once(other, 'close');
      },
      30_000,
    );
  },
);
