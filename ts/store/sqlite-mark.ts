import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { xxh3 } from '../xxh3.ts';
import { markDamaged, markMissing } from './sqlite-error.ts';
import { flushNames, reaching } from './sqlite-place.ts';

/** Commits, epoch, and XXH3 of both. */
const MARK_BYTES = 24;
const SUM_AT = 16;
/** Behind them: where those with the addon say that they wait. */
const ASKED_BYTES = 8;

/** What was acknowledged at least. */
export interface Known {
  readonly commits: number;
  readonly epoch: number;
}

/** The file that says what was acknowledged. It is never lowered. */
export class MarkFile {
  readonly path: string;
  readonly #file: number;

  /** Made where it is missing. */
  constructor(path: string) {
    this.path = path;
    this.#file = openMark(path);
  }

  /** To be read before the count of the store itself. `ERR_CORRUPT`: it is damaged, or says nothing. */
  known(): Known {
    const known = readMark(this.#file, this.path);
    if (known === undefined) throw markMissing(this.path);
    return known;
  }

  /** Undefined: nobody can tell. */
  told(): Known | undefined {
    try {
      return readMark(this.#file, this.path);
    } catch {
      return undefined;
    }
  }

  /**
   * Says that nothing was acknowledged so far, where nothing was said yet. Flushed: the database is made after it, so
   * that one without it has lost it.
   */
  begin(): void {
    if (readMark(this.#file, this.path) !== undefined) return;
    reaching(this.path, () => {
      writeSync(this.#file, markOf({ commits: 0, epoch: 0 }), 0, MARK_BYTES, 0);
      this.flush();
    });
  }

  flush(): void {
    fsyncSync(this.#file);
    flushNames(dirname(this.path));
  }

  raise(known: Known): void {
    if (this.known().commits < known.commits) this.write(known);
  }

  /** Not flushed, and written after the commit was: behind, never ahead. */
  write(known: Known): void {
    try {
      writeSync(this.#file, markOf(known), 0, MARK_BYTES, 0);
    } catch {
      // stays behind
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** What a mark says; undefined: there is none, or it says nothing yet. Nothing is made. */
export function lookAtMark(path: string): Known | undefined {
  return reaching(path, () => {
    let file: number;
    try {
      file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    try {
      return readMark(file, path);
    } finally {
      closeSync(file);
    }
  });
}

/** Undefined: nothing was ever written there. Another process may be just writing it. */
function readMark(file: number, path: string): Known | undefined {
  const bytes = Buffer.alloc(MARK_BYTES);
  for (let tries = 0; tries < 3; tries += 1) {
    const found = readQuietly(file, bytes);
    if (found === undefined) continue;
    if (found.every((byte) => byte === 0)) return undefined;
    if (found.length < MARK_BYTES) continue;
    const known = { commits: Number(found.readBigUInt64LE(0)), epoch: Number(found.readBigUInt64LE(8)) };
    if (sumOf(found).equals(found.subarray(SUM_AT))) return known;
  }
  throw markDamaged(path);
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

function markOf({ commits, epoch }: Known): Buffer {
  const bytes = Buffer.alloc(MARK_BYTES);
  bytes.writeBigUInt64LE(BigInt(commits), 0);
  bytes.writeBigUInt64LE(BigInt(epoch), 8);
  sumOf(bytes).copy(bytes, SUM_AT);
  return bytes;
}

/** All that the file of a new store holds. */
export const newMark = (known: Known): Buffer => Buffer.concat([markOf(known), Buffer.alloc(ASKED_BYTES)]);

function sumOf(mark: Buffer): Buffer {
  const hash = new Uint32Array(2);
  xxh3(mark, 0, SUM_AT, hash, 0);
  const sum = Buffer.alloc(8);
  sum.writeUInt32LE(hash[0] as number, 0);
  sum.writeUInt32LE(hash[1] as number, 4);
  return sum;
}
