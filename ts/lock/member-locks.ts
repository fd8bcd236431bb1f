import type { Clock } from '../clock.ts';
import { HoldfastError, shortId } from '../errors.ts';
import type { Observers } from '../observe.ts';
import type { Position } from '../position.ts';
import type { OutageTerms } from '../store/outage-terms.ts';
import type { CallOptions, Hint, Membership, Store } from '../store/store.ts';
import { epochOf } from '../token.ts';
import type { Token } from '../token.ts';
import type { Hold, Waiter } from './hold.ts';
import { MemberLock } from './member-lock.ts';
import type { Answering, LockContext, LockOptions } from './context.ts';
import { MOST_UNDER_WAY, Renewals } from './renewals.ts';

export interface AcquireOptions {
  /** How long to wait for the lock: 0 only tries, Infinity waits for ever. Default 10000. */
  readonly timeoutMs?: number | undefined;
  /** How long this use may keep others waiting, in place of `lock.maxHoldMs`: they wait all that time. */
  readonly holdMs?: number | undefined;
  /** Stops the wait; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export const DEFAULT_LEASE_MS = 2000;
export const DEFAULT_MAX_HOLD_MS = 30_000;

/**
 * The member locks of one process. Requests of this process queue here in order, those of all processes queue in the
 * store. Under `lazy` the lock stays after a use: the next use costs no round trip until another member recalls it.
 */
export class MemberLocks {
  readonly #context: LockContext;
  readonly #locks = new Map<string, MemberLock>();
  #membership: Promise<Membership> | undefined;
  #tickets = 0;
  /** The store's own, as last asked for. */
  #epoch = 0;
  /** That this member joined under. */
  #joinedEpoch = 0;
  #closed = false;
  #hasLeft = false;

  constructor(
    store: Store,
    clock: Clock,
    options: LockOptions,
    call: CallOptions,
    observers: Observers,
    onRenewed: (id: string, token: Token) => void = () => undefined,
    outage: Answering = { isOut: false, begin: () => undefined },
  ) {
    const { release = 'lazy', leaseMs = DEFAULT_LEASE_MS, maxHoldMs = DEFAULT_MAX_HOLD_MS } = options;
    const { minHoldMs = Math.min(5, maxHoldMs) } = options;
    this.#context = {
      store,
      clock,
      options: { release, leaseMs, minHoldMs, maxHoldMs },
      call,
      membership: () => this.#join(),
      ticket: () => (this.#tickets += 1),
      closed: () => this.#closed,
      forget: (lock) => void this.#locks.delete(lock.id),
      observers,
      renewals: new Renewals(clock, leaseMs, (lock) => lock.renewDue()),
      timedOut: (id) => lockTimeout(id, 0),
      onRenewed,
      outage,
      checkWorld: (token) => this.#checkWorld(token),
    };
  }

  /** The lock, where it is still here and nobody uses it or waits for it; else `acquire` it. */
  take(id: string, { holdMs, signal }: AcquireOptions, terms?: OutageTerms): Hold | undefined {
    return this.#closed || signal?.aborted === true ? undefined : this.#locks.get(id)?.take(holdMs, terms);
  }

  /** Whether this member has the lock, as far as it knows or last knew. */
  has(id: string): boolean {
    return this.#locks.get(id)?.isHeld === true;
  }

  /**
   * Waits its turn. `existing`: rejects with an `Absence` where there is no living session, of which then nothing is
   * locked. `since` is asked for when the request goes out, so that the grant can bring what the caller lacks.
   * `underWay`: for a use that has begun; it is not refused while this closes.
   */
  acquire(
    id: string,
    since: () => Position,
    options: AcquireOptions = {},
    existing: boolean = false,
    underWay: boolean = false,
    terms?: OutageTerms,
  ): Promise<Hold> {
    if (this.#closed && !underWay) return Promise.reject(repositoryClosed());
    const { timeoutMs = 10_000, signal } = options;
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    return new Promise((resolve, reject) => {
      let leave: (() => void) | undefined;
      let stopTimer: (() => void) | undefined;
      let settled = false;
      const settle = (): void => {
        settled = true;
        stopTimer?.();
        signal?.removeEventListener('abort', onAbort);
        leave?.();
      };
      const waiter: Waiter = {
        since,
        tryOnly: timeoutMs <= 0,
        holdMs: options.holdMs,
        existing,
        underWay,
        terms,
        grant: (hold) => (settle(), resolve(hold)),
        fail: (error) => (settle(), reject(error as Error)),
      };
      const onAbort = (): void => waiter.fail(signal?.reason);
      leave = this.#lock(id).wait(waiter);
      if (settled) return leave();
      if (timeoutMs > 0 && Number.isFinite(timeoutMs))
        stopTimer = this.#context.clock.after(timeoutMs, () => waiter.fail(lockTimeout(id, timeoutMs)));
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** The next use asks the store whether the lock is still ours, and for what came since. */
  doubt(id: string): void {
    this.#locks.get(id)?.doubt();
  }

  /**
   * Gives an idle lock back, so that this process no longer needs to remember the session. Resolves false when it is in
   * use.
   */
  async giveUp(id: string): Promise<boolean> {
    return (await this.#locks.get(id)?.giveUp()) ?? true;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Fails those that wait to begin, and gives every idle lock back. Uses that are going on end as usual. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#hasLeft = false;
    for (const lock of [...this.#locks.values()]) {
      lock.failAll(
        () =>
          new HoldfastError('ERR_CLOSED', `the session repository was closed while waiting for a lock${REOPEN}`, {
            session: lock.id,
          }),
      );
    }
    const ids = [...this.#locks.keys()].values();
    const giveUpAll = async (): Promise<void> => {
      for (const id of ids) if (!this.#hasLeft) await this.giveUp(id); // what was not given back in time lapses
    };
    await Promise.all(Array.from({ length: MOST_UNDER_WAY }, giveUpAll));
  }

  /** No use is left that might ask for a lock; one that does all the same joins again. */
  async leave(): Promise<void> {
    this.#hasLeft = true;
    const membership = this.#membership;
    this.#membership = undefined;
    await membership?.then((joined) => joined.leave(this.#context.call)).catch(() => undefined);
  }

  #lock(id: string): MemberLock {
    let lock = this.#locks.get(id);
    if (lock === undefined) this.#locks.set(id, (lock = new MemberLock(id, this.#context)));
    return lock;
  }

  #join(): Promise<Membership> {
    this.#membership ??= this.#joinStore();
    this.#membership.catch(() => (this.#membership = undefined)); // the next request tries again
    return this.#membership;
  }

  async #joinStore(): Promise<Membership> {
    const membership = await this.#context.store.join((hint) => this.#onHint(hint), this.#context.call);
    this.#joinedEpoch = membership.epoch;
    return membership;
  }

  /**
   * A store whose sessions have tokens of a later epoch than its own mark has been fed by a promoted one: whoever takes
   * it for the primary is of the old world, also after it was fenced once.
   */
  async #checkWorld(token: Token): Promise<void> {
    // A store that has lost its memory, and so this member's name, with which no hint can reach it any more.
    if (epochOf(token) < this.#joinedEpoch) this.#membership = undefined;
    if (epochOf(token) <= this.#epoch) return;
    const { store, call } = this.#context;
    this.#epoch = (await store.ping(call)).epoch;
    if (epochOf(token) <= this.#epoch) return; // promoted since
    throw new HoldfastError(
      'ERR_FENCED',
      `this store is a backup of a promoted one (epoch ${epochOf(token)}): start this process with the promoted store as \`store\`, or promote this one above it`,
      { outcome: 'none' },
    );
  }

  /**
   * Hints were lost, perhaps with all that the store knew: its epoch is then lower than the one that this member joined
   * under.
   */
  async #resync(): Promise<void> {
    for (const lock of this.#locks.values()) lock.doubt();
    const { store, call } = this.#context;
    const before = this.#membership;
    try {
      const [membership, { epoch }] = await Promise.all([before, store.ping(call)]);
      if (membership !== undefined && epoch < membership.epoch && this.#membership === before)
        this.#membership = undefined;
      this.#epoch = epoch;
    } catch {
      // unreachable: whoever asks next will tell
    }
  }

  #onLost(id: string, { revision }: Position): void {
    this.#context.observers.emit('conflict', () => ({ id, revision: revision - 1, paths: [], lost: true }));
    this.#locks.get(id)?.doubt();
  }

  #onHint(hint: Hint): void {
    if (hint.kind === 'recall') this.#locks.get(hint.id)?.onRecall(hint.token);
    else if (hint.kind === 'resync') void this.#resync();
    else if (hint.kind === 'lost') this.#onLost(hint.id, hint.position);
    else if (hint.kind === 'grant' && this.#locks.get(hint.id)?.onGrant(hint.token) !== true) {
      // Nobody waits any more. Whoever asks from now on gets a token of its own, which this does not touch.
      void this.#context.store.unlock(hint.id, { token: hint.token }, this.#context.call).catch(() => undefined);
    }
  }
}

const REOPEN = ': make another with new SessionRepository(…), or close this one once its last call has ended';

export const repositoryClosed = (): HoldfastError =>
  new HoldfastError('ERR_CLOSED', `the session repository is closed${REOPEN}`);

function lockTimeout(id: string, timeoutMs: number): HoldfastError {
  const waited = timeoutMs > 0 ? `was not granted within ${timeoutMs} ms` : 'is held by another';
  return new HoldfastError(
    'ERR_LOCK_TIMEOUT',
    `the lock of session '${shortId(id)}' ${waited}; try again later, or wait longer with timeoutMs`,
    { session: id },
  );
}
