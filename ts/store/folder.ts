import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../errors.ts';

/** Files of the embedded store. The second alone: another process is just making the first. */
const OURS = ['store.sqlite', 'mark'];
const LMDB = 'data.mdb';
/** What file systems and tools leave in folders that are empty to their users. */
const LITTER = /^(?:\.|lost\+found$)/;
const SHOWN = 3;

/** `ERR_INVALID`, saying what it found, for a folder of another layout. Our own files are not opened: closing one drops SQLite's locks on it. */
export async function checkFolder(dir: string): Promise<void> {
  const entries = await entriesOf(dir);
  if (entries.some(({ name }) => name === LMDB)) throw otherLayout(dir, `an LMDB database, '${LMDB}'`);
  if (entries.some(({ name }) => OURS.includes(name))) return;
  for (const { name, isFile } of entries) {
    if (isFile && (await isSqlite(join(dir, name)))) throw otherLayout(dir, `a SQLite database of something else, '${name}'`);
  }
  const unknown = entries.map(({ name }) => name).filter((name) => !LITTER.test(name)).toSorted();
  if (unknown.length === 0) return;
  const shown = unknown.slice(0, SHOWN).map((name) => `'${name}'`).join(', ');
  throw otherLayout(dir, `files that are none of Holdfast's: ${shown}${unknown.length > SHOWN ? ` and ${unknown.length - SHOWN} more` : ''}`);
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
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new HoldfastError('ERR_UNAVAILABLE', `the folder '${dir}' cannot be read: ${textOf(cause)}`, { cause, outcome: 'none' });
  }
}

function otherLayout(dir: string, found: string): HoldfastError {
  return new HoldfastError('ERR_INVALID', `the folder '${dir}' holds ${found}: name another folder, an empty one or one that was opened by this kind of store before`);
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

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
