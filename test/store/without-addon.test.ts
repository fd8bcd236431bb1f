import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../ts/clock.ts';
import { findModule, resultCode } from '../../ts/store/sqlite-driver.ts';
import { beginCopy, dropCopy } from '../../ts/store/sqlite-copy.ts';
import { SqliteFiles } from '../../ts/store/sqlite-files.ts';
import { SqliteGround } from '../../ts/store/sqlite-ground.ts';
import { REMOTE, REMOTE_FUSE } from '../../ts/store/sqlite-remote.ts';
import { PRAGMAS, SQL } from '../../ts/store/sqlite-sql.ts';
import { SqliteStore } from '../../ts/store/sqlite.ts';
import { newFolder } from '../folders.ts';
import { HAS_ADDON, MODULE, saidBy } from './drivers.ts';

const BOTH = HAS_ADDON ? '' : ' (skipped: the addon is not built)';
const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

// What is opened in this process is opened by the addon.
if (HAS_ADDON) process.env['HOLDFAST_SQLITE'] = 'addon';

/** Who may read everything shows nothing: as root, another user visits. */
const NOBODY = process.getuid?.() === 0 ? 65534 : undefined;
const CAN_BE_NOBODY =
  NOBODY === undefined || spawnSync(process.execPath, ['--check', path('visit.mjs')], { uid: NOBODY }).status === 0;

/** Appends the next record of session `s` there, and says what is there then; or the code of what failed. */
function visit(dir: string, module: string = MODULE, then = '', uid: number | undefined = undefined): string {
  const ran = spawnSync(process.execPath, [path('visit.mjs'), dir, then], {
    uid,
    encoding: 'utf8',
    timeout: 20_000,
    env: { ...process.env, HOLDFAST_SQLITE: module },
  });
  return `${ran.stdout.trim()}${saidBy(ran.stderr)}`;
}

function thrownBy(run: () => unknown): unknown {
  try {
    run();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('without the addon', () => {
  it('the store keeps the contract', () => {
    const ran = spawnSync(process.execPath, ['--test', '--test-reporter=tap', path('without-addon.mjs')], {
      encoding: 'utf8',
      timeout: 120_000,
      env: { ...process.env, HOLDFAST_SQLITE: MODULE },
    });
    expect(ran.stdout.split('\n').filter((line) => /^ *not ok/.test(line))).toEqual([]);
    expect([ran.status, /^# fail 0$/m.test(ran.stdout)]).toEqual([0, true]);
    expect(Number(/^# pass (\d+)$/m.exec(ran.stdout)?.[1])).toBeGreaterThan(100);
  }, 150_000);

  it.skipIf(!HAS_ADDON)(`it reads what the addon wrote, and the other way round${BOTH}`, async () => {
    const dir = newFolder();
    for (let revision = 1; revision <= 6; revision += 1)
      expect(visit(dir, revision % 2 === 0 ? MODULE : 'addon')).toBe(`${revision} ${'x'.repeat(revision)}`);
    const store = await SqliteStore.open({ dir });
    expect((await store.list({ limit: 9, term: 'visited' })).ids).toEqual(['s']);
    await store.close();
    expect(readdirSync(dir).toSorted()).toEqual(['mark', 'store.sqlite']);
  });

  it.skipIf(!HAS_ADDON)(
    `the mark is read as the addon wrote it, and its damage is said${BOTH}`,
    async () => {
      const dir = newFolder();
      visit(dir, 'addon');
      copyFileSync(join(dir, 'store.sqlite'), join(dir, '../older.sqlite'));
      const store = await SqliteStore.open({ dir });
      await store.promote(5);
      await store.close();
      renameSync(join(dir, '../older.sqlite'), join(dir, 'store.sqlite'));
      const mark = readFileSync(join(dir, 'mark'));
      expect(visit(dir)).toMatch(/^ERR_CORRUPT .*went back: 2 commits were acknowledged, 1 are there/);
      writeFileSync(
        join(dir, 'mark'),
        mark.map((byte, at) => byte ^ Number(at === 7)),
      );
      for (const module of [MODULE, 'addon'])
        expect(visit(dir, module)).toMatch(/^ERR_CORRUPT .*mark', which says what was acknowledged, is damaged/);
      writeFileSync(join(dir, 'mark'), mark);
      expect(visit(dir, MODULE, 'accept')).toBe('');
      const after = await SqliteStore.open({ dir });
      expect(await after.ping()).toEqual({ epoch: 7 });
      await after.close();
    },
    60_000,
  );

  it.skipIf(!CAN_BE_NOBODY)(
    `the folder above need not be readable${CAN_BE_NOBODY ? '' : ' (skipped: nobody cannot read this clone)'}`,
    () => {
      const above = join(newFolder(), 'above');
      mkdirSync(above);
      chmodSync(above, 0o333);
      chmodSync(dirname(above), 0o755);
      expect(visit(join(above, 'store'), MODULE, '', NOBODY)).toBe('1 x');
      chmodSync(above, 0o700);
    },
    60_000,
  );

  it('only the owner may read its files, while it is open too', () => {
    const dir = join(newFolder(), 'store');
    const ground = new SqliteGround(findModule(MODULE), dir, false, systemClock.monotonic() + 10_000);
    const modes = readdirSync(dir).map((name) => [name.replace(/-.*/, ''), statSync(join(dir, name)).mode & 0o777]);
    expect([statSync(dir).mode & 0o777, new Set(modes.map(([, mode]) => mode))]).toEqual([0o700, new Set([0o600])]);
    expect(modes.map(([name]) => name)).toEqual(expect.arrayContaining(['mark', 'store.sqlite', 'thread']));
    ground.close();
  });

  it('a store that goes back while it is open is refused from then on', async () => {
    const [dir, fresh] = [newFolder(), newFolder()];
    new SqliteGround(findModule(MODULE), fresh, false, systemClock.monotonic() + 10_000).close();
    const other = spawn(process.execPath, [path('visit.mjs'), dir, 'again'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, HOLDFAST_SQLITE: MODULE },
    });
    other.stdout.setEncoding('utf8');
    await once(other.stdout, 'data');
    const { DatabaseSync } = createRequire(import.meta.url)('@photostructure/sqlite') as {
      DatabaseSync: new (path: string) => { exec(sql: string): void; close(): void };
    };
    const database = new DatabaseSync(join(dir, 'store.sqlite'));
    database.exec(`ATTACH '${join(fresh, 'store.sqlite')}' AS fresh`);
    database.exec('INSERT OR REPLACE INTO main.meta SELECT * FROM fresh.meta');
    database.close();
    const mark = readFileSync(join(dir, 'mark'));
    for (let i = 0; i < 2; i += 1) {
      other.stdin.write('go\n');
      const [said] = (await once(other.stdout, 'data')) as [string];
      expect(said).toMatch(/^ERR_CORRUPT .*went back: 1 commits were acknowledged, 0 are there/);
    }
    expect(readFileSync(join(dir, 'mark'))).toEqual(mark);
    other.kill();
    await once(other, 'close');
  }, 60_000);

  it.each(HAS_ADDON ? [MODULE, 'addon'] : [MODULE])(
    'what is left of the log of a store that was refused is kept until it is accepted through %s, however often it is opened before',
    async (module) => {
      const dir = newFolder();
      const other = spawn(process.execPath, [path('visit.mjs'), dir, 'again'], {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: { ...process.env, HOLDFAST_SQLITE: MODULE },
      });
      for (let i = 0; i < 6; i += 1) {
        await once(other.stdout, 'data');
        if (i < 5) other.stdin.write('go\n');
      }
      other.kill('SIGKILL');
      await once(other, 'close');
      const log = join(dir, 'store.sqlite-wal');
      truncateSync(log, statSync(log).size - 5000);
      const left = readFileSync(log);
      for (let i = 0; i < 3; i += 1) {
        expect(visit(dir)).toMatch(/^ERR_CORRUPT .*went back: 6 commits were acknowledged/);
        expect(readFileSync(`${log}.6.kept`).equals(left)).toBe(true);
      }
      expect(visit(dir, module, 'accept')).toBe('');
      expect(readFileSync(`${log}.6.kept`).equals(left)).toBe(true);
      expect(readdirSync(dir).toSorted()).toEqual(['mark', 'store.sqlite', 'store.sqlite-wal.6.kept']);
    },
    60_000,
  );

  it('a log is kept under a name of its own where another is kept already', () => {
    const dir = newFolder();
    const files = new SqliteFiles(dir, true);
    const log = join(dir, 'store.sqlite-wal');
    for (const text of ['one', 'one', 'two', '', 'one', 'two']) {
      writeFileSync(log, text);
      files.keepLog(3);
    }
    const kept = readdirSync(dir).filter((name) => name.endsWith('.kept'));
    expect(kept.toSorted().map((name) => [name, readFileSync(join(dir, name), 'utf8')])).toEqual([
      ['store.sqlite-wal.3-2.kept', 'two'],
      ['store.sqlite-wal.3.kept', 'one'],
    ]);
    files.close();
  });

  // A thread of it that is terminated in the middle of a call aborts the process; a process is left alone, and ends.
  it.skipIf(MODULE !== '@photostructure/sqlite')(
    `a worker that is terminated takes nobody along, and leaves nothing behind${MODULE === '@photostructure/sqlite' ? '' : ` (skipped: ${MODULE} needs no process for that)`}`,
    async () => {
      const dir = newFolder();
      const env = { ...process.env, HOLDFAST_SQLITE: MODULE };
      for (let round = 0; round < 3; round += 1) {
        const worker = new Worker(path('writer.mjs'), { workerData: dir, env });
        await once(worker, 'message');
        expect(readdirSync(dir).filter((name) => name.startsWith('thread-'))).toHaveLength(1);
        await worker.terminate();
        await expect.poll(() => readdirSync(dir).toSorted(), { timeout: 10_000 }).toEqual(['mark', 'store.sqlite']);
      }
      expect(visit(dir)).toBe('1 x');
    },
    60_000,
  );

  it('a folder that is gone acknowledges nothing', async () => {
    const dir = newFolder();
    const other = spawn(process.execPath, [path('visit.mjs'), dir, 'again'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, HOLDFAST_SQLITE: MODULE },
    });
    other.stdout.setEncoding('utf8');
    await once(other.stdout, 'data');
    rmSync(dir, { recursive: true });
    other.stdin.write('go\n');
    const [said] = (await once(other.stdout, 'data')) as [string];
    expect(said).toMatch(/^ERR_UNAVAILABLE .*moved, replaced or deleted/);
    other.kill();
    await once(other, 'close');
  }, 60_000);

  it.each([
    ['records', 'fine: 40\nERR_CORRUPT none: a05'],
    ['rows', 'fine: z39\nERR_CORRUPT none: a05'],
  ])(
    'damage in %s is told to those who meet it, and to nobody else',
    (what, told) => {
      const ran = spawnSync(process.execPath, [path('damaged-page.mjs'), newFolder(), what], {
        encoding: 'utf8',
        timeout: 20_000,
        env: { ...process.env, HOLDFAST_SQLITE: MODULE },
      });
      expect(`${ran.stdout.trim()}${saidBy(ran.stderr)}`).toBe(told);
    },
    30_000,
  );

  it('what is wrong is told by the words of SQLite where its code is missing', () => {
    const { DatabaseSync } = createRequire(import.meta.url)('@photostructure/sqlite') as {
      DatabaseSync: new (path: string) => {
        exec(sql: string): void;
        prepare(sql: string): { all(): unknown };
        close(): void;
      };
    };
    const file = join(newFolder(), 'text');
    writeFileSync(file, 'this is no database, but some text that is long enough to be taken for one'.repeat(20));
    const database = new DatabaseSync(file);
    expect(resultCode(thrownBy(() => database.exec('SELECT * FROM sqlite_schema')))).toBe(26);
    database.close();
    const codeOf = (message: string, code = 'ERR_SQLITE_ERROR'): number | undefined =>
      resultCode(Object.assign(new Error(message), { code }));
    const texts = [
      'database disk image is malformed',
      'file is not a database',
      'database is locked',
      'database or disk is full',
      'disk I/O error',
    ];
    expect(texts.map((text) => codeOf(text))).toEqual([11, 26, 5, 13, 10]);
    expect([codeOf('no such thing'), codeOf('disk I/O error', 'EIO')]).toEqual([undefined, undefined]);
  });

  it('a copy that cannot be made says so, and where', () => {
    const [dir, to] = [newFolder(), newFolder()];
    const inTheWay = join(to, 'store.sqlite.part');
    mkdirSync(inTheWay);
    const soon = systemClock.monotonic() + 10_000;
    const ground = new SqliteGround(findModule(MODULE), dir, false, soon);
    expect(thrownBy(() => ground.copy(to, soon))).toMatchObject({
      code: 'ERR_UNAVAILABLE',
      outcome: 'none',
      message: expect.stringContaining(inTheWay) as string,
    });
    ground.close();
  });

  it('a copy begins without what one that was killed left behind', () => {
    const to = newFolder();
    const left = ['store.sqlite.part', 'store.sqlite.part-journal'].map((name) => join(to, name));
    for (const file of left) writeFileSync(file, 'half');
    const part = beginCopy(to);
    expect([part, readdirSync(to), readFileSync(part, 'utf8')]).toEqual([left[0], ['store.sqlite.part'], '']);
    for (const file of left) writeFileSync(file, 'half');
    dropCopy(part);
    expect(readdirSync(to)).toEqual([]);
  });

  it('tables and statements are word for word those of the addon', () => {
    const source = ['connection', 'commit', 'read', 'remote']
      .map((name) => readFileSync(path(`../../crates/sqlite/src/${name}.rs`), 'utf8'))
      .join('\n');
    const flat = source.replaceAll(/\\\n\s*/g, '').replaceAll(/\s+/g, ' ');
    for (const [name, sql] of Object.entries(SQL)) expect(flat, name).toContain(sql.replaceAll(/\s+/g, ' '));
    for (const [name] of PRAGMAS) expect(flat, name).toContain(`"${name}"`);
    const remote = [...source.matchAll(/^ {4}(0x[0-9A-F_]+),/gm)].map(([, digits]) =>
      Number((digits as string).replaceAll('_', '')),
    );
    expect(remote).toEqual(REMOTE);
    expect([...source.matchAll(/^ {4}"([a-z0-9-]+)",$/gm)].map(([, name]) => name)).toEqual(REMOTE_FUSE);
  });
});
