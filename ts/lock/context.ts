import type { Clock } from '../clock.ts';
import type { Observers } from '../observe.ts';
import type { CallOptions, Membership, Store } from '../store/store.ts';
import type { Token } from '../token.ts';
import type { MemberLock } from './member-lock.ts';
import type { Renewals } from './renewals.ts';

export interface LockOptions {
  /** When to give the lock back: `lazy`, when another asks for it; `access`, after each use. Default `lazy`. */
  readonly release?: 'lazy' | 'access' | undefined;
  /** A holder that shows no life for this long may be replaced. At least 1; default 2000. */
  readonly leaseMs?: number | undefined;
  /**
   * After a grant, requests in the same process go first for this long even if others wait. At most `maxHoldMs`.
   * Default 5.
   */
  readonly minHoldMs?: number | undefined;
  /**
   * One use may keep others waiting this long, unless it asks for another time (`holdMs`); then its lease is left to
   * lapse and its save is fenced off. Default 30000.
   */
  readonly maxHoldMs?: number | undefined;
}

/** Whether the store answers. */
export interface Answering {
  readonly isOut: boolean;
  /** It has not. */
  begin(): void;
}

/** What the locks of one member share. */
export interface LockContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly options: Required<LockOptions>;
  readonly call: CallOptions;
  membership(): Promise<Membership>;
  /** A number that no request of this member has had. */
  ticket(): number;
  closed(): boolean;
  /** Nothing is held, asked for or waited for any more. */
  forget(lock: MemberLock): void;
  readonly observers: Observers;
  /** Those in use. */
  readonly renewals: Renewals<MemberLock>;
  timedOut(id: string): Error;
  /** Whether the store answers, as far as this member knows. */
  readonly outage: Answering;
  /** The store has noted that the session is in use. */
  onRenewed(id: string, token: Token): void;
  /** Rejects when the store gave a lock of a later epoch than it has itself: it is no primary any more. */
  checkWorld(token: Token): Promise<void>;
}

/** A lock that this member has, as far as it knows. */
export interface Held {
  readonly token: Token;
  readonly since: number;
  /** Monotonic ms, counted from before the request was sent. From then on the store must be asked whose the lock is. */
  leaseUntil: number;
  /** When a renewal was last sent, whatever became of it. */
  renewedAt: number;
  /** Since when another wants it. */
  wantedSince: number | undefined;
  /** How long the use that goes on may keep others waiting. */
  holdMs: number;
  /** The store has given it to another. */
  lost: boolean;
  /** A call that gives it back is under way: what the store says of it meanwhile means nothing. */
  leaving: boolean;
}
