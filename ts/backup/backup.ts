import type { Clock } from '../clock.ts';
import { HoldfastError, shortId } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { Observers } from '../observe.ts';
import { ORIGIN, samePosition } from '../position.ts';
import type { Position } from '../position.ts';
import type { Append, Appended, CallOptions, Head, ImageRecord, Store, Tail, Touch } from '../store/store.ts';
import { bounded } from '../store/bounded.ts';
import { readTail } from '../store/tail.ts';
import { epochOf } from '../token.ts';
import type { Token } from '../token.ts';

export interface BackupOptions {
  readonly store: Store;
  /** `sync`: a save waits until this backup has it. `async`: it does not; the order stays the same. Default `sync`. */
  readonly ack?: 'sync' | 'async' | undefined;
  /** Bounds each call to this backup. Default 5000. */
  readonly timeoutMs?: number | undefined;
}

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

/** What is to be done for one session. */
interface Plan {
  readonly record?: Fed;
  /** Another session that must be here first. */
  readonly after?: string | undefined;
  readonly catchUp?: CatchUp;
  readonly touch?: Touch;
}

/**
 * `shallow`: what is missing. `deep`: all of it is read back as well, and replaced where it is damaged. `overwrite`:
 * and where it has gone another way.
 */
export type CatchUp = 'shallow' | 'deep' | 'overwrite';

/** One plan at work per session, and one that waits; what comes meanwhile is merged into the latter. */
interface Queue {
  last: Promise<void>;
  next: { plan: Plan; readonly done: Promise<void> } | undefined;
}

/** What this backup has been asked to take of a session and has not acknowledged. */
interface Lack {
  /** Monotonic ms. */
  readonly since: number;
  /** Revisions fed, from the first to the last; 0: a use or a rule alone. */
  first: number;
  last: number;
  /** Something went wrong: only a catch-up makes it good. */
  failed: boolean;
  /** Where this backup was when the primary's log was seen to go another way: later that log may not show it any more. */
  astray: Position | undefined;
}

/** Gives up after this many rounds of catching up with writers that are faster. */
const CATCH_UP_ROUNDS = 8;
/** Sessions that a backup has failed to take are remembered up to here. */
const MOST_BEHIND = 100_000;
/** Of the bound of one call: a save waits so long for all that one feed may take. */
const MOST_WAITED = 1.2;

/** One backup: fed record by record, in order per session; gaps are filled from the primary. */
export class Backup {
  readonly store: Store;
  readonly sync: boolean;
  /** The latest epoch above the primary's that this backup was seen to belong to. */
  laterEpoch = 0;
  readonly #index: number;
  readonly #timeoutMs: number;
  readonly #context: BackupContext;
  readonly #queues = new Map<string, Queue>();
  readonly #lacks = new Map<string, Lack>();
  /** Sessions whose end waits for another to be here, by that one. */
  readonly #followers = new Map<string, string>();

  constructor(index: number, { store, ack, timeoutMs = 5000 }: BackupOptions, context: BackupContext) {
    this.#index = index;
    this.#timeoutMs = timeoutMs;
    this.store = bounded(store, context.clock, timeoutMs, `backup ${index}`);
    this.sync = ack !== 'async';
    this.#context = context;
  }

  /**
   * Sends one record on, after those before it. While one is on its way the next of the same session waits, and further
   * ones turn it into a catch-up: a backup that hangs holds no records in memory. Resolves also when it failed (that is
   * an event, and the next feed of the session catches up); rejects with `ERR_FENCED`, outcome `superseded`, when this
   * backup has been promoted.
   */
  feed(id: string, record: Fed, after?: string): Promise<void> {
    const { revision } = record.position;
    const lack = this.#lack(id);
    lack.first ||= revision;
    lack.last = revision;
    return this.#ask(id, { record, after });
  }

  /**
   * What a feed or touch of a session comes to, but no longer than the bound of a call: a catch-up of many calls goes
   * on behind the save that waits.
   */
  async inTime(id: string, feeding: Promise<void>): Promise<void> {
    const late = Symbol('late');
    let stop: (() => void) | undefined;
    const timer = new Promise<typeof late>(
      (resolve) => (stop = this.#context.clock.after(MOST_WAITED * this.#timeoutMs, () => resolve(late))),
    );
    const first = await Promise.race([feeding, timer]).finally(stop);
    if (first === late)
      this.#noteBehind(
        id,
        new HoldfastError(
          'ERR_UNAVAILABLE',
          `backup ${this.#index} has not got session '${shortId(id)}' within ${this.#timeoutMs} ms; it goes on`,
          { session: id, outcome: 'unknown' },
        ),
      );
  }

  /** Brings a session up to date. */
  catchUp(id: string, how: CatchUp): Promise<void> {
    this.#lack(id);
    return this.#ask(id, { catchUp: how });
  }

  /** A use that wrote nothing, or a new rule. */
  touch(id: string, touch: Touch): Promise<void> {
    this.#lack(id);
    return this.#ask(id, { touch });
  }

  /**
   * Resolves when nothing that was asked for is on its way any more. Waits once for each session: one may be saved on
   * and on.
   */
  async drain(): Promise<void> {
    const waitedFor = new Set<string>();
    for (;;) {
      const left = [...this.#queues].filter(([id]) => !waitedFor.has(id));
      if (left.length === 0) return;
      for (const [id] of left) waitedFor.add(id);
      await Promise.all(left.map(([, { last }]) => last));
    }
  }

  /** Sessions of which this backup lacks something, as far as this process knows, with the milliseconds since when. */
  behind(): Map<string, number> {
    const now = this.#context.clock.monotonic();
    return new Map([...this.#lacks].filter(([, { failed }]) => failed).map(([id, { since }]) => [id, now - since]));
  }

  /** As `behind`, and those of which something is on its way. */
  lacking(): string[] {
    return [...this.#lacks.keys()];
  }

  #lack(id: string): Lack {
    let lack = this.#lacks.get(id);
    if (lack === undefined)
      this.#lacks.set(
        id,
        (lack = {
          since: this.#context.clock.monotonic(),
          first: 0,
          last: 0,
          failed: false,
          astray: undefined,
        }),
      );
    return lack;
  }

  #ask(id: string, plan: Plan): Promise<void> {
    const queue: Queue = this.#queues.get(id) ?? { last: Promise.resolve(), next: undefined };
    if (queue.next !== undefined) {
      queue.next.plan = merged(queue.next.plan, plan);
      return queue.next.done;
    }
    const next: NonNullable<Queue['next']> = {
      plan,
      done: queue.last.then(() => {
        queue.next = undefined; // at work: what comes now is for the next
        return this.#perform(id, next.plan);
      }),
    };
    queue.next = next;
    const last = next.done
      .catch(() => undefined)
      .then(() => {
        if (queue.last === last) this.#queues.delete(id);
      });
    queue.last = last;
    this.#queues.set(id, queue);
    return next.done;
  }

  async #perform(id: string, plan: Plan): Promise<void> {
    const asked = this.#lack(id).last; // the plan before may have struck it off
    try {
      if (plan.after !== undefined) await this.#await(id, plan.after);
      if (plan.catchUp !== undefined || this.#lacks.get(id)?.failed === true)
        await this.#catchUp(id, plan.catchUp ?? 'shallow');
      else if (plan.record !== undefined) await this.#feedOne(id, plan.record);
      if (plan.touch !== undefined && !(await this.#touch(id, plan.touch))) await this.#catchUp(id, 'shallow');
      this.#noteCurrent(id, asked);
    } catch (error) {
      this.#noteBehind(id, error);
      if (error instanceof HoldfastError && error.outcome === 'superseded') throw error;
    }
  }

  /** The state of a session that ends under one id must not be lost with it: its copy comes first. */
  async #await(id: string, after: string): Promise<void> {
    await this.#queues.get(after)?.last;
    if (this.#lacks.get(after)?.failed !== true) return;
    this.#followers.set(after, id);
    throw new HoldfastError(
      'ERR_UNAVAILABLE',
      `backup ${this.#index} has not got session '${shortId(after)}' yet, and keeps '${shortId(id)}' until then`,
      { session: id, outcome: 'none' },
    );
  }

  async #feedOne(id: string, record: Fed): Promise<void> {
    const answer = await this.#append(id, record);
    if (!answer.appended) await this.#catchUp(id, 'shallow'); // a gap, a rival, or damage
  }

  /**
   * Within one epoch the parent decides: the token of what is fed is raised to what this backup has, e.g. after a
   * repair.
   */
  async #append(id: string, record: Fed): Promise<Appended> {
    const { parent, position, kind, bytes, begins, expiry, createdAt, first, terms } = record;
    const send = async (under: Token): Promise<Appended> => {
      const answer = await this.store.append(id, {
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
  async #touch(id: string, touch: Touch): Promise<boolean> {
    const touched = await this.store.touch(id, touch);
    if (touched.touched) return true;
    if (touched.why === 'gone' || touched.head === undefined) return false;
    this.#checkEpoch(touched.head.token, touch.token);
    return (await this.store.touch(id, { ...touch, token: touched.head.token })).touched; // as for appends
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
    const [theirs, ours] = await Promise.all([this.store.ping(), this.#context.primary.ping(this.#context.call)]);
    if (theirs.epoch > ours.epoch || (theirs.epoch === ours.epoch && ours.epoch > 0))
      throw this.#superseded(theirs.epoch, ours.epoch);
  }

  /** Copies what this backup lacks from the primary's log, one time after the other while writers are faster. */
  async #catchUp(id: string, how: CatchUp): Promise<void> {
    for (let round = 0; round < CATCH_UP_ROUNDS; round += 1) {
      const found = await this.#headOf(id);
      const since = found === 'damaged' || found?.state === 'expired' ? ORIGIN : (found?.position ?? ORIGIN);
      const tail = await readTail(this.#context.primary, id, since, this.#context.call);
      if (tail.head === undefined || tail.head.state === 'expired') return this.#checkSurplus(id, tail.head, found);
      const answer = tail.whole ? await this.#replace(id, tail, found, how) : await this.#appendAll(id, since, tail);
      if (answer !== undefined && !answer.appended) continue;
      if (answer === undefined && tail.head.state === 'live')
        await this.#touch(id, { token: tail.head.token, expiry: tail.head.expiry });
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
      return (await this.store.read(id, { since: ORIGIN, limitBytes: 0 })).head;
    } catch (error) {
      if (isCorrupt(error)) return 'damaged';
      throw error;
    }
  }

  /** False: what is there is damaged, and was replaced if it is still where it was seen. */
  async #isSound(id: string): Promise<boolean> {
    const found = await this.#headOf(id);
    try {
      const tail = await readTail(this.store, id, ORIGIN, {});
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
    const lack = this.#lack(id);
    if (position.revision >= primary.snapshot) lack.astray = position;
    return lack.astray !== undefined && samePosition(lack.astray, position);
  }

  async #put(id: string, tail: Tail, expected: Position | undefined): Promise<Appended> {
    await this.#checkWorld();
    const records = this.#context.reader.whole(id, tail);
    const { token, createdAt, expiry, position } = tail.head as Head;
    const answer = await this.store.replace(id, { records, createdAt, expiry, token, terms: tail.terms }, expected);
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

  /** All that was asked for up to `asked` is here. */
  #noteCurrent(id: string, asked: number): void {
    const lack = this.#lacks.get(id);
    if (lack === undefined) return;
    if (lack.last > asked) lack.first = asked + 1;
    else this.#lacks.delete(id);
    if (lack.failed)
      this.#context.observers.emit('backup-caught-up', () => ({
        id,
        backup: this.#index,
        behindMs: this.#context.clock.monotonic() - lack.since,
      }));
    lack.failed = false;
    lack.astray = undefined;
    const follower = this.#followers.get(id);
    if (follower === undefined) return;
    this.#followers.delete(id);
    void this.catchUp(follower, 'shallow').catch(() => undefined); // it is told as an event
  }

  #noteBehind(id: string, error: unknown): void {
    const superseded = error instanceof HoldfastError && error.outcome === 'superseded';
    const lack = this.#lacks.get(id);
    if (superseded) this.#giveUp();
    else if (lack !== undefined && !lack.failed) {
      lack.failed = true;
      if (this.#lacks.size > MOST_BEHIND) this.#lacks.delete(id);
      this.#context.observers.emit('backup-lag', () => ({ id, backup: this.#index }));
    }
    this.#context.observers.emit('backup-error', () => ({ id, backup: this.#index, ...describeError(error) }));
  }

  /** Nothing of this world reaches the backup any more: each save that it lacks is reported. */
  #giveUp(): void {
    for (const [id, { first, last }] of this.#lacks) {
      for (let revision = first; revision > 0 && revision <= last; revision += 1)
        this.#context.observers.emit('superseded', () => ({ id, revision }));
    }
    this.#lacks.clear();
  }
}

const isCorrupt = (error: unknown): error is HoldfastError =>
  error instanceof HoldfastError && error.code === 'ERR_CORRUPT';

function describeError(error: unknown): {
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly fenced: boolean;
} {
  const known = error instanceof HoldfastError ? error : undefined;
  return {
    code: known?.code,
    message: error instanceof Error ? error.message : String(error),
    fenced: known?.outcome === 'superseded',
  };
}

const DEPTHS: Record<CatchUp, number> = { shallow: 0, deep: 1, overwrite: 2 };

/**
 * More than one thing in wait is a gap to be filled by then, rule included: no bytes need be kept, and no order among
 * them.
 */
function merged(a: Plan, b: Plan): Plan {
  const catchUp =
    [a.catchUp, b.catchUp].flatMap((how) => how ?? []).toSorted((x, y) => DEPTHS[y] - DEPTHS[x])[0] ?? 'shallow';
  const touches = [a.touch, b.touch].flatMap((touch) => touch ?? []);
  const token = Math.max(...touches.map((touch) => touch.token));
  return { catchUp, after: b.after ?? a.after, ...(touches.length > 0 && { touch: { token } }) };
}
