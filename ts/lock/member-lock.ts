import { isSilence } from '../errors.ts';
import type { Grant, LockOwner } from '../store/lock.ts';
import type { OutageTerms } from '../store/outage-terms.ts';
import type { CallOptions } from '../store/store.ts';
import type { Token } from '../token.ts';
import type { Held, LockContext } from './context.ts';
import { Absence } from './hold.ts';
import type { EndOfHold, Granted, Hold, Keeper, Waiter } from './hold.ts';
import { Keeping } from './keeping.ts';
import { RENEWED_AFTER } from './renewals.ts';

/**
 * `asking`: a request is at the store, or waits in its queue. `kept`: ours, and nobody uses it. `used`: a use is going
 * on.
 */
type State =
  | { readonly is: 'free' }
  | { readonly is: 'asking'; wake: () => void }
  | { readonly is: 'kept'; readonly held: Held }
  | { readonly is: 'used'; readonly held: Held }
  | { readonly is: 'releasing' };

const FREE: State = { is: 'free' };
/**
 * A lease is counted from before the request was sent, less this part of it: the clocks of two machines tick
 * differently.
 */
const LEASE_MARGIN = 0.1;
/** A lost hint costs at most this much of a lease. */
const ASK_AGAIN = 0.25;
/** A lease with less than this left is renewed when a use begins. */
const FRESH = 0.5;
/** And with less than this left, while it goes on. */
const DUE = 1 - LEASE_MARGIN - RENEWED_AFTER;

/**
 * The lock of one session, as one member sees it: a queue of this process's uses in front of the store's queue of
 * members.
 */
export class MemberLock {
  readonly id: string;
  readonly #context: LockContext;
  readonly #waiters: Waiter[] = [];
  #state: State = FREE;
  /** The newest recall: it may overtake the grant that it is about. */
  #recalled: Token = -1;
  /** Of the grant before. */
  #latest: Token | undefined;
  #keeping: Keeping | undefined;

  constructor(id: string, context: LockContext) {
    this.id = id;
    this.#context = context;
  }

  /** The lock, if it is here and nobody uses it or waits for it. */
  take(holdMs: number | undefined, terms: OutageTerms | undefined): Hold | undefined {
    if (this.#state.is !== 'kept' || this.#waiters.length > 0) return undefined;
    const { held } = this.#state;
    const now = this.#now();
    if (this.#mustHandOver(held) || !this.#isOurs(held, terms, now)) return undefined;
    return this.#use(held, holdMs, undefined, now);
  }

  /** As far as this member knows, or as it last knew where nobody can tell. */
  #isOurs(held: Held, terms: OutageTerms | undefined, now: number = this.#now()): boolean {
    if (now < held.leaseUntil) return true;
    return !held.lost && (this.#keeping !== undefined || (goesOn(terms) && this.#context.outage.isOut));
  }

  /** Adds a waiter; returns a function that takes it out of the queue. */
  wait(waiter: Waiter): () => void {
    this.#waiters.push(waiter);
    const busy = this.#state.is === 'free' ? this.#keeping !== undefined : this.#state.is !== 'kept';
    if (waiter.tryOnly && busy) waiter.fail(this.#context.timedOut(this.id));
    else this.#next();
    return () => {
      const place = this.#waiters.indexOf(waiter);
      if (place >= 0) this.#waiters.splice(place, 1);
      if (this.#waiters.length === 0 && this.#state.is === 'asking') this.#state.wake();
    };
  }

  failAll(error: () => unknown): void {
    for (const waiter of [...this.#waiters]) if (!waiter.underWay) waiter.fail(error());
  }

  /** Gives the lock back if nobody here uses it or waits for it; resolves true when this member does not have it. */
  async giveUp(): Promise<boolean> {
    const isIdle = this.#waiters.length === 0 && this.#keeping === undefined;
    if (this.#state.is === 'kept' && isIdle) await this.#release(this.#state.held);
    else this.#next();
    return this.#state.is === 'free';
  }

  onRecall(token: Token): void {
    this.#recalled = Math.max(this.#recalled, token);
    const held = this.#held();
    if (held?.token !== token) return;
    this.#noteWanted(held);
    if (this.#state.is === 'used') void this.#renew(held);
    else this.#next();
  }

  #noteWanted(held: Held): void {
    if (held.wantedSince !== undefined) return;
    held.wantedSince = this.#now();
    this.#context.observers.emit('recall', () => ({ id: this.id, busy: this.#state.is === 'used' }));
  }

  /** False: nobody here waits for this grant. */
  onGrant(token: Token): boolean {
    if (this.#state.is === 'asking') this.#state.wake();
    return this.#state.is === 'asking' || this.#held()?.token === token;
  }

  /** What is held may have been recalled or taken, what is asked for may have been granted. */
  doubt(): void {
    const held = this.#held();
    if (held !== undefined) held.leaseUntil = -Infinity;
    if (this.#state.is === 'asking') this.#state.wake();
  }

  /** Goes on with what has come up, unless something is under way whose end calls this again. */
  #next(): void {
    const state = this.#state;
    const first = this.#first;
    if (state.is === 'free') {
      if (this.#keeping !== undefined && this.#keeping.waiter === undefined) return; // it will ask
      if (first !== undefined) void this.#ask(undefined);
      else this.#context.forget(this);
    }
    if (state.is !== 'kept') return;
    if (this.#mustHandOver(state.held)) void this.#release(state.held);
    else if (first === undefined) return;
    else if (this.#isOurs(state.held, first.terms)) first.grant(this.#use(state.held, first.holdMs, undefined));
    else void this.#ask(state.held); // it may be another's by now: the store knows
  }

  /**
   * A use, or whoever waits, has the lock until the store has granted it, or nobody here wants it any more. `before`:
   * as it was held.
   */
  async #ask(before: Held | undefined): Promise<void> {
    const ticket = this.#context.ticket();
    this.#state = { is: 'asking', wake: () => undefined };
    let found: { held: Held; granted: Granted } | undefined;
    try {
      found = await this.#askAs(ticket, before !== undefined);
    } catch (error) {
      void this.#leave(ticket); // the request may be granted yet
      const first = this.#first;
      if (isSilence(error) && first?.terms !== undefined) this.#context.outage.begin();
      if (isSilence(error) && before?.lost === false && goesOn(first?.terms)) {
        this.#state = { is: 'kept', held: before };
        return this.#next();
      }
      first?.fail(error);
    }
    if (found === undefined) this.#state = FREE;
    else {
      this.#state = { is: 'kept', held: found.held };
      const first = this.#first;
      if (first !== undefined) return first.grant(this.#use(found.held, first.holdMs, found.granted));
      return this.#release(found.held); // it finds nobody any more, and what it brought would be lost
    }
    this.#next();
  }

  async #askAs(ticket: number, wasHeld: boolean): Promise<{ held: Held; granted: Granted } | undefined> {
    const { store, options } = this.#context;
    const { member } = await this.#context.membership();
    const startedAt = this.#now();
    let told = false;
    let queued = false;
    for (let first = this.#first; first !== undefined; first = this.#first) {
      const sentAt = this.#now();
      const woken = this.#nextWake();
      const since = first.since();
      const reply = await store.lock(
        this.id,
        { member, ticket, leaseMs: options.leaseMs, wait: !first.tryOnly, existing: first.existing, since },
        this.#callFor(first, wasHeld),
      );
      if (reply.granted) {
        await this.#context.checkWorld(reply.token);
        const held = this.#heldBy(reply, sentAt);
        if (this.#now() < held.leaseUntil) {
          this.#noteGrant(held.token, reply.tail.head !== undefined, startedAt);
          return { held, granted: { since, tail: reply.tail } };
        }
        continue; // this process slept past its lease: the same request again makes a new grant
      }
      if (reply.tail !== undefined) {
        first.fail(new Absence(reply.tail));
        continue; // the next may want to make it
      }
      queued = true;
      if (this.#now() - startedAt > options.leaseMs && !told) {
        told = true;
        this.#context.observers.emit('wait', () => ({ id: this.id, waitMs: this.#now() - startedAt }));
      }
      const longest = options.leaseMs * ASK_AGAIN;
      if (first.tryOnly && sentAt - startedAt + reply.retryMs > longest) first.fail(this.#context.timedOut(this.id));
      else await this.#sleep(woken, Math.min(reply.retryMs, longest));
    }
    if (queued) await this.#leave(ticket);
    return undefined;
  }

  /** Who can go on without an answer waits for none longer. */
  #callFor({ terms }: Waiter, wasHeld: boolean): CallOptions {
    const { call } = this.#context;
    if (terms === undefined) return call;
    const { failMs } = terms;
    const timeoutMs = wasHeld && goesOn(terms) ? Math.min(failMs, call.timeoutMs ?? Infinity) : call.timeoutMs;
    return { ...call, timeoutMs, failMs };
  }

  #noteGrant(token: Token, exists: boolean, startedAt: number): void {
    const handOver = this.#latest === undefined ? exists : token > this.#latest + 1;
    this.#latest = token;
    this.#context.observers.emit('grant', () => ({ id: this.id, waitMs: this.#now() - startedAt, handOver }));
  }

  #heldBy(grant: Grant, sentAt: number): Held {
    const { leaseMs, maxHoldMs: holdMs } = this.#context.options;
    const now = this.#now();
    const wanted = grant.wanted || this.#recalled === grant.token;
    const leaseUntil = sentAt + Math.min(grant.leaseLeftMs, leaseMs) - leaseMs * LEASE_MARGIN;
    return {
      token: grant.token,
      since: now,
      leaseUntil,
      renewedAt: -Infinity,
      wantedSince: wanted ? now : undefined,
      holdMs,
      lost: false,
      leaving: false,
    };
  }

  #use(held: Held, holdMs: number | undefined, granted: Granted | undefined, now: number = this.#now()): Hold {
    held.holdMs = holdMs ?? this.#context.options.maxHoldMs;
    this.#state = { is: 'used', held };
    this.#context.renewals.add(this, now);
    if (this.#leftOf(held, now) < FRESH && !this.#context.outage.isOut) void this.#renew(held);
    let ended = false;
    return {
      token: held.token,
      granted,
      overdue: () => this.#overdue(held),
      wanted: () => this.#noteWanted(held),
      releaseNow: () => this.#held() === held && this.#mustHandOver(held),
      leave: () => void (held.leaving = true),
      keep: () => this.#keep(),
      end: (how) => {
        if (ended) return undefined;
        ended = true;
        return this.#endUse(held, how);
      },
    };
  }

  #endUse(held: Held, how: EndOfHold): Promise<void> | undefined {
    this.#context.renewals.delete(this);
    held.leaving = false;
    if (how === 'lost') this.#lose(held);
    const kept = how === 'keep' && !held.lost;
    this.#state = kept ? { is: 'kept', held } : FREE;
    if (kept && this.#mustHandOver(held)) return this.#release(held);
    this.#next();
    return undefined;
  }

  #keep(): Keeper {
    const keeping = new Keeping({
      lose: () => {
        const held = this.#held();
        if (held !== undefined) this.#lose(held);
        if (this.#state.is === 'kept') this.#state = FREE;
      },
      letGo: () => {
        if (this.#keeping === keeping) this.#keeping = undefined;
      },
      next: () => {
        if (this.#state.is === 'asking') this.#state.wake();
        else this.#next();
      },
    });
    return (this.#keeping = keeping);
  }

  /** What the lock is kept for goes before all others. */
  get #first(): Waiter | undefined {
    return this.#keeping?.waiter ?? this.#waiters[0];
  }

  #mustHandOver(held: Held): boolean {
    if (this.#keeping !== undefined) return false;
    if (this.#context.closed() || this.#context.options.release === 'access') return true;
    if (held.wantedSince === undefined) return false;
    return this.#waiters.length === 0 || this.#now() - held.since >= this.#context.options.minHoldMs;
  }

  /** Unreachable: the lease runs out by itself, so whoever waits is served all the same. */
  async #release(held: Held): Promise<void> {
    this.#state = { is: 'releasing' };
    await this.#unlock({ token: held.token });
    this.#state = FREE;
    this.#next();
  }

  async #leave(ticket: number): Promise<void> {
    const { member } = await this.#context.membership().catch(() => ({ member: undefined }));
    if (member !== undefined) await this.#unlock({ member, ticket });
  }

  async #unlock(who: { readonly token: Token } | LockOwner): Promise<void> {
    await this.#context.store.unlock(this.id, who, this.#context.call).catch(() => undefined);
  }

  /**
   * While a use goes on, its lease is renewed before a third has passed; not for ever, if others wait. Undefined: it is
   * not due.
   */
  renewDue(): Promise<void> | undefined {
    if (this.#state.is !== 'used') return undefined;
    const { held } = this.#state;
    // One that is not answered yet is sent again after as long, not at each look.
    const now = this.#now();
    const isUnderWay = now - held.renewedAt < RENEWED_AFTER * this.#context.options.leaseMs;
    return !isUnderWay && this.#leftOf(held, now) < DUE ? this.#renew(held) : undefined;
  }

  /** What is left of the lease, as a part of it. */
  #leftOf(held: Held, now: number): number {
    return (held.leaseUntil - now) / this.#context.options.leaseMs;
  }

  #overdue(held: Held): boolean {
    return held.wantedSince !== undefined && this.#now() - held.wantedSince > held.holdMs;
  }

  async #renew(held: Held): Promise<void> {
    const { store, options, call } = this.#context;
    const sentAt = this.#now();
    if (held.lost || held.leaving || this.#overdue(held)) return;
    held.renewedAt = sentAt;
    try {
      const touched = await store.touch(this.id, { token: held.token, renew: true }, call);
      if (this.#held() !== held || held.leaving) return;
      if (!touched.touched && touched.why === 'fenced') return this.#lose(held);
      held.leaseUntil = sentAt + options.leaseMs * (1 - LEASE_MARGIN);
      if (touched.wanted) this.#noteWanted(held);
      if (touched.touched) this.#context.onRenewed(this.id, held.token);
    } catch {
      // unreachable: the append at the end of this use will tell
    }
  }

  /** Another has the lock: the use learns of it when it saves; what it reads is what it opened. */
  #lose(held: Held): void {
    if (held.lost) return;
    held.lost = true; // first: who hears of it may end the use at once
    this.#context.observers.emit('lock-lost', () => ({ id: this.id }));
  }

  get isHeld(): boolean {
    return this.#held()?.lost === false;
  }

  #held(): Held | undefined {
    return this.#state.is === 'kept' || this.#state.is === 'used' ? this.#state.held : undefined;
  }

  #now(): number {
    return this.#context.clock.monotonic();
  }

  /** Set up before asking, so that a grant which overtakes the reply is not missed. */
  #nextWake(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#state.is === 'asking') this.#state.wake = resolve;
    });
  }

  async #sleep(woken: Promise<void>, ms: number): Promise<void> {
    const stop = this.#context.clock.after(Math.max(1, ms), () => {
      if (this.#state.is === 'asking') this.#state.wake();
    });
    await woken;
    stop();
  }
}

const goesOn = (terms: OutageTerms | undefined): boolean => terms?.policy === 'serve-local';
