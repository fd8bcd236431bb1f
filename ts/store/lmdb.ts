import { mkdirSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { open } from 'lmdb';
import type { Database, RootDatabase, Transaction } from 'lmdb';
import { systemClock } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { SocketInbox } from './inbox.ts';
import { TransactionalStore } from './transactional.ts';
import type { Backend, KeyValue, Row, StoredRecord } from './transactional.ts';
import type { Hint, Membership } from './store.ts';

const FORMAT = 1;
const NONCE_BYTES = 6;
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
  #stopSweeping: () => void;

  constructor(options: LmdbStoreOptions) {
    const clock = options.clock ?? systemClock;
    super(new LmdbBackend(options.dir), clock);
    this.#stopSweeping = clock.after(SWEEP_EVERY_MS, () => void this.#sweepAgain(clock), true);
  }

  async #sweepAgain(clock: Clock): Promise<void> {
    await this.sweep().catch(() => 0); // housekeeping: whoever next uses the store learns of its trouble
    this.#stopSweeping = clock.after(SWEEP_EVERY_MS, () => void this.#sweepAgain(clock), true);
  }

  override async close(): Promise<void> {
    this.#stopSweeping();
    await super.close();
  }
}

class LmdbBackend implements Backend {
  readonly name = 'LMDB';
  readonly #root: RootDatabase<Buffer, string>;
  readonly #rows: Database<Buffer, string>;
  readonly #records: Database<Buffer, [string, number]>;
  readonly #inbox: SocketInbox;
  readonly #kv: KeyValue;

  constructor(dir: string) {
    if (typeof dir !== 'string' || dir === '') throw new HoldfastError('ERR_INVALID', 'LmdbStore needs `dir`, the path of a directory');
    try {
      mkdirSync(dir, { recursive: true });
      this.#root = open<Buffer, string>({ path: dir, encoding: 'binary', noSubdir: false, maxDbs: 4, maxReaders: 512 });
      this.#rows = this.#root.openDB<Buffer, string>('rows', { encoding: 'binary' });
      this.#records = this.#root.openDB<Buffer, [string, number]>('records', { encoding: 'binary' });
    } catch (cause) {
      throw new HoldfastError('ERR_UNAVAILABLE', `cannot open an LMDB database in '${dir}': ${messageOf(cause)}`, { cause });
    }
    checkFormat(this.#root, dir);
    this.#inbox = new SocketInbox(dir);
    this.#kv = lmdbKeyValue(this.#rows, this.#records, undefined);
  }

  async write<T>(run: (kv: KeyValue) => T): Promise<T> {
    // A throw must not reach LMDB, which would fail the other callers' writes in the same batch.
    let thrown: unknown;
    const result = await this.#guard(() =>
      this.#root.transaction(() => {
        try {
          return { value: run(this.#kv) };
        } catch (error) {
          thrown = error;
          return undefined;
        }
      }),
    );
    if (result === undefined) throw thrown;
    return result.value;
  }

  read<T>(run: (kv: KeyValue) => T): T {
    this.#root.resetReadTxn();
    const transaction = this.#root.useReadTransaction();
    try {
      return run(lmdbKeyValue(this.#rows, this.#records, transaction));
    } finally {
      transaction.done();
    }
  }

  send(member: string, hint: Hint): void {
    this.#inbox.send(member, hint);
  }

  join(listener: (hint: Hint) => void): Promise<Membership> {
    return this.#inbox.join(listener);
  }

  async close(): Promise<void> {
    await this.#inbox.close();
    await this.#root.close();
  }

  async #guard<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (cause) {
      throw new HoldfastError('ERR_UNAVAILABLE', `LMDB: ${messageOf(cause)}`, { cause });
    }
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function checkFormat(root: RootDatabase<Buffer, string>, dir: string): void {
  const about = root.openDB<string, string>('holdfast', { encoding: 'string' });
  const found = about.get('format');
  if (found === undefined) about.putSync('format', String(FORMAT));
  else if (found !== String(FORMAT)) {
    throw new HoldfastError('ERR_INVALID', `'${dir}' holds format ${found} of the LMDB layout, this version of Holdfast reads ${FORMAT}`);
  }
}

/** Rows: CRC-32 (4 bytes) and JSON, by id. Records: nonce (6 bytes) and record, by id and revision. */
function lmdbKeyValue(rows: Database<Buffer, string>, records: Database<Buffer, [string, number]>, transaction: Transaction | undefined): KeyValue {
  const view = transaction && { transaction };
  return {
    row: (id) => decodeRow(id, rows.get(id, view)),
    putRow: (id, row) => void rows.put(id, encodeRow(row)),
    deleteRow: (id) => void rows.remove(id),
    record: (id, revision) => decodeRecord(records.get([id, revision], view)),
    putRecord: (id, revision, record) => void records.put([id, revision], encodeRecord(record)),
    deleteRecords(id, from, to) {
      for (let revision = from; revision < to; revision += 1) void records.remove([id, revision]);
    },
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
