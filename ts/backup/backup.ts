import { HoldfastError, shortId } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { bounded } from '../store/bounded.ts';
import type { Store, Touch } from '../store/store.ts';
import { Copy } from './copy.ts';
import type { Astray, BackupContext, CatchUp, Fed } from './copy.ts';
import { Plans } from './plans.ts';
import type { Plan } from './plans.ts';

export interface BackupOptions {
  readonly store: Store;
  /** `sync`: a save waits until this backup has it. `async`: it does not; the order stays the same. Default `sync`. */
  readonly ack?: 'sync' | 'async' | undefined;
  /** Bounds each call to this backup. Default 5000. */
  readonly timeoutMs?: number | undefined;
}

/** What this backup has been asked to take of a session and has not acknowledged. */
interface Lack extends Astray {
  /** Monotonic ms. */
  readonly since: number;
  /** Revisions fed, from the first to the last; 0: a use or a rule alone. */
  first: number;
  last: number;
  /** Something went wrong: only a catch-up makes it good. */
  failed: boolean;
}

/** Sessions that a backup has failed to take are remembered up to here. */
const MOST_BEHIND = 100_000;
/** Of the bound of one call: a save waits so long for all that one feed may take. */
const MOST_WAITED = 1.2;

/** One backup: fed record by record, in order per session; gaps are filled from the primary. */
export class Backup {
  readonly store: Store;
  readonly sync: boolean;
  readonly #index: number;
  readonly #timeoutMs: number;
  readonly #context: BackupContext;
  readonly #copy: Copy;
  readonly #plans: Plans = new Plans((id, plan) => this.#perform(id, plan));
  readonly #lacks = new Map<string, Lack>();
  /** Sessions whose end waits for another to be here, by that one. */
  readonly #followers = new Map<string, string>();

  constructor(index: number, { store, ack, timeoutMs = 5000 }: BackupOptions, context: BackupContext) {
    this.#index = index;
    this.#timeoutMs = timeoutMs;
    this.store = bounded(store, context.clock, timeoutMs, `backup ${index}`);
    this.sync = ack !== 'async';
    this.#context = context;
    this.#copy = new Copy(index, this.store, context, (id) => this.#lack(id));
  }

  /** The latest epoch above the primary's that this backup was seen to belong to. */
  get laterEpoch(): number {
    return this.#copy.laterEpoch;
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
    return this.#plans.add(id, { record, after });
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
    return this.#plans.add(id, { catchUp: how });
  }

  /** A use that wrote nothing, or a new rule. */
  touch(id: string, touch: Touch): Promise<void> {
    this.#lack(id);
    return this.#plans.add(id, { touch });
  }

  /** Resolves when nothing that was asked for is on its way any more. */
  drain(): Promise<void> {
    return this.#plans.drain();
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

  async #perform(id: string, plan: Plan): Promise<void> {
    const asked = this.#lack(id).last; // the plan before may have struck it off
    try {
      if (plan.after !== undefined) await this.#await(id, plan.after);
      if (plan.catchUp !== undefined || this.#lacks.get(id)?.failed === true)
        await this.#copy.catchUp(id, plan.catchUp ?? 'shallow');
      else if (plan.record !== undefined) await this.#copy.feed(id, plan.record);
      if (plan.touch !== undefined && !(await this.#copy.touch(id, plan.touch)))
        await this.#copy.catchUp(id, 'shallow');
      this.#noteCurrent(id, asked);
    } catch (error) {
      this.#noteBehind(id, error);
      if (error instanceof HoldfastError && error.outcome === 'superseded') throw error;
    }
  }

  /** The state of a session that ends under one id must not be lost with it: its copy comes first. */
  async #await(id: string, after: string): Promise<void> {
    await this.#plans.last(after);
    if (this.#lacks.get(after)?.failed !== true) return;
    this.#followers.set(after, id);
    throw new HoldfastError(
      'ERR_UNAVAILABLE',
      `backup ${this.#index} has not got session '${shortId(after)}' yet, and keeps '${shortId(id)}' until then`,
      { session: id, outcome: 'none' },
    );
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
