import { HoldfastError } from '../errors.ts';
import { requireLate } from '../package.ts';

export type SqlValue = number | bigint | string | Uint8Array;
/** Whole numbers come as bigint. */
export type SqlRow = Readonly<Record<string, bigint | Uint8Array | string | null>>;

/** A connection to one database, synchronous: it belongs into a thread of its own. */
export interface SqliteDriver {
  exec(sql: string): void;
  run(sql: string, ...values: SqlValue[]): void;
  all(sql: string, ...values: SqlValue[]): readonly SqlRow[];
  close(): void;
}

/** `name`: the module that it comes from. */
export interface SqliteModule {
  readonly name: string;
  /** It ends the process when its thread is terminated in the middle of a call. */
  readonly abortsWithThread: boolean;
  open(path: string): SqliteDriver;
}

/** Before it, closing any handle of the database in the process let others delete the log of a live writer. */
const LEAST = [3, 51];

interface Statement {
  run(...values: SqlValue[]): unknown;
  all(...values: SqlValue[]): SqlRow[];
}

/** The part of `node:sqlite` and its like that is used here. */
interface SyncModule {
  readonly DatabaseSync: new (path: string) => {
    exec(sql: string): void;
    prepare(sql: string): Statement & { setReadBigInts(on: boolean): void };
    close(): void;
  };
}

interface BetterStatement {
  readonly reader: boolean;
  safeIntegers(): unknown;
  run(...values: unknown[]): unknown;
  all(...values: unknown[]): SqlRow[];
}

type BetterModule = new (path: string) => {
  exec(sql: string): void;
  prepare(sql: string): BetterStatement;
  close(): void;
};

/** Statements are prepared once. */
function driver(
  database: { exec(sql: string): void; close(): void },
  prepare: (sql: string) => Statement,
): SqliteDriver {
  const statements = new Map<string, Statement>();
  const statement = (sql: string): Statement => {
    let found = statements.get(sql);
    if (found === undefined) statements.set(sql, (found = prepare(sql)));
    return found;
  };
  return {
    exec: (sql) => database.exec(sql),
    run: (sql, ...values) => void statement(sql).run(...values),
    all: (sql, ...values) => statement(sql).all(...values),
    close: () => database.close(),
  };
}

/** Node 22 takes bytes that lie nowhere for NULL. */
const NO_BYTES = new Uint8Array(new ArrayBuffer(1), 0, 0);

const isNone = (value: SqlValue): boolean => value instanceof Uint8Array && value.length === 0;

function openSync({ DatabaseSync }: SyncModule, path: string): SqliteDriver {
  const database = new DatabaseSync(path);
  return driver(database, (sql) => {
    const statement = database.prepare(sql);
    statement.setReadBigInts(true);
    const placed = (values: readonly SqlValue[]): readonly SqlValue[] =>
      values.some(isNone) ? values.map((value) => (isNone(value) ? NO_BYTES : value)) : values;
    return {
      run: (...values) => statement.run(...placed(values)),
      all: (...values) => statement.all(...placed(values)),
    };
  });
}

function openBetter(Database: BetterModule, path: string): SqliteDriver {
  const database = new Database(path);
  return driver(database, (sql) => {
    const statement = database.prepare(sql);
    if (statement.reader) statement.safeIntegers();
    // It takes `?1` for a name.
    const named = (values: readonly SqlValue[]): unknown[] =>
      values.length === 0 ? [] : [Object.fromEntries(values.map((value, index) => [index + 1, value]))];
    return { run: (...values) => statement.run(...named(values)), all: (...values) => statement.all(...named(values)) };
  });
}

const MODULES: readonly SqliteModule[] = [
  {
    name: 'node:sqlite',
    abortsWithThread: false,
    open: (path) => openSync(requireLate('node:sqlite') as SyncModule, path),
  },
  {
    name: '@photostructure/sqlite',
    abortsWithThread: true,
    open: (path) => openSync(requireLate('@photostructure/sqlite') as SyncModule, path),
  },
  {
    name: 'better-sqlite3',
    abortsWithThread: false,
    open: (path) => openBetter(requireLate('better-sqlite3') as BetterModule, path),
  },
];

/** Why it cannot be used; undefined: it can. */
function lackOf({ name, open }: SqliteModule): string | undefined {
  // Loading it would print a warning for nothing.
  if (name === 'node:sqlite' && !isEnough(process.versions['sqlite']))
    return `${name}: Node ${process.versions.node} has SQLite ${process.versions['sqlite'] ?? 'not at all'}`;
  try {
    const database = open(':memory:');
    const [row] = database.all('SELECT sqlite_version() AS version');
    database.close();
    return isEnough(String(row?.['version'])) ? undefined : `${name}: it has SQLite ${String(row?.['version'])}`;
  } catch (error) {
    return `${name}: ${(error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND' ? 'is not installed' : String(error)}`;
  }
}

function isEnough(version = '0.0'): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > (LEAST[0] as number) || (major === LEAST[0] && minor >= (LEAST[1] as number));
}

/** The first that can be used, or the one of this name. `ERR_UNAVAILABLE` names the remedies. */
export function findModule(name?: string): SqliteModule {
  const lacks: string[] = [];
  for (const candidate of MODULES.filter((module) => name === undefined || module.name === name)) {
    const lack = lackOf(candidate);
    if (lack === undefined) return candidate;
    lacks.push(lack);
  }
  if (lacks.length === 0)
    throw new HoldfastError(
      'ERR_INVALID',
      `unknown driver '${name}': HOLDFAST_SQLITE is 'addon', ${MODULES.map((module) => `'${module.name}'`).join(' or ')}`,
    );
  const remedies = 'install the addon, or `npm install @photostructure/sqlite`, or run on Node 22.23 or later';
  throw new HoldfastError(
    'ERR_UNAVAILABLE',
    `there is no SQLite ${LEAST.join('.')} or later for the embedded store (${lacks.join('; ')}): ${remedies}`,
    { outcome: 'none' },
  );
}

const CODES: Readonly<Record<string, number>> = {
  SQLITE_PERM: 3,
  SQLITE_BUSY: 5,
  SQLITE_LOCKED: 6,
  SQLITE_NOMEM: 7,
  SQLITE_READONLY: 8,
  SQLITE_IOERR: 10,
  SQLITE_CORRUPT: 11,
  SQLITE_FULL: 13,
  SQLITE_CANTOPEN: 14,
  SQLITE_PROTOCOL: 15,
  SQLITE_TOOBIG: 18,
  SQLITE_NOLFS: 22,
  SQLITE_AUTH: 23,
  SQLITE_NOTADB: 26,
};

/** SQLite's own words: some modules pass nothing else on. */
const TEXTS: readonly (readonly [string, number])[] = [
  ['database disk image is malformed', 11],
  ['malformed database schema', 11],
  ['file is not a database', 26],
  ['database is locked', 5],
  ['database table is locked', 6],
  ['locking protocol', 15],
  ['database or disk is full', 13],
  ['disk I/O error', 10],
  ['attempt to write a readonly database', 8],
  ['unable to open database file', 14],
  ['access permission denied', 3],
  ['out of memory', 7],
  ['string or blob too big', 18],
  ['large file support is disabled', 22],
  ['not authorized', 23],
];

interface SqliteError {
  readonly errcode?: unknown;
  readonly sqliteExtendedCode?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
}

/** What follows SQLITE_IOERR where a call to the system has failed. */
const CALLS: Readonly<Record<string, { readonly extended: number; readonly does: 'write' | 'other' }>> = {
  READ: { extended: 266, does: 'other' },
  WRITE: { extended: 778, does: 'write' },
  FSYNC: { extended: 1034, does: 'other' },
  DIR_FSYNC: { extended: 1290, does: 'other' },
  TRUNCATE: { extended: 1546, does: 'write' },
  FSTAT: { extended: 1802, does: 'other' },
  DELETE: { extended: 2570, does: 'other' },
  LOCK: { extended: 3850, does: 'other' },
  SHMOPEN: { extended: 4618, does: 'write' },
  SHMSIZE: { extended: 4874, does: 'write' },
  SHMLOCK: { extended: 5130, does: 'other' },
  SHMMAP: { extended: 5386, does: 'other' },
};
const NOMEM = 3082;

const isCode = ({ errcode, sqliteExtendedCode, code }: SqliteError, extended: number, name: string): boolean =>
  errcode === extended || sqliteExtendedCode === extended || code === `SQLITE_IOERR_${name}`;

/** What the system was called for where that is what failed; what it failed to write is not there. */
export function failedCall(error: unknown): 'write' | 'other' | undefined {
  const found = Object.entries(CALLS).find(([name, { extended }]) => isCode(error as SqliteError, extended, name));
  return found?.[1].does;
}

/** SQLite's primary result code; undefined: the error is not SQLite's. */
export function resultCode(error: unknown): number | undefined {
  const { errcode, code, message } = error as SqliteError;
  // There is no room for the index of the log.
  if (isCode(error as SqliteError, 4874, 'SHMSIZE')) return CODES['SQLITE_FULL'];
  if (isCode(error as SqliteError, NOMEM, 'NOMEM')) return CODES['SQLITE_NOMEM'];
  if (typeof errcode === 'number') return errcode & 0xff;
  if (typeof code !== 'string' || !code.includes('SQLITE_')) return undefined;
  if (code.startsWith('SQLITE_')) return CODES[code.split('_', 2).join('_')] ?? 1;
  return TEXTS.find(([text]) => String(message).includes(text))?.[1];
}
