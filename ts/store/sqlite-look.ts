import { closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { HoldfastError } from '../errors.ts';
import { single } from './sqlite-column.ts';
import type { SqliteModule } from './sqlite-driver.ts';
import { damaged, markMissing, otherLayout, somethingElse, wentBack } from './sqlite-error.ts';
import { lookAtMark } from './sqlite-mark.ts';
import { LOG, MARK, STORE, checkNeighbours, isOpenHere, reaching } from './sqlite-place.ts';
import { APPLICATION, COMMITS_KEY, FORMAT, SQL } from './sqlite-sql.ts';

const MAGIC = 'SQLite format 3\0';
const HEADER_BYTES = 100;
const LAYOUT_AT = 60;
const APPLICATION_AT = 68;

/**
 * What lies in a folder, before anything of it is made, switched or locked: what is refused stays as it was. As in
 * `crates/sqlite`. Given back: why it may be older than what was acknowledged, which only an explicit call accepts.
 */
export function look(module: SqliteModule, dir: string): HoldfastError | undefined {
  checkNeighbours(dir, false);
  const mark = join(dir, MARK);
  // Another may be making all of it meanwhile: what is missed is read before the database, what is found after it.
  const before = attempt(() => lookAtMark(mark));
  const logBytes = lengthOf(join(dir, LOG));
  // Who has it open here has looked; to close it would take SQLite's locks away.
  const isEmpty = isOpenHere(dir) ? lengthOf(join(dir, STORE)) === 0 : checkHeader(join(dir, STORE));
  const after = attempt(() => lookAtMark(mark));
  for (const { error } of [before, after]) if (error !== undefined) return error;
  if (isEmpty) {
    const known = before.value?.commits ?? 0;
    // SQLite deletes the log of an empty database.
    return known > 0 || logBytes > 0 ? wentBack(known, 0) : undefined;
  }
  if (after.value !== undefined) return undefined;
  return logBytes > 0 || holdsAnything(module, join(dir, STORE)) ? markMissing(mark) : undefined;
}

function attempt<T>(run: () => T): { readonly value?: T; readonly error?: HoldfastError } {
  try {
    return { value: run() };
  } catch (error) {
    if ((error as HoldfastError).code !== 'ERR_CORRUPT') throw error;
    return { error: error as HoldfastError };
  }
}

const lengthOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** Whether there is no database, or an empty one; one that is none of ours is refused. */
function checkHeader(path: string): boolean {
  const header = reaching(path, () => headerOf(path));
  if (header.length === 0) return true;
  if (header.length < HEADER_BYTES || !header.toString('latin1').startsWith(MAGIC))
    throw damaged('file is not a database');
  if (header.readInt32BE(APPLICATION_AT) !== APPLICATION) throw somethingElse(path);
  if (header.readInt32BE(LAYOUT_AT) !== FORMAT) throw otherLayout(path, header.readInt32BE(LAYOUT_AT));
  return false;
}

function headerOf(path: string): Buffer {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
  try {
    const bytes = Buffer.alloc(HEADER_BYTES);
    return bytes.subarray(0, readSync(file, bytes, 0, HEADER_BYTES, 0));
  } finally {
    closeSync(file);
  }
}

/** Of a database without a log that is ours. What it makes meanwhile goes when it is closed. */
function holdsAnything(module: SqliteModule, path: string): boolean {
  const driver = module.open(path);
  try {
    if (single(driver.all(SQL.countTables)) === 0) return false; // its making was broken off
    return single(driver.all(SQL.holdsAnything, COMMITS_KEY)) > 0;
  } finally {
    driver.close();
  }
}
