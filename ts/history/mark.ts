import type { Position } from '../position.ts';
import type { Acquire, LockOwner } from '../store/lock.ts';
import type { Expiry, Head, LockRequest, ReadRequest, RecordKind } from '../store/store.ts';
import type { Token } from '../token.ts';

/**
 * A history is a list of marks in real-time order: what was asked of stores and what they answered, and what the
 * application did and saw. Marks are plain JSON, one a line in a file. They hold ids, positions, tokens, times and
 * digests, never values or bytes.
 */
export type Mark = CallMark | AnswerMark | UseMark | SawMark | PutMark | KeptMark | DoneMark;

/** Who wrote the mark, and when. */
interface Moment {
  /** A process, named once for all: one that is started again has another name. */
  readonly who: string;
  /** Monotonic clock in ms, one for all processes of a history. */
  readonly at: number;
  /** Wall clock in ms that expiries are judged by: the store's where it can be known, else the recorder's. */
  readonly wall: number;
}

/**
 * `failed`: certainly not done. `unknown`: may have been done, and may still be. `superseded` (of keys only): stored in
 * a primary that has been outdated by a promotion, and reported as such; also said later of keys that were `ok`.
 */
export type Outcome = 'ok' | 'failed' | 'unknown' | 'superseded';

/** Written before the store is called. */
export interface CallMark extends Moment {
  readonly mark: 'call';
  /** Counts the calls of `who`; the answer has the same. A call without answer is of unknown outcome. */
  readonly call: number;
  /** The place that was asked, by a name that is the same for all processes. */
  readonly store: string;
  /** What the place is to the caller. */
  readonly role: 'primary' | 'backup';
  /** The session; absent where a call is about the whole store. */
  readonly id?: string | undefined;
  readonly request: Request;
}

/** Written before the caller sees the answer. */
export interface AnswerMark extends Moment {
  readonly mark: 'answer';
  readonly call: number;
  /** `ok`: there is an answer, which may be a refusal. */
  readonly outcome: 'ok' | 'failed' | 'unknown';
  /** With `ok`. */
  readonly answer?: Answer | undefined;
  /** Without: the error's code. */
  readonly code?: string | undefined;
}

/** A record as the history knows it; `digest` are 32 bits of its bytes. */
export interface Written {
  readonly position: Position;
  readonly kind: RecordKind;
  readonly digest: number;
}

export interface AppendRequest extends Written {
  readonly op: 'append';
  readonly parent: Position;
  readonly begins?: boolean | undefined;
  readonly under: Token | Acquire;
  readonly expiry?: Expiry | undefined;
  /** When the session began under its id before. */
  readonly createdAt?: number | undefined;
  readonly first?: number | undefined;
  /** As it takes effect: the default is written out. */
  readonly lock: 'renew' | 'leave' | 'release';
}

export interface ReplaceRequest {
  readonly op: 'replace';
  readonly records: readonly Written[];
  readonly expected?: Position | undefined;
  readonly token: Token;
  readonly createdAt: number;
  readonly expiry: Expiry;
}

export interface LockingRequest extends LockRequest {
  readonly op: 'lock';
}

export type Request =
  | AppendRequest
  | ReplaceRequest
  | LockingRequest
  | (ReadRequest & { readonly op: 'read' })
  | { readonly op: 'unlock'; readonly by: { readonly token: Token } | LockOwner }
  | { readonly op: 'touch'; readonly token: Token; readonly renew: boolean; readonly expiry?: Expiry | undefined }
  | { readonly op: 'inspect' | 'join' | 'ping' }
  | { readonly op: 'leave'; readonly member: string }
  | {
      readonly op: 'list';
      readonly limit: number;
      readonly cursor?: string | undefined;
      readonly byTerm?: boolean | undefined;
    }
  | { readonly op: 'sweep'; readonly limit: number; readonly graceMs: number; readonly cursor?: string | undefined }
  | { readonly op: 'promote'; readonly above: number };

/** `leftMs` is absent where it is infinite, which JSON does not know. */
export interface HeadMark extends Pick<
  Head,
  'state' | 'position' | 'token' | 'first' | 'snapshot' | 'createdAt' | 'expiry'
> {
  readonly leftMs?: number | undefined;
}

export interface TailMark {
  /** Absent: no such session. */
  readonly head?: HeadMark | undefined;
  /** A digest for each record. */
  readonly records: readonly number[];
  readonly whole: boolean;
  readonly next?: Position | undefined;
}

export interface GrantMark {
  readonly token: Token;
  readonly leaseLeftMs: number;
}

export type Answer =
  | { readonly op: 'append' | 'replace'; readonly appended: true; readonly token: Token }
  | {
      readonly op: 'append' | 'replace';
      readonly appended: false;
      readonly why: 'fenced' | 'conflict';
      readonly token: Token;
      readonly tail: TailMark;
      readonly grant?: GrantMark | undefined;
    }
  | { readonly op: 'append' | 'replace'; readonly appended: false; readonly why: 'locked'; readonly retryMs: number }
  | { readonly op: 'lock'; readonly granted: true; readonly grant: GrantMark; readonly tail: TailMark }
  | { readonly op: 'lock'; readonly granted: false; readonly retryMs: number; readonly tail?: TailMark | undefined }
  | { readonly op: 'read'; readonly tail: TailMark }
  | { readonly op: 'touch'; readonly touched: true; readonly leftMs?: number | undefined }
  | {
      readonly op: 'touch';
      readonly touched: false;
      readonly why: 'fenced' | 'gone';
      readonly head?: HeadMark | undefined;
    }
  | {
      readonly op: 'inspect';
      readonly head?: HeadMark | undefined;
      readonly holder?: string | undefined;
      readonly queued: number;
    }
  | { readonly op: 'join'; readonly member: string; readonly epoch: number }
  | { readonly op: 'promote' | 'ping'; readonly epoch: number }
  | { readonly op: 'list'; readonly ids: readonly string[]; readonly cursor?: string | undefined }
  | { readonly op: 'sweep'; readonly swept: number; readonly cursor?: string | undefined }
  | { readonly op: 'unlock' | 'leave' };

/**
 * The application begins to use a session whose state has a list of keys. A use adds keys, unique strings, at the
 * list's end. Written before the product is called.
 */
export interface UseMark extends Moment {
  readonly mark: 'use';
  /** Counts the uses of `who`; the use's other marks have the same. */
  readonly use: number;
  /** The primary that the user's repository writes to. */
  readonly store: string;
  readonly id: string;
  /** What it does to the session as a whole; absent: opens, reads or saves it. `change`: gives it the id `to`. */
  readonly ends?: 'delete' | 'change' | undefined;
  readonly to?: string | undefined;
  /** How long the old id still finds the session; absent: not at all. */
  readonly graceMs?: number | undefined;
  /** Puts an older state (of a backup) in place of what is there. */
  readonly restores?: boolean | undefined;
}

/** What the use found. */
export interface SawMark extends Moment {
  readonly mark: 'saw';
  readonly use: number;
  /** The session's own id, where another led to it. */
  readonly id?: string | undefined;
  /**
   * The list, or its end, from index `from` (0 when absent); absent: there was no such session, or it was begun by this
   * use.
   */
  readonly keys?: readonly string[] | undefined;
  readonly from?: number | undefined;
}

/** Keys that the use is about to save. */
export interface PutMark extends Moment {
  readonly mark: 'put';
  readonly use: number;
  readonly keys: readonly string[];
}

/** What became of keys. Written before the application goes on. */
export interface KeptMark extends Moment {
  readonly mark: 'kept';
  readonly use: number;
  readonly keys: readonly string[];
  readonly outcome: Outcome;
  /** Keys in the list as it was saved. */
  readonly length?: number | undefined;
}

/** The use is over. Keys of it that no `kept` has named share its outcome. A use without is of unknown outcome. */
export interface DoneMark extends Moment {
  readonly mark: 'done';
  readonly use: number;
  readonly outcome: Outcome;
  readonly length?: number | undefined;
  readonly code?: string | undefined;
}
