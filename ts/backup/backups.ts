import { HoldfastError } from '../errors.ts';
import { ORIGIN } from '../position.ts';
import type { Position } from '../position.ts';
import type { Head, Store, Touch } from '../store/store.ts';
import { readTail } from '../store/tail.ts';
import { floorOf } from '../token.ts';
import { Backup } from './backup.ts';
import type { BackupContext, BackupOptions, Fed } from './backup.ts';

const RESTORE_ROUNDS = 8;

/** Feeds the records that the primary has accepted to one or more backups, and mends the gaps. */
export class Backups {
  readonly #context: BackupContext;
  readonly #backups: readonly Backup[];
  /** This process writes to a primary whose place a promoted backup has taken. */
  #superseded: HoldfastError | undefined;

  constructor(options: readonly BackupOptions[], context: BackupContext) {
    this.#context = context;
    this.#backups = options.map((backup, index) => new Backup(index, backup, context));
  }

  get stores(): Store[] {
    return this.#backups.map(({ store }) => store);
  }

  /** Sends one record on; resolves when the backups that acknowledge synchronously have it, or have failed. Rejects with `ERR_FENCED`, outcome `superseded`, when one of these has been promoted. */
  async feed(id: string, record: Fed): Promise<void> {
    await this.#toAll(id, record.position.revision, (backup) => backup.feed(id, record));
  }

  /** A use without a record, or a new rule, as the primary has noted it. */
  async touch(id: string, touch: Touch): Promise<void> {
    await this.#toAll(id, 0, (backup) => backup.touch(id, touch));
  }

  /** Brings every backup up to date for one session; resolves when all have been tried. A damaged one is replaced. */
  async catchUp(id: string): Promise<void> {
    const done = await Promise.allSettled(this.#backups.map((backup) => backup.catchUp(id, 'deep')));
    for (const result of done) if (result.status === 'rejected') throw this.#supersede(id, 0, result.reason as HoldfastError);
  }

  /** Sessions of which a backup lacks something, as far as this process knows, with the milliseconds since when. */
  behind(backup = 0): Map<string, number> {
    return this.#backup(backup).behind();
  }

  /**
   * Puts what a backup holds of a session in its place in the primary, be that damaged, gone or on another branch, in one step and
   * after all of it has been verified. What only the primary had is lost; who holds the session's lock is fenced. False: the backup
   * does not have it either.
   */
  async restore(id: string, backup = 0): Promise<boolean> {
    const { primary, call, reader } = this.#context;
    const tail = await readTail(this.#backup(backup).store, id, ORIGIN, call);
    if (tail.head === undefined || tail.head.state === 'expired') return false;
    const records = reader.whole(id, tail);
    const { createdAt, expiry, token } = tail.head;
    for (let round = 0; round < RESTORE_ROUNDS; round += 1) {
      const floor = floorOf((await primary.ping(call)).epoch);
      const answer = await primary.replace(id, { records, createdAt, expiry, token: Math.max(token, floor) }, await this.#placeInPrimary(id), call);
      if (!answer.appended) continue;
      this.#context.onRestored(id);
      this.#context.observers.emit('repaired', () => ({ id, place: 'primary' as const, from: backup, revision: records.at(-1)?.position.revision ?? 0 }));
      return true;
    }
    throw new HoldfastError('ERR_CONFLICT', `the session changed in the primary ${RESTORE_ROUNDS} times while it was to be restored; call restore while nobody uses it`, { session: id });
  }

  /** Throws `ERR_FENCED`, outcome `superseded`, once a backup was found promoted. */
  checkCurrent(): void {
    if (this.#superseded === undefined) return;
    throw new HoldfastError('ERR_FENCED', this.#superseded.message, { outcome: 'none', cause: this.#superseded });
  }

  /** Asks all stores for their epochs: saves go on if no backup has a later one than the primary. Else rejects with `ERR_FENCED`. */
  async rejoin(): Promise<void> {
    const { primary, call } = this.#context;
    const { epoch } = await primary.ping(call);
    const found = await Promise.allSettled(this.stores.map((store) => store.ping(call)));
    const promoted = found.findIndex((result) => result.status === 'fulfilled' && result.value.epoch > epoch);
    if (promoted >= 0) throw new HoldfastError('ERR_FENCED', `backup ${promoted} is of a later epoch than the primary: it has been promoted; start this process with it as \`store\``, { outcome: 'none' });
    this.#superseded = undefined;
  }

  /** Resolves when nothing is on its way any more. */
  async drain(): Promise<void> {
    await Promise.all(this.#backups.map((backup) => backup.drain()));
  }

  /** Waits for those that acknowledge synchronously. */
  async #toAll(id: string, revision: number, run: (backup: Backup) => Promise<void>): Promise<void> {
    if (this.#backups.length === 0) return;
    const running = this.#backups.map((backup) => {
      const done = run(backup).catch((error: HoldfastError) => {
        throw this.#supersede(id, revision, error);
      });
      return backup.sync ? done : void done.catch(() => undefined); // it has been told as an event
    });
    for (const result of await Promise.allSettled(running)) if (result.status === 'rejected') throw result.reason;
  }

  #supersede(id: string, revision: number, error: HoldfastError): HoldfastError {
    this.#superseded ??= error;
    this.#context.observers.emit('superseded', () => ({ id, revision }));
    return new HoldfastError('ERR_FENCED', error.message, { outcome: 'superseded', session: id, revision, cause: error });
  }

  /** Undefined when the primary cannot read its own head. */
  async #placeInPrimary(id: string): Promise<Position | undefined> {
    try {
      return ((await this.#context.primary.read(id, { since: ORIGIN, limitBytes: 0 }, this.#context.call)).head as Head | undefined)?.position ?? ORIGIN;
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'ERR_CORRUPT') return undefined;
      throw error;
    }
  }

  #backup(index: number): Backup {
    const backup = this.#backups[index];
    if (backup === undefined) throw new HoldfastError('ERR_INVALID', `there is no backup ${index}: ${this.#backups.length} are configured`);
    return backup;
  }
}
