import { closeSync, existsSync, mkdirSync, openSync, readSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { open } from 'lmdb';
import type { Database, RootDatabase, Transaction } from 'lmdb';
import { systemClock } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { Draws, systemEntropy } from '../entropy.ts';
import { raised } from './backend.ts';
import type { Backend, Draft, Marks, View } from './backend.ts';
import { bootId } from './boot.ts';
import type { Deadline } from './deadline.ts';
import { NotedDraft } from './draft.ts';
import { SocketInbox } from './inbox.ts';
import { checkRow, damagedRow, shortId } from './row.ts';
import type { Row, StoredRecord } from './row.ts';
import type { Hint, Membership } from './store.ts';
import type { SweepOptions } from './sweeper.ts';
import { TransactionalStore } from './transactional.ts';

const FORMAT = 2;
const NONCE_BYTES = 6;
const META_MAGIC = 0xbeefc0de;
const META_MAGIC_OFFSET = 24;
const BOUND_MS = 10_000;

export interface LmdbStoreOptions extends SweepOptions {
  /** Directory of the database; created when missing. Every process on the machine that opens it shares the sessions. */
  readonly dir: string;
  readonly clock?: Clock | undefined;
}

/**
 * Sessions in an LMDB database: several processes on one machine, no server. A call is acknowledged when its transaction is
 * committed and flushed to disk (fdatasync): it survives the death of every process, and of the machine as far as its disk
 * keeps what it was told to flush. Saves made at the same time share a flush. Recalls travel over Unix sockets. A call that
 * names no bound of its own rejects after 10 s.
 */
export class LmdbStore extends TransactionalStore {
  readonly address: string;

  constructor(options: LmdbStoreOptions) {
    const clock = options?.clock ?? systemClock;
    const can = { durability: ['fsync'], watch: false, find: true } as const;
    super(new LmdbBackend(options?.dir), { ...options, clock, can, boundMs: BOUND_MS, boot: bootId() });
    this.address = `lmdb:${realpathSync(options.dir)}`;
  }
}

/** A write that loses this often in a row to others on the same session gives up. */
const MOST_TRIES = 1000;

const MARKS = 'marks';

interface Drafted<T> {
  readonly result: T;
  /** Absent: there is nothing to write. False: another was faster. */
  readonly commit?: () => Promise<boolean>;
}

type Versioned = Database<Buffer, string>;
type Records = Database<Buffer, [string, number]>;

/**
 * Writes are drafted on a read view and committed if the row and the marks still have the versions that were read, which LMDB
 * compares in its own thread. Its write lock, which all processes share, is thus never held while JavaScript runs (or ends: a
 * process that exits inside a transaction's callback would keep the lock), and writes made at the same time share a flush.
 */
class LmdbBackend implements Backend {
  readonly name = 'LMDB';
  readonly #root: RootDatabase<Buffer, string>;
  readonly #rows: Versioned;
  readonly #marks: Versioned;
  readonly #records: Records;
  readonly #inbox: SocketInbox;
  /** Of rows: a process may not know what number another has given. */
  readonly #versions = new Draws(systemEntropy);

  constructor(dir: string) {
    if (typeof dir !== 'string' || dir === '') throw new HoldfastError('ERR_INVALID', 'LmdbStore needs `dir`, the path of a directory');
    checkFile(dir);
    try {
      mkdirSync(dir, { recursive: true });
      // LMDB's own commit, flushed before it is seen: lmdb-js's overlapping one keeps a third meta page, measured no faster here,
      // and is one thing more that a kill in the middle of a commit must not break.
      this.#root = open<Buffer, string>({ path: dir, encoding: 'binary', noSubdir: false, overlappingSync: false, maxDbs: 5, maxReaders: 512 });
      this.#rows = this.#root.openDB<Buffer, string>('rows', { encoding: 'binary', useVersions: true });
      this.#marks = this.#root.openDB<Buffer, string>('marks', { encoding: 'binary', useVersions: true });
      this.#records = this.#root.openDB<Buffer, [string, number]>('records', { encoding: 'binary' });
    } catch (cause) {
      throw new HoldfastError('ERR_UNAVAILABLE', `cannot open an LMDB database in '${dir}': ${messageOf(cause)}`, { cause });
    }
    checkFormat(this.#root, dir);
    this.#inbox = new SocketInbox(dir);
  }

  async write<T>(id: string, run: (draft: Draft) => T, deadline: Deadline): Promise<T> {
    return this.#try(id, deadline, (view) => {
      const draft = new NotedDraft(view);
      const result = run(draft);
      if (draft.empty) return { result };
      return { result, commit: () => this.#commit(id, view.marksVersion(), view.version(id), draft) };
    });
  }

  async raise(next: (marks: Marks) => Partial<Marks>, deadline: Deadline): Promise<Marks> {
    return this.#try(MARKS, deadline, (view) => {
      const before = view.marks();
      const result = raised(before, next(before));
      if (result.epoch === before.epoch && result.births === before.births) return { result };
      const version = view.marksVersion();
      const put = (): void => void this.#marks.put(MARKS, encodeJson(result), this.#versions.nonce());
      return { result, commit: () => this.#marks.ifVersion(MARKS, version as number, put) };
    });
  }

  read<T>(run: (view: View) => T): T {
    return this.#view(run);
  }

  /** Drafts and commits until nobody was faster. */
  async #try<T>(what: string, deadline: Deadline, draft: (view: LmdbView) => Drafted<T>): Promise<T> {
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      deadline.check();
      const { result, commit } = this.#view(draft);
      if (commit === undefined || (await deadline.bound(flushed(commit)))) return result;
    }
    const message = `LMDB: '${shortId(what)}' was changed by others ${MOST_TRIES} times while this call tried to; retry`;
    throw new HoldfastError('ERR_UNAVAILABLE', message, { outcome: 'none' });
  }

  /** The latest committed state, as it is now. */
  #view<T>(run: (view: LmdbView) => T): T {
    try {
      this.#root.resetReadTxn();
      const transaction = this.#root.useReadTransaction();
      try {
        return run(lmdbView(this.#rows, this.#marks, this.#records, transaction));
      } finally {
        transaction.done();
      }
    } catch (cause) {
      if (cause instanceof HoldfastError) throw cause;
      throw new HoldfastError('ERR_UNAVAILABLE', `LMDB: ${messageOf(cause)}`, { cause, outcome: 'none' });
    }
  }

  /** False: the row or the marks have changed since they were read, and nothing was written. Resolves when it is flushed to disk. */
  async #commit(id: string, marks: number | null, version: number | null, draft: NotedDraft): Promise<boolean> {
    const old = draft.cleared ? [...this.#records.getKeys({ start: [id, 0], end: [id, Infinity] })] : [];
    let rowFits: Promise<boolean> = Promise.resolve(false);
    const marksFit = this.#marks.ifVersion(MARKS, marks as number, () => {
      rowFits = this.#rows.ifVersion(id, version as number, () => {
        for (const key of old) void this.#records.remove(key);
        this.#put(id, draft);
      });
    });
    return (await Promise.all([marksFit, rowFits])).every(Boolean);
  }

  #put(id: string, { cleared, changedRow, records }: NotedDraft): void {
    for (const change of records) {
      if (change.op === 'put') void this.#records.put([id, change.revision], encodeRecord(change.record));
      else for (let revision = change.from; revision < change.to; revision += 1) void this.#records.remove([id, revision]);
    }
    if (changedRow !== undefined) void this.#rows.put(id, encodeJson(changedRow), this.#versions.nonce());
    else if (cleared) void this.#rows.remove(id);
  }

  send(member: string, hint: Hint): void {
    this.#inbox.send(member, hint);
  }

  /** Nobody can watch. */
  changed(): void {}

  async join(listener: (hint: Hint) => void): Promise<Omit<Membership, 'epoch'>> {
    return { ...(await this.#inbox.join(listener)), watch: async () => undefined };
  }

  async close(): Promise<void> {
    try {
      await this.#inbox.close();
    } finally {
      await this.#root.close();
    }
  }
}

async function flushed(commit: () => Promise<boolean>): Promise<boolean> {
  try {
    return await commit();
  } catch (cause) {
    throw new HoldfastError('ERR_UNAVAILABLE', `LMDB: ${messageOf(cause)}`, { cause, outcome: 'unknown' });
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** LMDB trusts its file: opening one that is none of its own ends the process. Its meta page begins with a header and 0xbeefc0de. */
function checkFile(dir: string): void {
  const path = join(dir, 'data.mdb');
  if (!existsSync(path)) return;
  const start = Buffer.alloc(META_MAGIC_OFFSET + 4);
  const file = openSync(path, 'r');
  const length = readSync(file, start);
  closeSync(file);
  if (length === 0 || (length === start.length && start.readUInt32LE(META_MAGIC_OFFSET) === META_MAGIC)) return;
  throw new HoldfastError('ERR_CORRUPT', `'${path}' is no LMDB database, or a damaged one; move it away, and open a backup or an empty directory`);
}

function checkFormat(root: RootDatabase<Buffer, string>, dir: string): void {
  const about = root.openDB<string, string>('holdfast', { encoding: 'string' });
  const found = about.get('format');
  if (found === undefined) about.putSync('format', String(FORMAT));
  else if (found !== String(FORMAT)) {
    const message = `'${dir}' holds layout ${found} of the LMDB store, this version of Holdfast reads ${FORMAT}: open another directory`;
    throw new HoldfastError('ERR_INVALID', message);
  }
}

interface LmdbView extends View {
  /** Differs from one write of the row to the next; null: there is no row. */
  version(id: string): number | null;
  marksVersion(): number | null;
}

/** Rows: CRC-32 (4 bytes) and JSON, by id; the marks likewise. Records: nonce (6 bytes) and record, by id and revision. */
function lmdbView(rows: Versioned, marks: Versioned, records: Records, transaction: Transaction): LmdbView {
  const view = { transaction };
  return {
    version: (id) => rows.getEntry(id, view)?.version ?? null,
    marksVersion: () => marks.getEntry(MARKS, view)?.version ?? null,
    marks: () => (decodeJson(MARKS, marks.get(MARKS, view)) as Marks | undefined) ?? { epoch: 0, births: 0 },
    row: (id) => {
      const row = decodeJson(id, rows.get(id, view));
      return row === undefined ? undefined : checkRow(id, row);
    },
    record: (id, revision) => decodeRecord(records.get([id, revision], view)),
    page: ({ cursor = '', limit }) => {
      const ids = [...rows.getKeys({ start: cursor, limit: limit + 2, ...view })].filter((id) => id !== cursor);
      const page = ids.slice(0, limit);
      return ids.length > limit ? { ids: page, cursor: page.at(-1) as string } : { ids: page };
    },
  };
}

function encodeJson(value: Row | Marks): Buffer {
  const json = Buffer.from(JSON.stringify(value));
  const bytes = Buffer.allocUnsafe(4 + json.length);
  bytes.writeUInt32LE(crc32(json), 0);
  json.copy(bytes, 4);
  return bytes;
}

function decodeJson(id: string, bytes: Buffer | undefined): unknown {
  if (bytes === undefined) return undefined;
  const json = bytes.subarray(4);
  if (bytes.length < 4 || crc32(json) !== bytes.readUInt32LE(0)) throw damagedRow(id, 'checksum');
  return JSON.parse(json.toString());
}

function encodeRecord({ nonce, bytes }: StoredRecord): Buffer {
  const stored = Buffer.allocUnsafe(NONCE_BYTES + bytes.length);
  stored.writeUIntLE(nonce, 0, NONCE_BYTES);
  stored.set(bytes, NONCE_BYTES);
  return stored;
}

function decodeRecord(stored: Buffer | undefined): StoredRecord | undefined {
  if (stored === undefined || stored.length < NONCE_BYTES) return undefined;
  return { nonce: stored.readUIntLE(0, NONCE_BYTES), bytes: stored.subarray(NONCE_BYTES) };
}
