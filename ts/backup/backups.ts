import { HoldfastError } from '../errors.ts';
import { checkOptions, describe, flag } from '../options.ts';
import { ORIGIN } from '../position.ts';
import type { Position } from '../position.ts';
import { checkId } from '../store/arguments.ts';
import type { Head, Store, Touch } from '../store/store.ts';
import { readTail } from '../store/tail.ts';
import { epochOf, floorOf } from '../token.ts';
import { Backup } from './backup.ts';
import type { BackupOptions } from './backup.ts';
import type { BackupContext, CatchUp, Fed } from './copy.ts';

/** As an event. */
const toldAlready = (): void => undefined;

/** Feeds the records that the primary has accepted to one or more backups, and mends the gaps. */
export class Backups {
  readonly #context: BackupContext;
  readonly #backups: readonly Backup[];
  /** This process writes to a primary whose place a promoted backup has taken. */
  #superseded: HoldfastError | undefined;
  #closed = false;

  constructor(options: readonly BackupOptions[], context: BackupContext) {
    this.#context = context;
    this.#backups = options.map((backup, index) => new Backup(index, backup, context));
  }

  /** They answer within their own bound. */
  get stores(): Store[] {
    return this.#backups.map(({ store }) => store);
  }

  /**
   * Sends one record on; resolves when the backups that acknowledge synchronously have it, or have failed. Rejects with
   * `ERR_FENCED`, outcome `superseded`, when one of these has been promoted. Undefined: there are no backups.
   */
  feed(id: string, record: Fed, after?: string): Promise<void> | undefined {
    if (this.#backups.length === 0) return undefined;
    return this.#toAll(id, record.position.revision, (backup) => backup.feed(id, record, after));
  }

  /** A use without a record, or a new rule, as the primary has noted it. */
  async touch(id: string, touch: Touch): Promise<void> {
    await this.#toAll(id, undefined, (backup) => backup.touch(id, touch));
  }

  /**
   * Brings every backup up to date for one session; resolves when all have been tried. A damaged one is replaced; one
   * that has gone another way is not (an event names both ways on), unless `overwrite` says that the primary is right.
   */
  async catchUp(id: string, options: { readonly overwrite?: boolean | undefined } = {}): Promise<void> {
    this.#checkOpen();
    checkOptions('catchUp', options, { overwrite: flag });
    checkId(id);
    await this.#catchUpAll(id, options.overwrite === true ? 'overwrite' : 'deep');
  }

  async #catchUpAll(id: string, how: CatchUp): Promise<void> {
    const done = await Promise.allSettled(this.#backups.map((backup) => backup.catchUp(id, how)));
    for (const result of done)
      if (result.status === 'rejected') throw this.#supersede(id, undefined, result.reason as HoldfastError);
  }

  /**
   * Sessions of which this backup (absent: one of them) lacks something, as far as this process knows, with the
   * milliseconds since when.
   */
  behind(backup?: number): Map<string, number> {
    if (backup !== undefined) return this.#backup(backup).behind();
    const all = new Map<string, number>();
    for (const [id, ms] of this.#backups.flatMap((each) => [...each.behind()]))
      all.set(id, Math.max(ms, all.get(id) ?? 0));
    return all;
  }

  /** As `behind` of all of them, and what is still on its way. */
  unfed(): string[] {
    return [...new Set(this.#backups.flatMap((backup) => backup.lacking()))];
  }

  /** From now on only what is under way is fed. */
  close(): void {
    this.#closed = true;
  }

  /**
   * Puts what a backup holds of a session in its place in the primary, be that damaged, gone or on another branch, in
   * one step and after all of it has been verified. What only the primary had is lost; who holds the session's lock is
   * fenced. False: the backup has nothing of it, or what it has has expired; that it was destroyed is restored as well.
   * `backup` may be left out where there is only one.
   */
  async restore(id: string, backup?: number): Promise<boolean> {
    this.#checkOpen();
    checkId(id);
    if (backup === undefined && this.#backups.length > 1)
      throw new HoldfastError(
        'ERR_INVALID',
        `restore needs the number of the backup: there are ${this.#backups.length}, from 0 on`,
        { session: id },
      );
    return this.#restore(id, backup ?? 0);
  }

  async #restore(id: string, backup: number): Promise<boolean> {
    const { primary, call, reader, observers } = this.#context;
    const expected = await this.#placeInPrimary(id);
    const { epoch } = await primary.ping(call);
    const tail = await readTail(this.#backup(backup).store, id, ORIGIN, {});
    if (tail.head === undefined || tail.head.state === 'expired') return false;
    const { createdAt, expiry, token, position } = tail.head;
    if (epochOf(token) > epoch)
      throw new HoldfastError(
        'ERR_FENCED',
        `backup ${backup} belongs to a later world (epoch ${epochOf(token)}, the primary has ${epoch}): start this process with the promoted store as \`store\``,
        { session: id, outcome: 'none' },
      );
    const image = {
      records: reader.whole(id, tail),
      createdAt,
      expiry,
      token: Math.max(token, floorOf(epoch)),
      terms: tail.terms,
    };
    const answer = await primary.replace(id, image, expected, call);
    if (!answer.appended)
      throw new HoldfastError(
        'ERR_CONFLICT',
        'the session changed in the primary while it was to be restored, and stays as it is: call restore while nobody uses it',
        { session: id },
      );
    this.#context.onRestored(id);
    observers.emit('repaired', () => ({ id, place: 'primary' as const, from: backup, revision: position.revision }));
    await this.#catchUpAll(id, 'overwrite'); // the other backups follow what is the primary's state now
    return true;
  }

  /** Throws `ERR_FENCED`, outcome `superseded`, once a backup was found promoted. */
  checkCurrent(): void {
    if (this.#superseded === undefined) return;
    throw new HoldfastError('ERR_FENCED', this.#superseded.message, { outcome: 'none', cause: this.#superseded });
  }

  /**
   * Asks all stores for their epochs, all of which must answer: saves go on if none is later than the primary's. Else
   * rejects with `ERR_FENCED`.
   */
  async rejoin(): Promise<void> {
    this.#checkOpen();
    const { primary, call } = this.#context;
    const { epoch } = await primary.ping(call);
    const found = await Promise.all(this.stores.map((store) => store.ping()));
    const latest = Math.max(...this.#backups.map(({ laterEpoch }) => laterEpoch), ...found.map((other) => other.epoch));
    if (latest > epoch)
      throw new HoldfastError(
        'ERR_FENCED',
        `a backup belongs to a later world (epoch ${latest}, the primary has ${epoch}): start this process with the promoted store as \`store\`, or promote the primary above it`,
        { outcome: 'none' },
      );
    this.#superseded = undefined;
  }

  /** Resolves when nothing is on its way any more. */
  async drain(): Promise<void> {
    await Promise.all(this.#backups.map((backup) => backup.drain()));
  }

  /**
   * Waits for those that acknowledge synchronously. No function that waits for a backup is made in here: it would lead
   * to `run`, and so to the record, for as long as the backup hangs.
   */
  async #toAll(id: string, revision: number | undefined, run: (backup: Backup) => Promise<void>): Promise<void> {
    const running = this.#backups.map((backup) => {
      const done = this.#inThisWorld(id, revision, run(backup));
      return backup.sync ? backup.inTime(id, done) : void done.catch(toldAlready);
    });
    for (const result of await Promise.allSettled(running)) if (result.status === 'rejected') throw result.reason;
  }

  async #inThisWorld(id: string, revision: number | undefined, work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      throw this.#supersede(id, revision, error as HoldfastError);
    }
  }

  #supersede(id: string, revision: number | undefined, error: HoldfastError): HoldfastError {
    this.#superseded ??= error;
    return new HoldfastError('ERR_FENCED', error.message, {
      outcome: 'superseded',
      session: id,
      revision,
      cause: error,
    });
  }

  /** Undefined when the primary cannot read its own head. */
  async #placeInPrimary(id: string): Promise<Position | undefined> {
    try {
      return (
        (
          (await this.#context.primary.read(id, { since: ORIGIN, limitBytes: 0 }, this.#context.call)).head as
            | Head
            | undefined
        )?.position ?? ORIGIN
      );
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'ERR_CORRUPT') return undefined;
      throw error;
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new HoldfastError('ERR_CLOSED', 'the session repository is closed');
  }

  #backup(index: number): Backup {
    if (typeof index !== 'number')
      throw new HoldfastError('ERR_INVALID', `the number of a backup must be a number, not ${describe(index)}`);
    const backup = this.#backups[index];
    if (backup !== undefined) return backup;
    const { length } = this.#backups;
    const there =
      length === 0
        ? 'the repository has none; name them in its option `backups`'
        : `there are ${length}, counted from 0`;
    throw new HoldfastError('ERR_INVALID', `there is no backup ${index}: ${there}`);
  }
}
