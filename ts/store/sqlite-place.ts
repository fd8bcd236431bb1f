import {
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { dirname, join, resolve } from 'node:path';
import { HoldfastError } from '../errors.ts';
import { refused, unreached } from './sqlite-error.ts';
import { isRemote } from './sqlite-remote.ts';
import { failure } from './sqlite-wire.ts';
import { reason } from './system-error.ts';

export const STORE = 'store.sqlite';
export const LOG: string = `${STORE}-wal`;
export const MARK = 'mark';
export const PART: string = `${STORE}.part`;
/** They stay the same while a store is open. */
export const FILES: readonly string[] = [STORE, LOG, `${STORE}-shm`, MARK];
/** While the tables are made. */
const JOURNAL = `${STORE}-journal`;
/** Of those who have it open through the addon, and through a thread like this one. */
const ADDON = 'open-';
const THREAD = 'thread-';

/** Makes what is missing; its real path, where a store may lie. Fails with the words of the addon. */
export function openPlace(dir: string): string {
  const path = reaching(dir, () => {
    makeFolder(dir);
    return realpathSync(dir);
  });
  checkPlace(path);
  return path;
}

/** What the system does not let be opened. */
export function reaching<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw unreached(`'${path}' cannot be opened`, error);
  }
}

/** For its owner alone, with those above it that are missing. Node's own way misnames what fails, and in /proc never ends. */
export function makeFolder(dir: string): void {
  const missing: string[] = [];
  let above = resolve(dir);
  for (; statSync(above, { throwIfNoEntry: false }) === undefined; above = dirname(above)) missing.unshift(above);
  for (const path of missing) {
    try {
      mkdirSync(path, { mode: 0o700 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unmade(dir, above, error);
    }
  }
}

function unmade(dir: string, above: string, error: unknown): HoldfastError {
  const what = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'it takes no folders; name another' : reason(error);
  return failure('ERR_UNAVAILABLE', `'${dir}' cannot be made in '${above}': ${what}`, 'none');
}

/** SQLite would follow a link, or take whatever lies there for its own. */
function checkPlace(dir: string): void {
  if (reaching(dir, () => isRemote(dir)))
    throw refused(
      `'${dir}' is on a network file system, whose locks cannot be relied on: name a folder on a local disk`,
    );
  for (const name of [...FILES, JOURNAL]) {
    const path = join(dir, name);
    const found = reaching(path, () => lstatSync(path, { throwIfNoEntry: false }));
    if (found !== undefined && !found.isFile()) throw refused(`'${path}' is no plain file: move it away`);
  }
}

/** Process ids are only different within one namespace. */
function pidSpace(): number {
  return statSync('/proc/self/ns/pid', { throwIfNoEntry: false })?.ino ?? 0;
}

/** A name for what says that this thread has the store open. */
export const newPresence = (): string => `${ownPresences()}${randomBytes(4).toString('hex')}`;

const ownPresences = (): string => `${THREAD}${process.pid}-${pidSpace()}-`;

/** Another thread of this process has it open, or is about to. */
export const isOpenHere = (dir: string): boolean => readdirSync(dir).some((name) => name.startsWith(ownPresences()));

/**
 * The addon's outer lock cannot be had here: both kinds at once would be without it. `tidies`: up after those that
 * died.
 */
export function checkNeighbours(dir: string, tidies: boolean): void {
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    if (tidies && name.startsWith(THREAD) && !isAlive(name, THREAD)) unlinkQuietly(path);
    if (!name.startsWith(ADDON) || !isAlive(name, ADDON)) continue;
    const message = `'${dir}' is open through Holdfast's addon, which this process does without: use the addon in all processes or in none ('${path}' says who, and may be deleted if that is not so)`;
    throw refused(message);
  }
}

/** Of another namespace nobody can tell: taken for alive. */
function isAlive(name: string, prefix: string): boolean {
  const [pid, space] = name.slice(prefix.length).split('-').map(Number);
  if (pid === undefined || space !== pidSpace()) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** A power cut must not take the names away from what is flushed. */
export function flushNames(dir: string): void {
  flush(dir);
  try {
    flush(dirname(dir));
  } catch (error) {
    // Of others, who let us pass but not read it: not ours to flush.
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
  }
}

export function flush(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

export function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // is gone already
  }
}
