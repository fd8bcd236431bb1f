import type { Hold } from '../lock/hold.ts';
import { Renewals } from '../lock/renewals.ts';
import { NO_PARENT } from '../log/record.ts';
import type { OutageTerms } from '../store/outage-terms.ts';
import type { Line } from '../sync/line.ts';
import { pull } from '../sync/pull.ts';
import type { PullLine } from '../sync/pull.ts';
import { Replica } from '../sync/replica.ts';
import type { Claimed } from './claimed.ts';
import { isLocal } from './freshness.ts';
import type { Freshness } from './freshness.ts';
import type { KeptSessions } from './kept.ts';

/** Aliases of aliases are followed so far. */
export const MOST_ALIASES = 8;

/** Of a use without a lock, which goes on with another copy after each save. */
export interface Looked extends Claimed {
  replica: Replica;
}

/** Of what is not locked. */
const NO_HOLD: Hold = {
  token: 0,
  granted: undefined,
  overdue: () => false,
  wanted: () => undefined,
  releaseNow: () => false,
  keep: () => ({ again: () => Promise.resolve(0), end: () => undefined }),
  leave: () => undefined,
  end: () => undefined,
};

/** A copy of a session, or what is there in place of one, of which nothing is locked. */
export function unlocked(replica: Replica, place: string | undefined): Looked {
  return { replica, locked: false, hold: NO_HOLD, holdMs: undefined, place, end: () => undefined };
}

/** Copies of sessions for uses that have no lock, and the sessions' lives while these last. */
export class Looks {
  readonly #line: Line;
  readonly #kept: KeptSessions;
  readonly #fresh: Freshness;
  readonly #isLocked: (id: string) => boolean;
  readonly #renewals: Renewals<Looked>;
  readonly #touching = new Set<Looked>();

  /** `isLocked`: this process has its lock, as far as it knows or last knew. */
  constructor(line: Line, kept: KeptSessions, leaseMs: number, fresh: Freshness, isLocked: (id: string) => boolean) {
    this.#line = line;
    this.#kept = kept;
    this.#fresh = fresh;
    this.#isLocked = isLocked;
    this.#renewals = new Renewals(line.clock, leaseMs, (looked) => this.#renewDue(looked));
  }

  /**
   * The session as the primary has it now, or what is there in its place; where its id has been changed and that is
   * still told, the one that it became. It is the caller's own: what this process keeps may go on without it. `isUse`:
   * kept for the next.
   */
  async newest(id: string, isUse: boolean, terms: OutageTerms | undefined): Promise<Replica> {
    let replica = await this.#newest(id, isUse, terms);
    for (let hops = 0, at = this.livesOnAs(replica); at !== undefined && hops < MOST_ALIASES; hops += 1) {
      replica = await this.#newest(at, isUse, terms);
      at = this.livesOnAs(replica);
    }
    return replica;
  }

  #newest(id: string, isUse: boolean, terms: OutageTerms | undefined): Promise<Replica> {
    const kept = this.#kept.replicaOf(id);
    if (kept === undefined || !isLocal(terms) || !this.#isLocked(id)) return this.#read(this.#line, id, kept, isUse);
    const read = (line: PullLine): Promise<Replica> => this.#read(line, id, kept, isUse);
    return this.#fresh.orFrom(read, kept, terms, () => kept.fork());
  }

  /** One read of what came since this process last knew of it. */
  async #read(line: PullLine, id: string, kept: Replica | undefined, isUse: boolean): Promise<Replica> {
    const since = kept?.head ?? NO_PARENT;
    const replica = kept?.fork() ?? new Replica(id);
    await pull(line, replica);
    this.#kept.offer(replica, since, isUse);
    return replica;
  }

  /**
   * The id that a session goes on under, for as long as that is told: by the later clock, so that none that is set back
   * prolongs it.
   */
  livesOnAs({ alias }: Replica): string | undefined {
    return alias !== undefined && this.#line.time.stamp() < alias.until ? alias.id : undefined;
  }

  /** Tells the primary of a use that begins, where that is due. */
  async use(replica: Replica, terms: OutageTerms | undefined): Promise<void> {
    if (!this.#fresh.mustTouch(replica)) return;
    const isThere = await this.#fresh.orFrom(
      () => this.#touch(replica),
      replica,
      terms,
      () => true,
    );
    if (!isThere) await pull(this.#line, replica); // it expired a moment ago
  }

  /** Until it is let go, the session does not expire for want of use. */
  keepAlive(looked: Looked): void {
    this.#renewals.add(looked, this.#line.clock.monotonic());
  }

  letGo(looked: Looked): void {
    this.#renewals.delete(looked);
  }

  #renewDue(looked: Looked): Promise<void> | undefined {
    return this.#touching.has(looked) || !this.#fresh.mustTouch(looked.replica) ? undefined : this.#renew(looked);
  }

  async #renew(looked: Looked): Promise<void> {
    this.#touching.add(looked);
    await this.#touch(looked.replica).catch(() => undefined); // unreachable: the save at the end will tell
    this.#touching.delete(looked);
  }

  /** False: it is gone. */
  async #touch(replica: Replica): Promise<boolean> {
    const { store, clock, call, backups, time } = this.#line;
    const touch = { token: replica.head.token };
    const sentAt = clock.monotonic();
    const touched = await store.touch(replica.id, touch, call);
    if (!touched.touched) return touched.why !== 'gone';
    replica.used(sentAt, time.now(), undefined);
    void backups.touch(replica.id, touch).catch(() => undefined); // it has been told as an event
    return true;
  }
}
