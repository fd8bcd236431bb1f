import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
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
import { sealMeta } from '../../ts/store/sqlite-seal.ts';
import { COMMITS_KEY, FORMAT_KEY } from '../../ts/store/sqlite-sql.ts';

/** What becomes of an opening, the same by each way to a SQLite. */
export interface Case {
  readonly what: string;
  /** `dir` holds a store of one commit, which nobody has open. */
  readonly harm: (dir: string) => void;
  readonly code: 'ERR_UNAVAILABLE' | 'ERR_CORRUPT' | 'ERR_INVALID';
  readonly says: RegExp;
  /** What is opened, in place of the folder. */
  readonly at?: string;
}

interface Database {
  exec(sql: string): void;
  close(): void;
}

function openDatabase(dir: string): Database {
  const { DatabaseSync } = createRequire(import.meta.url)('@photostructure/sqlite') as {
    DatabaseSync: new (path: string) => Database;
  };
  return new DatabaseSync(join(dir, 'store.sqlite'));
}

function execute(dir: string, sql: string): void {
  const database = openDatabase(dir);
  database.exec(sql);
  database.close();
}

/** Files as they are while somebody has them open, without those of these endings. */
function executeAndStay(dir: string, sql: string, ...lost: string[]): void {
  const elsewhere = `${dir}.open`;
  mkdirSync(elsewhere);
  const database = openDatabase(elsewhere);
  database.exec(sql);
  cpSync(elsewhere, dir, { recursive: true });
  database.close();
  for (const ending of lost) rmSync(join(dir, `store.sqlite${ending}`));
}

/** A number of the store, with a checksum that fits. */
const set = (dir: string, key: number, value: number): void =>
  execute(dir, `UPDATE meta SET value=${value}, sum=${sealMeta(BigInt(key), BigInt(value))} WHERE key=${key}`);

function empty(dir: string): void {
  for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true });
}

/** In place of the store. */
const instead =
  (make: (dir: string) => void) =>
  (dir: string): void => {
    empty(dir);
    make(dir);
  };

const remake = (dir: string, name: string, make: (path: string) => void): void => {
  rmSync(join(dir, name), { recursive: true, force: true });
  make(join(dir, name));
};

/** What it leads to is neither followed nor taken for it. */
const link = (dir: string, name: string): void => {
  writeFileSync(join(dir, 'elsewhere'), '');
  remake(dir, name, (path) => symlinkSync('elsewhere', path));
};

/** As after the death of the process that had it open. */
function appendAndDie(dir: string, visit: string): void {
  const script = `const { spawn } = require('node:child_process');
    const other = spawn(process.execPath, [${JSON.stringify(visit)}, ${JSON.stringify(dir)}, 'stay']);
    other.stdout.once('data', () => other.kill('SIGKILL'));`;
  execFileSync(process.execPath, ['-e', script], { timeout: 20_000 });
}

const TEXT = 'this is no database, but some text that is long enough to be taken for one'.repeat(20);
const WAL = 'PRAGMA journal_mode=WAL; CREATE TABLE other(x); INSERT INTO other VALUES(1);';
const SPILLED = `CREATE TABLE other(x); INSERT INTO other VALUES(zeroblob(9000));
  PRAGMA cache_size=1; BEGIN; UPDATE other SET x=randomblob(9000); INSERT INTO other VALUES(randomblob(90000));`;
const SAME_TABLES = `CREATE TABLE meta(key INTEGER PRIMARY KEY, value INTEGER NOT NULL, sum INTEGER NOT NULL);
  CREATE TABLE session(id BLOB PRIMARY KEY); CREATE TABLE record(id BLOB); CREATE TABLE term(term BLOB);`;

/** Databases of somebody else: not even looked into. */
const FOREIGN: readonly Case[] = (
  [
    ['with a rollback journal', (dir) => execute(dir, 'CREATE TABLE other(x)')],
    ['in WAL mode', (dir) => execute(dir, WAL)],
    ['that is open in WAL mode', (dir) => executeAndStay(dir, WAL)],
    ['whose index is gone', (dir) => executeAndStay(dir, WAL, '-shm')],
    ['in the middle of a transaction', (dir) => executeAndStay(dir, SPILLED)],
    ['with tables of the same names', (dir) => execute(dir, SAME_TABLES)],
    ['without a table', (dir) => execute(dir, 'PRAGMA user_version=4')],
    ['of another application', (dir) => execute(dir, 'PRAGMA application_id=7; PRAGMA user_version=4')],
    [
      'beside a mark that is none',
      (dir) => {
        execute(dir, 'CREATE TABLE other(x)');
        writeFileSync(join(dir, 'mark'), 'this marks something, but nothing of ours');
      },
    ],
  ] satisfies [string, (dir: string) => void][]
).map(([what, make]) => ({
  what: `a database ${what}`,
  harm: instead(make),
  code: 'ERR_INVALID',
  says: /a database of something else: name another folder/,
}));

const PLAIN: Omit<Case, 'what' | 'harm'> = { code: 'ERR_INVALID', says: /is no plain file: move it away/ };
const UNMARKED: Omit<Case, 'what' | 'harm'> = {
  code: 'ERR_CORRUPT',
  says: /mark', which says what was acknowledged, is missing.*acceptOlder/,
};
const VISIT = fileURLToPath(new URL('visit.mjs', import.meta.url));

/** Whoever owns the files may not open them. */
export const FORBIDDEN: readonly Case[] = [
  {
    what: 'a folder that may not be made',
    harm: (dir) => chmodSync(dir, 0o555),
    code: 'ERR_UNAVAILABLE',
    says: /below' cannot be made in '.*': .*permission denied.*give this user the right/i,
    at: 'below',
  },
  {
    what: 'a folder in one that may not be made',
    harm: (dir) => chmodSync(dir, 0o555),
    code: 'ERR_UNAVAILABLE',
    says: /below\/deep' cannot be made in '.*': .*permission denied.*give this user the right/i,
    at: 'below/deep',
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
      empty(dir);
      chmodSync(dir, 0o555);
    },
    code: 'ERR_UNAVAILABLE',
    says: /mark' cannot be opened: .*permission denied.*give this user the right/i,
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
    says: /store\.sqlite' cannot be opened: .*permission denied/i,
  },
];

/** Refused whatever is accepted. */
export const REFUSED: readonly Case[] = [
  ...FOREIGN,
  {
    what: 'a folder where none can be made',
    harm: () => undefined,
    code: 'ERR_UNAVAILABLE',
    says: /'\/proc\/nothing\/store' cannot be made in '\/proc': it takes no folders/,
    at: '/proc/nothing/store',
  },
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
    harm: (dir) => link(dir, 'store.sqlite'),
    ...PLAIN,
  },
  {
    what: 'a log that is a folder',
    harm: (dir) => remake(dir, 'store.sqlite-wal', (path) => mkdirSync(path)),
    ...PLAIN,
  },
  {
    what: 'a log that is a link',
    harm: (dir) => link(dir, 'store.sqlite-wal'),
    ...PLAIN,
  },
  {
    what: 'a journal that is a link',
    harm: (dir) => link(dir, 'store.sqlite-journal'),
    ...PLAIN,
  },
  {
    what: 'an index of the log that is a link',
    harm: (dir) => link(dir, 'store.sqlite-shm'),
    ...PLAIN,
  },
  {
    what: 'an index of the log that is a link to nothing',
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
    harm: (dir) => link(dir, 'mark'),
    ...PLAIN,
  },
  {
    what: 'a text in place of the database',
    harm: (dir) => writeFileSync(join(dir, 'store.sqlite'), TEXT),
    code: 'ERR_CORRUPT',
    says: /file is not a database.*restore it from a backup/,
  },
  {
    what: 'a database of something else beside our mark',
    harm: (dir) => remake(dir, 'store.sqlite', () => execute(dir, 'CREATE TABLE other(x)')),
    code: 'ERR_INVALID',
    says: /a database of something else: name another folder/,
  },
  {
    what: 'tables of another layout',
    harm: (dir) => execute(dir, 'PRAGMA user_version=9'),
    code: 'ERR_INVALID',
    says: /has layout 9, this version of Holdfast reads 4/,
  },
  {
    what: 'tables of another layout than their header says',
    harm: (dir) => set(dir, FORMAT_KEY, 9),
    code: 'ERR_INVALID',
    says: /has layout 9, this version of Holdfast reads 4/,
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
];

/** Refused until it is accepted. */
export const OLDER: readonly Case[] = [
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
  {
    what: 'a mark that is gone',
    harm: (dir) => rmSync(join(dir, 'mark')),
    ...UNMARKED,
  },
  {
    what: 'a mark that was emptied',
    harm: (dir) => truncateSync(join(dir, 'mark'), 0),
    ...UNMARKED,
  },
  {
    what: 'a mark of zeros',
    harm: (dir) => writeFileSync(join(dir, 'mark'), Buffer.alloc(32)),
    ...UNMARKED,
  },
  {
    what: 'a mark that is gone, and a log that is there',
    harm: (dir) => {
      appendAndDie(dir, VISIT);
      for (const name of readdirSync(dir)) if (/^(?:mark|open-|thread-)/.test(name)) rmSync(join(dir, name));
    },
    ...UNMARKED,
  },
  {
    what: 'a log alone',
    harm: (dir) => {
      appendAndDie(dir, VISIT);
      for (const name of readdirSync(dir)) if (name !== 'store.sqlite-wal') rmSync(join(dir, name));
      writeFileSync(join(dir, 'store.sqlite'), '');
    },
    code: 'ERR_CORRUPT',
    says: /went back: 0 commits were acknowledged, 0 are there/,
  },
];

/** No process has this id. */
const DEAD = 999_999_999;

/** As they are left by whoever opens first and is killed, or by an operator: gone on with. */
export const HALF_MADE: readonly (readonly [string, (dir: string) => void])[] = [
  ['an empty folder', () => undefined],
  ['an empty mark', (dir) => writeFileSync(join(dir, 'mark'), '')],
  ['a mark with room only', (dir) => writeFileSync(join(dir, 'mark'), Buffer.alloc(32))],
  ['an empty database', (dir) => writeFileSync(join(dir, 'store.sqlite'), '')],
  [
    'an empty mark and an empty database',
    (dir) => ['mark', 'store.sqlite'].forEach((name) => writeFileSync(join(dir, name), '')),
  ],
  [
    'what those that died say of themselves',
    (dir) => {
      const space = statSync('/proc/self/ns/pid', { throwIfNoEntry: false })?.ino ?? 0;
      for (const name of ['mark', `open-${DEAD}-${space}`, `thread-${DEAD}-${space}-1`])
        writeFileSync(join(dir, name), '');
    },
  ],
];
