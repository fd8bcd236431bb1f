import type { Position } from '../position.ts';
import type { Tail } from '../store/store.ts';
import type { OutageTerms } from '../store/outage-terms.ts';
import type { Token } from '../token.ts';

/** What the store told when it gave the lock. */
export interface Granted {
  /** The revision that was asked with. */
  readonly since: Position;
  readonly tail: Tail;
}

/** `released`: the store has the lock back already. `lost`: another has it. */
export type EndOfHold = 'keep' | 'released' | 'lost';

/** Keeps the lock here, whoever wants it and also when its lease has ended: what was done under it waits for the store. */
export interface Keeper {
  /**
   * The store has given the lock to another: asks for it anew, before all uses of this process, which wait from now on.
   * Gives the token once this member has it; rejects as a call does. `since`: as of a `Waiter`.
   */
  readonly again: (since: () => Position) => Promise<Token>;
  /** Nothing waits any more. */
  readonly end: () => void;
}

/** One use of the lock, from its grant to `end`. */
export interface Hold {
  readonly token: Token;
  /** What came after the caller's revision; undefined: the lock was still here, and nobody else wrote. */
  readonly granted: Granted | undefined;
  /** Others have waited for longer than this use may hold: a save must not renew the lease. */
  readonly overdue: () => boolean;
  /** Whether a save that ends this use should hand the lock over in the same call. */
  readonly releaseNow: () => boolean;
  /** A save that hands the lock over is about to be sent. */
  readonly leave: () => void;
  /** The store says that others want the lock: as if a recall had come. */
  readonly wanted: () => void;
  readonly keep: () => Keeper;
  /** Ends the use; further calls do nothing. Undefined: at once, for nothing had to be told to the store. */
  readonly end: (how: EndOfHold) => Promise<void> | undefined;
}

/** There is no living session, as the store says: nothing was locked. */
export class Absence {
  readonly tail: Tail;

  constructor(tail: Tail) {
    this.tail = tail;
  }
}

/** A use that waits for the lock. */
export interface Waiter {
  readonly since: () => Position;
  readonly grant: (hold: Hold) => void;
  readonly fail: (error: unknown) => void;
  readonly tryOnly: boolean;
  /** In place of `maxHoldMs`. */
  readonly holdMs: number | undefined;
  /** Only a living session: else it is failed with an `Absence`, from the log's beginning on. */
  readonly existing: boolean;
  /** How it meets a store that does not answer; undefined: nobody has said. */
  readonly terms: OutageTerms | undefined;
  /** Of a use that has begun, and needs the lock to save: not failed when no other may begin. */
  readonly underWay: boolean;
}
