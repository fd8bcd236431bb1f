import { HoldfastError } from '../errors.ts';
import { decodeRecord } from '../log/record.ts';
import { ORIGIN } from '../position.ts';
import type { Append, Head, Store, Tail } from '../store/store.ts';

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
    const waits = this.#options.map(({ ack }, backup) => {
      const fed = this.#inOrder(backup, id, () => this.#feedOne(backup, id, append));
      return ack === 'async' ? undefined : fed;
    });
    if (waits.length > 0) await Promise.all(waits);
  }

  /** The expiry follows the primary's. */
  async expire(id: string, ttlMs: number | undefined): Promise<void> {
    await Promise.all(this.#options.map(({ store }, backup) => this.#inOrder(backup, id, () => store.expire(id, ttlMs))));
  }

  /** Brings every backup up to date for one session; resolves when all have been tried. A damaged one is replaced. */
  async catchUp(id: string): Promise<void> {
    await Promise.all(this.#options.map((_, backup) => this.#inOrder(backup, id, () => this.#catchUp(backup, id, true))));
  }

  /** Resolves when nothing is on its way any more. */
  async drain(): Promise<void> {
    await Promise.all(this.#queues.flatMap((queue) => [...queue.values()]));
  }

  /** One feed at a time per session and backup, in the order of the calls. Errors go to the listener. */
  #inOrder(backup: number, id: string, run: () => Promise<void>): Promise<void> {
    const queue = this.#queues[backup] as Map<string, Promise<void>>;
    const done = (queue.get(id) ?? Promise.resolve())
      .then(run)
      .catch((error: unknown) => this.#onError({ backup, id, error }))
      .finally(() => {
        if (queue.get(id) === done) queue.delete(id);
      });
    queue.set(id, done);
    return done;
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
    this.bytesSent[backup] = (this.bytesSent[backup] as number) + bytes.length;
    await this.#store(backup).append(id, { parent, position, kind, bytes, token, ttlMs });
  }

  #store(backup: number): Store {
    return (this.#options[backup] as BackupOptions).store;
  }

  /**
   * Copies what the backup lacks from the primary's log; a backup on another branch is replaced. What was replaced is read back
   * (with `verify`, everything is): a record that follows another is checked by whoever applies it.
   */
  async #catchUp(backup: number, id: string, verify: boolean): Promise<void> {
    for (let round = 0; round < CATCH_UP_ROUNDS; round += 1) {
      const head = await this.#headOf(backup, id);
      const tail = await this.#primary.read(id, head?.position ?? ORIGIN);
      if (tail.head === undefined) return;
      try {
        await this.#copy(backup, id, tail);
        if (verify || tail.whole) await this.#verifyOrReplace(backup, id, tail);
        return;
      } catch (error) {
        if (!(error instanceof HoldfastError) || error.code !== 'ERR_CONFLICT') throw error; // else another feeds it too: look again
      }
    }
    throw new HoldfastError('ERR_CONFLICT', `backup ${backup} of session '${id}' did not catch up in ${CATCH_UP_ROUNDS} rounds`, { session: id });
  }

  async #verifyOrReplace(backup: number, id: string, copied: Tail): Promise<void> {
    try {
      await this.#verify(this.#store(backup), id);
    } catch (error) {
      if (copied.whole || !(error instanceof HoldfastError) || error.code !== 'ERR_CORRUPT') throw error;
      await this.#copy(backup, id, await this.#primary.read(id, ORIGIN));
      await this.#verify(this.#store(backup), id);
    }
  }

  /** Undefined also when the backup cannot read its own head: it is then replaced. */
  async #headOf(backup: number, id: string): Promise<Head | undefined> {
    try {
      return (await this.#store(backup).read(id, ORIGIN)).head;
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'ERR_CORRUPT') return undefined;
      throw error;
    }
  }

  async #copy(backup: number, id: string, tail: Tail): Promise<void> {
    const ttlMs = tail.head?.ttlLeftMs;
    let first = tail.whole;
    let revision = (tail.head?.position.revision ?? 0) - tail.records.length;
    for (const bytes of tail.records) {
      const record = decodeRecord(id, bytes, (revision += 1));
      const parent = { revision: record.revision - 1, nonce: record.parentNonce };
      const append = { parent, position: { revision: record.revision, nonce: record.nonce }, kind: record.kind, bytes, token: record.token, ttlMs };
      if (first) {
        this.bytesSent[backup] = (this.bytesSent[backup] as number) + bytes.length;
        await this.#store(backup).replace(id, append);
      } else await this.#append(backup, id, append);
      first = false;
    }
  }
}
