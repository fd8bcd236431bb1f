import type { Position } from '../position.ts';

/** `delta` needs the record before it, `snapshot` starts the log anew, `tombstone` ends the session for good. */
export type RecordKind = 'delta' | 'snapshot' | 'tombstone';

export interface Append {
  /** Must be the head, else `ERR_CONFLICT`. */
  readonly parent: Position;
  /** What the head becomes; its revision is the parent's + 1. */
  readonly position: Position;
  readonly kind: RecordKind;
  /** The record, opaque to the store. */
  readonly bytes: Uint8Array;
  /** The writer's fencing token; lower than the session's: `ERR_FENCED`. Higher ones (records fed to a backup) raise it. */
  readonly token: number;
  /** Expiry counts anew from this append; absent: the expiry stays as it is. */
  readonly ttlMs?: number | undefined;
  /** Give up the member lock in the same step, waking the next in the queue. */
  readonly release?: boolean;
  /** False: the holder's lease is not renewed by this append. */
  readonly renew?: boolean;
}

export interface Head {
  readonly position: Position;
  readonly token: number;
  readonly destroyed: boolean;
  /** Bytes of the snapshot that the log begins with, and of the deltas after it. */
  readonly snapshotBytes: number;
  readonly deltaBytes: number;
  /** Milliseconds left before the session expires; undefined: never. */
  readonly ttlLeftMs: number | undefined;
}

/** What a reader at `since` lacks. */
export interface Tail {
  /** Undefined: no such session. */
  readonly head: Head | undefined;
  /** In order, up to the head. They follow `since`, unless `whole`: then they begin with a snapshot (or are a tombstone). */
  readonly records: readonly Uint8Array[];
  readonly whole: boolean;
}

export interface LockRequest {
  readonly member: string;
  readonly leaseMs: number;
  /** Join the queue and recall the holder, or (false) only try. */
  readonly wait: boolean;
  readonly since: Position;
}

export type LockReply =
  | {
      readonly granted: true;
      readonly token: number;
      /** The lease ends this long after the reply was made. */
      readonly leaseLeftMs: number;
      /** Others queue already: as if recalled. */
      readonly wanted: boolean;
      readonly tail: Tail;
    }
  /** Ask again on a `grant` hint, or after `retryMs` at the latest: then the holder's lease will have ended. */
  | { readonly granted: false; readonly retryMs: number };

/** Hints may be lost, late or doubled: they only save waiting. */
export interface Hint {
  /** `recall`: another wants the lock that you hold under `token`. `grant`: the lock is yours, under `token`. */
  readonly kind: 'recall' | 'grant';
  readonly id: string;
  readonly token: number;
}

export interface Membership {
  /** Names this member in lock requests; never used again. */
  readonly member: string;
  /** Resolves when no hint will follow. */
  leave(): Promise<void>;
}

/**
 * The primary, or a backup: one log per session id, with a lock. Ids are 1 to 255 bytes of UTF-8 without NUL.
 *
 * Every call is one round trip, and atomic: it happens whole or not at all, and what a later call on any member sees
 * includes it (linearizable per id). A call that rejects with `ERR_UNAVAILABLE` may still have happened: read the head, and
 * look for your nonce. An append is acknowledged only when it is as durable as the store's documentation says.
 * Locks give fairness and speed; safety comes from `append` alone, which checks parent and token.
 */
export interface Store {
  /** Two stores of one address are the same place: one cannot be the other's backup. Undefined: no other store is. */
  readonly address?: string;

  /** What `since` lacks; a missing, expired or (kept a while) destroyed session is no error. */
  read(id: string, since: Position): Promise<Tail>;

  /** Succeeds iff the token is current and the parent is the head: else `ERR_FENCED`, `ERR_CONFLICT`; nothing is written. */
  append(id: string, append: Append): Promise<void>;

  /**
   * Makes `append.position` the head in place of `expected`, else `ERR_CONFLICT`: for backups that went astray. `expected`
   * undefined: whatever is there, damage included. The record must stand alone; token and expiry become the record's.
   */
  replace(id: string, append: Omit<Append, 'parent' | 'release' | 'renew'>, expected: Position | undefined): Promise<void>;

  /**
   * Takes the member lock and reads, in one. Each grant raises the token. If another holds it the request joins a FIFO queue
   * (once per member; asking again keeps the place) and the holder is sent a recall. A place in the queue that is not
   * renewed by asking for `leaseMs` is forfeit. A lock is taken from its holder when its lease has ended and a recall has
   * had the time to arrive (a quarter of the lease, at most 250 ms).
   */
  lock(id: string, request: LockRequest): Promise<LockReply>;

  /** Starts the holder's lease anew; a session in use does not expire meanwhile. `ERR_FENCED` when the token is not the holder's. */
  renew(id: string, token: number): Promise<void>;

  /** Gives the lock to the next in the queue, or to nobody. A token that is not the holder's is ignored. */
  unlock(id: string, token: number): Promise<void>;

  /** Leaves the queue. If the lock had just been granted it is handed on. */
  leaveQueue(id: string, member: string): Promise<void>;

  /** Joins as a member: hints for it arrive at `listener`. */
  join(listener: (hint: Hint) => void): Promise<Membership>;

  /** The session expires `ttlMs` (finite, above 0) from now; undefined: never. A missing session is ignored. */
  expire(id: string, ttlMs: number | undefined): Promise<void>;

  /** Ids of living sessions in byte order, after `after`, at most `limit`. */
  list(after: string, limit: number): Promise<string[]>;

  /** Pending calls finish; later ones get `ERR_CLOSED`. */
  close(): Promise<void>;
}
