import type { Position } from '../position.ts';
import type { Token } from '../token.ts';
import type { Acquire, Grant, LockOwner, LockView } from './lock.ts';

/**
 * `delta` needs the record before it, `snapshot` stands alone, `end` is the last of an id (a tombstone or an alias: the
 * record tells).
 */
export type RecordKind = 'delta' | 'snapshot' | 'end';

/**
 * A session expires `idleMs` after its last use or `ageMs` after its creation, whichever is first. Absent: not for that
 * reason.
 */
export interface Expiry {
  readonly idleMs?: number | undefined;
  readonly ageMs?: number | undefined;
}

/**
 * What an acknowledgement promises to survive, beside the end of the caller: the primary's memory, its disk, n
 * replicas' memory.
 */
export type Durability = 'primary' | 'fsync' | { readonly replicas: number };

/**
 * The last argument of every call. Past `timeoutMs` (a bound that the store compares its clock with), or when `signal`
 * aborts, the call rejects with `ERR_UNAVAILABLE`, whose `outcome` says `none` (nothing happened, nor will) or
 * `unknown` (it may have, and may still: offer the identical call again). A grant that comes after its caller gave up
 * is handed on, or ends with its lease.
 */
export interface CallOptions {
  /** Milliseconds from the call on, above 0; absent: the store's own bound. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** A connection that is lost, and not back within so many ms, fails the call; absent: as the store does otherwise. */
  readonly failMs?: number | undefined;
}

/** How uses and saves meet a store that does not answer. */
export interface OutageOptions {
  /** So many ms after its connection was lost a call fails; what goes on here waits for no answer longer. Default 250. */
  readonly failMs?: number | undefined;
  /**
   * `fail`: `ERR_UNAVAILABLE`. `serve-local`: a process that has the session's lock, and its state, goes on from that;
   * what it saves waits in its memory until the store has it (`stored: false`). Default `fail`.
   */
  readonly policy?: 'fail' | 'serve-local' | undefined;
  /** Of all records of a repository that wait so: a save that would be above it fails. Default 8 MiB. */
  readonly queueBytes?: number | undefined;
}

/** `expired`: as good as absent to users, but revision and token go on from here, and its records are withheld. */
export type HeadState = 'live' | 'expired' | 'ended';

export interface Head {
  readonly state: HeadState;
  readonly position: Position;
  readonly token: Token;
  /** Revision of the oldest record kept. */
  readonly first: number;
  /** Revision of the latest snapshot (of the end, where it has ended): readers begin there. */
  readonly snapshot: number;
  /** Bytes as stored of that record, and of all records after it. */
  readonly snapshotBytes: number;
  readonly deltaBytes: number;
  /** Wall clock of the store in ms. */
  readonly createdAt: number;
  readonly expiry: Expiry;
  /**
   * Until the earlier of the two expiries, as judged when the answer was made; Infinity: never; not above 0 once
   * expired.
   */
  readonly leftMs: number;
}

/** What a reader at `since` lacks. */
export interface Tail {
  /** Undefined: no such session (or long swept). */
  readonly head: Head | undefined;
  /**
   * In order. They follow `since`, unless `whole`: then they begin with the latest snapshot (with `kept`, the oldest
   * record), or are an end.
   */
  readonly records: readonly Uint8Array[];
  /** Also true where there is nothing, and for an expired session. */
  readonly whole: boolean;
  /**
   * Cut by `limitBytes`: read on since this position. If that answer is `whole`, the log was compacted meanwhile: start
   * over.
   */
  readonly next?: Position | undefined;
  /** With `whole`: the lookup terms, so that an image of the session has them; absent: none. */
  readonly terms?: readonly string[] | undefined;
  /** Opaque; see `Append.version`. */
  readonly version?: string | undefined;
}

export interface ReadRequest {
  readonly since: Position;
  /**
   * What is `whole` begins with the oldest record kept, for history: the records before the latest snapshot come along.
   * Default false.
   */
  readonly kept?: boolean | undefined;
  /** Whole records up to this many bytes, but at least one; 0: the head alone. Absent: all. */
  readonly limitBytes?: number | undefined;
}

export interface LockRequest extends Acquire, ReadRequest {
  /**
   * Only a living session is locked: where there is none, nothing is granted, queued or written, so that ids which
   * clients make up leave no trace. Default false.
   */
  readonly existing?: boolean | undefined;
}

export type LockReply =
  | (Grant & { readonly granted: true; readonly tail: Tail })
  /**
   * Ask again (same ticket) on a `grant` hint, or after `retryMs` at the latest. With `tail`: there is no living
   * session, as `existing` asked; do not.
   */
  | { readonly granted: false; readonly retryMs: number; readonly tail?: Tail | undefined };

export interface Append {
  /** Must be the head. */
  readonly parent: Position;
  /**
   * What the head becomes; its revision is the parent's + 1. The first record, and one on an expired head, is a
   * snapshot.
   */
  readonly position: Position;
  readonly kind: RecordKind;
  /** The record, opaque to the store, which keeps a copy. */
  readonly bytes: Uint8Array;
  /**
   * The writer's token. For a feed the feeder's: max(token of the source's head, floor of the epoch that it joined
   * under). Higher than the session's: raises it. Or a request: the store takes the lock for this append alone, and
   * answers `locked` when it cannot.
   */
  readonly under: Token | Acquire;
  /** Absent: the rule stays. Every append counts as a use. */
  readonly expiry?: Expiry | undefined;
  /**
   * What the writer takes the record for. `true`: the session begins with this snapshot, also where the parent lives (a
   * backup that is fed late has not seen it expire); but revision and token, nothing of it goes on. `false`: it goes
   * on, and an expired parent is a conflict for a snapshot too. Absent: it begins where the parent has expired or there
   * is none.
   */
  readonly begins?: boolean | undefined;
  /**
   * Of a session that goes on under another id: when it began. Only the record that begins a session looks at it;
   * absent: now.
   */
  readonly createdAt?: number | undefined;
  /**
   * Oldest revision to keep, never above the latest snapshot; absent: a snapshot or an end drops all before it, a delta
   * nothing.
   */
  readonly first?: number | undefined;
  /** All lookup terms of the session from now on (opaque keyed hashes, 1 to 64 bytes each); absent: they stay. */
  readonly terms?: readonly string[] | undefined;
  /**
   * What becomes of the writer's lock in the same step: its lease starts anew, stays as it is, or the next in the queue
   * gets it. Default `renew`; with a request as `under`, `release`.
   */
  readonly lock?: 'renew' | 'leave' | 'release' | undefined;
  /** Default: the first level that the store names in `can`. */
  readonly durability?: Durability | undefined;
  /**
   * The `version` of the caller's latest answer: a hint that saves a read where a store has one compare per entry.
   * Nothing rests on it.
   */
  readonly version?: string | undefined;
}

export type Appended =
  /**
   * `token`: under which it was appended (or, when offered again, the session's). `wanted`: others queue for the lock,
   * as if recalled.
   */
  | { readonly appended: true; readonly token: Token; readonly wanted: boolean; readonly version?: string | undefined }
  /**
   * `fenced`: an outdated token: discard. `conflict`: rebase on `tail` (what `parent` lacks), or see by its head that
   * the session has expired or ended. `token`: the session's, also where none is written. `grant`: a requested lock
   * that was given, and stays for the rebase.
   */
  | {
      readonly appended: false;
      readonly why: 'fenced' | 'conflict';
      readonly token: Token;
      readonly tail: Tail;
      readonly grant?: Grant | undefined;
    }
  /**
   * A requested lock is another's: offer again on a `grant` hint, or after `retryMs`. It says nothing of what an
   * earlier offer of the same record may have done.
   */
  | { readonly appended: false; readonly why: 'locked'; readonly retryMs: number };

/** One record of an image, at its position in the source. */
export interface ImageRecord {
  readonly position: Position;
  readonly kind: RecordKind;
  readonly bytes: Uint8Array;
}

/** A whole session that was read back and verified, to be put in place of another. */
export interface SessionImage {
  /** The log from a snapshot (or of an end alone) to the head, so that the source's next delta follows. */
  readonly records: readonly ImageRecord[];
  readonly createdAt: number;
  readonly expiry: Expiry;
  readonly terms?: readonly string[] | undefined;
  /**
   * max(token of the source's head, floor of the epoch that the caller joined under). One of an older epoch than the
   * store's is refused.
   */
  readonly token: Token;
}

export interface Touch {
  readonly token: Token;
  /** The lease starts anew too: the token must be the holder's. */
  readonly renew?: boolean | undefined;
  /**
   * A new rule: the token must be current. Without it and `renew` only the token's epoch is checked: readers hold no
   * current token.
   */
  readonly expiry?: Expiry | undefined;
}

/**
 * `head`: the session as it is, for `fenced` and for one that is gone, expired or ended. A lock of a session that was
 * never written is renewed all the same (`gone`, without head).
 */
export type Touched =
  /** `wanted`: others queue for the lock, as if recalled. */
  | { readonly touched: true; readonly leftMs: number; readonly wanted: boolean }
  | {
      readonly touched: false;
      readonly why: 'fenced' | 'gone';
      readonly head: Head | undefined;
      readonly wanted: boolean;
    };

/**
 * Hints may be lost, late or doubled: they only save waiting. `resync`: some were lost; check what you hold and watch.
 */
export type Hint =
  | { readonly kind: 'recall' | 'grant'; readonly id: string; readonly token: Token }
  | { readonly kind: 'changed'; readonly id: string }
  /** A record that was acknowledged is gone: the store came back without it, and another wrote first. */
  | { readonly kind: 'lost'; readonly id: string; readonly position: Position }
  | { readonly kind: 'resync' };

export interface Membership {
  /** Names this member in lock requests; never used again. */
  readonly member: string;
  /** The store's when joined: the floor of what this member feeds and replaces. */
  readonly epoch: number;
  /**
   * `changed` hints for these ids from now on, in place of those before; resolves when none can be missed but by loss.
   * `ERR_INVALID` where `can.watch` is false.
   */
  watch(ids: readonly string[] | 'all', options?: CallOptions): Promise<void>;
  /** Resolves when no hint will follow. */
  leave(options?: CallOptions): Promise<void>;
}

export interface Page {
  readonly ids: readonly string[];
  /** Absent: that was the last page. */
  readonly cursor?: string | undefined;
}

export interface ListQuery {
  readonly term?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export interface SweepRequest {
  readonly cursor?: string | undefined;
  readonly limit: number;
  /** Least time between the two looks, on the store's monotonic clock. */
  readonly graceMs: number;
}

export interface Capabilities {
  /** Levels by name; the first is the default. */
  readonly durability: readonly ('primary' | 'fsync' | 'replicas')[];
  readonly watch: boolean;
  /** `list` by term. */
  readonly find: boolean;
}

/**
 * The primary, or a backup: one log per session id, with a lock. Ids are 1 to 255 bytes of UTF-8 without NUL.
 *
 * Every call on one id is one round trip and atomic: it happens whole or not at all, and what a later call on any
 * member sees includes it (linearizable per id). `list` and `sweep` are cursors, never a snapshot. Rivals are answers;
 * rejections are for callers' faults (`ERR_INVALID`, `ERR_CLOSED`), damage (`ERR_CORRUPT`) and stores that cannot
 * answer (`ERR_UNAVAILABLE`). Locks give fairness and speed; safety comes from `append` alone.
 */
export interface Store {
  /** Two stores of one address are the same place: one cannot be the other's backup. Undefined: no other store is. */
  readonly address?: string | undefined;

  /** What it can, so that callers ask instead of trying. */
  readonly can: Capabilities;

  /** For those who use it and say nothing else. Absent: a save is offered again until its time is over. */
  readonly outage?: OutageOptions | undefined;

  /** What `since` lacks, or the head alone; a missing, expired or ended session is no error. */
  read(id: string, request: ReadRequest, options?: CallOptions): Promise<Tail>;

  /**
   * In this order: (revision, nonce) stands anywhere in the log: appended (it was offered again). `under` is a request
   * and another has the lock: `locked`. The token is lower than the session's: `fenced`. The parent is not the head,
   * the head has ended, or has expired and this is no snapshot that may begin it anew: `conflict`. Else it is written
   * whole. What was compacted out of sight meets a refusal when it is offered again: whoever does so reports unknown
   * when `tail.head.first` is above its revision, or `createdAt` later than the first offer (swept, and begun anew).
   */
  append(id: string, append: Append, options?: CallOptions): Promise<Appended>;

  /**
   * Puts `image` in place of what is there if that is at `expected`; undefined: whatever it is, damage included (and a
   * late call then destroys what came since: name a place wherever one can be read). The token becomes max(both) + 1
   * (where the row is damaged and its token with it, well above the image's) and the lock is free; its holder is
   * recalled, to learn of it. Offered again when `expected` is gone and the image's last record is the head: replaced.
   * Refused as `fenced` (older epoch) or `conflict`, with the head alone as tail.
   */
  replace(id: string, image: SessionImage, expected: Position | undefined, options?: CallOptions): Promise<Appended>;

  /**
   * Takes the lock and reads, in one. Each grant raises the token, also for the member that has the lock; only the same
   * ticket asked again finds its grant as it is, with a lease that starts anew when less than half of it is left (a
   * lapsed one is a new grant). Else a FIFO queue, one place per member, forfeit when it is not asked for in `leaseMs`;
   * each request that waits recalls the holder, as a hint may be lost. A lock is taken when its lease has ended and the
   * first recall had time to arrive (a quarter of the lease, at most 250 ms), or when its token is of an older epoch.
   * Tokens never begin again, also after a row is gone.
   */
  lock(id: string, request: LockRequest, options?: CallOptions): Promise<LockReply>;

  /**
   * Gives up the grant with this token, or the place in the queue and any grant of this member up to this ticket: to
   * the next, or nobody. Else nothing. The token rises where a grant is given up; who leaves a place outdates nobody.
   */
  unlock(id: string, who: { readonly token: Token } | LockOwner, options?: CallOptions): Promise<void>;

  /** A use without an append: renews lease and idle time, changes the rule. It never brings back what has expired. */
  touch(id: string, touch: Touch, options?: CallOptions): Promise<Touched>;

  /** Hints for a new member arrive at `listener`, which must not throw. */
  join(listener: (hint: Hint) => void, options?: CallOptions): Promise<Membership>;

  /**
   * Living sessions, or those with a term, each checked against its head; in no promised order. Every one that lives
   * all through the listing is in it.
   */
  list(query: ListQuery, options?: CallOptions): Promise<Page>;

  /** Holder, lease and queue. Sizes are in the head; kinds and times of records are in the records. */
  inspect(id: string, options?: CallOptions): Promise<{ readonly head: Head | undefined; readonly lock: LockView }>;

  /**
   * Notes what looks expired (or only held a lock that nobody has any more); deletes what was noted `graceMs` ago and
   * still is so. The only call that deletes. `graceMs` must exceed how late a call can arrive: a first record that
   * comes after the sweep begins the session again.
   */
  sweep(
    request: SweepRequest,
    options?: CallOptions,
  ): Promise<{ readonly swept: number; readonly cursor?: string | undefined }>;

  /**
   * Raises the epoch above `above` and its own; resolves when every id is fenced by it. Repeat after an unknown
   * outcome: harmless. `ERR_LIMIT` at 2^20.
   */
  promote(above: number, options?: CallOptions): Promise<{ readonly epoch: number }>;

  /**
   * Resolves when the store answers, with its epoch. Lower than one joined under: the store lost its memory, join
   * again.
   */
  ping(options?: CallOptions): Promise<{ readonly epoch: number }>;

  /** Pending calls finish; later ones get `ERR_CLOSED`. */
  close(): Promise<void>;
}
