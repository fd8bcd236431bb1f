import type { EndOfHold, Hold } from '../lock/hold.ts';
import type { Replica } from '../sync/replica.ts';
import type { Slots } from './slots.ts';

/** A session that is up to date, for one use: locked, or a copy of the use's own. */
export interface Claimed {
  readonly replica: Replica;
  readonly locked: boolean;
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

/** How a session is claimed. */
export interface Terms {
  /** Where there is no living session nothing is locked, and what is there instead is in the replica. */
  readonly existing: boolean;
  /** For a use that has begun, also while the repository closes. */
  readonly underWay: boolean;
  /** Of a living session nothing is read but where its log stands: it is to be ended, in whatever state it is. */
  readonly headAlone: boolean;
}
