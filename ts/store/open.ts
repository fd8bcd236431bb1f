import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { share } from './shared.ts';
import type { Store } from './store.ts';

export interface OpenOptions {
  /** Time, as the store is to see it. Default: the system's. */
  readonly clock?: Clock | undefined;
}

const KNOWN = '`memory:` (a new one), `memory:name` (one for this process), the path of a folder, with or without `sqlite:` before it, or its `file://` URL';
/** Two letters at least: `C:\sessions` is a folder. */
const SCHEME = /^([a-z][a-z0-9+.-]+):/i;

/**
 * The store of an address: `memory:` is a new one in the process's memory, `memory:name` the same one for all who open it in this process
 * until the last of them closes it; the path of a folder, also as `sqlite:folder` or `file://` URL, is the embedded store there, made when missing.
 *
 * The driver is imported when it is first needed. `close()` closes what was opened here. `ERR_INVALID`: an unknown scheme, or a folder
 * that holds something else. `ERR_CORRUPT`: a damaged store. `ERR_UNAVAILABLE`: driver or folder cannot be opened.
 */
export async function openStore(url: string | URL, options: OpenOptions = {}): Promise<Store> {
  const address = url instanceof URL ? url.href : url;
  if (typeof address !== 'string' || address === '') throw new HoldfastError('ERR_INVALID', `openStore takes the address of a store: ${KNOWN}`);
  const scheme = SCHEME.exec(address)?.[1]?.toLowerCase();
  if (scheme === undefined) return openFolder(address, options);
  if (scheme === 'memory') return openMemory(address.slice('memory:'.length), options);
  if (scheme === 'file') return openFolder(folderOf(address), options);
  if (scheme === 'sqlite') return openFolder(folderAfter(address.slice('sqlite:'.length), address), options);
  throw new HoldfastError('ERR_INVALID', `'${scheme}:' is no known kind of store; an address is ${KNOWN}; a folder whose name has a colon is written ./${scheme}:…`);
}

async function openMemory(name: string, { clock }: OpenOptions): Promise<Store> {
  const { MemoryStore } = await import('./memory.ts');
  const make = (): Store => new MemoryStore({ ...(clock && { clock }) });
  return name === '' ? make() : share(`memory:${name}`, clock, make);
}

async function openFolder(dir: string, { clock }: OpenOptions): Promise<Store> {
  await checkFolder(dir);
  const { SqliteStore } = await import('./sqlite.ts');
  return SqliteStore.open({ dir, ...(clock && { clock }) });
}

/** What stands behind `sqlite:`, a path or `//` and an absolute one. */
function folderAfter(rest: string, address: string): string {
  if (rest.startsWith('//')) return folderOf(`file:${rest}`);
  if (rest !== '') return rest;
  throw new HoldfastError('ERR_INVALID', `'${address}' names no folder: write sqlite:path/to/folder`);
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function folderOf(address: string): string {
  const refuse = (what: string, cause?: unknown): never => {
    throw new HoldfastError('ERR_INVALID', `'${address}' names no folder: ${what}; write file:///path/to/folder`, { cause });
  };
  // `file:sessions` would be taken from the root of the disk.
  if (!/^file:\/\//i.test(address)) return refuse('it must begin with file://');
  try {
    const { search, hash } = new URL(address);
    if (search !== '' || hash !== '') refuse('what follows ? or # means nothing here');
    return fileURLToPath(address);
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    return refuse(textOf(cause), cause);
  }
}

/** Files of the embedded store. The second alone: another process is just making the first. */
const OURS = ['store.sqlite', 'mark'];
const LMDB = 'data.mdb';
/** What file systems and tools leave in folders that are empty to their users. */
const LITTER = /^(?:\.|lost\+found$)/;
const SHOWN = 3;

/** `ERR_INVALID`, saying what it found, for a folder of another layout. Our own files are not opened: closing one drops SQLite's locks on it. */
async function checkFolder(dir: string): Promise<void> {
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
