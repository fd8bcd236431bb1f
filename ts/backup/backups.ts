import { HoldfastError } from '../errors.ts';
import { decodeRecord } from '../log/record.ts';
import { ORIGIN } from '../position.ts';
import type { Position } from '../position.ts';
import type { Append, Store, Tail } from '../store/store.ts';

export interface BackupOptions {
  readonly store: Store;
  /** `sync`: a save waits until this backup has it. `async`: it does not; the order stays the same. Default `sync`. */
  readonly ack?: 'sync' | 'async';
}

/** A backup that could not be fed. The save itself went well; the next feed, or `catchUp`, brings the backup up to date. */
export type BackupErrorListener = (event: { readonly backup: number; readonly id: string; readonly error: unknown }) => void;

/** Reads a session back from a store and checks every record, and the digest; rejects with `ERR_CORRUPT` if they do not hold. */
export type Verify = (store: Store, id: string) => Promise<void>;

/** Gives up after this many rounds of catching up with writers that are faster. */
const CATCH_UP_ROUNDS = 8;

/** Feeds the records that the primary has accepted to one or more backups, and mends the gaps. */
export class Backups {
  readonly #primary: Store;
  readonly #options: readonly BackupOptions[];
  readonly #onError: BackupErrorListener;
  readonly #verify: Verify;
  /** Bytes sent to each backup. */
  readonly bytesSent: number[];
  /** Per backup and session, the feed that others wait for. */
  readonly #queues: Map<string, Promise<void>>[];

  constructor(primary: Store, options: readonly BackupOptions[], onError: BackupErrorListener, verify: Verify) {
    this.#primary = primary;
    this.#options = options;
    this.#onError = onError;
    this.#verify = verify;
    this.bytesSent = options.map(() => 0);
    this.#queues = options.map(() => new Map());
  }

  get stores(): Store[] {
    return this.#options.map(({ store }) => store);
  }

  /** Sends one record on; resolves when the backups that acknowledge synchronously have it, or have failed. */
  async feed(id: string, append: Append): Promise<void> {
    if (this.#options.length > 0) await this.#toAll(id, (backup) => this.#feedOne(backup, id, append));
  }

  /** The expiry follows the primary's. */
  async expire(id: string, ttlMs: number | undefined): Promise<void> {
    await this.#toAll(id, (backup) => this.#store(backup).expire(id, ttlMs));
  }

  /** Brings every backup up to date for one session; resolves when all have been tried. A damaged one is replaced. */
  async catchUp(id: string): Promise<void> {
    await Promise.all(this.#options.map((_, backup) => this.#inOrder(backup, id, () => this.#catchUp(backup, id, true))));
  }

  /**
   * Replaces a session in the primary, damaged or gone, by what the backup holds, after reading that back whole. What only the
   * primary had is lost. Call it while nobody uses the session; false: the backup does not have it either.
   */
  async restore(id: string, backup = 0): Promise<boolean> {
    const source = this.#store(backup);
    await this.#verify(source, id);
    const tail = await source.read(id, ORIGIN);
    if (tail.head === undefined) return false;
    await this.#copyTo(this.#primary, id, tail, undefined, () => undefined);
    return true;
  }

  /** Resolves when nothing is on its way any more. */
  async drain(): Promise<void> {
    await Promise.all(this.#queues.flatMap((queue) => [...queue.values()]));
  }

  /** Waits for those that acknowledge synchronously. */
  async #toAll(id: string, run: (backup: number) => Promise<void>): Promise<void> {
    await Promise.all(this.#options.map(({ ack }, backup) => {
      const done = this.#inOrder(backup, id, () => run(backup));
      return ack === 'async' ? undefined : done;
    }));
  }

  /** One feed at a time per session and backup, in the order of the calls. Errors go to the listener. */
  #inOrder(backup: number, id: string, run: () => Promise<void>): Promise<void> {
    const queue = this.#queues[backup] as Map<string, Promise<void>>;
    const done = (queue.get(id) ?? Promise.resolve())
      .then(run)
      .catch((error: unknown) => this.#report({ backup, id, error }))
      .finally(() => {
        if (queue.get(id) === done) queue.delete(id);
      });
    queue.set(id, done);
    return done;
  }

  /** The listener's own failure must not pass for the save's. */
  #report(event: Parameters<BackupErrorListener>[0]): void {
    try {
      this.#onError(event);
    } catch (error) {
      process.emitWarning(`onBackupError has thrown: ${String(error)}`, 'HoldfastWarning');
    }
  }

  async #feedOne(backup: number, id: string, append: Append): Promise<void> {
    try {
      await this.#append(backup, id, append);
    } catch (error) {
      if (!(error instanceof HoldfastError) || !['ERR_CONFLICT', 'ERR_FENCED', 'ERR_INVALID', 'ERR_CLOSED', 'ERR_CORRUPT'].includes(error.code)) throw error;
      await this.#catchUp(backup, id, false); // a gap, a rival, or damage
    }
  }

  async #append(backup: number, id: string, append: Append): Promise<void> {
    const { parent, position, kind, bytes, token, ttlMs } = append;
    this.#count(backup, bytes.length);
    await this.#store(backup).append(id, { parent, position, kind, bytes, token, ttlMs });
  }

  #store(backup: number): Store {
    const options = this.#options[backup];
    if (options === undefined) throw new HoldfastError('ERR_INVALID', `there is no backup ${backup}: ${this.#options.length} are configured`);
    return options.store;
  }

  /**
   * Copies what the backup lacks from the primary's log; a backup on another branch is replaced. What was replaced is read back
   * (with `verify`, everything is): a record that follows another is checked by whoever applies it.
   */
  async #catchUp(backup: number, id: string, verify: boolean): Promise<void> {
    for (let round = 0; round < CATCH_UP_ROUNDS; round += 1) {
      const position = await this.#positionOf(backup, id);
      const tail = await this.#primary.read(id, position ?? ORIGIN);
      if (tail.head === undefined) return; // never the reason to empty a backup
      try {
        await this.#copy(backup, id, tail, position);
        if (!tail.head.destroyed) await this.#store(backup).expire(id, tail.head.ttlLeftMs);
        if (verify || tail.whole) await this.#verifyOrReplace(backup, id, tail);
        return;
      } catch (error) {
        if (!(error instanceof HoldfastError) || !['ERR_CONFLICT', 'ERR_FENCED'].includes(error.code)) throw error; // else another feeds it too: look again
      }
    }
    throw new HoldfastError('ERR_CONFLICT', `backup ${backup} of session '${id}' did not catch up in ${CATCH_UP_ROUNDS} rounds`, { session: id });
  }

  async #verifyOrReplace(backup: number, id: string, copied: Tail): Promise<void> {
    try {
      await this.#verify(this.#store(backup), id);
    } catch (error) {
      if (copied.whole || !(error instanceof HoldfastError) || error.code !== 'ERR_CORRUPT') throw error;
      await this.#copy(backup, id, await this.#primary.read(id, ORIGIN), undefined);
      await this.#verify(this.#store(backup), id);
    }
  }

  /** Undefined when the backup cannot read its own head: it is then replaced. */
  async #positionOf(backup: number, id: string): Promise<Position | undefined> {
    try {
      return (await this.#store(backup).read(id, ORIGIN)).head?.position ?? ORIGIN;
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'ERR_CORRUPT') return undefined;
      throw error;
    }
  }

  #copy(backup: number, id: string, tail: Tail, found: Position | undefined): Promise<void> {
    return this.#copyTo(this.#store(backup), id, tail, found, (bytes) => this.#count(backup, bytes));
  }

  #count(backup: number, bytes: number): void {
    this.bytesSent[backup] = (this.bytesSent[backup] as number) + bytes;
  }

  /** `found`: where the store was; a log read whole takes its place only if it still is there. */
  async #copyTo(store: Store, id: string, tail: Tail, found: Position | undefined, count: (bytes: number) => void): Promise<void> {
    const ttlMs = tail.head?.ttlLeftMs;
    let first = tail.whole;
    let revision = (tail.head?.position.revision ?? 0) - tail.records.length;
    for (const bytes of tail.records) {
      const record = decodeRecord(id, bytes, (revision += 1));
      const parent = { revision: record.revision - 1, nonce: record.parentNonce };
      const append = { parent, position: { revision: record.revision, nonce: record.nonce }, kind: record.kind, bytes, token: record.token, ttlMs };
      count(bytes.length);
      if (first) await store.replace(id, append, found);
      else await store.append(id, append);
      first = false;
    }
  }
}
