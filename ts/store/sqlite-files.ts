import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  realpathSync,
  renameSync,
  statSync,
  statfsSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { dirname, join, resolve } from 'node:path';
import { HoldfastError } from '../errors.ts';
import { xxh3 } from '../xxh3.ts';
import { refused } from './sqlite-error.ts';
import { failure } from './sqlite-wire.ts';
import { reason } from './system-error.ts';

/** Types of file systems that other machines write to as well: as in `crates/sqlite` (a test compares them). */
export const REMOTE: readonly number[] = [
  0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x564c, 0x00c36400, 0x5346414f, 0x6b414653, 0x73757245, 0x0bd00bd0,
  0x7461636f, 0x01161970,
];

const STORE = 'store.sqlite';
const MARK = 'mark';
/** Commits, epoch, and XXH3 of both. */
const MARK_BYTES = 24;
const SUM_AT = 16;
/** Behind them: where those with the addon say that they wait. */
const ASKED_BYTES = 8;
const PAGE_BYTES = 4096;
const PART = `${STORE}.part`;
const FILES = [STORE, `${STORE}-wal`, `${STORE}-shm`, MARK];
/** Of those who have it open through the addon, and through a thread like this one. */
const ADDON = 'open-';
const THREAD = 'thread-';

/** What was acknowledged at least. */
export interface Known {
  readonly commits: number;
  readonly epoch: number;
}

/**
 * The files of an open store as far as the addon's guards can be had without its lock: the mark, and whether all is
 * still in place.
 */
export class SqliteFiles {
  readonly path: string;
  readonly mark: string;
  readonly #dir: string;
  readonly #presence: string;
  readonly #markFile: number;
  #known: readonly string[] = [];

  /** Makes what is missing, and says that the folder is in use. Fails with the words of the addon. */
  constructor(dir: string) {
    this.#dir = reaching(dir, () => {
      makeFolder(dir);
      return realpathSync(dir);
    });
    this.path = join(this.#dir, STORE);
    this.mark = join(this.#dir, MARK);
    checkPlace(this.#dir);
    this.#markFile = openMark(this.mark);
    this.#presence = join(this.#dir, `${THREAD}${process.pid}-${pidSpace()}-${randomBytes(4).toString('hex')}`);
    try {
      reaching(this.#presence, () => writeFileSync(this.#presence, '', { mode: 0o600, flag: 'wx' }));
      reaching(this.#dir, () => checkNeighbours(this.#dir));
      reaching(this.path, () => makeStore(this.#dir, this.path));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** There is no database, or an empty one, whose log SQLite deletes. */
  get isEmpty(): boolean {
    return (statSync(this.path, { throwIfNoEntry: false })?.size ?? 0) === 0;
  }

  /**
   * The database ends in the middle of a page that no log has: SQLite would read zeros there. To be asked before it is
   * opened.
   */
  get isCut(): boolean {
    return this.logBytes === 0 && (statSync(this.path, { throwIfNoEntry: false })?.size ?? 0) % PAGE_BYTES !== 0;
  }

  get logBytes(): number {
    return statSync(`${this.path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** What was acknowledged: to be read before the count of the store itself. Undefined: the mark is damaged. */
  known(): Known | undefined {
    const bytes = Buffer.alloc(MARK_BYTES);
    // Another process may be just writing it.
    for (let tries = 0; tries < 3; tries += 1) {
      const found = readQuietly(this.#markFile, bytes);
      if (found === undefined) continue;
      // What is new, or was never flushed before a power cut, is empty or zeros.
      if (found.every((byte) => byte === 0)) return { commits: 0, epoch: 0 };
      if (found.length < MARK_BYTES) continue;
      const known = { commits: Number(found.readBigUInt64LE(0)), epoch: Number(found.readBigUInt64LE(8)) };
      if (sumOf(found).equals(found.subarray(SUM_AT))) return known;
    }
    return undefined;
  }

  /** Never lowered. */
  raise(known: Known): void {
    const found = this.known();
    if (found !== undefined && found.commits < known.commits) this.write(known);
  }

  /** Not flushed, and written after the commit was: behind, never ahead. */
  write(known: Known): void {
    try {
      writeSync(this.#markFile, markOf(known), 0, MARK_BYTES, 0);
    } catch {
      // stays behind
    }
  }

  /**
   * A copy of the log beside it, flushed: what goes on from an older state writes over what is left of the newer, and
   * here SQLite deletes the log when a database is closed that was refused. What an opening before has kept stays.
   */
  keepLog(known: number): void {
    if (this.logBytes === 0) return; // made by SQLite just now: an opening before has let it delete the other
    const log = `${this.path}-wal`;
    for (let number = 1; ; number += 1) {
      const kept = `${log}.${known}${number === 1 ? '' : `-${number}`}.kept`;
      if (!existsSync(kept)) return keep(log, kept);
      if (statSync(kept).size === this.logBytes && readFileSync(kept).equals(readFileSync(log))) return;
    }
  }

  /** Notes which files are open. */
  note(): void {
    this.#known = this.#identities();
  }

  /** `outcome`: of the call that finds one moved. */
  check(outcome: 'none' | 'unknown' = 'none'): void {
    const found = this.#identities();
    const moved = FILES.find((_, index) => found[index] !== this.#known[index]);
    if (moved === undefined) return;
    const message = `'${join(this.#dir, moved)}' was moved, replaced or deleted while it was open: open the store again`;
    throw failure('ERR_UNAVAILABLE', message, outcome);
  }

  close(): void {
    closeSync(this.#markFile);
    unlinkQuietly(this.#presence);
  }

  #identities(): string[] {
    return FILES.map((name) => identityOf(join(this.#dir, name)));
  }
}

function keep(log: string, kept: string): void {
  try {
    copyFileSync(log, kept, constants.COPYFILE_EXCL);
    flush(kept);
  } catch (error) {
    unlinkQuietly(kept);
    throw failure('ERR_UNAVAILABLE', `the log cannot be kept as '${kept}': ${reason(error)}`, 'none');
  }
}

/** What the system does not let be opened. */
function reaching<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw failure('ERR_UNAVAILABLE', `'${path}' cannot be opened: ${reason(error)}`, 'none');
  }
}

/** For its owner alone, with those above it that are missing. Node's own way misnames what fails, and in /proc never ends. */
function makeFolder(dir: string): void {
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
  const isRemote = process.platform === 'linux' && REMOTE.includes(reaching(dir, () => statfsSync(dir)).type >>> 0);
  if (isRemote)
    throw refused(
      `'${dir}' is on a network file system, whose locks cannot be relied on: name a folder on a local disk`,
    );
  for (const name of FILES) {
    const path = join(dir, name);
    const found = reaching(path, () => lstatSync(path, { throwIfNoEntry: false }));
    if (found !== undefined && !found.isFile()) throw refused(`'${path}' is no plain file: move it away`);
  }
}

function openMark(path: string): number {
  return reaching(path, () => {
    const file = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      const found = fstatSync(file);
      if (!found.isFile()) throw new Error('it is no plain file');
      if (found.size === 0) takeRoom(file);
      return file;
    } catch (error) {
      closeSync(file);
      throw error;
    }
  });
}

/** Before the disk is full. */
function takeRoom(file: number): void {
  try {
    writeSync(file, Buffer.alloc(ASKED_BYTES), 0, ASKED_BYTES, MARK_BYTES);
  } catch {
    // it is taken when something is written
  }
}

function readQuietly(file: number, bytes: Buffer): Buffer | undefined {
  try {
    return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, 0));
  } catch {
    return undefined;
  }
}

function identityOf(path: string): string {
  try {
    const found = statSync(path);
    return `${found.dev}:${found.ino}`;
  } catch {
    return '';
  }
}

function markOf({ commits, epoch }: Known): Buffer {
  const bytes = Buffer.alloc(MARK_BYTES);
  bytes.writeBigUInt64LE(BigInt(commits), 0);
  bytes.writeBigUInt64LE(BigInt(epoch), 8);
  sumOf(bytes).copy(bytes, SUM_AT);
  return bytes;
}

/** An empty file for a copy, in a folder without a store; what was begun and not finished there is begun anew. */
export function beginCopy(to: string): string {
  makeFolder(to);
  if ([STORE, MARK].some((name) => lstatSync(join(to, name), { throwIfNoEntry: false }) !== undefined))
    throw new HoldfastError('ERR_INVALID', `'${to}' holds a store already: name a new folder`);
  const part = join(realpathSync(to), PART);
  dropCopy(part);
  closeSync(openSync(part, 'wx', 0o600));
  return part;
}

/** It is a store from now on. */
export function endCopy(part: string, known: Known): void {
  const dir = dirname(part);
  flush(part);
  renameSync(part, join(dir, STORE));
  writeFileSync(join(dir, MARK), Buffer.concat([markOf(known), Buffer.alloc(ASKED_BYTES)]), {
    mode: 0o600,
    flag: 'wx',
  });
  flush(join(dir, MARK));
  flush(dir);
}

/** A journal that is left would be played back into the next copy. */
export function dropCopy(part: string): void {
  for (const path of [part, `${part}-journal`]) unlinkQuietly(path);
}

function sumOf(mark: Buffer): Buffer {
  const hash = new Uint32Array(2);
  xxh3(mark, 0, SUM_AT, hash, 0);
  const sum = Buffer.alloc(8);
  sum.writeUInt32LE(hash[0] as number, 0);
  sum.writeUInt32LE(hash[1] as number, 4);
  return sum;
}

/** Process ids are only different within one namespace. */
function pidSpace(): number {
  return statSync('/proc/self/ns/pid', { throwIfNoEntry: false })?.ino ?? 0;
}

/** The addon's outer lock cannot be had here: both kinds at once would be without it. */
function checkNeighbours(dir: string): void {
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    if (name.startsWith(THREAD) && !isAlive(name, THREAD)) unlinkQuietly(path);
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

/** A database that is there is not touched: closing it would take SQLite's locks away from this process. */
function makeStore(dir: string, path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw error;
  }
  // A power cut must not take the names away from what is flushed.
  flush(dir);
  try {
    flush(dirname(dir));
  } catch (error) {
    // Of others, who let us pass but not read it: not ours to flush.
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
  }
}

function flush(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // is gone already
  }
}
