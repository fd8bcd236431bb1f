import type { Token } from '../token.ts';

/** Who asks for a lock. */
export interface LockOwner {
  /** As named by `join`. */
  readonly member: string;
  /**
   * Grows with every new request of this member for this session; asking again for the same one repeats it. A late
   * request or leaving with an older ticket changes nothing newer.
   */
  readonly ticket: number;
}

/** A request for one. */
export interface Acquire extends LockOwner {
  readonly leaseMs: number;
  /** Join the queue and recall the holder, or (false) only try. */
  readonly wait: boolean;
}

/**
 * A lock that was given: its lease ends `leaseLeftMs` after the answer was made. `wanted`: others queue already, as if
 * recalled.
 */
export interface Grant {
  readonly token: Token;
  readonly leaseLeftMs: number;
  readonly wanted: boolean;
}

/** A lock as `inspect` shows it. */
export interface LockView {
  readonly holder?: { readonly member: string; readonly leaseLeftMs: number; readonly recalled: boolean } | undefined;
  readonly queue: readonly { readonly member: string; readonly leftMs: number }[];
}
