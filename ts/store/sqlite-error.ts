import { HoldfastError } from '../errors.ts';
import { resultCode } from './sqlite-driver.ts';
import { FORMAT } from './sqlite-sql.ts';
import { failure } from './sqlite-wire.ts';
import { isRoomless, reason } from './system-error.ts';

const BUSY: readonly number[] = [5, 6, 15];
export const FULL = 13;
export const CANTOPEN = 14;
const TOO_BIG = 18;
/** Rights, memory, and what the system does not let be opened. */
const UNREACHABLE: readonly number[] = [3, 7, 8, CANTOPEN, 22, 23];

/** Others were in the way, and nothing happened. */
export const isBusy = (error: unknown): boolean => BUSY.includes(resultCode(error) ?? 0);
/** The disk is full, and nothing happened. */
export const isFull = (error: unknown): boolean => resultCode(error) === FULL;

export function wentBack(known: number, found: number): HoldfastError {
  const remedy = 'put the newer files back, or open it once with `acceptOlder` to go on from this state';
  return failure(
    'ERR_CORRUPT',
    `the store went back: ${known} commits were acknowledged, ${found} are there; ${remedy}`,
    'none',
  );
}

const unmarked = (path: string, lack: string): HoldfastError => {
  const remedy = 'restore it from a backup, or open it once with `acceptOlder` to go on from what is there';
  const what = `which says what was acknowledged, is ${lack}, so that nobody can tell whether the store is older`;
  return failure('ERR_CORRUPT', `'${path}', ${what}: ${remedy}`, 'none');
};

export const markDamaged = (path: string): HoldfastError => unmarked(path, 'damaged');
/** There is a store, but nothing there says what was acknowledged. */
export const markMissing = (path: string): HoldfastError => unmarked(path, 'missing');

/** The folder is none that may be opened. */
export const refused = (message: string): HoldfastError => failure('ERR_INVALID', message, 'none');

export const somethingElse = (path: string): HoldfastError =>
  refused(`'${path}' is a database of something else: name another folder`);

export const otherLayout = (path: string, found: number): HoldfastError =>
  refused(`'${path}' has layout ${found}, this version of Holdfast reads ${FORMAT}: name another folder`);

/** What the system says of a file. */
export const unreached = (what: string, error: unknown): HoldfastError =>
  isRoomless(error) ? full() : failure('ERR_UNAVAILABLE', `${what}: ${reason(error)}`, 'none');

const full = (): HoldfastError => failure('ERR_UNAVAILABLE', 'the disk is full: make room', 'none');

export function damaged(what: string): HoldfastError {
  return failure('ERR_CORRUPT', `the store is damaged (${what}): restore it from a backup`, 'none');
}

/** An error of SQLite, by what it means to the caller. */
export function translate(error: unknown): unknown {
  if (error instanceof HoldfastError) return error;
  const code = resultCode(error);
  const text = error instanceof Error ? error.message : String(error);
  // the system's, most often, which names the path
  if (code === undefined) return failure('ERR_UNAVAILABLE', reason(error), 'none');
  if (isBusy(error))
    return failure(
      'ERR_UNAVAILABLE',
      'another process kept the store busy until the time of the call was over',
      'none',
    );
  if (isFull(error)) return full();
  if (code === TOO_BIG) return refused('a row or record is larger than SQLite takes');
  if (UNREACHABLE.includes(code)) return failure('ERR_UNAVAILABLE', text, 'none');
  return damaged(text);
}
