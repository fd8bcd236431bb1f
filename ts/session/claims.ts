import { HoldfastError, shortId } from '../errors.ts';
import { Absence } from '../lock/hold.ts';
import type { EndOfHold, Hold } from '../lock/hold.ts';
import type { LockOptions } from '../lock/context.ts';
import { DEFAULT_LEASE_MS, MemberLocks, repositoryClosed } from '../lock/member-locks.ts';
import { ORIGIN } from '../position.ts';
import type { Position } from '../position.ts';
import { checkId } from '../store/arguments.ts';
import { termsOf } from '../store/outage-terms.ts';
import type { OutageTerms } from '../store/outage-terms.ts';
import type { Head, Store, Tail } from '../store/store.ts';
import type { Line } from '../sync/line.ts';
import { take } from '../sync/pull.ts';
import { Replica } from '../sync/replica.ts';
import type { Token } from '../token.ts';
import type { Claimed, Terms } from './claimed.ts';
import { heldHere } from './endings.ts';
import { Freshness } from './freshness.ts';
import { KeptSessions, isHere } from './kept.ts';
import type { Kept } from './kept.ts';
import { isPossible } from './ids.ts';
import { Looks, MOST_ALIASES, unlocked } from './looks.ts';
import type { Looked } from './looks.ts';
import { checkNesting } from './nesting.ts';
import type { Opening } from './options.ts';
import type { Slots } from './slots.ts';

/** The sessions that a repository has in use or keeps: locked and brought up to date for a use, let go after it. */
export class Claims {
  readonly #line: Line;
  /** The store as the caller knows it. */
  readonly #place: Store;
  readonly #locks: MemberLocks;
  readonly #kept: KeptSessions;
  readonly #fresh: Freshness;
  /** Uses of this process: the next one of a session has begun before the one before is struck off. */
  readonly #inUse = new Set<Claimed>();
  readonly #looks: Looks;
  #left = false;
  readonly #onIdle: (() => void)[] = [];
  readonly #onInTheWay: () => void;

  /** `onInTheWay`: a use was not given the lock because another one of this process has it. */
  constructor(line: Line, place: Store, lock: LockOptions, cacheBytes: number, onInTheWay: () => void) {
    this.#line = line;
    this.#place = place;
    this.#onInTheWay = onInTheWay;
    const { store, clock, call, observers, outage } = line;
    const onRenewed = (id: string, token: Token): void => this.#fresh.passOnRenewal(this.#kept.of(id)?.replica, token);
    this.#locks = new MemberLocks(store, clock, lock, call, observers, onRenewed, outage);
    const { leaseMs = DEFAULT_LEASE_MS } = lock;
    this.#fresh = new Freshness(line, leaseMs);
    this.#kept = new KeptSessions(cacheBytes, (id) => void this.#locks.giveUp(id));
    this.#looks = new Looks(line, this.#kept, leaseMs, this.#fresh, (id) => this.#locks.has(id));
  }

  #termsOf({ outage }: Opening): OutageTerms | undefined {
    return termsOf(this.#line.outage.terms, outage);
  }

  get closed(): boolean {
    return this.#locks.closed;
  }

  /** Ids of the sessions in use. */
  get open(): string[] {
    return [...this.#inUse].map(({ replica }) => replica.id);
  }

  /** Begins nothing new, and hands idle locks on. Uses under way that have no lock can take it to save. */
  close(): Promise<void> {
    return this.#locks.close();
  }

  /** Tells the store that no more locks will be asked for, now and whenever a use that goes on all the same has ended. */
  leave(): Promise<void> {
    this.#left = true;
    return this.#locks.leave();
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

  #noteEnd(claimed: Claimed): void {
    this.#inUse.delete(claimed);
    if (this.#inUse.size > 0) return;
    for (const resolve of this.#onIdle.splice(0)) resolve();
    if (this.#left) void this.#locks.leave();
  }

  /**
   * Locks a session and brings it up to date; where its id has been changed and that is still told, the one that it
   * became. `place`: where that was asked for. `underWay`: for a use that has begun, also while the repository closes.
   */
  claim(
    id: string,
    options: Opening,
    existing: boolean,
    place: string | undefined,
    underWay: boolean = false,
  ): Promise<Claimed> {
    return this.#claim(id, options, { existing, underWay, headAlone: false }, place);
  }

  /** As `claim`, to end the session: also one that cannot be read, as it is damaged or over the limit. */
  async claimHead(id: string, options: Opening, place: string | undefined): Promise<Claimed> {
    if (this.closed) throw repositoryClosed();
    return this.#claim(id, options, { existing: true, underWay: false, headAlone: true }, place);
  }

  async #claim(id: string, options: Opening, terms: Terms, place: string | undefined): Promise<Claimed> {
    if (terms.existing && !isPossible(id)) return this.#nowhere(id);
    for (let hops = 0, at = id; ; hops += 1) {
      const claimed = await this.#claimOne(at, options, terms, place);
      const next = this.#looks.livesOnAs(claimed.replica);
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

  /**
   * As `claim`, without a lock, for a use that may save, or only reads. No use is told of one that only reads: it can be
   * dropped.
   */
  async look(id: string, options: Opening, mode: 'optimistic' | 'read', place: string | undefined): Promise<Looked> {
    if (!isPossible(id)) return this.#nowhere(id);
    if (mode === 'optimistic') checkNesting(this.#place, id);
    options.signal?.throwIfAborted();
    const terms = this.#termsOf(options);
    const replica = await this.newest(id, true, terms);
    if (replica.exists) await this.#looks.use(replica, terms);
    if (replica.state === 'expired') this.#line.observers.emit('expired', () => ({ id }));
    if (this.closed) throw repositoryClosed();
    const looked = unlocked(replica, place);
    if (mode === 'read') return looked;
    this.#inUse.add(looked);
    this.#looks.keepAlive(looked);
    return Object.assign(looked, { end: () => this.#letLookGo(looked) });
  }

  /** The session as the primary has it now, as a copy that nothing else uses; see `Looks.newest`. */
  async newest(id: string, isUse: boolean = false, terms?: OutageTerms): Promise<Replica> {
    if (this.closed) throw repositoryClosed();
    try {
      return await this.#looks.newest(id, isUse, terms);
    } catch (error) {
      this.#noteDamage(id, error);
      throw error;
    }
  }

  #letLookGo(looked: Looked): undefined {
    this.#looks.letGo(looked);
    this.#noteEnd(looked);
  }

  /** As `claim`, of a living session that is here: its lock too, and nothing has to be asked of the store. */
  take(id: string, options: Opening, place: string | undefined): Claimed | undefined {
    const kept = this.#kept.of(id);
    const terms = this.#termsOf(options);
    if (kept === undefined || !this.#fresh.isHere(kept, terms)) return undefined;
    checkNesting(this.#place, id);
    const hold = this.#locks.take(id, options, terms);
    if (hold === undefined) return undefined;
    return this.#claimed(this.#kept.pin(id), hold, options, place);
  }

  #claimed(
    kept: Kept,
    hold: Hold,
    { holdMs }: Opening,
    place: string | undefined,
    replica: Replica = kept.replica,
  ): Claimed {
    const claimed: Claimed = {
      replica,
      locked: true,
      hold,
      holdMs,
      place,
      end: (how, slots) => this.#endUse(kept, claimed, how, slots),
    };
    this.#inUse.add(claimed);
    return claimed;
  }

  /** What no session can have for its id has none: a client may have made it up. */
  #nowhere(id: string): Looked {
    if (this.closed) throw repositoryClosed();
    return unlocked(new Replica(id), undefined);
  }

  async #claimOne(
    id: string,
    options: Opening,
    { existing, underWay, headAlone }: Terms,
    place: string | undefined,
  ): Promise<Claimed> {
    checkId(id);
    checkNesting(this.#place, id);
    const kept = this.#kept.pin(id);
    const terms = this.#termsOf(options);
    let hold: Hold;
    try {
      await this.#fresh.drained(kept, terms, true);
      const head = headAlone ? await this.#headOf(id) : undefined;
      const isNew = (): boolean => (existing && !kept.replica.exists) || !isHere(kept);
      const here = (): Position => (isNew() ? ORIGIN : kept.replica.head);
      const since = (): Position => (head?.state === 'live' ? head.position : here());
      hold = await this.#locks.acquire(id, since, options, existing, underWay, terms);
    } catch (error) {
      this.#kept.unpin(kept);
      if (error instanceof Absence) return this.#absent(id, error.tail);
      this.#noteDamage(id, error);
      throw this.#explained(id, error);
    }
    const claimed = this.#claimed(kept, hold, options, place, headAlone ? new Replica(id) : undefined);
    try {
      await this.#fresh.drained(kept, terms, false); // by now
      if (headAlone) claimed.replica.stand(hold.granted?.tail.head ?? (await this.#headOf(id)));
      else await this.#fresh.bring(kept, hold, terms);
    } catch (error) {
      this.#noteDamage(id, error);
      await claimed.end('keep', undefined);
      throw error;
    }
    if (claimed.replica.state === 'expired') this.#line.observers.emit('expired', () => ({ id }));
    return claimed;
  }

  async #headOf(id: string): Promise<Head | undefined> {
    const { store, call } = this.#line;
    return (await store.read(id, { since: ORIGIN, limitBytes: 0 }, call)).head;
  }

  /** Who waits for a use of its own process would look for it elsewhere. */
  #explained(id: string, error: unknown): unknown {
    if (!(error instanceof HoldfastError) || error.code !== 'ERR_LOCK_TIMEOUT') return error;
    const holder = [...this.#inUse].find(({ locked, replica }) => locked && replica.id === id);
    if (holder === undefined) return error;
    this.#onInTheWay();
    return heldHere(error, holder.place);
  }

  /** What is there in place of a living session: nothing, an expired one, or an end. */
  #absent(id: string, tail: Tail): Looked {
    const replica = new Replica(id);
    take(this.#line, replica, tail);
    if (replica.state === 'expired') this.#line.observers.emit('expired', () => ({ id }));
    return unlocked(replica, undefined);
  }

  /** Tells of what was found damaged in the primary, by the store or by who read what it gave. */
  #noteDamage(id: string, error: unknown): void {
    if (!(error instanceof HoldfastError) || error.code !== 'ERR_CORRUPT') return;
    const { revision, message, session = id } = error;
    this.#line.observers.emit('damage', () => ({ id: session, place: 'primary' as const, revision, message }));
  }

  /** Looks before it locks: two that change ids crosswise would wait for each other. */
  async claimNew(id: string, options: Opening, place: string | undefined): Promise<Claimed> {
    const head = await this.#headOf(id);
    if (head === undefined || head.state === 'expired') {
      const terms = { existing: false, underWay: false, headAlone: false };
      const claimed = await this.#claimOne(id, options, terms, place);
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
  #endUse(kept: Kept, claimed: Claimed, how: EndOfHold, slots: Slots | undefined): Promise<void> | undefined {
    const { replica } = claimed;
    const { unsettled } = replica;
    if (unsettled?.keeper !== undefined) {
      this.#kept.pin(replica.id);
      void unsettled.done.then(() => this.#kept.unpin(kept));
    } else if (unsettled !== undefined) {
      this.#noteEnd(claimed);
      const appended = unsettled.appends[0]?.lock === 'release' ? 'released' : 'keep';
      void unsettled.done.then((settled) =>
        this.#endUse(
          kept,
          claimed,
          settled === 'appended' ? appended : settled === 'fenced' ? 'lost' : 'keep',
          undefined,
        ),
      );
      return undefined;
    }
    kept.slots = slots;
    if (slots === undefined) kept.replica.stale = true;
    if (replica !== kept.replica && replica.state === 'ended') kept.replica.clear('ended', replica.head);
    const releasing = claimed.hold.end(how);
    return releasing === undefined ? this.#letGo(kept, claimed) : releasing.then(() => this.#letGo(kept, claimed));
  }

  #letGo(kept: Kept, claimed: Claimed): Promise<void> | undefined {
    this.#noteEnd(claimed);
    this.#kept.unpin(kept);
    const { id, exists } = claimed.replica;
    return exists && kept.replica.exists ? undefined : this.#locks.giveUp(id).then(() => undefined); // nothing to come back to
  }
}
