import type { Alias } from '../log/body.ts';
import { Image } from '../log/image.ts';
import { NO_PARENT } from '../log/record.ts';
import type { RecordParent } from '../log/record.ts';
import type { Expiry, Head } from '../store/store.ts';
import type { Token } from '../token.ts';
import type { Unsettled } from './unsettled.ts';

/**
 * Where the log goes on after what is not to be read. Time and token stand in for the record's own: what follows
 * stands alone.
 */
export const parentOf = ({ position, token, createdAt }: Head): RecordParent => ({
  ...position,
  token,
  time: createdAt,
});

/** This process's copy of a session: the base of the next save, and what its log weighs. */
export class Replica {
  readonly id: string;
  image: Image = new Image();
  /** The record that the next one follows: also of a session that has expired or ended, whose image is empty. */
  head: RecordParent = NO_PARENT;
  state: 'absent' | Head['state'] = 'absent';
  /** Of a session that has ended: the id that it lives on under, and until when that is told. */
  alias: Alias | undefined;
  /** Wall clock of the primary, in ms, as far as this process knows. */
  createdAt = 0;
  /** The primary has said so: until then it is when this process has made its first record. */
  createdAtTold = false;
  /** The session's, as the primary last told; 0: not yet. */
  tokenTold: Token = 0;
  /** Weights, in uncompressed bytes: of the latest snapshot, and of the deltas after it. */
  snapshotBytes = 0;
  deltaBytes = 0;
  /** Must be pulled before use: it never was, or what was done with it may not be what the primary has. */
  stale = true;
  /** The rule that the session has. */
  expiry: Expiry = {};
  /** Monotonic ms, as far as this process knows; Infinity: never. */
  expiresAt: number = Infinity;
  /** A record of which nobody knows yet whether the primary has it. */
  unsettled: Unsettled | undefined;

  constructor(id: string) {
    this.id = id;
  }

  get exists(): boolean {
    return this.state === 'live';
  }

  /** The same state, to be brought up to date or saved on its own; what it lacks of the primary it lacks too. */
  fork(): Replica {
    const { image, head, state, alias, createdAt, createdAtTold, tokenTold, stale } = this;
    const { snapshotBytes, deltaBytes, expiry, expiresAt } = this;
    const kept = { head, state, alias, createdAt, createdAtTold, tokenTold, stale };
    const rest = { snapshotBytes, deltaBytes, expiry, expiresAt, image: image.fork() };
    return Object.assign(new Replica(this.id), kept, rest);
  }

  /** There is nothing to be read: the image is empty, the log goes on after `head`. */
  clear(state: Replica['state'], head: RecordParent): void {
    this.image = new Image();
    this.state = state;
    this.head = head;
    this.alias = undefined;
    this.snapshotBytes = 0;
    this.deltaBytes = 0;
    this.expiry = {};
    this.expiresAt = Infinity;
    this.createdAt = 0;
    this.createdAtTold = false;
    this.tokenTold = 0;
  }

  /** Where the primary's log stands, without what it holds: for what ends it. */
  stand(head: Head | undefined): void {
    if (head === undefined) return this.clear('absent', NO_PARENT);
    this.clear(head.state, parentOf(head));
  }

  /** What the primary said of the expiry when it was asked, at `now` (monotonic) or `wall`. */
  learnExpiry(now: number, wall: number, { expiry, leftMs, createdAt, token }: Head): void {
    this.expiry = expiry;
    this.createdAt = createdAt;
    this.createdAtTold = true;
    this.tokenTold = token;
    this.expiresAt = Math.min(now + leftMs, this.#agesAt(now, wall));
  }

  /**
   * A use that the primary has noted, at `now` (monotonic) or `wall`, or before; with a rule, that is the session's
   * from then on.
   */
  used(now: number, wall: number, rule: Expiry | undefined): void {
    this.expiry = rule ?? this.expiry;
    this.expiresAt = Math.min(now + (this.expiry.idleMs ?? Infinity), this.#agesAt(now, wall));
  }

  #agesAt(now: number, wall: number): number {
    return this.expiry.ageMs === undefined ? Infinity : now + this.createdAt + this.expiry.ageMs - wall;
  }

  /** The record after `head` has been accepted by the primary. */
  advance({ revision, nonce, time, token }: RecordParent, kind: 'delta' | 'snapshot', weight: number): void {
    this.head = { revision, nonce, time, token };
    this.state = 'live';
    if (kind === 'snapshot') {
      this.snapshotBytes = weight;
      this.deltaBytes = 0;
    } else this.deltaBytes += weight;
  }
}
