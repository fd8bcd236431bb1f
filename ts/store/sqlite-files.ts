import {
  constants,
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
  ftruncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { MarkFile } from './sqlite-mark.ts';
import {
  FILES,
  LOG,
  MARK,
  STORE,
  checkNeighbours,
  flush,
  flushNames,
  newPresence,
  reaching,
  unlinkQuietly,
} from './sqlite-place.ts';
import { failure } from './sqlite-wire.ts';
import { reason } from './system-error.ts';

const PAGE_BYTES = 4096;

/**
 * The files of an open store as far as the addon's guards can be had without its lock: the mark, and whether all is
 * still in place.
 */
export class SqliteFiles {
  readonly path: string;
  readonly mark: MarkFile;
  readonly #dir: string;
  readonly #presence: string;
  #known: readonly string[] = [];

  /**
   * Makes what is missing, and says that the folder is in use. `dir`: of `openPlace`. `begins`: a mark that says
   * nothing says from now on that nothing was acknowledged.
   */
  constructor(dir: string, begins: boolean) {
    this.#dir = dir;
    this.path = join(dir, STORE);
    this.mark = new MarkFile(join(dir, MARK));
    this.#presence = join(dir, newPresence());
    try {
      reaching(this.#presence, () => writeFileSync(this.#presence, '', { mode: 0o600, flag: 'wx' }));
      reaching(dir, () => checkNeighbours(dir, true));
      if (begins) this.mark.begin();
      reaching(this.path, () => makeStore(dir, this.path));
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
    return statSync(join(this.#dir, LOG), { throwIfNoEntry: false })?.size ?? 0;
  }

  /**
   * A copy of the log beside it, flushed: what goes on from an older state writes over what is left of the newer, and
   * here SQLite deletes the log when a database is closed that was refused. What an opening before has kept stays.
   */
  keepLog(known: number): void {
    if (this.logBytes === 0) return; // made by SQLite just now: an opening before has let it delete the other
    const log = join(this.#dir, LOG);
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
    this.mark.close();
    unlinkQuietly(this.#presence);
  }

  /** What the system says of a write where the next ones of the store would go; undefined: nothing is wrong with it. */
  lack(): unknown {
    try {
      const file = openSync(this.#presence, 'r+');
      try {
        const end = Math.max(this.logBytes, statSync(this.path, { throwIfNoEntry: false })?.size ?? 0);
        writeSync(file, Buffer.alloc(PAGE_BYTES), 0, PAGE_BYTES, end);
        ftruncateSync(file);
      } finally {
        closeSync(file);
      }
      return undefined;
    } catch (error) {
      return error;
    }
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

function identityOf(path: string): string {
  try {
    const found = statSync(path);
    return `${found.dev}:${found.ino}`;
  } catch {
    return '';
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
  flushNames(dir);
}
