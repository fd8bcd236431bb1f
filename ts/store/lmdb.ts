import { closeSync, existsSync, mkdirSync, openSync, readSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { open } from 'lmdb';
import type { Database, RootDatabase, Transaction } from 'lmdb';
import { systemClock } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { drawNonce } from '../nonce.ts';
import { SocketInbox } from './inbox.ts';
import { NotedDraft } from './draft.ts';
import { TransactionalStore } from './transactional.ts';
import type { Backend, Draft, Row, StoredRecord, View } from './transactional.ts';
import type { Hint, Membership } from './store.ts';

const FORMAT = 1;
const NONCE_BYTES = 6;
const META_MAGIC = 0xbeefc0de;
const META_MAGIC_OFFSET = 24;
const SWEEP_EVERY_MS = 60_000;

export interface LmdbStoreOptions {
  /** Directory of the database; created when missing. Every process on the machine that opens it shares the sessions. */
  readonly dir: string;
  readonly clock?: Clock;
}

/**
 * Sessions in an LMDB database: several processes on one machine, no server. A call is acknowledged when its transaction is
 * committed and flushed to disk (fdatasync): it survives the death of every process, and of the machine as far as its disk
 * keeps what it was told to flush. Saves made at the same time share a flush. Recalls travel over Unix sockets.
 */
export class LmdbStore extends TransactionalStore {
  readonly address: string;
  #stopSweeping: () => void;
  #sweeping = true;

  constructor(options: LmdbStoreOptions) {
    const clock = options?.clock ?? systemClock;
    super(new LmdbBackend(options?.dir), clock);
    this.address = `lmdb:${realpathSync(options.dir)}`;
    this.#stopSweeping = clock.after(SWEEP_EVERY_MS, () => void this.#sweepAgain(clock), true);
  }

  async #sweepAgain(clock: Clock): Promise<void> {
    await this.sweep().catch(() => 0); // housekeeping: whoever next uses the store learns of its trouble
    if (this.#sweeping) this.#stopSweeping = clock.after(SWEEP_EVERY_MS, () => void this.#sweepAgain(clock), true);
  }

  override async close(): Promise<void> {
    this.#sweeping = false;
    this.#stopSweeping();
    await super.close();
  }
}

/** A write that loses this often in a row to others on the same session gives up. */
const MOST_TRIES = 1000;

/**
 * Writes are drafted on a read view and committed if the row still has the version that was read, which LMDB compares in its
 * own thread. Its write lock, which all processes share, is thus never held while JavaScript runs (or ends: a process that
 * exits inside a transaction's callback would keep the lock), and writes made at the same time share a flush.
 */
class LmdbBackend implements Backend {
  readonly name = 'LMDB';
  readonly #root: RootDatabase<Buffer, string>;
  readonly #rows: Database<Buffer, string>;
  readonly #records: Database<Buffer, [string, number]>;
  readonly #inbox: SocketInbox;

  constructor(dir: string) {
    if (typeof dir !== 'string' || dir === '') throw new HoldfastError('ERR_INVALID', 'LmdbStore needs `dir`, the path of a directory');
    checkFile(dir);
    try {
      mkdirSync(dir, { recursive: true });
      // LMDB's own commit, flushed before it is seen: lmdb-js's overlapping one keeps a third meta page, measured no faster here,
      // and is one thing more that a kill in the middle of a commit must not break.
      this.#root = open<Buffer, string>({ path: dir, encoding: 'binary', noSubdir: false, overlappingSync: false, maxDbs: 4, maxReaders: 512 });
      this.#rows = this.#root.openDB<Buffer, string>('rows', { encoding: 'binary', useVersions: true });
      this.#records = this.#root.openDB<Buffer, [string, number]>('records', { encoding: 'binary' });
    } catch (cause) {
      throw new HoldfastError('ERR_UNAVAILABLE', `cannot open an LMDB database in '${dir}': ${messageOf(cause)}`, { cause });
    }
    checkFormat(this.#root, dir);
    this.#inbox = new SocketInbox(dir);
  }

  async write<T>(id: string, run: (draft: Draft) => T): Promise<T> {
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const { draft, result, version } = this.#view((view) => {
        const found = view.version(id);
        const noted = new NotedDraft(view, id);
        return { draft: noted, result: run(noted), version: found };
      });
      if (draft.empty || (await this.#commit(id, version, draft))) return result;
    }
    throw new HoldfastError('ERR_UNAVAILABLE', `LMDB: session '${id}' was changed by others ${MOST_TRIES} times while this call tried to; retry`, { session: id });
  }

  read<T>(run: (view: View) => T): T {
    return this.#view(run);
  }

  /** The latest committed state, as it is now. */
  #view<T>(run: (view: LmdbView) => T): T {
    try {
      this.#root.resetReadTxn();
      const transaction = this.#root.useReadTransaction();
      try {
        return run(lmdbView(this.#rows, this.#records, transaction));
      } finally {
        transaction.done();
      }
    } catch (cause) {
      if (cause instanceof HoldfastError) throw cause;
      throw new HoldfastError('ERR_UNAVAILABLE', `LMDB: ${messageOf(cause)}`, { cause });
    }
  }

  /** False: the row has changed since it was read, and nothing was written. Resolves when it is flushed to disk. */
  async #commit(id: string, version: number | null, { changedRow, records }: NotedDraft): Promise<boolean> {
    try {
      return await this.#rows.ifVersion(id, version as number, () => {
        for (const change of records) {
          if (change.op === 'put') void this.#records.put([id, change.revision], encodeRecord(change.record));
          else for (let revision = change.from; revision < change.to; revision += 1) void this.#records.remove([id, revision]);
        }
        if (changedRow) void this.#rows.put(id, encodeRow(changedRow), drawNonce());
        else if (changedRow === null) void this.#rows.remove(id);
      });
    } catch (cause) {
      throw new HoldfastError('ERR_UNAVAILABLE', `LMDB: ${messageOf(cause)}`, { cause });
    }
  }

  send(member: string, hint: Hint): void {
    this.#inbox.send(member, hint);
  }

  join(listener: (hint: Hint) => void): Promise<Membership> {
    return this.#inbox.join(listener);
  }

  async close(): Promise<void> {
    try {
      await this.#inbox.close();
    } finally {
      await this.#root.close();
    }
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
    throw new HoldfastError('ERR_INVALID', `'${dir}' holds format ${found} of the LMDB layout, this version of Holdfast reads ${FORMAT}`);
  }
}

interface LmdbView extends View {
  /** Differs from one write of the row to the next; null: there is no row. */
  version(id: string): number | null;
}

/** Rows: CRC-32 (4 bytes) and JSON, by id. Records: nonce (6 bytes) and record, by id and revision. */
function lmdbView(rows: Database<Buffer, string>, records: Database<Buffer, [string, number]>, transaction: Transaction): LmdbView {
  const view = { transaction };
  return {
    version: (id) => rows.getEntry(id, view)?.version ?? null,
    row: (id) => decodeRow(id, rows.get(id, view)),
    record: (id, revision) => decodeRecord(records.get([id, revision], view)),
    ids: (after, limit) =>
      [...rows.getKeys({ start: after, limit: limit + 1, ...view })].filter((id) => id !== after).slice(0, limit),
  };
}

function encodeRow(row: Row): Buffer {
  const json = Buffer.from(JSON.stringify(row));
  const bytes = Buffer.allocUnsafe(4 + json.length);
  bytes.writeUInt32LE(crc32(json), 0);
  json.copy(bytes, 4);
  return bytes;
}

function decodeRow(id: string, bytes: Buffer | undefined): Row | undefined {
  if (bytes === undefined) return undefined;
  const json = bytes.subarray(4);
  if (bytes.length < 4 || crc32(json) !== bytes.readUInt32LE(0)) {
    throw new HoldfastError('ERR_CORRUPT', `session '${id}': its row in the store is damaged; restore it from a backup`, { session: id });
  }
  return JSON.parse(json.toString()) as Row;
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
