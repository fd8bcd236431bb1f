import { HoldfastError, shortId } from '../errors.ts';
import { Absence } from '../lock/hold.ts';
import type { EndOfHold, Hold } from '../lock/hold.ts';
import type { LockOptions } from '../lock/member-lock.ts';
import { DEFAULT_LEASE_MS, MemberLocks } from '../lock/member-locks.ts';
import type { AcquireOptions } from '../lock/member-locks.ts';
import { ORIGIN, samePosition } from '../position.ts';
import type { Position } from '../position.ts';
import { checkId } from '../store/arguments.ts';
import type { Store, Tail } from '../store/store.ts';
import type { Line } from '../sync/line.ts';
import { pull, take } from '../sync/pull.ts';
import { Replica } from '../sync/replica.ts';
import type { Token } from '../token.ts';
import { KeptSessions } from './kept.ts';
import type { Kept } from './kept.ts';
import { isPossible } from './ids.ts';
import { checkNesting } from './nesting.ts';
import type { Slots } from './slots.ts';

/** A session that is locked and up to date. */
export interface Claimed {
  readonly replica: Replica;
  readonly hold: Hold;
  /** As the use asked for. */
  readonly holdMs: number | undefined;
  /** Where the use was begun; undefined: that was not noted. */
  readonly place: string | undefined;
  /**
   * Gives lock and replica back; never rejects; undefined: that is done already. `slots`: what they hold is what the primary holds, for the next use.
   * While the outcome of an append is unknown, both stay as they are until it is not.
   */
  end(how: EndOfHold, slots: Slots | undefined): Promise<void> | undefined;
}

/** Of what is not locked. */
const NO_HOLD: Hold = {
  token: 0,
  granted: undefined,
  overdue: () => false,
  wanted: () => undefined,
  releaseNow: () => false,
  leave: () => undefined,
  end: () => undefined,
};

/** Aliases of aliases are followed so far. */
export const MOST_ALIASES = 8;

/** Of a lease: a use that lasts renews it within a third, and with it the session's idle time; and the call takes time. */
const UNTIL_RENEWED = 0.4;

/** The sessions that a repository has in use or keeps: locked and brought up to date for a use, let go after it. */
export class Claims {
  readonly #line: Line;
  /** The store as the caller knows it. */
  readonly #place: Store;
  readonly #locks: MemberLocks;
  readonly #kept: KeptSessions;
  readonly #untilRenewedMs: number;
  /**
   * Uses of this process that have the lock: by their holds, for the next use of a session has begun before the one
   * before is struck off.
   */
  readonly #inUse = new Map<Hold, Claimed>();
  readonly #onIdle: (() => void)[] = [];
  readonly #onInTheWay: () => void;

  /** `onInTheWay`: a use was not given the lock because another one of this process has it. */
  constructor(line: Line, place: Store, lock: LockOptions, cacheBytes: number, onInTheWay: () => void) {
    this.#line = line;
    this.#place = place;
    this.#onInTheWay = onInTheWay;
    this.#locks = new MemberLocks(line.store, line.clock, lock, line.call, line.observers, (id, token) =>
      this.#passOnRenewal(id, token),
    );
    this.#untilRenewedMs = UNTIL_RENEWED * (lock.leaseMs ?? DEFAULT_LEASE_MS);
    this.#kept = new KeptSessions(cacheBytes, (id) => void this.#locks.giveUp(id));
  }

  get closed(): boolean {
    return this.#locks.closed;
  }

  /** Ids of the sessions in use. */
  get open(): string[] {
    return [...this.#inUse.values()].map(({ replica }) => replica.id);
  }

  /** Begins nothing new, and hands idle locks on. */
  close(): Promise<void> {
    return this.#locks.close();
  }

  /** Keeps nothing any more. */
  clear(): void {
    this.#kept.clear();
  }

  /** What this process holds of the session may be outdated. */
  doubt(id: string): void {
    this.#locks.doubt(id);
  }

  /** See `KeptSessions.takeSlots`. */
  takeSlots(replica: Replica): Slots | undefined {
    return this.#kept.takeSlots(replica);
  }

  /** Resolves when no use is under way. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#inUse.size === 0) resolve();
      else this.#onIdle.push(resolve);
    });
  }

  #noteEnd(hold: Hold): void {
    this.#inUse.delete(hold);
    if (this.#inUse.size === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  /**
   * Locks a session and brings it up to date; where its id has been changed and that is still told, the one that it
   * became. `place`: where that was asked for.
   */
  async claim(id: string, options: AcquireOptions, existing: boolean, place: string | undefined): Promise<Claimed> {
    if (existing && !isPossible(id)) return this.#nowhere(id);
    for (let hops = 0, at = id; ; hops += 1) {
      const claimed = await this.#claimOne(at, options, existing, place);
      const next = this.livesOnAs(claimed.replica);
      const lost = hops > 0 && claimed.replica.state === 'absent';
      if (!lost && (next === undefined || hops === MOST_ALIASES)) return claimed;
      await claimed.end('keep', undefined);
      if (next === undefined)
        throw new HoldfastError(
          'ERR_NOT_FOUND',
          `session '${shortId(id)}' goes on under another id, which is not here (any more)`,
          { session: id },
        );
      at = next;
    }
  }

  /** As `claim`, of a living session that is here: its lock too, and nothing has to be asked of the store. */
  take(id: string, options: AcquireOptions, place: string | undefined): Claimed | undefined {
    const replica = this.#kept.replicaOf(id);
    if (replica?.exists !== true || replica.stale || this.#isOver(replica) || this.#mustTouch(replica))
      return undefined;
    checkNesting(this.#place, id);
    const hold = this.#locks.take(id, options);
    if (hold === undefined) return undefined;
    return this.#claimed(this.#kept.pin(id), hold, options, place);
  }

  #claimed(kept: Kept, hold: Hold, { holdMs }: AcquireOptions, place: string | undefined): Claimed {
    const { replica } = kept;
    const claimed: Claimed = {
      replica,
      hold,
      holdMs,
      place,
      end: (how, slots) => this.#endUse(kept, hold, how, slots),
    };
    this.#inUse.set(hold, claimed);
    return claimed;
  }

  /** What no session can have for its id has none: a client may have made it up. */
  #nowhere(id: string): Claimed {
    if (this.closed) throw new HoldfastError('ERR_CLOSED', 'the session repository is closed');
    return this.#unlocked(new Replica(id));
  }

  #unlocked(replica: Replica): Claimed {
    return { replica, hold: NO_HOLD, holdMs: undefined, place: undefined, end: () => undefined };
  }

  /**
   * The id that a session goes on under, for as long as that is told: by the later clock, so that none that is set back
   * prolongs it.
   */
  livesOnAs({ alias }: Replica): string | undefined {
    return alias !== undefined && this.#line.time.stamp() < alias.until ? alias.id : undefined;
  }

  /** `existing`: where there is no living session nothing is locked, and what is there instead is in the replica. */
  async #claimOne(id: string, options: AcquireOptions, existing: boolean, place: string | undefined): Promise<Claimed> {
    checkId(id);
    checkNesting(this.#place, id);
    const kept = this.#kept.pin(id);
    let hold: Hold;
    try {
      const since = (): Position => (existing && !kept.replica.exists ? ORIGIN : kept.replica.head);
      hold = await this.#locks.acquire(id, since, options, existing);
    } catch (error) {
      this.#kept.unpin(kept);
      if (error instanceof Absence) return this.#absent(id, error.tail);
      this.noteDamage(id, error);
      throw this.#explained(id, error);
    }
    const claimed = this.#claimed(kept, hold, options, place);
    try {
      if (this.#mustPull(kept, hold)) await this.#pull(kept, hold);
      if (this.#mustTouch(kept.replica)) await this.#touch(kept, hold);
    } catch (error) {
      this.noteDamage(id, error);
      await this.#endUse(kept, hold, 'keep', undefined);
      throw error;
    }
    if (kept.replica.state === 'expired') this.#line.observers.emit('expired', () => ({ id }));
    return claimed;
  }

  /** Who waits for a use of its own process would look for it elsewhere. */
  #explained(id: string, error: unknown): unknown {
    if (!(error instanceof HoldfastError) || error.code !== 'ERR_LOCK_TIMEOUT') return error;
    const holder = [...this.#inUse.values()].find(({ replica }) => replica.id === id);
    if (holder === undefined) return error;
    this.#onInTheWay();
    const where =
      holder.place === undefined
        ? 'the next such error says where; that is noted from now on'
        : `it was opened at ${holder.place}`;
    const message = `${error.message}. This very process has it open: ${where}. Uses of one session wait for each other: use scope(), or close() what you open in a finally; who needs several sessions at once takes them in one order everywhere`;
    return new HoldfastError(error.code, message, { session: id });
  }

  /** What is there in place of a living session: nothing, an expired one, or an end. */
  #absent(id: string, tail: Tail): Claimed {
    const replica = new Replica(id);
    take(this.#line, replica, tail);
    if (replica.state === 'expired') this.#line.observers.emit('expired', () => ({ id }));
    return this.#unlocked(replica);
  }

  /** Tells of what was found damaged in the primary, by the store or by who read what it gave. */
  noteDamage(id: string, error: unknown): void {
    if (!(error instanceof HoldfastError) || error.code !== 'ERR_CORRUPT') return;
    const { revision, message } = error;
    this.#line.observers.emit('damage', () => ({ id, place: 'primary' as const, revision, message }));
  }

  /** Whether what is here may not be what the primary has. */
  #mustPull({ replica }: Kept, { granted }: Hold): boolean {
    return granted !== undefined || replica.stale || this.#isOver(replica);
  }

  /** As far as this process knows. */
  #isOver({ expiresAt }: Replica): boolean {
    return this.#line.clock.monotonic() >= expiresAt;
  }

  async #pull(kept: Kept, { granted }: Hold): Promise<void> {
    const { replica } = kept;
    // The request may have gone out for another waiter, whose copy was at another revision.
    const fits = granted !== undefined && samePosition(granted.since, replica.head);
    const pulled = await pull(this.#line, replica, fits ? granted.tail : undefined);
    if (pulled === 'all' || pulled.size > 0) kept.slots = undefined;
  }

  /** A use counts as one for the expiry once less than half of its time is left, or too little for a use that lasts. */
  #mustTouch(replica: Replica): boolean {
    const { idleMs } = this.#line.expiry ?? replica.expiry;
    if (idleMs === undefined || !replica.exists) return false;
    const enoughMs = Math.max(idleMs / 2, this.#untilRenewedMs);
    return replica.expiresAt - this.#line.clock.monotonic() <= enoughMs;
  }

  async #touch(kept: Kept, hold: Hold): Promise<void> {
    const { replica } = kept;
    const { store, clock, call, expiry } = this.#line;
    const touch = { token: hold.token, expiry };
    const sentAt = clock.monotonic();
    const touched = await store.touch(replica.id, touch, call);
    if (touched.touched) {
      replica.used(sentAt, this.#line.time.now(), expiry);
      void this.#line.backups.touch(replica.id, touch).catch(() => undefined); // it has been told as an event
    } else if (touched.why === 'gone') {
      await pull(this.#line, replica); // it expired a moment ago
      kept.slots = undefined;
    }
  }

  /**
   * A use that lasts renews its lease, and with it the idle time in the primary: backups hear of that once in half of
   * it.
   */
  #passOnRenewal(id: string, token: Token): void {
    const replica = this.#kept.replicaOf(id);
    const now = this.#line.clock.monotonic();
    const { idleMs } = replica?.expiry ?? {};
    if (replica === undefined || !replica.exists || idleMs === undefined || replica.expiresAt - now > idleMs / 2)
      return;
    replica.used(now, this.#line.time.now(), undefined);
    void this.#line.backups.touch(id, { token }).catch(() => undefined); // it has been told as an event
  }

  /** Looks before it locks: two that change ids crosswise would wait for each other. */
  async claimNew(id: string, options: AcquireOptions, place: string | undefined): Promise<Claimed> {
    const { store, call } = this.#line;
    const { head } = await store.read(id, { since: ORIGIN, limitBytes: 0 }, call);
    if (head === undefined || head.state === 'expired') {
      const claimed = await this.#claimOne(id, options, false, place);
      if (claimed.replica.state === 'absent' || claimed.replica.state === 'expired') return claimed;
      await claimed.end('keep', undefined);
    }
    throw new HoldfastError(
      'ERR_CONFLICT',
      `session '${shortId(id)}' exists already, or was destroyed; open it, or choose another id`,
      { session: id },
    );
  }

  /**
   * Ends a use in this order: what it leaves behind is settled, the lock is given back, the copy is let go. Never
   * rejects.
   */
  #endUse(kept: Kept, hold: Hold, how: EndOfHold, slots: Slots | undefined): Promise<void> | undefined {
    const { replica } = kept;
    const { unsettled } = replica;
    if (unsettled !== undefined) {
      this.#noteEnd(hold);
      const appended = unsettled.append.lock === 'release' ? 'released' : 'keep';
      void unsettled.done.then((settled) =>
        this.#endUse(kept, hold, settled === 'appended' ? appended : settled === 'fenced' ? 'lost' : 'keep', undefined),
      );
      return undefined;
    }
    kept.slots = slots;
    if (slots === undefined) replica.stale = true;
    const releasing = hold.end(how);
    return releasing === undefined ? this.#letGo(kept, hold) : releasing.then(() => this.#letGo(kept, hold));
  }

  #letGo(kept: Kept, hold: Hold): Promise<void> | undefined {
    this.#noteEnd(hold);
    this.#kept.unpin(kept);
    const { id, exists } = kept.replica;
    return exists ? undefined : this.#locks.giveUp(id).then(() => undefined); // nothing to come back to
  }
}
