import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import type { Position } from '../position.ts';
import type { Hint, LockReply, Membership, Store, Tail } from '../store/store.ts';

export interface LockOptions {
  /** When to give the lock back: `lazy`, when another asks for it; `access`, after each use. Default `lazy`. */
  readonly release?: 'lazy' | 'access';
  /** A holder that shows no life for this long may be replaced. Default 2000. */
  readonly leaseMs?: number;
  /** After a grant, requests in the same process go first for this long even if others wait. Default 5. */
  readonly minHoldMs?: number;
  /** One use may keep others waiting this long; then its lease is left to lapse and its save is fenced off. Default 30000. */
  readonly maxHoldMs?: number;
}

export interface AcquireOptions {
  /** How long to wait for the lock: 0 only tries, Infinity waits for ever. Default 10000. */
  readonly timeoutMs?: number;
  /** Stops the wait; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface Granted {
  /** The revision that was asked with. */
  readonly since: Position;
  readonly tail: Tail;
}

/** One use of the lock, from its grant to `end`. */
export interface Hold {
  readonly token: number;
  /** What came after the caller's revision; undefined: the lock was still here, and nobody else wrote. */
  readonly granted: Granted | undefined;
  /** Others have waited for longer than `maxHoldMs`: a save must not renew the lease. */
  readonly overdue: () => boolean;
  /** Whether a save that ends this use should hand the lock over in the same call. */
  readonly releaseNow: () => boolean;
  /** Ends the use; further calls do nothing. `released`: the store has the lock back already. `lost`: another has it. */
  readonly end: (how: 'keep' | 'released' | 'lost') => Promise<void>;
}

interface Waiter {
  readonly since: () => Position;
  readonly grant: (hold: Hold) => void;
  readonly fail: (error: unknown) => void;
  readonly tryOnly: boolean;
}

/** The lock of one session, as this member sees it. */
interface Lock {
  readonly id: string;
  /** Undefined: not held. */
  token: number | undefined;
  readonly waiters: Waiter[];
  /** A use, a request to the store, or a release is going on: they never overlap. */
  busy: boolean;
  wanted: boolean;
  wantedSince: number;
  heldSince: number;
  leaseUntil: number;
  /** Of the last grant. */
  lastToken: number;
  /** A recall that came before its grant. */
  recalledToken: number;
  wake: (() => void) | undefined;
  stopRenewing: (() => void) | undefined;
}

/** A lease is counted from before the request was sent, less this part of it. */
const LEASE_MARGIN = 0.1;
/** A lost hint costs at most this much of a lease. */
const ASK_AGAIN = 0.25;

/**
 * The member locks of one process. Requests of this process queue here in order, those of all processes queue in the store.
 * Under `lazy` the lock stays after a use: the next use costs no round trip until another member recalls it.
 */
export class MemberLocks {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #options: Required<LockOptions>;
  readonly #locks = new Map<string, Lock>();
  #membership: Promise<Membership> | undefined;
  #closed = false;
  /** Grants by the store, that is, hand-overs between members and first grants. */
  grants = 0;

  constructor(store: Store, clock: Clock, options: LockOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#options = { release: 'lazy', leaseMs: 2000, minHoldMs: 5, maxHoldMs: 30_000, ...options };
  }

  /** Waits its turn. `since` is asked for when the request goes out, so that the grant can bring what the caller lacks. */
  acquire(id: string, since: () => Position, options: AcquireOptions = {}): Promise<Hold> {
    if (this.#closed) return Promise.reject(new HoldfastError('ERR_CLOSED', 'the session repository is closed'));
    const { timeoutMs = 10_000, signal } = options;
    if (Number.isNaN(timeoutMs)) return Promise.reject(new HoldfastError('ERR_INVALID', 'timeoutMs must be a number of milliseconds, 0 or Infinity'));
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    const lock = this.#lock(id);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        since,
        tryOnly: timeoutMs <= 0,
        grant: (hold) => (settle(), resolve(hold)),
        fail: (error) => (settle(), reject(error as Error)),
      };
      const giveUp = (error: unknown): void => {
        waiter.fail(error);
        lock.wake?.();
      };
      const stopTimer = timeoutMs > 0 && Number.isFinite(timeoutMs) ? this.#clock.after(timeoutMs, () => giveUp(lockTimeout(id, timeoutMs))) : undefined;
      const onAbort = (): void => giveUp(signal?.reason);
      const settle = (): void => {
        stopTimer?.();
        signal?.removeEventListener('abort', onAbort);
        const place = lock.waiters.indexOf(waiter);
        if (place >= 0) lock.waiters.splice(place, 1);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      lock.waiters.push(waiter);
      if (waiter.tryOnly && lock.busy) waiter.fail(lockTimeout(id, timeoutMs));
      else void this.#pump(lock);
    });
  }

  /** Gives an idle lock back, so that this process no longer needs to remember the session. Resolves false when it is in use. */
  async giveUp(id: string): Promise<boolean> {
    const lock = this.#locks.get(id);
    if (lock === undefined) return true;
    if (lock.busy || lock.waiters.length > 0) return false;
    await this.#exclusively(lock, () => this.#release(lock));
    return lock.token === undefined;
  }

  /** Fails those that wait, and gives every idle lock back. Uses that are going on end as usual. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const lock of this.#locks.values()) {
      for (const waiter of [...lock.waiters]) waiter.fail(new HoldfastError('ERR_CLOSED', 'the session repository was closed while waiting for a lock', { session: lock.id }));
      lock.wake?.();
    }
    await Promise.all([...this.#locks.keys()].map((id) => this.giveUp(id)));
    await this.#membership?.then((membership) => membership.leave()).catch(() => undefined);
  }

  #lock(id: string): Lock {
    let lock = this.#locks.get(id);
    if (lock === undefined) {
      lock = { id, token: undefined, waiters: [], busy: false, wanted: false, wantedSince: 0, heldSince: 0, leaseUntil: 0, lastToken: -1, recalledToken: -1, wake: undefined, stopRenewing: undefined };
      this.#locks.set(id, lock);
    }
    return lock;
  }

  /** Serves whoever is first; each end of something busy calls it again. */
  async #pump(lock: Lock): Promise<void> {
    if (lock.busy) return;
    await this.#exclusively(lock, async () => {
      if (lock.token !== undefined && this.#mustHandOver(lock)) await this.#release(lock);
      const first = lock.waiters[0];
      if (first === undefined) return;
      const granted = await this.#confirmOrAsk(lock);
      const next = lock.waiters[0];
      if (lock.token === undefined) return;
      if (next === undefined) return this.#settleUnclaimed(lock);
      this.#use(lock, next, granted);
    });
  }

  /** Runs `step` alone; unless a use has begun, goes on with what has come up meanwhile. */
  async #exclusively(lock: Lock, step: () => Promise<void>): Promise<void> {
    lock.busy = true;
    try {
      await step();
    } catch (error) {
      lock.waiters[0]?.fail(error);
    }
    if (lock.stopRenewing !== undefined) return; // in use
    lock.busy = false;
    if (lock.waiters.length > 0 || (lock.token !== undefined && this.#mustHandOver(lock))) void this.#pump(lock);
    else if (lock.token === undefined) this.#locks.delete(lock.id);
  }

  #mustHandOver(lock: Lock): boolean {
    if (this.#closed || this.#options.release === 'access') return true;
    if (!lock.wanted) return false;
    return lock.waiters.length === 0 || this.#clock.monotonic() - lock.heldSince >= this.#options.minHoldMs;
  }

  /** A grant that finds no waiter: kept if that costs nobody anything. What it brought is lost: the next use asks again. */
  async #settleUnclaimed(lock: Lock): Promise<void> {
    lock.leaseUntil = -Infinity;
    if (this.#mustHandOver(lock)) await this.#release(lock);
  }

  #use(lock: Lock, waiter: Waiter, granted: Granted | undefined): void {
    const token = lock.token as number;
    this.#keepAlive(lock);
    let ended = false;
    waiter.grant({
      token,
      granted,
      overdue: () => this.#overdue(lock),
      releaseNow: () => lock.token === token && this.#mustHandOver(lock),
      end: async (how) => {
        if (ended) return;
        ended = true;
        lock.stopRenewing?.();
        lock.stopRenewing = undefined;
        if (how !== 'keep' && lock.token === token) lock.token = undefined;
        await this.#exclusively(lock, async () => {
          if (lock.token !== undefined && this.#mustHandOver(lock)) await this.#release(lock);
        });
      },
    });
  }

  /** Asks the store until it grants, or until nobody here wants the lock any more. */
  async #ask(lock: Lock): Promise<Granted | undefined> {
    const { member } = await this.#join();
    try {
      return await this.#askAs(lock, member);
    } finally {
      lock.wake = undefined;
    }
  }

  async #askAs(lock: Lock, member: string): Promise<Granted | undefined> {
    const startedAt = this.#clock.monotonic();
    for (let first = lock.waiters[0]; first !== undefined; first = lock.waiters[0]) {
      const sentAt = this.#clock.monotonic();
      const woken = this.#nextWake(lock);
      const since = first.since();
      const reply = await this.#store.lock(lock.id, { member, leaseMs: this.#options.leaseMs, wait: !first.tryOnly, since });
      if (reply.granted) return { since, tail: this.#granted(lock, reply, sentAt) };
      if (first.tryOnly && sentAt - startedAt + reply.retryMs > this.#options.leaseMs * ASK_AGAIN) first.fail(lockTimeout(lock.id, 0));
      else await this.#sleep(lock, woken, Math.min(reply.retryMs, this.#options.leaseMs * ASK_AGAIN));
    }
    await this.#store.leaveQueue(lock.id, member);
    return undefined;
  }

  #join(): Promise<Membership> {
    this.#membership ??= this.#store.join((hint) => this.#onHint(hint));
    this.#membership.catch(() => (this.#membership = undefined));
    return this.#membership;
  }

  #granted(lock: Lock, reply: LockReply & { granted: true }, sentAt: number): Tail {
    if (lock.lastToken !== reply.token) this.grants += 1; // else it was still ours
    lock.lastToken = lock.token = reply.token;
    lock.heldSince = this.#clock.monotonic();
    lock.leaseUntil = sentAt + reply.leaseLeftMs - this.#options.leaseMs * LEASE_MARGIN;
    lock.wanted = reply.wanted || lock.recalledToken === reply.token;
    lock.wantedSince = lock.heldSince;
    return reply.tail;
  }

  /** A lock whose lease has lapsed may be another's by now: the store is asked again, and knows whose it is. */
  async #confirmOrAsk(lock: Lock): Promise<Granted | undefined> {
    if (lock.token !== undefined && this.#clock.monotonic() < lock.leaseUntil) return undefined;
    lock.token = undefined;
    return this.#ask(lock);
  }

  async #release(lock: Lock): Promise<void> {
    const { token } = lock;
    if (token === undefined) return;
    lock.token = undefined;
    lock.wanted = false;
    // Unreachable: the lease runs out by itself, so whoever waits is served all the same.
    await this.#store.unlock(lock.id, token).catch(() => undefined);
  }

  #onHint({ kind, id, token }: Hint): void {
    const lock = this.#locks.get(id);
    if (kind === 'grant') {
      if (lock?.wake !== undefined) lock.wake();
      else if (lock === undefined || (lock.token !== token && !lock.busy)) void this.#store.unlock(id, token).catch(() => undefined);
      return;
    }
    if (lock !== undefined) lock.recalledToken = Math.max(lock.recalledToken, token);
    if (lock === undefined || lock.token !== token) return;
    if (!lock.wanted) lock.wantedSince = this.#clock.monotonic();
    lock.wanted = true;
    if (!lock.busy) void this.#pump(lock);
    else if (lock.stopRenewing !== undefined) void this.#renew(lock, token);
  }

  /** While a use goes on, the lease is renewed; not for ever, if others wait. */
  #keepAlive(lock: Lock): void {
    const token = lock.token as number;
    const everyMs = this.#options.leaseMs / 3;
    const tick = (): void => {
      void this.#renew(lock, token);
      lock.stopRenewing = this.#clock.after(everyMs, tick, true);
    };
    lock.stopRenewing = this.#clock.after(everyMs, tick, true);
  }

  #overdue(lock: Lock): boolean {
    return lock.wanted && this.#clock.monotonic() - lock.wantedSince > this.#options.maxHoldMs;
  }

  async #renew(lock: Lock, token: number): Promise<void> {
    const sentAt = this.#clock.monotonic();
    if (this.#overdue(lock)) return;
    try {
      await this.#store.renew(lock.id, token);
      if (lock.token === token) lock.leaseUntil = sentAt + this.#options.leaseMs * (1 - LEASE_MARGIN);
    } catch {
      // fenced or unreachable: the append at the end of this use will tell
    }
  }

  /** Set up before asking, so that a grant which overtakes the reply is not missed. */
  #nextWake(lock: Lock): Promise<void> {
    return new Promise((resolve) => {
      lock.wake = resolve;
    });
  }

  async #sleep(lock: Lock, woken: Promise<void>, ms: number): Promise<void> {
    const stop = this.#clock.after(Math.max(1, ms), () => lock.wake?.());
    await woken;
    stop();
  }
}

function lockTimeout(id: string, timeoutMs: number): HoldfastError {
  const waited = timeoutMs > 0 ? `was not granted within ${timeoutMs} ms` : 'is held by another';
  return new HoldfastError('ERR_LOCK_TIMEOUT', `the lock of session '${id}' ${waited}; try again later, or wait longer with timeoutMs`, { session: id });
}
