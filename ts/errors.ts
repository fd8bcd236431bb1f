/** What went wrong, grouped by what the caller does about it. */
export type ErrorCode =
  /** The state moved on under you: pull, then retry. `paths` names what collided, where known. */
  | 'ERR_CONFLICT'
  /** You lost the lock to a newer holder: discard your copy. Nothing was written. */
  | 'ERR_FENCED'
  /** The lock was not granted in time: retry later or give up. */
  | 'ERR_LOCK_TIMEOUT'
  /** The store cannot be reached: retry; nothing acknowledged is lost. */
  | 'ERR_UNAVAILABLE'
  /** Stored or received bytes are damaged: restore from a backup. `session` and `revision` say where. */
  | 'ERR_CORRUPT'
  /** A size is over a limit that you set: raise the limit or send less. */
  | 'ERR_LIMIT'
  /** The call itself is wrong: fix the code that makes it. */
  | 'ERR_INVALID'
  /** The object is closed, or the session destroyed: open another. */
  | 'ERR_CLOSED';

export interface ErrorDetails {
  readonly cause?: unknown;
  /** Paths inside the session, e.g. `cart.items[3].price`. */
  readonly paths?: readonly string[];
  readonly session?: string;
  readonly revision?: number;
}

/** Every error that Holdfast throws on purpose. Match on `code`; the message says what, where, and what to do. */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: ErrorCode;
  readonly paths: readonly string[] | undefined;
  readonly session: string | undefined;
  readonly revision: number | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.paths = details.paths;
    this.session = details.session;
    this.revision = details.revision;
  }
}
