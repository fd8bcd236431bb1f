import { systemClock } from '../clock.ts';
import type { HoldfastError } from '../errors.ts';
import { raised } from './backend.ts';
import type { Marks } from './backend.ts';
import type { RecordChange } from './draft.ts';
import { LOG_KEPT } from './log-watch.ts';
import { single, whole } from './sqlite-column.ts';
import { connect, leftMs, makeTables, rollBack, writeAhead } from './sqlite-connection.ts';
import { beginCopy, dropCopy, endCopy } from './sqlite-copy.ts';
import type { SqliteDriver, SqliteModule } from './sqlite-driver.ts';
import { damaged, isBusy, isFull, somethingElse, translate, wentBack } from './sqlite-error.ts';
import { SqliteFiles } from './sqlite-files.ts';
import { explained } from './sqlite-lack.ts';
import { look } from './sqlite-look.ts';
import type { Known } from './sqlite-mark.ts';
import { checkLayout, marksAndCommits, setMeta } from './sqlite-meta.ts';
import { openPlace } from './sqlite-place.ts';
import { check, fetchPage, fetchRow, lookUp } from './sqlite-read.ts';
import { sealRecord, sealRow, sealTerm } from './sqlite-seal.ts';
import { BIRTHS_KEY, COMMITS_KEY, EPOCH_KEY, SQL } from './sqlite-sql.ts';
import { failure } from './sqlite-wire.ts';
import type { Answer, DraftRequest, Reading, Writing } from './sqlite-wire.ts';

/** For tidying the log up beside what waits. */
const TEND_MS = 50;
/** How long compacting waits for other processes: others wait behind it. */
const COMPACT_WAIT_MS = 2000;

/** `known`: what is to be known of it, where the batch was flushed. */
interface Batch {
  readonly written: boolean[];
  readonly known: Known | undefined;
}

/**
 * The embedded store's ground in JavaScript, where there is no addon: the same tables, statements and guards, but for
 * the outer lock. Synchronous.
 */
export class SqliteGround {
  readonly #files: SqliteFiles;
  readonly #driver: SqliteDriver;
  readonly #module: SqliteModule;
  #flushes = true;
  /** Why it is of no more use. */
  #refused: HoldfastError | undefined;

  /** Looks, marks, and only then writes. Times are of the system's monotonic clock. */
  constructor(module: SqliteModule, dir: string, acceptOlder: boolean, dueMs: number) {
    this.#module = module;
    try {
      const place = openPlace(dir);
      const older = look(module, place);
      if (older !== undefined && !acceptOlder) throw older;
      this.#files = new SqliteFiles(place, older === undefined);
      try {
        const known = this.#expect(acceptOlder, older !== undefined);
        this.#driver = this.#open(known, acceptOlder, dueMs);
      } catch (error) {
        this.#files.close();
        throw error;
      }
    } catch (error) {
      throw translate(error);
    }
  }

  /** What was acknowledged; undefined: nobody can tell, which is accepted. */
  #expect(acceptOlder: boolean, isOlder: boolean): Known | undefined {
    const known = acceptOlder ? this.#files.mark.told() : this.#files.mark.known();
    const isGone = known !== undefined && known.commits > 0 && this.#files.isEmpty;
    if (isGone && !acceptOlder) throw wentBack(known.commits, 0);
    // SQLite deletes the log of an empty database as it opens that.
    if (isGone || isOlder) this.#files.keepLog(known?.commits ?? 0);
    return known;
  }

  #open(known: Known | undefined, acceptOlder: boolean, dueMs: number): SqliteDriver {
    const { isCut, path } = this.#files;
    const driver = explained(connect(this.#module, path, dueMs), () => this.#files.lack());
    try {
      this.#prepare(driver, known, acceptOlder, dueMs);
      if (isCut) throw damaged('it ends in the middle of a page');
      return driver;
    } catch (error) {
      driver.close();
      throw error;
    }
  }

  #prepare(driver: SqliteDriver, known: Known | undefined, acceptOlder: boolean, dueMs: number): void {
    // Where something was acknowledged, tables that are missing were lost, and making them writes over what is left.
    const isLost = known?.commits !== 0 && single(driver.all(SQL.countTables)) === 0;
    if (isLost) this.#checkAccepted(acceptOlder, known, 0);
    makeTables(driver, dueMs);
    writeAhead(driver, dueMs);
    if (single(driver.all(SQL.countMeta)) === 0) throw somethingElse(this.#files.path);
    checkLayout(driver, this.#files.path);
    const found = marksAndCommits(driver);
    if (known === undefined || found.commits < known.commits) {
      if (!isLost) this.#checkAccepted(acceptOlder, known, found.commits);
      this.#accept(driver, known ?? { commits: 0, epoch: 0 }, found);
    }
    this.#files.note();
  }

  /** Either way the log is written over or deleted: by what comes next, or by SQLite when a refused database is closed. */
  #checkAccepted(acceptOlder: boolean, known: Known | undefined, found: number): void {
    this.#files.keepLog(known?.commits ?? 0);
    if (!acceptOlder) throw wentBack(known?.commits ?? 0, found);
  }

  /** A new epoch outdates all that was known of the newer state, whose epoch it may not have heard of. */
  #accept(driver: SqliteDriver, known: Known, found: Known): void {
    const next = { commits: Math.max(known.commits, found.commits) + 1, epoch: Math.max(known.epoch, found.epoch) + 1 };
    transaction(driver, 'IMMEDIATE', () => {
      setMeta(driver, EPOCH_KEY, next.epoch);
      setMeta(driver, COMMITS_KEY, next.commits);
    });
    this.#files.mark.write(next);
    this.#files.mark.flush(); // it may be new
  }

  read(request: Reading, dueMs: number): Answer {
    this.#checkUsable();
    const known = request.kind === 'check' ? this.#files.mark.known().commits : 0;
    return this.#guarded(dueMs, () =>
      transaction(this.#driver, 'DEFERRED', () => {
        if (request.kind === 'fetch') return { kind: 'found', found: fetchRow(this.#driver, request) };
        if (request.kind === 'page') return { kind: 'page', page: fetchPage(this.#driver, request) };
        if (request.kind === 'lookUp') return { kind: 'lookedUp', lookedUp: lookUp(this.#driver, request) };
        return { kind: 'checked', checked: check(this.#driver, this.#files.path, known) };
      }),
    );
  }

  compact(dueMs: number): Answer {
    this.#checkUsable();
    this.#guarded(Math.min(dueMs, systemClock.monotonic() + COMPACT_WAIT_MS), () => {
      transaction(this.#driver, 'IMMEDIATE', () => this.#checkCommits());
      this.#driver.exec('PRAGMA synchronous=FULL');
      this.#flushes = true;
      // The copy that is made meanwhile may be larger than memory.
      this.#driver.exec('PRAGMA temp_store=FILE');
      try {
        this.#driver.exec('VACUUM');
      } finally {
        this.#driver.exec('PRAGMA temp_store=MEMORY');
      }
      this.#driver.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    });
    this.#files.check();
    return { kind: 'committed', written: true };
  }

  /** Others wait meanwhile: there is one thread. */
  copy(to: string, dueMs: number): Answer {
    this.#checkUsable();
    this.#guarded(dueMs, () => {
      const part = beginCopy(to);
      try {
        this.#driver.exec(`VACUUM INTO '${part.replaceAll("'", "''")}'`);
        endCopy(part, this.#knownOf(part));
      } catch (error) {
        dropCopy(part);
        throw error;
      }
    });
    return { kind: 'committed', written: true };
  }

  #knownOf(path: string): Known {
    const copied = this.#module.open(path);
    try {
      return marksAndCommits(copied);
    } finally {
      copied.close();
    }
  }

  /**
   * All in one transaction; by entry, whether it was written. Undefined: others were in the way until then, and nothing
   * was.
   */
  write(batch: readonly Writing[], dueMs: number): boolean[] | undefined {
    this.#checkUsable();
    const done = this.#guarded(dueMs, () => this.#tryTwice(batch));
    if (done === undefined) return undefined;
    this.#files.check('unknown');
    if (done.known !== undefined) this.#files.mark.raise(done.known);
    return done.written;
  }

  /** The log's length, after it was made short where that goes within a moment. */
  tendLog(): number {
    if (this.#files.logBytes > LOG_KEPT) {
      this.#checkUsable();
      this.#driver.exec(`PRAGMA busy_timeout=${TEND_MS}`);
      this.#shortenLog();
    }
    return this.#files.logBytes;
  }

  #checkUsable(): void {
    if (this.#refused !== undefined) throw this.#refused;
    this.#files.check();
  }

  /** In a transaction that may write: nobody else commits meanwhile. */
  #checkCommits(): Marks & Known {
    const { commits } = this.#files.mark.known();
    const found = marksAndCommits(this.#driver);
    if (found.commits < commits) throw (this.#refused = wentBack(commits, found.commits));
    return found;
  }

  close(): void {
    this.#driver.close();
    this.#files.close();
  }

  /** Of a full disk: the log may hold room that the database no longer needs. */
  #tryTwice(batch: readonly Writing[]): Batch | undefined {
    try {
      return this.#commit(batch);
    } catch (error) {
      if (isBusy(error)) return undefined;
      if (!isFull(error)) throw error;
      this.#shortenLog();
      return this.#commit(batch);
    }
  }

  #shortenLog(): void {
    try {
      this.#driver.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // stays as it is
    }
  }

  #commit(batch: readonly Writing[]): Batch {
    const flush = batch.some((request) => request.kind === 'raise' || request.flush);
    if (flush !== this.#flushes) this.#driver.exec(`PRAGMA synchronous=${flush ? 'FULL' : 'NORMAL'}`);
    this.#flushes = flush;
    return transaction(this.#driver, 'IMMEDIATE', () => {
      const before = this.#checkCommits();
      let now: Marks = { epoch: before.epoch, births: before.births };
      const written = batch.map((request) => {
        if (request.kind === 'draft') return this.#draft(request, now);
        if (!sameMarks(now, request.expected)) return false;
        now = raised(now, request.next);
        setMeta(this.#driver, EPOCH_KEY, now.epoch);
        setMeta(this.#driver, BIRTHS_KEY, now.births);
        return true;
      });
      // Only what was flushed counts: the mark must never be ahead of the disk.
      const commits = flush && written.includes(true) ? before.commits + 1 : undefined;
      if (commits !== undefined) setMeta(this.#driver, COMMITS_KEY, commits);
      return { written, known: commits === undefined ? undefined : { commits, epoch: now.epoch } };
    });
  }

  #draft(request: DraftRequest, now: Marks): boolean {
    const id = Buffer.from(request.id);
    const [found] = this.#driver.all(SQL.version, id);
    const version = found === undefined ? undefined : Number(whole(found['version']));
    if (!sameMarks(now, request.marks) || version !== request.version) return false;
    if (request.cleared) this.#driver.run(SQL.deleteAllRecords, id);
    for (const change of request.changes) this.#change(id, change);
    if (request.row !== undefined) this.#putRow(id, request.next, Buffer.from(request.row));
    else if (request.cleared) this.#driver.run(SQL.deleteRow, id);
    this.#putTerms(id, request);
    return true;
  }

  #putRow(id: Buffer, version: number, row: Buffer): void {
    this.#driver.run(SQL.putRow, id, version, row, sealRow(id, BigInt(version), row));
  }

  #putTerms(id: Buffer, { allTerms, lostTerms, newTerms }: DraftRequest): void {
    if (allTerms) this.#driver.run(SQL.deleteAllTerms, id);
    for (const term of lostTerms) this.#driver.run(SQL.deleteTerm, Buffer.from(term), id);
    for (const text of newTerms) {
      const term = Buffer.from(text);
      this.#driver.run(SQL.putTerm, term, id, sealTerm(term, id));
    }
  }

  #change(id: Buffer, change: RecordChange): void {
    if (change.op === 'delete') return this.#driver.run(SQL.deleteRecords, id, change.from, change.to);
    const { revision, record } = change;
    this.#driver.run(
      SQL.putRecord,
      id,
      revision,
      record.nonce,
      record.bytes,
      sealRecord(id, BigInt(revision), BigInt(record.nonce), record.bytes),
    );
  }

  /** SQLite waits for others until then, and no longer. */
  #guarded<T>(dueMs: number, run: () => T): T {
    try {
      this.#driver.exec(`PRAGMA busy_timeout=${leftMs(dueMs)}`);
      return run();
    } catch (error) {
      throw translate(error);
    }
  }
}

/** What fails in COMMIT may have been let through. */
function transaction<T>(driver: SqliteDriver, kind: 'IMMEDIATE' | 'DEFERRED', run: () => T): T {
  driver.exec(`BEGIN ${kind}`);
  let committing = false;
  try {
    const result = run();
    committing = kind === 'IMMEDIATE';
    driver.exec('COMMIT');
    return result;
  } catch (error) {
    rollBack(driver);
    if (!committing || isFull(error) || isBusy(error)) throw error;
    throw failure('ERR_UNAVAILABLE', `the commit failed (${String(error)})`, 'unknown');
  }
}

const sameMarks = (a: Marks, b: Marks): boolean => a.epoch === b.epoch && a.births === b.births;
