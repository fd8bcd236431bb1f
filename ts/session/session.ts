import { HoldfastError, shortId } from '../errors.ts';
import type { EndOfHold } from '../lock/hold.ts';
import { checkOptions } from '../options.ts';
import { checkId } from '../store/arguments.ts';
import type { OutageTerms } from '../store/outage-terms.ts';
import { failing, outcomeOf, ready } from '../sync/commit.ts';
import { pushCopy, pushEnd } from '../sync/push.ts';
import type { Tracked } from '../sync/compare.ts';
import type { Pushed } from '../sync/push.ts';
import type { Replica } from '../sync/replica.ts';
import type { Unsettled } from '../sync/unsettled.ts';
import { Tracker } from '../tracking/tracker.ts';
import type { Claimed } from './claimed.ts';
import type { SessionContext, SessionParts } from './context.ts';
import { destroy } from './destroy.ts';
import { NOBODY_KNOWS, closedError, endAfter, endedBy, explained, isOver, noteRefusal, untouched } from './endings.ts';
import { explanationOf } from './explanation.ts';
import type { Explanation } from './explanation.ts';
import { giveBack } from './late-lock.ts';
import type { Access, ChangeIdOptions, SaveOptions } from './options.ts';
import { replaceAll } from './replacing.ts';
import { CHANGE_ID_RULES, checkIdle } from './rules.ts';
import { Saved, savedBy } from './saved.ts';
import { isReleased, outageOf, saveUnder, storedFirst } from './saving.ts';
import type { Saving, SaveTerms } from './saving.ts';
import type { Slots } from './slots.ts';
import { Turns } from './turns.ts';
import type { Opened } from './unclosed.ts';
import { Unlocked } from './unlocked.ts';
import { valuesOf } from './values.ts';

/** The last save of a scope: nobody gets what it did. Where it fails the session is still to be closed. */
export let endScope: <S extends object, V extends object>(session: Session<S, V>) => Promise<unknown>;

/**
 * A session that this process has opened, and locked unless by `mode`. Read and write `state` like any object; `save`
 * sends what changed. Close it when done (`close` discards what was not saved), or use `SessionRepository.scope`, which
 * does.
 */
export class Session<S extends object, V extends object = Partial<S>> {
  static {
    endScope = (session) => session.#alone(() => session.#push(true, false));
  }

  readonly #context: SessionContext;
  readonly #slots: Slots;
  readonly #create: boolean;
  readonly #tracker: Tracker;
  readonly #access: Access;
  /** Of saves that say nothing else. */
  readonly #outage: OutageTerms | undefined;
  /** False when the state was never saved before this session was opened. */
  readonly isNew: boolean;
  readonly #opened: Opened;
  /** Undefined: it has the lock. */
  readonly #unlocked: Unlocked | undefined;
  readonly #turns: Turns = new Turns();
  /** `close` was called: it comes after what was asked for before, and nothing after it. */
  #closing = false;
  #ended = false;
  /** What has ended it, where that was not the caller. */
  #why: string | undefined;
  /** What is still to be told to the store at its end. */
  #ending: Promise<void> | undefined;
  /** Closed, or in its last save. */
  #closed = false;
  /** A save of this session of which it has told that its outcome is unknown. */
  #doubt: Unsettled | undefined;

  constructor(context: SessionContext, { claimed, slots, create, access }: SessionParts) {
    this.#context = context;
    this.#slots = slots;
    this.#create = create;
    this.#opened = { claimed };
    this.isNew = !claimed.replica.exists;
    this.#tracker = new Tracker(slots, context);
    const { mode = 'exclusive' } = access;
    this.#access = access;
    this.#outage = outageOf(context.line, access);
    this.#unlocked = mode === 'exclusive' ? undefined : new Unlocked(context, claimed, slots, this.#tracker, access);
    if (mode !== 'read') context.unclosed.watch(this.#tracker, this.#opened);
  }

  get id(): string {
    return this.#replica.id;
  }

  get #claimed(): Claimed {
    return this.#opened.claimed;
  }

  get #replica(): Replica {
    return this.#claimed.replica;
  }

  /** The state as typed properties. After the session has ended every access throws `ERR_CLOSED`. */
  get state(): S {
    return this.#tracker.state as S;
  }

  /** Of the last save, or 0. */
  get revision(): number {
    return this.#replica.head.revision;
  }

  /** Bytes of the whole state as last saved: what saving all of it would send. */
  get byteLength(): number {
    return this.#replica.image.byteLength;
  }

  /** Closed, destroyed, or lost to another holder. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Names of the attributes that the next save will compare, by save mode. */
  tracked(): string[] {
    return this.#tracker.tracked();
  }

  /**
   * Gives several attributes their values, but for those that are undefined; the way to give immutable ones their first.
   * Where it throws nothing has changed.
   */
  assign(values: Partial<V>): void {
    const given = valuesOf(this.#context.definition, 'assign', values, () => false);
    this.#tracker.assign(given, []);
  }

  /**
   * Makes `values` the whole state, in their order: other attributes, and those whose value is undefined, are deleted. What cannot be changed stays:
   * immutable ones that have a value, those of a newer schema, and those that the definition does not have. What is equal
   * to what is there counts as not written. Where it throws nothing has changed.
   */
  replace(values: V): void {
    this.#unlocked?.checkWritable('replace');
    replaceAll(this.#context.definition, this.#tracker, this.#slots, this.#replica.image, values);
  }

  /**
   * Sends what changed. On an error nothing was saved, but for two outcomes that the error names: `unknown` (saving
   * again waits until it is known) and `superseded`. After `ERR_FENCED`, `ERR_CONFLICT` or `ERR_NOT_FOUND` (destroyed
   * meanwhile) the session has ended.
   */
  save(options?: SaveOptions): Promise<Saved> {
    return this.#alone(() => this.#push(false, true, options));
  }

  /**
   * What the next `save` would send, as far as nobody else saves before, and why; nothing is changed by asking. As slow
   * as to encode all that was touched, and to compare it part by part. Throws what `save` throws of a value, and a
   * conflict that is known already.
   */
  explain(): Promise<Explanation> {
    return this.#alone(async () => {
      await this.#settled();
      const tracked = this.#slots.tracked(this.#tracker.tracked(), undefined);
      const sent = this.#unlocked?.outlook(tracked) ?? tracked;
      return explanationOf(this.#context.line, this.#replica, this.#tracker, sent, this.#create);
    });
  }

  /** Saves, and ends the session: one call to the store does both when the lock is to be handed over. */
  async saveAndClose(options?: SaveOptions): Promise<Saved> {
    try {
      return await this.#alone(() => this.#push(true, true, options));
    } finally {
      if (!this.#ended) await this.close();
    }
  }

  /** Destroys the session, everywhere and for good, and ends it. */
  delete(): Promise<void> {
    return this.#alone(async () => {
      const { line, tombstoneTtlMs } = this.#context;
      this.#unlocked?.checkWritable('delete');
      await this.#settled();
      const claimed = this.#replica.exists ? await this.#lock() : this.#claimed;
      const { replica, hold } = claimed;
      this.#shut();
      let how: EndOfHold = 'keep';
      try {
        if (!replica.exists) return;
        hold.leave();
        await pushEnd(line, replica, { token: hold.token, keptMs: tombstoneTtlMs, alias: undefined });
        how = 'released';
      } catch (error) {
        how = endAfter(error);
        throw error;
      } finally {
        if (claimed !== this.#claimed) await claimed.end(how, undefined);
        await this.#end(how, undefined);
      }
    });
  }

  /**
   * Moves the session to a new id, with what it holds (unsaved changes are saved first), and ends the old one: against
   * session fixation, after a login. If it fails in between, both ids exist with the same state.
   */
  changeId(newId: string, options: ChangeIdOptions = {}): Promise<void> {
    return this.#alone(async () => {
      checkOptions('changeId', options, CHANGE_ID_RULES);
      this.#unlocked?.checkWritable('changeId');
      const { graceMs = 0 } = options;
      checkId(newId); // before anything is saved
      if (newId === this.id)
        throw new HoldfastError('ERR_INVALID', `session '${shortId(newId)}' has this id already`, { session: newId });
      await this.#push(false, false, storedFirst(this.#outage));
      if (!this.#replica.exists)
        throw new HoldfastError(
          'ERR_INVALID',
          `session '${shortId(this.id)}' was never saved: save it before changing its id`,
          { session: this.id },
        );
      const old = await this.#lock();
      const given = { ...options, holdMs: options.holdMs ?? old.holdMs };
      try {
        await ready(this.#context.line, old.replica, failing(this.#context.line));
        await this.#moveTo(old, await this.#context.claimNew(newId, given, old.place));
      } catch (error) {
        if (this.#unlocked !== undefined) await giveBack(this.#context, old, 'keep', true);
        throw error;
      }
      await this.#leave(old, newId, graceMs);
    });
  }

  async #moveTo(old: Claimed, to: Claimed): Promise<void> {
    this.#slots.share(); // also where nobody knows whether the copy was stored
    try {
      await pushCopy(this.#context.line, old.replica, to.replica, to.hold.token);
    } catch (error) {
      await to.end(endAfter(error), undefined);
      throw error;
    }
    if (this.#unlocked !== undefined) return this.#unlocked.moveTo(to);
    this.#opened.claimed = to;
    this.#slots.rebase(to.replica.image);
  }

  /** For what only the lock's holder may do. Of a session without a lock the caller is to give it back. */
  async #lock(): Promise<Claimed> {
    return this.#unlocked === undefined ? this.#claimed : this.#unlocked.lock();
  }

  async #leave(old: Claimed, newId: string, graceMs: number): Promise<void> {
    const { line, tombstoneTtlMs } = this.#context;
    const alias = graceMs > 0 ? { id: newId, until: Math.round(line.time.now() + graceMs) } : undefined;
    await destroy(line, old, { keptMs: tombstoneTtlMs, alias, movedTo: newId });
  }

  /**
   * The saved session expires `ttlMs` after its last use from now on; undefined: never. A save by a repository with
   * another rule sets that again.
   */
  expire(ttlMs: number | undefined): Promise<void> {
    return this.#alone(async () => {
      const { line, leaseMs } = this.#context;
      this.#unlocked?.checkWritable('expire');
      if (ttlMs !== undefined) checkIdle('expire: ttlMs', ttlMs, leaseMs);
      line.backups.checkCurrent();
      await this.#settled();
      const claimed = await this.#lock();
      const touch = { token: claimed.hold.token, expiry: { ...claimed.replica.expiry, idleMs: ttlMs } };
      try {
        await ready(line, claimed.replica, failing(line)); // its first save may wait
        const touched = await line.store.touch(this.id, touch, line.call);
        if (!touched.touched) throw untouched(this.id, touched.why);
        for (const replica of new Set([claimed.replica, this.#replica]))
          replica.used(line.clock.monotonic(), line.time.now(), touch.expiry);
        await line.backups.touch(this.id, touch);
      } finally {
        if (this.#unlocked !== undefined) await giveBack(this.#context, claimed, 'keep', true);
      }
    });
  }

  /** Ends the session; what was not saved is discarded. Harmless when it has ended. */
  async close(): Promise<void> {
    this.#closing = true;
    while (this.#turns.last !== undefined) await this.#turns.last;
    if (this.#ended) return this.#ending;
    const clean = !this.#closed && this.#tracker.tracked().length === 0;
    await this.#end('keep', clean ? this.#slots : undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Calls run one after the other. */
  #alone<T>(run: () => Promise<T>): Promise<T> {
    if (this.#closing) return Promise.reject(this.#isClosed());
    return this.#turns.take(() => (this.#closed ? Promise.reject(this.#isClosed()) : run()));
  }

  #isClosed(): HoldfastError {
    return closedError(this.id, this.#replica.state, this.#why);
  }

  /** The differ runs at once; what is written while the append is under way is left for the next save. */
  async #push(last: boolean, isShown: boolean, options?: SaveOptions): Promise<Saved> {
    const { onSaved } = this.#context;
    const tells = isShown || onSaved !== undefined;
    const settled = this.#settled();
    if (settled !== undefined) await settled;
    const slots = this.#slots;
    const { hold } = this.#claimed;
    const unlocked = this.#unlocked;
    const capture = this.#tracker.capture();
    const { touched } = capture;
    const tracked = slots.tracked(touched, (name, base) => this.#tracker.splice(name, base, last));
    const outage = options === undefined ? this.#outage : outageOf(this.#context.line, this.#access, options);
    const { pushing, release } = this.#begin(tracked, { last, create: this.#create, tells, outage });
    slots.settle(touched);
    const sound = !last || this.#shut();
    let pushed: Pushed | undefined;
    try {
      pushed = await pushing;
    } catch (error) {
      slots.unsettle(touched);
      this.#doubt = unlocked === undefined ? this.#replica.unsettled : unlocked.unsettled;
      if (!isOver(error)) throw error;
      const told = explained(error, hold);
      if (unlocked?.hasSaved === false) noteRefusal(this, told);
      this.#why = endedBy(error);
      await this.#end(endAfter(error), undefined);
      throw told;
    }
    this.#tracker.settle(capture);
    if (unlocked !== undefined) unlocked.follow(last);
    else if (tells) slots.lent(touched);
    else slots.accepted(touched);
    if (!last) this.#rest(slots);
    if (pushed?.wanted === true) hold.wanted();
    const how = isReleased(release, pushed) ? 'released' : 'keep';
    const ending = last ? this.#end(how, sound ? slots : undefined) : undefined;
    const saved = tells ? savedBy(pushed, this.#replica, onSaved) : UNSEEN;
    if (ending !== undefined) await ending;
    return saved;
  }

  #begin(tracked: Tracked, terms: SaveTerms): Saving {
    if (this.#unlocked !== undefined) return { pushing: this.#unlocked.push(tracked, terms), release: false };
    return saveUnder(this.#context.line, this.#claimed, tracked, terms);
  }

  /**
   * Waits until the outcome of an earlier save is known: it stands, or what it was to save is still to be saved. Where
   * that will never be known, the session ends: what it holds may be stored already, so that no later refusal could say
   * that it is not. Undefined: there is none to be waited for; what is saved here alone is none.
   */
  #settled(): Promise<void> | undefined {
    const unsettled = this.#doubt ?? this.#replica.unsettled;
    return unsettled?.keeper === undefined ? unsettled && this.#outcomeOf(unsettled) : undefined;
  }

  async #outcomeOf(unsettled: Unsettled): Promise<void> {
    const how = await outcomeOf(this.#context.line, unsettled);
    this.#doubt = undefined;
    if (how === 'appended') this.#unlocked?.settled();
    if (how !== 'unknown') return;
    this.#why = NOBODY_KNOWS;
    await this.#end('lost', undefined);
    const details = { session: this.id, outcome: 'unknown' } as const;
    throw new HoldfastError('ERR_UNAVAILABLE', `session '${shortId(this.id)}' ${NOBODY_KNOWS}`, details);
  }

  /**
   * No more access to the state. False: what it has decoded cannot be told from what the application has made of it.
   */
  #shut(): boolean {
    this.#closed = true;
    try {
      this.#slots.unload(this.#tracker.detach());
      return true;
    } catch {
      return false; // e.g. bytes whose buffer the application has transferred
    } finally {
      this.#tracker.close(this.id, this.#why);
    }
  }

  #rest(slots: Slots): boolean {
    return slots.rest(this.#context.line.differ, this.#replica.unsettled !== undefined);
  }

  /** Undefined: it is done. */
  #end(how: EndOfHold, slots: Slots | undefined): Promise<void> | undefined {
    if (this.#ended) return this.#ending;
    this.#ended = true;
    this.#context.unclosed.unwatch(this.#tracker);
    const isSound = this.#shut() && slots !== undefined && this.#rest(slots);
    return (this.#ending = this.#claimed.end(how, isSound ? slots : undefined));
  }
}

/** Of a save that nobody looks at. */
const UNSEEN = new Saved(undefined, 0);
