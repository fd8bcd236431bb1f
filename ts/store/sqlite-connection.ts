import { systemClock } from '../clock.ts';
import { single } from './sqlite-column.ts';
import type { SqliteDriver, SqliteModule } from './sqlite-driver.ts';
import { isBusy } from './sqlite-error.ts';
import { sealMeta } from './sqlite-seal.ts';
import { APPLICATION, FIRST, FORMAT, PRAGMAS, SQL } from './sqlite-sql.ts';

export const leftMs = (dueMs: number): number => Math.max(0, Math.floor(dueMs - systemClock.monotonic()));

export function connect(module: SqliteModule, path: string, dueMs: number): SqliteDriver {
  const driver = module.open(path);
  try {
    driver.exec(`PRAGMA busy_timeout=${leftMs(dueMs)}`);
    for (const [name, value] of PRAGMAS) driver.exec(`PRAGMA ${name}=${value}`);
    return driver;
  } catch (error) {
    driver.close();
    throw error;
  }
}

/** Before it is switched to WAL, so that all of it is in the file itself from the beginning, its header above all. */
export function makeTables(driver: SqliteDriver, dueMs: number): void {
  untilFree(dueMs, () => {
    if (single(driver.all(SQL.countTables)) === 0) makeAll(driver);
  });
}

export function writeAhead(driver: SqliteDriver, dueMs: number): void {
  untilFree(dueMs, () => driver.exec('PRAGMA journal_mode=WAL'));
}

/** As one, so that two who open first do not see half of it. */
function makeAll(driver: SqliteDriver): void {
  driver.exec('BEGIN IMMEDIATE');
  try {
    driver.exec(`PRAGMA application_id=${APPLICATION}`);
    driver.exec(`PRAGMA user_version=${FORMAT}`);
    driver.exec(SQL.schema);
    for (const [key, value] of FIRST) driver.run(SQL.firstMeta, key, value, sealMeta(BigInt(key), BigInt(value)));
    driver.exec('COMMIT');
  } catch (error) {
    rollBack(driver);
    throw error;
  }
}

export function rollBack(driver: SqliteDriver): void {
  try {
    driver.exec('ROLLBACK');
  } catch {
    // was rolled back already
  }
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
