import type { Clock } from '../clock.ts';
import { HoldfastError, shortId } from '../errors.ts';
import type { Observers } from '../observe.ts';
import { ORIGIN, samePosition } from '../position.ts';
import type { Position } from '../position.ts';
import type { Append, Appended, CallOptions, Head, ImageRecord, Store, Tail, Touch } from '../store/store.ts';
import { readTail } from '../store/tail.ts';
import { epochOf } from '../token.ts';
import type { Token } from '../token.ts';

/** Looks into records, which stores cannot. Both throw `ERR_CORRUPT` where something does not fit. */
export interface LogReader {
  /** The records of a tail that is `whole`, after replaying all of it up to its digest. */
  whole(id: string, tail: Tail): ImageRecord[];
  /** The records of a tail that follows `since`, each checked to follow the one before. */
  after(id: string, since: Position, tail: Tail): ImageRecord[];
}

/** An append as it was acknowledged by the primary. */
export type Fed = Append & { readonly under: Token };

export interface BackupContext {
  readonly primary: Store;
  readonly clock: Clock;
  readonly observers: Observers;
  readonly reader: LogReader;
  /** Bounds each call to the primary. */
  readonly call: CallOptions;
  /** What this process holds of the session is outdated: the primary's was replaced. */
  readonly onRestored: (id: string) => void;
}

/**
 * `shallow`: what is missing. `deep`: all of it is read back as well, and replaced where it is damaged. `overwrite`:
 * and where it has gone another way.
 */
export type CatchUp = 'shallow' | 'deep' | 'overwrite';

/** Noted of a session until this backup has all of it. */
export interface Astray {
  /** Where this backup was when the primary's log was seen to go another way: later that log may not show it any more. */
  astray: Position | undefined;
}

/** Gives up after this many rounds of catching up with writers that are faster. */
const CATCH_UP_ROUNDS = 8;

/** The copy of the primary that one backup is: fed record by record, and brought up to date from the primary's log. */
export class Copy {
  /** The latest epoch above the primary's that this backup was seen to belong to. */
  laterEpoch = 0;
  readonly #index: number;
  readonly #store: Store;
  readonly #context: BackupContext;
  readonly #noted: (id: string) => Astray;

  /** `store` keeps to a bound. */
  constructor(index: number, store: Store, context: BackupContext, noted: (id: string) => Astray) {
    this.#index = index;
    this.#store = store;
    this.#context = context;
    this.#noted = noted;
  }

  /** What does not follow what is here is copied from the primary's log. */
  async feed(id: string, record: Fed): Promise<void> {
    const answer = await this.#append(id, record);
    if (!answer.appended) await this.catchUp(id, 'shallow'); // a gap, a rival, or damage
  }

  /**
   * Within one epoch the parent decides: the token of what is fed is raised to what this backup has, e.g. after a
   * repair.
   */
  async #append(id: string, record: Fed): Promise<Appended> {
    const { parent, position, kind, bytes, begins, expiry, createdAt, first, terms } = record;
    const send = async (under: Token): Promise<Appended> => {
      const answer = await this.#store.append(id, {
        parent,
        position,
        kind,
        bytes,
        begins,
        under,
        expiry,
        createdAt,
        first,
        terms,
      });
      if (answer.appended) this.#noteSent(id, kind, position.revision, bytes.length);
      return answer;
    };
    const answer = await send(record.under);
    if (answer.appended || answer.why !== 'fenced') return answer;
    this.#checkEpoch(answer.token, record.under);
    return send(answer.token);
  }

  /** False: there is nothing here that could be used. */
  async touch(id: string, touch: Touch): Promise<boolean> {
    const touched = await this.#store.touch(id, touch);
    if (touched.touched) return true;
    if (touched.why === 'gone' || touched.head === undefined) return false;
    this.#checkEpoch(touched.head.token, touch.token);
    return (await this.#store.touch(id, { ...touch, token: touched.head.token })).touched; // as for appends
  }

  /** What has tokens of a later epoch than the primary's belongs to a promoted store, or is one. */
  #checkEpoch(found: Token, ours: Token): void {
    if (epochOf(found) > epochOf(ours)) throw this.#superseded(epochOf(found), epochOf(ours));
  }

  #superseded(theirs: number, ours: number): HoldfastError {
    this.laterEpoch = Math.max(this.laterEpoch, theirs);
    const message = `backup ${this.#index} belongs to another world (epoch ${theirs}, the primary has ${ours}): what this process takes for the primary is outdated, or is not the only one that was promoted; start it with the store of the latest epoch as \`store\``;
    return new HoldfastError('ERR_FENCED', message, { outcome: 'superseded' });
  }

  /**
   * Before anything is overwritten: a store that was promoted itself, be it to the primary's very epoch, is no backup
   * of it.
   */
  async #checkWorld(): Promise<void> {
    const [theirs, ours] = await Promise.all([this.#store.ping(), this.#context.primary.ping(this.#context.call)]);
    if (theirs.epoch > ours.epoch || (theirs.epoch === ours.epoch && ours.epoch > 0))
      throw this.#superseded(theirs.epoch, ours.epoch);
  }

  /** Copies what this backup lacks from the primary's log, one time after the other while writers are faster. */
  async catchUp(id: string, how: CatchUp): Promise<void> {
    for (let round = 0; round < CATCH_UP_ROUNDS; round += 1) {
      const found = await this.#headOf(id);
      const since = found === 'damaged' || found?.state === 'expired' ? ORIGIN : (found?.position ?? ORIGIN);
      const tail = await readTail(this.#context.primary, id, since, this.#context.call);
      if (tail.head === undefined || tail.head.state === 'expired') return this.#checkSurplus(id, tail.head, found);
      const answer = tail.whole ? await this.#replace(id, tail, found, how) : await this.#appendAll(id, since, tail);
      if (answer !== undefined && !answer.appended) continue;
      if (answer === undefined && tail.head.state === 'live')
        await this.touch(id, { token: tail.head.token, expiry: tail.head.expiry });
      if (how === 'shallow' || (await this.#isSound(id))) return;
    }
    throw new HoldfastError(
      'ERR_CONFLICT',
      `backup ${this.#index} of session '${shortId(id)}' did not catch up in ${CATCH_UP_ROUNDS} rounds`,
      { session: id },
    );
  }

  /** What the primary does not have is never the reason to empty a backup. */
  #checkSurplus(id: string, primary: Head | undefined, found: Head | undefined | 'damaged'): void {
    if (primary !== undefined || found === 'damaged' || found?.state !== 'live') return;
    throw new HoldfastError(
      'ERR_CONFLICT',
      `backup ${this.#index} has session '${shortId(id)}', which the primary does not have: bring it back with backups.restore(id, ${this.#index}), or leave it to expire`,
      { session: id },
    );
  }

  /** `damaged` when the backup cannot read its own head: it is then replaced. */
  async #headOf(id: string): Promise<Head | undefined | 'damaged'> {
    try {
      return (await this.#store.read(id, { since: ORIGIN, limitBytes: 0 })).head;
    } catch (error) {
      if (isCorrupt(error)) return 'damaged';
      throw error;
    }
  }

  /** False: what is there is damaged, and was replaced if it is still where it was seen. */
  async #isSound(id: string): Promise<boolean> {
    const found = await this.#headOf(id);
    try {
      const tail = await readTail(this.#store, id, ORIGIN, {});
      if (tail.head !== undefined && tail.head.state !== 'expired') this.#context.reader.whole(id, tail);
      return true;
    } catch (error) {
      if (!isCorrupt(error)) throw error;
      this.#context.observers.emit('damage', () => ({
        id,
        place: this.#index,
        revision: error.revision,
        message: error.message,
      }));
      const tail = await readTail(this.#context.primary, id, ORIGIN, this.#context.call);
      const answer =
        tail.head === undefined
          ? undefined
          : await this.#put(id, tail, found === 'damaged' ? undefined : (found?.position ?? ORIGIN));
      if (answer?.appended === true)
        this.#context.observers.emit('repaired', () => ({
          id,
          place: this.#index,
          from: 'primary' as const,
          revision: tail.head?.position.revision ?? 0,
        }));
      return false;
    }
  }

  /** Undefined: there was nothing to append. */
  async #appendAll(id: string, since: Position, tail: Tail): Promise<Appended | undefined> {
    const head = tail.head as Head;
    let answer: Appended | undefined;
    let parent = since;
    for (const { position, kind, bytes } of this.#context.reader.after(id, since, tail)) {
      answer = await this.#append(id, {
        parent,
        position,
        kind,
        bytes,
        begins: false,
        under: head.token,
        expiry: head.expiry,
      });
      if (!answer.appended) break;
      parent = position;
    }
    return answer;
  }

  /**
   * What is readable here is replaced only by what is verified, and not by less: what the primary's log does not lead
   * through is kept.
   */
  async #replace(id: string, tail: Tail, found: Head | undefined | 'damaged', how: CatchUp): Promise<Appended> {
    const head = tail.head as Head;
    if (found === undefined || found === 'damaged' || found.state === 'expired')
      return this.#put(id, tail, found === 'damaged' ? undefined : (found?.position ?? ORIGIN));
    this.#checkEpoch(found.token, head.token);
    await this.#checkWorld();
    // what only a primary of an older epoch had is lost to this one's world
    const outdated = epochOf(found.token) < epochOf(head.token);
    if (!outdated && how !== 'overwrite' && this.#isAstray(id, found, head)) throw this.#diverged(id, found, head);
    return this.#put(id, tail, found.position);
  }

  /** The log shows another record at this backup's revision; or it did, before it was compacted. */
  #isAstray(id: string, { position }: Head, primary: Head): boolean {
    const noted = this.#noted(id);
    if (position.revision >= primary.snapshot) noted.astray = position;
    return noted.astray !== undefined && samePosition(noted.astray, position);
  }

  async #put(id: string, tail: Tail, expected: Position | undefined): Promise<Appended> {
    await this.#checkWorld();
    const records = this.#context.reader.whole(id, tail);
    const { token, createdAt, expiry, position } = tail.head as Head;
    const answer = await this.#store.replace(id, { records, createdAt, expiry, token, terms: tail.terms }, expected);
    if (!answer.appended && answer.why === 'fenced') this.#checkEpoch(answer.token, token);
    const bytes = records.reduce((sum, record) => sum + record.bytes.length, 0);
    if (answer.appended) this.#noteSent(id, 'snapshot', position.revision, bytes);
    return answer;
  }

  /**
   * Which of the two it is nobody can tell here: tokens and revisions of a store that has lost its memory rise again.
   */
  #diverged(id: string, found: Head, primary: Head): HoldfastError {
    const at = (ms: number): string => (Number.isNaN(new Date(ms).getTime()) ? `at ${ms}` : new Date(ms).toISOString());
    const what = `backup ${this.#index} has a revision ${found.position.revision} of session '${shortId(id)}' (begun ${at(found.createdAt)}) that the primary, at ${primary.position.revision} (begun ${at(primary.createdAt)}), does not lead to`;
    const ways = `if the primary has lost saves, bring them back with backups.restore(id, ${this.#index}); if the session ended there and was begun anew, or the saves are not wanted, give them up with backups.catchUp(id, { overwrite: true })`;
    return new HoldfastError('ERR_CONFLICT', `${what}: ${ways}`, { session: id, revision: found.position.revision });
  }

  #noteSent(id: string, kind: Append['kind'], revision: number, bytes: number): void {
    this.#context.observers.emit('sent', () => ({ id, place: this.#index, kind, revision, bytes }));
  }
}

const isCorrupt = (error: unknown): error is HoldfastError =>
  error instanceof HoldfastError && error.code === 'ERR_CORRUPT';
