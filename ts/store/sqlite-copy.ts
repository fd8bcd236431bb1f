import { closeSync, fsyncSync, linkSync, lstatSync, openSync, realpathSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HoldfastError } from '../errors.ts';
import { newMark } from './sqlite-mark.ts';
import type { Known } from './sqlite-mark.ts';
import { LOG, MARK, PART, STORE, flush, makeFolder, unlinkQuietly } from './sqlite-place.ts';

/** An empty file for a copy, in a folder without a store; what was begun and not finished there is begun anew. */
export function beginCopy(to: string): string {
  makeFolder(to);
  checkNew(to);
  const part = join(realpathSync(to), PART);
  unlinkQuietly(join(to, MARK));
  dropCopy(part);
  closeSync(openSync(part, 'wx', 0o600));
  return part;
}

/** The mark of a copy that was begun may be there before all of it is. */
function checkNew(to: string): void {
  const isThere = (name: string): boolean => lstatSync(join(to, name), { throwIfNoEntry: false }) !== undefined;
  if (isThere(STORE) || isThere(LOG) || (isThere(MARK) && !isThere(PART)))
    throw new HoldfastError('ERR_INVALID', `'${to}' holds a store already: name a new folder`);
}

/** It is a store from now on; its mark is there first, or a copy that was broken off there would pass for a store without one. */
export function endCopy(part: string, known: Known): void {
  const dir = dirname(part);
  flush(part);
  const mark = openSync(join(dir, MARK), 'wx', 0o600);
  try {
    writeSync(mark, newMark(known));
    fsyncSync(mark);
    flush(dir);
    rename(part, join(dir, STORE));
  } catch (error) {
    unlinkQuietly(join(dir, MARK));
    throw error;
  } finally {
    closeSync(mark);
  }
  flush(dir);
}

/** By a link, for that takes the place of nothing. */
function rename(part: string, store: string): void {
  try {
    linkSync(part, store);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw error;
    return renameSync(part, store); // where there are no links
  }
  unlinkQuietly(part);
}

/** A journal that is left would be played back into the next copy. */
export function dropCopy(part: string): void {
  for (const path of [part, `${part}-journal`]) unlinkQuietly(path);
}
