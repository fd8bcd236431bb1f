import { randomBytes } from 'node:crypto';
import { Backups } from '../backup/backups.ts';
import type { BackupErrorListener, BackupOptions } from '../backup/backups.ts';
import { systemClock } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { msgpackCodec } from '../codec/msgpack.ts';
import { loadDiffer } from '../diff/engine.ts';
import type { Engine } from '../diff/differ.ts';
import { HoldfastError } from '../errors.ts';
import { MemberLocks } from '../lock/member-locks.ts';
import type { AcquireOptions, Hold, LockOptions } from '../lock/member-locks.ts';
import { sameDigest } from '../log/record.ts';
import { samePosition } from '../position.ts';
import type { Store } from '../store/store.ts';
import type { Line } from '../sync/line.ts';
import { pull } from '../sync/pull.ts';
import { Replica } from '../sync/replica.ts';
import { plain, unwrap } from '../tracking/tracker.ts';
import type { SaveMode } from '../tracking/classes.ts';
import type { SessionDefinition } from './definition.ts';
import { Session } from './session.ts';
import { Slots } from './slots.ts';

export interface RepositoryOptions<S extends object, V extends object> {
  readonly store: Store;
  readonly definition: SessionDefinition<S, V>;
  /** Stores that are fed each record once the primary has it. Default none. */
  readonly backups?: readonly BackupOptions[];
  /** Told when a backup could not be fed; by default a warning is emitted on the process. */
  readonly onBackupError?: BackupErrorListener;
  readonly lock?: LockOptions;
  /** What a save compares. Default `write`: what was written. */
  readonly saveMode?: SaveMode;
  /** `off`: a changed attribute travels whole. Default `binary`. */
  readonly differencing?: 'binary' | 'off';
  /** Forces the differ's implementation; default: native where it is built, else JavaScript. */
  readonly engine?: Engine;
  /** A session expires this long after its last save, or half to all of it after it was last opened. Default: never. */
  readonly ttlMs?: number;
  /** A destroyed id stays refused for this long. Default a day. */
  readonly tombstoneTtlMs?: number;
  /** Bound on the bytes of one session. Default 16 MiB. */
  readonly limitBytes?: number;
  /** Sessions kept in memory between uses, as bytes of their images. Default 64 MiB. */
  readonly cacheBytes?: number;
  readonly clock?: Clock;
}

/** Bytes that a kept session takes beside its image, about. */
const KEPT_OVERHEAD = 500;

/** A session's copy in this process, kept between uses. */
interface Kept {
  readonly replica: Replica;
  /** Decoded values that equal the image; undefined: to be decoded again. */
  slots: Slots | undefined;
  /** Uses that are going on or waiting for the lock. */
  pins: number;
  /** As counted in the cache. */
  bytes: number;
}

/** Opens sessions that live in a store. One per process and store is enough; it is a member of the cluster of all that share the store. */
export class SessionRepository<S extends object, V extends object = S> {
  readonly #line: Line;
  readonly #definition: SessionDefinition<object, object>;
  readonly #locks: MemberLocks;
  readonly #saveMode: SaveMode;
  readonly #tombstoneTtlMs: number;
  readonly #cacheBytes: number;
  readonly #clock: Clock;
  /** In order of last use. */
  readonly #kept = new Map<string, Kept>();
  #keptBytes = 0;
  readonly backups: Backups;

  constructor(options: RepositoryOptions<S, V>) {
    checkOptions(options);
    const { store, clock = systemClock } = options;
    this.backups = new Backups(store, options.backups ?? [], options.onBackupError ?? warnOfBackup, async (copy, id) => void (await this.#readBack(copy, id)));
    this.#line = {
      codec: msgpackCodec,
      differ: loadDiffer(options.engine),
      differencing: options.differencing ?? 'binary',
      store,
      backups: this.backups,
      limitBytes: options.limitBytes ?? 16 * 1024 * 1024,
      ttlMs: options.ttlMs,
      clock,
    };
    this.#definition = options.definition;
    this.#locks = new MemberLocks(store, clock, options.lock ?? {});
    this.#saveMode = options.saveMode ?? 'write';
    this.#tombstoneTtlMs = options.tombstoneTtlMs ?? 24 * 3_600_000;
    this.#cacheBytes = options.cacheBytes ?? 64 * 1024 * 1024;
    this.#clock = clock;
  }

  /** Which implementation of the differ runs. */
  get engine(): Engine {
    return this.#line.differ.engine;
  }

  /** How often the store has granted a lock to this process. */
  get lockGrants(): number {
    return this.#locks.grants;
  }

  /**
   * Locks and opens the session, runs `use`, saves what changed, and unlocks. If `use` throws, nothing of it is saved and the
   * error is passed on. Parts of the state that it returns are returned as plain copies. The session is created by its first save; a destroyed one gives `ERR_CLOSED`.
   */
  async scope<R>(id: string, use: (state: S, session: Session<S, V>) => R | Promise<R>, options: AcquireOptions = {}): Promise<R> {
    const session = await this.open(id, options);
    try {
      const result = withoutState(await use(session.state, session));
      if (!session.closed) await session.saveAndClose();
      return result;
    } finally {
      await session.close();
    }
  }

  /** Locks and opens the session, or a new one of that id. Close it. */
  async open(id: string, options: AcquireOptions = {}): Promise<Session<S, V>> {
    const { kept, hold } = await this.#claim(id, options);
    if (kept.replica.destroyed) {
      await this.#abandon(kept, hold);
      throw new HoldfastError('ERR_CLOSED', `session '${id}' was destroyed; begin another under a new id`, { session: id });
    }
    return this.#session(kept, hold, false);
  }

  /** As `open`, but undefined when there is no such session, or when it was destroyed. */
  async find(id: string, options: AcquireOptions = {}): Promise<Session<S, V> | undefined> {
    const { kept, hold } = await this.#claim(id, options);
    if (kept.replica.exists) return this.#session(kept, hold, false);
    await this.#abandon(kept, hold);
    return undefined;
  }

  /** A new session with first values, not saved yet. Without an id it gets a random one of 144 bits. `ERR_CONFLICT` if it exists. */
  async create(values?: V, options: AcquireOptions & { readonly id?: string } = {}): Promise<Session<S, V>> {
    const id = options.id ?? randomBytes(18).toString('base64url');
    const { kept, hold } = await this.#claim(id, options);
    if (kept.replica.exists || kept.replica.destroyed) {
      await this.#abandon(kept, hold);
      throw new HoldfastError('ERR_CONFLICT', `session '${id}' exists already, or was destroyed; open it, or choose another id`, { session: id });
    }
    const session = this.#session(kept, hold, true);
    try {
      if (values !== undefined) session.assign(values);
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  /** The state as last saved, as plain values of the caller's own, without a lock. Undefined: no such session. */
  async read(id: string): Promise<S | undefined> {
    const replica = await this.#readBack(this.#line.store, id);
    if (!replica.exists) return undefined;
    const slots = new Slots(replica.image, this.#line.codec, this.#definition);
    return Object.fromEntries(slots.names().map((name) => [name, slots.get(name)])) as S;
  }

  /** Destroys the session everywhere; false: there was none. */
  async delete(id: string, options: AcquireOptions = {}): Promise<boolean> {
    const session = await this.find(id, options);
    try {
      await session?.delete();
    } finally {
      await session?.close();
    }
    return session !== undefined;
  }

  /** Moves a session to a new id; see `Session.changeId`. False: there was none. */
  async changeId(id: string, newId: string, options: AcquireOptions = {}): Promise<boolean> {
    const session = await this.find(id, options);
    if (session === undefined) return false;
    try {
      await session.changeId(newId);
      return true;
    } finally {
      await session.close();
    }
  }

  /**
   * Reads the session back from every backup, checks each record and the digest, and compares with the primary. `behind`: not
   * fed yet; `damaged`: `backups.catchUp(id)` replaces it. Saves that run meanwhile make a backup look behind.
   */
  async verifyBackups(id: string): Promise<('equal' | 'behind' | 'damaged')[]> {
    const primary = await this.#readBack(this.#line.store, id);
    return Promise.all(
      this.backups.stores.map(async (store) => {
        try {
          const backup = await this.#readBack(store, id);
          const equal = samePosition(backup.image.position, primary.image.position) && sameDigest(backup.image.digest, primary.image.digest);
          return equal && backup.destroyed === primary.destroyed ? 'equal' : 'behind';
        } catch (error) {
          if (error instanceof HoldfastError && error.code === 'ERR_CORRUPT') return 'damaged';
          throw error;
        }
      }),
    );
  }

  async #readBack(store: Store, id: string): Promise<Replica> {
    const replica = new Replica(id);
    await pull({ ...this.#line, store }, replica);
    return replica;
  }

  /** Ids of the sessions in the primary, in byte order. */
  async *ids(): AsyncIterable<string> {
    const pageSize = 1000;
    for (let page = await this.#line.store.list('', pageSize); page.length > 0; page = await this.#line.store.list(page.at(-1) as string, pageSize)) yield* page;
  }

  /** Waits for the backups, and gives the locks back. The stores are the caller's to close. */
  async close(): Promise<void> {
    await this.#locks.close();
    await this.backups.drain();
    this.#kept.clear();
  }

  async #claim(id: string, options: AcquireOptions): Promise<{ kept: Kept; hold: Hold }> {
    const kept = this.#pin(id);
    let hold: Hold;
    try {
      hold = await this.#locks.acquire(id, () => kept.replica.image.position, options);
    } catch (error) {
      this.#unpin(kept);
      throw error;
    }
    try {
      await this.#bringUpToDate(kept, hold);
      return { kept, hold };
    } catch (error) {
      kept.replica.stale = true;
      this.#unpin(kept);
      await hold.end('keep');
      throw error;
    }
  }

  async #bringUpToDate(kept: Kept, hold: Hold): Promise<void> {
    const { replica } = kept;
    const { store, ttlMs } = this.#line;
    const { granted } = hold;
    if (granted !== undefined || replica.stale || this.#clock.monotonic() >= replica.expiresAt) {
      // The request may have gone out for another waiter, whose copy was at another revision.
      const fits = granted !== undefined && samePosition(granted.since, replica.image.position);
      const pulled = await pull(this.#line, replica, fits ? granted.tail : undefined);
      if (pulled === 'all' || pulled.size > 0) kept.slots = undefined;
    }
    if (ttlMs === undefined || !replica.exists || replica.expiresAt - this.#clock.monotonic() > ttlMs / 2) return;
    replica.expiresAt = this.#clock.monotonic() + ttlMs;
    await store.expire(replica.id, ttlMs);
    void this.backups.expire(replica.id, ttlMs);
  }

  #session(kept: Kept, hold: Hold, create: boolean): Session<S, V> {
    const { replica } = kept;
    return new Session<S, V>({
      line: this.#line,
      definition: this.#definition,
      saveMode: this.#saveMode,
      tombstoneTtlMs: this.#tombstoneTtlMs,
      replica,
      slots: kept.slots ?? new Slots(replica.image, this.#line.codec, this.#definition),
      hold,
      create,
      claim: async (id) => this.#claimNew(id),
      onEnd: (ended, slots) => this.#settle(ended, slots),
    });
  }

  async #claimNew(id: string): Promise<{ replica: Replica; hold: Hold }> {
    const { kept, hold } = await this.#claim(id, {});
    if (!kept.replica.exists && !kept.replica.destroyed) return { replica: kept.replica, hold };
    await this.#abandon(kept, hold);
    throw new HoldfastError('ERR_CONFLICT', `session '${id}' exists already or was destroyed; choose another id`, { session: id });
  }

  async #abandon(kept: Kept, hold: Hold): Promise<void> {
    this.#unpin(kept);
    await hold.end('keep');
    await this.#locks.giveUp(kept.replica.id); // nothing to come back to
  }

  /** A use has ended. Without slots its outcome is not certain, or it was discarded: what it decoded is dropped. */
  #settle(replica: Replica, slots: Slots | undefined): void {
    const kept = this.#kept.get(replica.id);
    if (kept?.replica !== replica) return;
    kept.slots = slots;
    if (slots === undefined) replica.stale = true;
    this.#unpin(kept);
  }

  #pin(id: string): Kept {
    const kept = this.#kept.get(id) ?? { replica: new Replica(id), slots: undefined, pins: 0, bytes: 0 };
    this.#kept.delete(id); // moves to the end
    this.#kept.set(id, kept);
    kept.pins += 1;
    return kept;
  }

  #unpin(kept: Kept): void {
    kept.pins -= 1;
    const bytes = kept.replica.image.byteLength + KEPT_OVERHEAD;
    this.#keptBytes += bytes - kept.bytes;
    kept.bytes = bytes;
    if (kept.pins === 0 && !kept.replica.exists) this.#drop(kept);
    for (const oldest of this.#kept.values()) {
      if (this.#keptBytes <= this.#cacheBytes) return;
      if (oldest.pins > 0) continue;
      this.#drop(oldest);
      void this.#locks.giveUp(oldest.replica.id);
    }
  }

  #drop(kept: Kept): void {
    if (this.#kept.get(kept.replica.id) !== kept) return;
    this.#kept.delete(kept.replica.id);
    this.#keptBytes -= kept.bytes;
  }
}

/** What is returned outlives the session: tracked parts, the value itself or what it directly holds, are copied. */
function withoutState<R>(result: R): R {
  if (typeof result !== 'object' || result === null) return result;
  const parts = unwrap(result) !== result ? [] : Object.values(result);
  const tracked = unwrap(result) !== result || parts.some((part) => unwrap(part) !== part);
  return tracked ? plain(result) : result;
}

function warnOfBackup({ backup, id, error }: Parameters<BackupErrorListener>[0]): void {
  process.emitWarning(`backup ${backup} of session '${id}' could not be fed: ${error instanceof Error ? error.message : String(error)}`, 'HoldfastWarning');
}

function checkOptions(options: RepositoryOptions<object, object>): void {
  const { store, definition, backups = [], lock = {} } = options ?? {};
  if (typeof store?.append !== 'function') throw new HoldfastError('ERR_INVALID', 'SessionRepository needs `store`: a MemoryStore, a LmdbStore, or another that keeps the contract');
  if (typeof definition?.attributes !== 'object') throw new HoldfastError('ERR_INVALID', 'SessionRepository needs `definition`: what defineSession() returns');
  checkBackups(store, backups);
  checkChoice('saveMode', options.saveMode, ['write', 'mutable-access', 'access', 'all']);
  checkChoice('differencing', options.differencing, ['binary', 'off']);
  checkChoice('lock.release', lock.release, ['lazy', 'access']);
  for (const name of ['ttlMs', 'tombstoneTtlMs', 'limitBytes', 'cacheBytes'] as const) {
    const value = options[name];
    if (value !== undefined && !(Number.isFinite(value) && value > 0)) throw new HoldfastError('ERR_INVALID', `${name} must be a positive number, not ${String(value)}`);
  }
  for (const name of ['leaseMs', 'minHoldMs', 'maxHoldMs'] as const) {
    const value = lock[name];
    if (value !== undefined && !(Number.isFinite(value) && value >= (name === 'minHoldMs' ? 0 : 1))) throw new HoldfastError('ERR_INVALID', `lock.${name} must be a positive number of milliseconds, not ${String(value)}`);
  }
}

function checkChoice(name: string, value: string | undefined, choices: readonly string[]): void {
  if (value !== undefined && !choices.includes(value)) throw new HoldfastError('ERR_INVALID', `${name} must be one of ${choices.join(', ')}, not ${String(value)}`);
}

function checkBackups(primary: Store, backups: readonly BackupOptions[]): void {
  if (!Array.isArray(backups)) throw new HoldfastError('ERR_INVALID', 'backups must be an array of { store, ack? }');
  for (const [index, backup] of backups.entries()) {
    const { store, ack } = (backup ?? {}) as Partial<BackupOptions>;
    if (typeof store?.append !== 'function') throw new HoldfastError('ERR_INVALID', `backups[${index}] needs a store: { store, ack? }`);
    checkChoice(`backups[${index}].ack`, ack, ['sync', 'async']);
    if (store === primary || (store.address !== undefined && store.address === primary.address)) {
      throw new HoldfastError('ERR_INVALID', `backups[${index}] is the primary itself: a backup must be another store`);
    }
  }
}
