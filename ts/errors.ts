import type { Conflict } from './conflict.ts';
import type { Path } from './path.ts';

/** What went wrong, grouped by what the caller does about it. */
export type ErrorCode =
  /** The state moved on under you: open it again and retry. `conflicts` has what collided, where known. */
  | 'ERR_CONFLICT'
  /**
   * You lost the lock to a newer holder, or the store its place to a promoted backup: discard your copy. `outcome` is
   * `none` or `superseded`.
   */
  | 'ERR_FENCED'
  /** There is no such session: create one, or send the user to the login. */
  | 'ERR_NOT_FOUND'
  /** The lock was not granted in time: retry later or give up. */
  | 'ERR_LOCK_TIMEOUT'
  /** The wait could never end: a scope of a session inside itself. Use what is open already. */
  | 'ERR_DEADLOCK'
  /** The store cannot be reached: retry; nothing acknowledged is lost. `outcome` is `none` or `unknown`. */
  | 'ERR_UNAVAILABLE'
  /** Stored or received bytes are damaged: restore from a backup. `session` and `revision` say where. */
  | 'ERR_CORRUPT'
  /** A size is over a limit that you set: raise the limit or send less. */
  | 'ERR_LIMIT'
  /** The call itself is wrong: fix the code that makes it. */
  | 'ERR_INVALID'
  /** The object is closed, or the session destroyed: open another. */
  | 'ERR_CLOSED';

/**
 * What became of a write that failed.
 *
 * `none`: nothing happened, nor will. `unknown`: it may have happened, and may still. `superseded`: it was stored, but
 * only in a primary whose place a promoted backup has taken; the new world does not have it.
 */
export type Outcome = 'none' | 'unknown' | 'superseded';

export interface ErrorDetails {
  readonly cause?: unknown;
  readonly paths?: readonly Path[] | undefined;
  readonly outcome?: Outcome | undefined;
  /** The full id; in the message it stands shortened by `shortId`. */
  readonly session?: string | undefined;
  readonly revision?: number | undefined;
  readonly endedAt?: number | undefined;
  /** What stood at each of `paths`. */
  readonly values?: readonly unknown[] | undefined;
  /** What an optimistic save could not merge. */
  readonly conflicts?: readonly Conflict[] | undefined;
}

/**
 * Every error that Holdfast throws on purpose. Match on `code`; the message says what, where, and what to do.
 *
 * An id opens its session, and values are the user's: message, `console.log` and JSON of an error show at most the
 * first 8 characters of an id, and no value. `session`, `values` and `conflicts` are read by name only.
 */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: ErrorCode;
  /** What it is about inside the session; as text by `formatPath`. */
  declare readonly paths?: readonly Path[] | undefined;
  /** Of a write under `ERR_UNAVAILABLE` and `ERR_FENCED`. */
  declare readonly outcome?: Outcome | undefined;
  /** Of the record that it is about. */
  declare readonly revision?: number | undefined;
  /** Of a session that is gone for it was destroyed, or has another id: when, in ms since 1970 by the clock of who did that. */
  declare readonly endedAt?: number | undefined;
  readonly #session: string | undefined;
  readonly #values: readonly unknown[] | undefined;
  readonly #conflicts: readonly Conflict[] | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    if (details.paths !== undefined) this.paths = details.paths;
    if (details.outcome !== undefined) this.outcome = details.outcome;
    if (details.revision !== undefined) this.revision = details.revision;
    if (details.endedAt !== undefined) this.endedAt = details.endedAt;
    this.#session = details.session;
    this.#values = details.values;
    this.#conflicts = details.conflicts;
  }

  /** The id of the session that it is about, whole. */
  get session(): string | undefined {
    return this.#session;
  }

  /** What stood at each of `paths`. */
  get values(): readonly unknown[] | undefined {
    return this.#values;
  }

  /**
   * Of an optimistic save that was refused: the parts that others have saved meanwhile too, with the values of all
   * three: as the use began from them, as it made them, and as they are. Each path begins with the attribute's name.
   */
  get conflicts(): readonly Conflict[] | undefined {
    return this.#conflicts;
  }
}

/** No answer. An error that is none of ours is none either: of a client whose connection broke, say. */
export const isSilence = (error: unknown): boolean =>
  !(error instanceof HoldfastError) || error.code === 'ERR_UNAVAILABLE';

/** What was thrown, for the message of another error: its text may have a user's values, its name has none. */
export function nameOf(cause: unknown): string {
  try {
    if (!(cause instanceof Error)) return 'no error';
    const name: unknown = cause.name;
    return typeof name === 'string' && /^\w{1,40}$/.test(name) ? name : 'Error';
  } catch {
    return 'no error'; // a Proxy that throws
  }
}

const SHORT_ID = /^.{0,8}/su;

/** For messages and events: the first 8 characters of a session's id, and '…' when there are more. */
export function shortId(id: string): string {
  const start = SHORT_ID.exec(id)?.[0] ?? '';
  return start.length < id.length ? `${start}…` : id;
}
