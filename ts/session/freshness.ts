import { isSilence } from '../errors.ts';
import type { Hold } from '../lock/hold.ts';
import { samePosition } from '../position.ts';
import type { OutageTerms } from '../store/outage-terms.ts';
import { drained } from '../sync/commit.ts';
import type { Line } from '../sync/line.ts';
import { pull } from '../sync/pull.ts';
import type { PullLine } from '../sync/pull.ts';
import type { Replica } from '../sync/replica.ts';
import type { Token } from '../token.ts';
import { isHere } from './kept.ts';
import type { Kept } from './kept.ts';

/** Of a lease: a use that lasts renews it within a third, and with it the session's idle time; and the call takes time. */
const UNTIL_RENEWED = 0.4;

/** What of a session's copy says whether all of it is here. */
type Copy = Pick<Kept, 'replica' | 'slots'>;

export const isLocal = (terms: OutageTerms | undefined): boolean => terms?.policy === 'serve-local';

/** Whether what this process has of a session is what the primary has, and what is done where it may not be. */
export class Freshness {
  readonly #line: Line;
  readonly #untilRenewedMs: number;

  constructor(line: Line, leaseMs: number) {
    this.#line = line;
    this.#untilRenewedMs = UNTIL_RENEWED * leaseMs;
  }

  /** Whether it has expired, as far as this process knows. */
  isOver({ expiresAt }: Replica): boolean {
    return this.#line.clock.monotonic() >= expiresAt;
  }

  /** A use counts as one for the expiry once less than half of its time is left, or too little for a use that lasts. */
  mustTouch(replica: Replica): boolean {
    const { idleMs } = this.#line.expiry ?? replica.expiry;
    if (idleMs === undefined || !replica.exists) return false;
    const enoughMs = Math.max(idleMs / 2, this.#untilRenewedMs);
    return replica.expiresAt - this.#line.clock.monotonic() <= enoughMs;
  }

  /** Whether a use may begin with what is here, and nothing has to be asked. */
  isHere(kept: Copy, terms: OutageTerms | undefined): boolean {
    const { replica } = kept;
    if (!replica.exists || this.isOver(replica)) return false;
    if (replica.unsettled !== undefined && !isLocal(terms)) return false;
    return (!replica.stale && !this.mustTouch(replica)) || this.goesOn(kept, terms);
  }

  /** Whether a use goes on from what its process has, as the primary does not answer or lacks what is saved here. */
  goesOn(kept: Copy, terms: OutageTerms | undefined): boolean {
    return isHere(kept) && this.#mayGoOn(kept.replica, terms);
  }

  #mayGoOn(replica: Replica, terms: OutageTerms | undefined): boolean {
    if (!isLocal(terms) || !replica.exists || this.isOver(replica)) return false;
    return replica.unsettled?.keeper !== undefined || this.#line.outage.isOut;
  }

  /**
   * For who does not go on from what is saved here: `ERR_UNAVAILABLE` where the primary does not get it in time. Before
   * it has the lock (`waits`) nobody knows whether values will be here: the use before it has them.
   */
  async drained(kept: Copy, terms: OutageTerms | undefined, waits: boolean): Promise<void> {
    const { id, unsettled } = kept.replica;
    if (unsettled?.keeper === undefined) return;
    if (waits ? this.#mayGoOn(kept.replica, terms) : this.goesOn(kept, terms)) return;
    await drained(this.#line, id, unsettled, terms?.failMs);
  }

  /** Brings what is locked up to date, and counts the use for the expiry, where either is due. */
  async bring(kept: Kept, hold: Hold, terms: OutageTerms | undefined): Promise<void> {
    const { replica } = kept;
    const mayGoOn = hold.granted === undefined;
    if (mayGoOn && this.goesOn(kept, terms)) return;
    const line = mayGoOn ? this.#lineFor(replica, terms) : this.#line;
    try {
      if (!mayGoOn || replica.stale || this.isOver(replica)) await this.#pull(line, kept, hold);
      if (this.mustTouch(replica)) await this.#touch(line, kept, hold);
    } catch (error) {
      if (!mayGoOn || !this.#goesOnAfter(error, kept, terms)) throw error;
    }
  }

  /** `run`, or `otherwise` where the primary does not answer and this process has the session's lock and state. */
  async orFrom<T>(
    run: (line: PullLine) => Promise<T>,
    replica: Replica,
    terms: OutageTerms | undefined,
    otherwise: () => T,
  ): Promise<T> {
    if (!isLocal(terms)) return run(this.#line);
    const copy = { replica, slots: undefined }; // what is decoded is another use's
    if (this.goesOn(copy, terms)) return otherwise();
    try {
      return await run(this.#lineFor(replica, terms));
    } catch (error) {
      if (!this.#goesOnAfter(error, copy, terms)) throw error;
      return otherwise();
    }
  }

  #goesOnAfter(error: unknown, kept: Copy, terms: OutageTerms | undefined): boolean {
    if (!isSilence(error) || terms === undefined) return false;
    this.#line.outage.begin();
    return this.goesOn(kept, terms);
  }

  /** Who can go on without an answer waits for none longer. */
  #lineFor(replica: Replica, terms: OutageTerms | undefined): Line {
    if (terms === undefined) return this.#line;
    const { call } = this.#line;
    const isShort = isLocal(terms) && replica.exists && !this.isOver(replica);
    const timeoutMs = isShort ? Math.min(terms.failMs, call.timeoutMs) : call.timeoutMs;
    return { ...this.#line, call: { ...call, timeoutMs, failMs: terms.failMs } };
  }

  async #pull(line: PullLine, kept: Kept, { granted }: Hold): Promise<void> {
    const { replica } = kept;
    // The request may have gone out for another waiter, whose copy was at another revision.
    const fits = granted !== undefined && isHere(kept) && samePosition(granted.since, replica.head);
    const pulled = await pull(line, replica, fits || granted?.tail.whole === true ? granted?.tail : undefined);
    if (pulled === 'all' || pulled.size > 0) kept.slots = undefined;
  }

  async #touch(line: Line, kept: Kept, hold: Hold): Promise<void> {
    const { replica } = kept;
    const { store, clock, call, expiry } = line;
    const touch = { token: hold.token, expiry };
    const sentAt = clock.monotonic();
    const touched = await store.touch(replica.id, touch, call);
    if (touched.touched) {
      replica.used(sentAt, line.time.now(), expiry);
      void line.backups.touch(replica.id, touch).catch(() => undefined); // it has been told as an event
    } else if (touched.why === 'gone') {
      await pull(line, replica); // it expired a moment ago
      kept.slots = undefined;
    }
  }

  /**
   * A use that lasts renews its lease, and with it the idle time in the primary: backups hear of that once in half of
   * it.
   */
  passOnRenewal(replica: Replica | undefined, token: Token): void {
    const now = this.#line.clock.monotonic();
    const { idleMs } = replica?.expiry ?? {};
    if (replica === undefined || !replica.exists || idleMs === undefined || replica.expiresAt - now > idleMs / 2)
      return;
    replica.used(now, this.#line.time.now(), undefined);
    void this.#line.backups.touch(replica.id, { token }).catch(() => undefined); // it has been told as an event
  }
}
