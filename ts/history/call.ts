import type { Token } from '../token.ts';
import type { Listing } from './list-check.ts';
import type { Span } from './life.ts';
import type { Known, Log, Offered, Place } from './log.ts';
import type { CallMark } from './mark.ts';

export interface StorePlace extends Place {
  readonly gone: Set<string>;
  floor: Token;
  /** The highest epoch that anybody saw. */
  epoch: number;
  readonly logs: Map<string, Log>;
  /** By the cursor that goes on with them. */
  readonly listings: Map<string, Listing>;
}

/** A call that has not been answered, or is being. */
export interface Call {
  readonly index: number;
  readonly mark: CallMark;
  readonly place: StorePlace;
  /** As known when it was sent. */
  readonly epoch: number;
  readonly floor: Token;
  readonly listing: Listing | undefined;
}

/** A call about a session. */
export interface SessionCall extends Call {
  readonly log: Log;
  /** What was known when it was sent. */
  readonly before: Known;
  /** The record that an append offers; those that an image brings. */
  records: readonly Offered[];
  /** Whether the offered record was known to be there. */
  wasThere: boolean;
  /** For an unlock: the grant that it ends. */
  ends: Token | undefined;
}

/** A call took effect between its sending and its answer. */
export const spanOf = ({ mark, index }: Call, heard: Heard): Span => ({
  sentBy: index,
  sentAt: mark.wall,
  heardBy: heard.index,
  wall: heard.wall,
});

/** When an answer came, and its mark. */
export interface Heard {
  readonly index: number;
  readonly at: number;
  readonly wall: number;
}
