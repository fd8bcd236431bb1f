import { HoldfastError } from '../errors.ts';
import type { Clock } from '../clock.ts';
import { emptyLockRow, leaveLockQueue, releaseLock, renewLock, requestLock } from './lock-row.ts';
import type { LockRow, Notice } from './lock-row.ts';
import { ORIGIN, samePosition } from '../position.ts';
import type { Position } from '../position.ts';
import type { Append, Head, Hint, LockReply, LockRequest, Membership, Store, Tail } from './store.ts';

/** All that a store keeps of a session beside its records. */
export interface Row {
  revision: number;
  nonce: number;
  destroyed: boolean;
  /** Revision of the oldest record kept. */
  first: number;
  snapshotBytes: number;
  deltaBytes: number;
  /** Store time in ms; absent: never. */
  expiresAt?: number;
  lock: LockRow;
}

export interface StoredRecord {
  readonly nonce: number;
  readonly bytes: Uint8Array;
}

/** What a read sees. */
export interface View {
  row(id: string): Row | undefined;
  record(id: string, revision: number): StoredRecord | undefined;
  ids(after: string, limit: number): string[];
}

/** A change to one session, noted down until it is committed; `row` sees it already. */
export interface Draft extends View {
  putRow(row: Row): void;
  deleteRow(): void;
  putRecord(revision: number, record: StoredRecord): void;
  /** Deletes the records with `from` ≤ revision < `to`. */
  deleteRecords(from: number, to: number): void;
}

/** A place that keeps rows and records, and carries hints between members. */
export interface Backend {
  readonly name: string;
  /** All or nothing, against one session as it is then: `run` is called again if another was faster. */
  write<T>(id: string, run: (draft: Draft) => T): Promise<T>;
  /** One consistent view. */
  read<T>(run: (view: View) => T): T;
  /** Never throws, never waits. */
  send(member: string, hint: Hint): void;
  join(listener: (hint: Hint) => void): Promise<Membership>;
  close(): Promise<void>;
}

/** A row that only holds a lock, for a session that was never written, is forgotten after an hour. */
const LOCK_ONLY_TTL_MS = 3_600_000;

/** The store contract over any backend with transactions on one machine: memory and LMDB. */
export class TransactionalStore implements Store {
  readonly #backend: Backend;
  readonly #clock: Clock;
  #closed = false;
  readonly #pending = new Set<Promise<unknown>>();

  constructor(backend: Backend, clock: Clock) {
    this.#backend = backend;
    this.#clock = clock;
  }

  async read(id: string, since: Position): Promise<Tail> {
    this.#check(id);
    return this.#backend.read((view) => readTail(view, id, this.#liveRow(view, id), since, this.#clock.now()));
  }

  async append(id: string, append: Append): Promise<void> {
    this.#check(id);
    checkTtl(append.ttlMs);
    const notices = await this.#commit(id, (draft) => {
      const row = this.#settledRow(draft, id);
      checkAppend(id, row, append);
      return this.#write(draft, row, append);
    });
    this.#notify(id, notices);
  }

  async replace(id: string, append: Omit<Append, 'parent' | 'release' | 'renew'>, expected: Position | undefined): Promise<void> {
    this.#check(id);
    if (append.kind === 'delta') throw new HoldfastError('ERR_INVALID', `replace('${id}') takes a snapshot or a tombstone: a delta cannot stand alone`);
    await this.#commit(id, (draft) => {
      const row = expected === undefined ? this.#readableRow(draft, id) : this.#settledRow(draft, id);
      if (expected !== undefined && !samePosition(row ?? ORIGIN, expected)) throw notAt(id, row ?? ORIGIN, expected);
      if (row !== undefined) draft.deleteRecords(row.first, row.revision + 1);
      this.#write(draft, { ...this.#newRow(), lock: { ...emptyLockRow(), token: append.token } }, append);
    });
  }

  async lock(id: string, request: LockRequest): Promise<LockReply> {
    this.#check(id);
    return this.#handedOver(id, request) ?? this.#request(id, request);
  }

  /** A lock that was handed over is there for the taking: a read suffices, which costs no flush. */
  #handedOver(id: string, { member, since }: LockRequest): LockReply | undefined {
    return this.#backend.read((view) => {
      const row = this.#liveRow(view, id);
      return row?.lock.holder?.member === member ? grantOf(view, id, row, since, this.#clock.now()) : undefined;
    });
  }

  async #request(id: string, request: LockRequest): Promise<LockReply> {
    const { reply, notices } = await this.#commit(id, (draft) => {
      const row = this.#settledRow(draft, id) ?? this.#newRow();
      const now = this.#clock.now();
      const { token, retryMs, notices } = requestLock(row.lock, request, now);
      if (row.revision === 0) row.expiresAt = now + LOCK_ONLY_TTL_MS;
      draft.putRow(row);
      const reply: LockReply = token === undefined ? { granted: false, retryMs } : grantOf(draft, id, row, request.since, now);
      return { reply, notices };
    });
    this.#notify(id, notices);
    return reply;
  }

  async renew(id: string, token: number): Promise<void> {
    this.#check(id);
    await this.#commit(id, (draft) => {
      const row = this.#settledRow(draft, id);
      const now = this.#clock.now();
      if (row === undefined || !renewLock(row.lock, token, now)) {
        throw new HoldfastError('ERR_FENCED', `the lock of session '${id}' is no longer held under token ${token}`, { session: id });
      }
      if (row.expiresAt !== undefined) row.expiresAt = Math.max(row.expiresAt, 2 * (row.lock.holder?.leaseUntil ?? now) - now);
      draft.putRow(row);
    });
  }

  async unlock(id: string, token: number): Promise<void> {
    this.#check(id);
    await this.#releaseBy(id, (row) => releaseLock(row.lock, token, this.#clock.now()));
  }

  async leaveQueue(id: string, member: string): Promise<void> {
    this.#check(id);
    await this.#releaseBy(id, (row) => leaveLockQueue(row.lock, member, this.#clock.now()));
  }

  async join(listener: (hint: Hint) => void): Promise<Membership> {
    this.#checkOpen();
    return this.#backend.join(listener);
  }

  async expire(id: string, ttlMs: number | undefined): Promise<void> {
    this.#check(id);
    checkTtl(ttlMs);
    await this.#commit(id, (draft) => {
      const row = this.#settledRow(draft, id);
      if (row === undefined || row.revision === 0 || row.destroyed) return;
      setExpiry(row, ttlMs, this.#clock.now());
      draft.putRow(row);
    });
  }

  async list(after: string, limit: number): Promise<string[]> {
    this.#checkOpen();
    return this.#backend.read((view) => {
      const found: string[] = [];
      for (let ids = view.ids(after, limit); ids.length > 0 && found.length < limit; ids = view.ids(ids.at(-1) as string, limit)) {
        found.push(...ids.filter((id) => isListed(() => this.#liveRow(view, id))));
      }
      return found.slice(0, limit);
    });
  }

  /** Deletes what has expired, looking at `limit` sessions in one go and then letting others run; returns how many went. */
  async sweep(limit = 500): Promise<number> {
    this.#checkOpen();
    let swept = 0;
    for (let after: string | undefined = ''; after !== undefined && !this.#closed; await new Promise(setImmediate)) {
      const ids: string[] = this.#backend.read((view) => view.ids(after as string, limit));
      const expired = this.#backend.read((view) => ids.filter((id) => this.#isExpired(view, id)));
      for (const id of expired) if (!this.#closed && (await this.#commit(id, (draft) => this.#sweepOne(draft, id)))) swept += 1;
      after = ids.at(-1);
    }
    return swept;
  }

  /** False for a row that only held a lock: no session goes with it. */
  #sweepOne(draft: Draft, id: string): boolean {
    const held = (draft.row(id)?.revision ?? 0) > 0;
    return this.#settledRow(draft, id)?.revision !== 0 ? false : held;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.allSettled(this.#pending);
    await this.#backend.close();
  }

  /** A write that `close` waits for. */
  async #commit<T>(id: string, run: (draft: Draft) => T): Promise<T> {
    const writing = this.#backend.write(id, run);
    this.#pending.add(writing);
    try {
      return await writing;
    } finally {
      this.#pending.delete(writing);
    }
  }

  #check(id: string): void {
    this.#checkOpen();
    const bytes = typeof id === 'string' ? Buffer.byteLength(id) : 0;
    if (bytes < 1 || bytes > 255 || id.includes('\0')) {
      throw new HoldfastError('ERR_INVALID', 'a session id is a string of 1 to 255 bytes of UTF-8 without NUL');
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new HoldfastError('ERR_CLOSED', `the ${this.#backend.name} store is closed`);
  }

  #newRow(): Row {
    return { ...ORIGIN, destroyed: false, first: 1, snapshotBytes: 0, deltaBytes: 0, lock: emptyLockRow() };
  }

  /** The row as it is now: when a session expires, its lock stays for those who have it or wait. */
  #liveRow(view: View, id: string): Row | undefined {
    const row = view.row(id);
    const now = this.#clock.now();
    if (row?.expiresAt === undefined || row.expiresAt > now) return row;
    return row.revision === 0 ? undefined : { ...this.#newRow(), lock: row.lock, expiresAt: now + LOCK_ONLY_TTL_MS };
  }

  /** A damaged row is left for repair. */
  #isExpired(view: View, id: string): boolean {
    try {
      const { expiresAt } = view.row(id) ?? {};
      return expiresAt !== undefined && expiresAt <= this.#clock.now();
    } catch {
      return false;
    }
  }

  /** As `#liveRow`; what has expired is deleted on the way. */
  #settledRow(draft: Draft, id: string): Row | undefined {
    const row = draft.row(id);
    const live = this.#liveRow(draft, id);
    if (row === undefined || live === row || (live !== undefined && live.revision === row.revision)) return live;
    draft.deleteRecords(row.first, row.revision + 1);
    if (live === undefined) draft.deleteRow();
    else draft.putRow(live);
    return live;
  }

  /** A damaged row is as good as none: it is about to be replaced. */
  #readableRow(draft: Draft, id: string): Row | undefined {
    try {
      return this.#settledRow(draft, id);
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'ERR_CORRUPT') return undefined;
      throw error;
    }
  }

  #write(draft: Draft, found: Row | undefined, append: Omit<Append, 'parent'>): Notice[] {
    const now = this.#clock.now();
    const row = found ?? this.#newRow();
    if (row.revision === 0) delete row.expiresAt;
    if (append.kind !== 'delta') {
      draft.deleteRecords(row.first, row.revision + 1);
      row.first = append.position.revision;
      row.snapshotBytes = append.bytes.length;
      row.deltaBytes = 0;
    } else row.deltaBytes += append.bytes.length;
    row.revision = append.position.revision;
    row.nonce = append.position.nonce;
    row.destroyed = append.kind === 'tombstone';
    if (append.ttlMs !== undefined || row.destroyed) setExpiry(row, append.ttlMs, now);
    const notices = settleLock(row, append, now);
    draft.putRow(row);
    draft.putRecord(row.revision, { nonce: row.nonce, bytes: append.bytes });
    return notices;
  }

  async #releaseBy(id: string, release: (row: Row) => Notice[] | undefined): Promise<void> {
    const notices = await this.#commit(id, (draft) => {
      const row = this.#settledRow(draft, id);
      const notices = row && release(row);
      if (row !== undefined && notices !== undefined) draft.putRow(row);
      return notices ?? [];
    });
    this.#notify(id, notices);
  }

  #notify(id: string, notices: readonly Notice[]): void {
    for (const { kind, member, token } of notices) this.#backend.send(member, { kind, id, token });
  }
}

/** A damaged row counts as living: whoever reads it learns of the damage. */
function isListed(readRow: () => Row | undefined): boolean {
  try {
    const row = readRow();
    return row !== undefined && row.revision > 0 && !row.destroyed;
  } catch {
    return true;
  }
}

function setExpiry(row: Row, ttlMs: number | undefined, now: number): void {
  if (ttlMs === undefined) delete row.expiresAt;
  else row.expiresAt = now + ttlMs;
}

/** An append proves that its writer is alive; a tombstone outdates every token given so far. */
function settleLock(row: Row, append: Omit<Append, 'parent'>, now: number): Notice[] {
  if (append.token > row.lock.token) row.lock = { ...emptyLockRow(), token: append.token };
  if (append.kind === 'tombstone' || append.release === true) {
    const notices = releaseLock(row.lock, append.token, now) ?? [];
    if (append.kind === 'tombstone' && row.lock.token === append.token) row.lock.token += 1;
    return notices;
  }
  if (append.renew !== false) renewLock(row.lock, append.token, now);
  return [];
}

function notAt(id: string, head: Position, expected: Position): HoldfastError {
  const message = `session '${id}' is at revision ${head.revision}, not where this write expected it, at ${expected.revision}; pull and retry`;
  return new HoldfastError('ERR_CONFLICT', message, { session: id, revision: head.revision });
}

function checkTtl(ttlMs: number | undefined): void {
  if (ttlMs === undefined || (Number.isFinite(ttlMs) && ttlMs > 0)) return;
  throw new HoldfastError('ERR_INVALID', `ttlMs must be a number of milliseconds above 0, or undefined for no expiry, not ${String(ttlMs)}`);
}

function checkAppend(id: string, row: Row | undefined, append: Append): void {
  const token = row?.lock.token ?? 0;
  if (append.token < token) {
    throw new HoldfastError('ERR_FENCED', `session '${id}': token ${append.token} is outdated by ${token}; discard this copy and open the session again`, { session: id });
  }
  if (row?.destroyed === true) {
    throw new HoldfastError('ERR_CLOSED', `session '${id}' was destroyed; its id is not used again`, { session: id, revision: row.revision });
  }
  const head: Position = row ?? ORIGIN;
  if (!samePosition(append.parent, head)) throw notAt(id, head, append.parent);
  if (append.position.revision !== append.parent.revision + 1) {
    throw new HoldfastError('ERR_INVALID', `session '${id}': revision ${append.position.revision} does not follow ${append.parent.revision}`, { session: id });
  }
  if (append.kind === 'delta' && append.parent.revision === 0) {
    throw new HoldfastError('ERR_INVALID', `session '${id}': the first record must be a snapshot`, { session: id });
  }
}

/** The row's lock is held by whoever asked. */
function grantOf(view: View, id: string, row: Row, since: Position, now: number): LockReply {
  const { token, holder, queue } = row.lock;
  return { granted: true, token, leaseLeftMs: (holder?.leaseUntil ?? now) - now, wanted: queue.length > 0, tail: readTail(view, id, row, since, now) };
}

function readTail(view: View, id: string, row: Row | undefined, since: Position, now: number): Tail {
  if (row === undefined || row.revision === 0) return { head: undefined, records: [], whole: true };
  const follows = since.revision >= row.first && since.revision <= row.revision && view.record(id, since.revision)?.nonce === since.nonce;
  const records: Uint8Array[] = [];
  for (let revision = follows ? since.revision + 1 : row.first; revision <= row.revision; revision += 1) {
    const record = view.record(id, revision);
    // A hole is left for the reader to find, by the parent that the next record names.
    if (record !== undefined) records.push(record.bytes);
  }
  return { head: headOf(row, now), records, whole: !follows };
}

function headOf(row: Row, now: number): Head {
  return {
    position: { revision: row.revision, nonce: row.nonce },
    token: row.lock.token,
    destroyed: row.destroyed,
    snapshotBytes: row.snapshotBytes,
    deltaBytes: row.deltaBytes,
    ttlLeftMs: row.expiresAt === undefined ? undefined : row.expiresAt - now,
  };
}
