import { systemClock } from '../clock.ts';
import type { Marks } from './backend.ts';
import type { SqliteDriver, SqliteModule, SqlRow } from './sqlite-driver.ts';
import { damaged, isBusy } from './sqlite-error.ts';
import { COMMITS_KEY, EPOCH_KEY, PRAGMAS, SQL } from './sqlite-sql.ts';

export const leftMs = (dueMs: number): number => Math.max(0, Math.floor(dueMs - systemClock.monotonic()));

/** The first column, a whole number. `ERR_CORRUPT`: there is none. */
export function whole(row: SqlRow | undefined): number {
  const value = Object.values(row ?? {})[0];
  if (typeof value === 'bigint') return Number(value);
  throw damaged(row === undefined ? 'a row of it is missing' : 'a number of it is none');
}

export const meta = (driver: SqliteDriver, key: number): number => whole(driver.all(SQL.meta, key)[0]);

export function marksOf(driver: SqliteDriver): Marks {
  const [epoch, births] = driver.all(SQL.metas, EPOCH_KEY, COMMITS_KEY);
  return { epoch: whole(epoch), births: whole(births) };
}

export function connect(module: SqliteModule, path: string, dueMs: number): SqliteDriver {
  const driver = module.open(path);
  try {
    driver.exec(`PRAGMA busy_timeout=${leftMs(dueMs)}`);
    untilFree(dueMs, () => driver.exec('PRAGMA journal_mode=WAL'));
    for (const [name, value] of PRAGMAS) driver.exec(`PRAGMA ${name}=${value}`);
    return driver;
  } catch (error) {
    driver.close();
    throw error;
  }
}

export function makeTables(driver: SqliteDriver, dueMs: number): void {
  untilFree(dueMs, () => {
    if (whole(driver.all(SQL.countTables)[0]) === 0) driver.exec(SQL.schema);
  });
}

/** Switching a new file to WAL answers "busy" without waiting. */
function untilFree(dueMs: number, run: () => void): void {
  for (;;) {
    try {
      return run();
    } catch (error) {
      if (!isBusy(error) || leftMs(dueMs) === 0) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
