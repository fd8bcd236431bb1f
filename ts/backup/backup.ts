import type { Clock } from '../clock.ts';
import { within } from '../deadline.ts';
import { HoldfastError, shortId } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { Observers } from '../observe.ts';
import { ORIGIN } from '../position.ts';
import type { Position } from '../position.ts';
import type { Append, Appended, CallOptions, Head, ImageRecord, Store, Tail, Touch, Touched } from '../store/store.ts';
import { readTail } from '../store/tail.ts';
import { epochOf } from '../token.ts';
import type { Token } from '../token.ts';

export interface BackupOptions {
  readonly store: Store;
  /** `sync`: a save waits until this backup has it. `async`: it does not; the order stays the same. Default `sync`. */
  readonly ack?: 'sync' | 'async';
  /** Bounds each call to this backup. Default 5000. */
  readonly timeoutMs?: number;
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
  readonly catchUp?: 'shallow' | 'deep';
  readonly touch?: Touch;
}

/** One plan at work per session, and one that waits; what comes meanwhile is merged into the latter. */
interface Queue {
  last: Promise<void>;
  next: { plan: Plan; readonly done: Promise<void> } | undefined;
}

/** Gives up after this many rounds of catching up with writers that are faster. */
const CATCH_UP_ROUNDS = 8;
/** Sessions known to be behind are listed up to here. */
const MOST_BEHIND = 10_000;

/** One backup: fed record by record, in order per session; gaps are filled from the primary. */
export class Backup {
  readonly store: Store;
  readonly sync: boolean;
  readonly #index: number;
  readonly #timeoutMs: number;
  readonly #context: BackupContext;
  readonly #queues = new Map<string, Queue>();
  /** Sessions of which this backup lacks something, as far as known, since when (monotonic ms). */
  readonly #behind = new Map<string, number>();

  constructor(index: number, options: BackupOptions, context: BackupContext) {
    this.#index = index;
    this.store = options.store;
    this.sync = options.ack !== 'async';
    this.#timeoutMs = options.timeoutMs ?? 5000;
    this.#context = context;
  }

  /**
   * Sends one record on, after those before it. While one is on its way the next of the same session waits, and further ones turn
   * it into a catch-up: a backup that hangs holds no records in memory. Resolves also when it failed (that is an event); rejects
   * with `ERR_FENCED`, outcome `superseded`, when this backup has been promoted.
   */
  feed(id: string, record: Fed): Promise<void> {
    return this.#ask(id, { record });
  }

  /** Brings a session up to date; `deep`: reads all of it back as well, and replaces it where it is damaged. */
  catchUp(id: string, how: 'shallow' | 'deep'): Promise<void> {
    return this.#ask(id, { catchUp: how });
  }

  /** A use that wrote nothing, or a new rule. */
  touch(id: string, touch: Touch): Promise<void> {
    return this.#ask(id, { touch });
  }

  /** Resolves when nothing is on its way any more. */
  async drain(): Promise<void> {
    while (this.#queues.size > 0) await Promise.all([...this.#queues.values()].map(({ last }) => last));
  }

  /** Sessions of which this backup lacks something, as far as this process knows, with the milliseconds since when. */
  behind(): Map<string, number> {
    const now = this.#context.clock.monotonic();
    return new Map([...this.#behind].map(([id, since]) => [id, now - since]));
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
    const last = next.done.catch(() => undefined).then(() => {
      if (queue.last === last) this.#queues.delete(id);
    });
    queue.last = last;
    this.#queues.set(id, queue);
    return next.done;
  }

  async #perform(id: string, { record, catchUp, touch }: Plan): Promise<void> {
    try {
      if (catchUp !== undefined) await this.#catchUp(id, catchUp);
      else if (record !== undefined) await this.#feedOne(id, record);
      if (touch !== undefined) await this.#touch(id, touch);
      this.#noteCurrent(id);
    } catch (error) {
      this.#noteBehind(id, error);
      if (error instanceof HoldfastError && error.outcome === 'superseded') throw error;
    }
  }

  async #feedOne(id: string, record: Fed): Promise<void> {
    const answer = await this.#append(id, record);
    if (!answer.appended) await this.#catchUp(id, 'shallow'); // a gap, a rival, or damage
  }

  /** Within one epoch the parent decides: the token of what is fed is raised to what this backup has, e.g. after a repair. */
  async #append(id: string, record: Fed): Promise<Appended> {
    const { parent, position, kind, bytes, expiry, first, terms } = record;
    const send = async (under: Token): Promise<Appended> => {
      const answer = await this.#bounded(this.store.append(id, { parent, position, kind, bytes, under, expiry, first, terms }, this.#call));
      this.#noteSent(id, kind, position.revision, bytes.length);
      return answer;
    };
    const answer = await send(record.under);
    if (answer.appended || answer.why !== 'fenced') return answer;
    this.#checkEpoch(answer.token, record.under);
    return send(answer.token);
  }

  async #touch(id: string, touch: Touch): Promise<void> {
    const send = (token: Token): Promise<Touched> => this.#bounded(this.store.touch(id, { ...touch, token }, this.#call));
    const touched = await send(touch.token);
    if (touched.touched || touched.why !== 'fenced' || touched.head === undefined) return;
    this.#checkEpoch(touched.head.token, touch.token);
    await send(touched.head.token); // as for appends, the token of what is fed is raised to what is here
  }

  /** A backup of a later epoch than the primary has been promoted: what this process takes for the primary is the old world. */
  #checkEpoch(found: Token, ours: Token): void {
    if (epochOf(found) <= epochOf(ours)) return;
    const message = `backup ${this.#index} has been promoted (epoch ${epochOf(found)}, the primary has ${epochOf(ours)}): this process still writes to the outdated primary; start it with the promoted store as \`store\``;
    throw new HoldfastError('ERR_FENCED', message, { outcome: 'superseded' });
  }

  /** Copies what this backup lacks from the primary's log, one time after the other while writers are faster. */
  async #catchUp(id: string, how: 'shallow' | 'deep'): Promise<void> {
    for (let round = 0; round < CATCH_UP_ROUNDS; round += 1) {
      const found = await this.#headOf(id);
      const since = found === 'damaged' || found?.state === 'expired' ? ORIGIN : (found?.position ?? ORIGIN);
      const tail = await readTail(this.#context.primary, id, since, this.#context.call);
      if (tail.head === undefined || tail.head.state === 'expired') return; // never the reason to empty a backup
      const answer = tail.whole ? await this.#replace(id, tail, found) : await this.#appendAll(id, since, tail);
      if (answer !== undefined && !answer.appended) continue;
      if (answer === undefined && tail.head.state === 'live') await this.#touch(id, { token: tail.head.token, expiry: tail.head.expiry });
      if (how === 'shallow' || (await this.#isSound(id))) return;
    }
    throw new HoldfastError('ERR_CONFLICT', `backup ${this.#index} of session '${shortId(id)}' did not catch up in ${CATCH_UP_ROUNDS} rounds`, { session: id });
  }

  /** `damaged` when the backup cannot read its own head: it is then replaced. */
  async #headOf(id: string): Promise<Head | undefined | 'damaged'> {
    try {
      return (await this.#bounded(this.store.read(id, { since: ORIGIN, limitBytes: 0 }, this.#call))).head;
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'ERR_CORRUPT') return 'damaged';
      throw error;
    }
  }

  /** False: what is there was damaged, and has been made unreadable for the next round to replace. */
  async #isSound(id: string): Promise<boolean> {
    try {
      const tail = await readTail(this.store, id, ORIGIN, this.#call);
      if (tail.head !== undefined && tail.head.state !== 'expired') this.#context.reader.whole(id, tail);
      return true;
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'ERR_CORRUPT') throw error;
      this.#context.observers.emit('damage', () => ({ id, place: this.#index, revision: error.revision, message: error.message }));
      const tail = await readTail(this.#context.primary, id, ORIGIN, this.#context.call);
      await this.#replace(id, tail, 'damaged');
      this.#context.observers.emit('repaired', () => ({ id, place: this.#index, from: 'primary' as const, revision: tail.head?.position.revision ?? 0 }));
      return false;
    }
  }

  /** Undefined: there was nothing to append. */
  async #appendAll(id: string, since: Position, tail: Tail): Promise<Appended | undefined> {
    const head = tail.head as Head;
    let answer: Appended | undefined;
    let parent = since;
    for (const { position, kind, bytes } of this.#context.reader.after(id, since, tail)) {
      answer = await this.#append(id, { parent, position, kind, bytes, under: head.token, expiry: head.expiry });
      if (!answer.appended) break;
      parent = position;
    }
    return answer;
  }

  /** What is readable here is replaced only by what is verified, and not older. */
  async #replace(id: string, tail: Tail, found: Head | undefined | 'damaged'): Promise<Appended> {
    const records = this.#context.reader.whole(id, tail);
    const { token, createdAt, expiry, position } = tail.head as Head;
    if (found !== undefined && found !== 'damaged' && found.state !== 'expired') {
      this.#checkEpoch(found.token, token);
      if (found.position.revision > position.revision) throw this.#ahead(id, found.position, position);
    }
    const expected = found === 'damaged' ? undefined : (found?.position ?? ORIGIN);
    const answer = await this.#bounded(this.store.replace(id, { records, createdAt, expiry, token }, expected, this.#call));
    if (!answer.appended && answer.why === 'fenced') this.#checkEpoch(answer.token, token);
    const bytes = records.reduce((sum, record) => sum + record.bytes.length, 0);
    this.#noteSent(id, 'snapshot', position.revision, bytes);
    return answer;
  }

  #ahead(id: string, found: Position, primary: Position): HoldfastError {
    const message = `backup ${this.#index} has session '${shortId(id)}' at revision ${found.revision}, the primary only at ${primary.revision}: the primary has lost saves; bring them back with backups.restore(id, ${this.#index})`;
    return new HoldfastError('ERR_CONFLICT', message, { session: id, revision: found.revision });
  }

  get #call(): CallOptions {
    return { timeoutMs: this.#timeoutMs };
  }

  /** A backup must not hold anybody up, even one that does not keep its own deadline. */
  #bounded<T>(promise: Promise<T>): Promise<T> {
    return within(this.#context.clock, 1.1 * this.#timeoutMs, `backup ${this.#index}`, promise);
  }

  #noteSent(id: string, kind: Append['kind'], revision: number, bytes: number): void {
    this.#context.observers.emit('sent', () => ({ id, place: this.#index, kind, revision, bytes }));
  }

  #noteBehind(id: string, error: unknown): void {
    if (!this.#behind.has(id) && this.#behind.size < MOST_BEHIND) {
      this.#behind.set(id, this.#context.clock.monotonic());
      this.#context.observers.emit('backup-lag', () => ({ id, backup: this.#index }));
    }
    this.#context.observers.emit('backup-error', () => ({ id, backup: this.#index, ...describeError(error) }));
  }

  #noteCurrent(id: string): void {
    const since = this.#behind.get(id);
    if (since === undefined) return;
    this.#behind.delete(id);
    this.#context.observers.emit('backup-caught-up', () => ({ id, backup: this.#index, behindMs: this.#context.clock.monotonic() - since }));
  }
}

function describeError(error: unknown): { readonly code: ErrorCode | undefined; readonly message: string; readonly fenced: boolean } {
  const known = error instanceof HoldfastError ? error : undefined;
  return { code: known?.code, message: error instanceof Error ? error.message : String(error), fenced: known?.outcome === 'superseded' };
}

const CATCH_UPS = { shallow: 0, deep: 1 } as const;

/** Two records in wait are a gap to be filled by then: their bytes need not be kept. */
function merged(a: Plan, b: Plan): Plan {
  const both = [a, b].flatMap(({ catchUp, record }) => catchUp ?? (record === undefined ? [] : ['record' as const]));
  const touch = b.touch ?? a.touch;
  if (both.length === 2 || !both.includes('record')) {
    const deepest = both.map((how) => (how === 'record' ? 'shallow' : how)).toSorted((x, y) => CATCH_UPS[y] - CATCH_UPS[x])[0];
    return { ...(deepest !== undefined && { catchUp: deepest }), ...(touch !== undefined && { touch }) };
  }
  return { ...a, ...b };
}
