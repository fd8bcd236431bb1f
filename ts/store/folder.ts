import { lstat, open, readdir, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { HoldfastError } from '../errors.ts';
import { reason } from './system-error.ts';

/** Files of the embedded store. The second alone: another process is just making the first. */
const OURS = ['store.sqlite', 'mark'];
/** What a copy that was broken off leaves. */
const PARTS = ['store.sqlite.part', 'store.sqlite.part-journal'];
const LMDB = 'data.mdb';
/** What file systems and tools leave in folders that are empty to their users. */
const LITTER = /^(?:\.|lost\+found$)/;
const SHOWN = 3;

/**
 * What a path leads to now: the process may go to another folder while a store is being opened. Dots stay: behind a
 * link the system takes them from where that leads.
 */
export function absolute(dir: string): string {
  checkPath(dir);
  try {
    return isAbsolute(dir) ? dir : `${process.cwd()}/${dir}`;
  } catch (cause) {
    const why = 'the folder that the process is in is gone: name it by its whole path';
    throw new HoldfastError('ERR_UNAVAILABLE', `nobody can tell what '${dir}' leads to, as ${why}`, {
      cause,
      outcome: 'none',
    });
  }
}

/**
 * `ERR_INVALID`, saying what it found, for a folder of another layout, by its absolute path. `copy`: one may have been
 * begun there. Our own files are not opened: closing one drops SQLite's locks on it.
 */
export async function checkFolder(dir: string, use: 'open' | 'copy' = 'open'): Promise<void> {
  const entries = (await entriesOf(dir)).filter(({ name }) => use === 'open' || !PARTS.includes(name));
  if (entries.some(({ name }) => name === LMDB)) throw otherLayout(dir, `an LMDB database, '${LMDB}'`);
  if (entries.some(({ name }) => OURS.includes(name))) return;
  for (const { name, isFile } of entries) {
    if (isFile && (await isSqlite(join(dir, name))))
      throw otherLayout(dir, `a SQLite database of something else, '${name}'`);
  }
  const unknown = entries
    .map(({ name }) => name)
    .filter((name) => !LITTER.test(name))
    .toSorted();
  if (unknown.length === 0) return;
  const shown = unknown
    .slice(0, SHOWN)
    .map((name) => `'${name}'`)
    .join(', ');
  throw otherLayout(
    dir,
    `files that are none of Holdfast's: ${shown}${unknown.length > SHOWN ? ` and ${unknown.length - SHOWN} more` : ''}`,
  );
}

/** No folder is made of a name that its caller did not mean as one. */
function checkPath(dir: string): void {
  const refuse = (why: string): never => {
    throw new HoldfastError('ERR_INVALID', `${JSON.stringify(dir)} is no path of a folder: ${why}`);
  };
  if (dir.trim() === '') refuse('name one, e.g. ./sessions');
  if (dir.includes('\0')) refuse('it has a NUL character, which no path may have');
  if (!dir.isWellFormed()) refuse('it has half a surrogate pair, which no path may have');
  if (/^~[\\/]/.test(dir)) refuse(`'~' is the shell's: write the home folder out`);
  if (/^:?memory:/i.test(dir)) refuse(`a store in memory is openStore('memory:')`);
  const scheme = /^(?:sqlite|file):/i.exec(dir)?.[0];
  if (scheme !== undefined)
    refuse(
      `'${scheme}' begins an address, which openStore takes: give the path alone, or ./${scheme}… for a folder of that name`,
    );
}

interface Entry {
  readonly name: string;
  readonly isFile: boolean;
}

/** Of a folder that is not there: none. */
async function entriesOf(dir: string): Promise<Entry[]> {
  try {
    const found = await stat(dir);
    if (!found.isDirectory()) {
      const what = found.isFile() && (await isSqlite(dir)) ? 'a SQLite database' : 'a file';
      throw new HoldfastError('ERR_INVALID', `'${dir}' is ${what}, not a folder: name a folder for the store`);
    }
    return (await readdir(dir, { withFileTypes: true })).map((entry) => ({ name: entry.name, isFile: entry.isFile() }));
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return checkLinks(dir);
    throw new HoldfastError('ERR_UNAVAILABLE', `the folder '${dir}' cannot be read: ${reason(cause)}`, {
      cause,
      outcome: 'none',
    });
  }
}

/** Of a path that leads to nothing: a link on it would be said to exist by who makes the folder. */
async function checkLinks(dir: string): Promise<[]> {
  for (let at = resolve(dir); dirname(at) !== at; at = dirname(at)) {
    const found = await lstat(at).catch(() => undefined);
    if (found === undefined) continue;
    if (!found.isSymbolicLink() || (await stat(at).catch(() => undefined)) !== undefined) return [];
    throw new HoldfastError(
      'ERR_UNAVAILABLE',
      `'${at}' is a link that leads nowhere: make or mount the folder that it leads to, or remove the link`,
      { outcome: 'none' },
    );
  }
  return [];
}

function otherLayout(dir: string, found: string): HoldfastError {
  return new HoldfastError(
    'ERR_INVALID',
    `the folder '${dir}' holds ${found}: name another folder, an empty one or one that was opened by this kind of store before`,
  );
}

const SQLITE_HEADER = 'SQLite format 3\0';

/** By its first bytes; what cannot be read, or is gone meanwhile, is none. */
async function isSqlite(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'r');
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(SQLITE_HEADER.length), 0, SQLITE_HEADER.length, 0);
      return buffer.toString('latin1', 0, bytesRead) === SQLITE_HEADER;
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
}
