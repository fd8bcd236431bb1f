import { Image } from '../log/image.ts';
import { NO_PARENT } from '../log/record.ts';
import type { RecordParent } from '../log/record.ts';
import type { Expiry, Head } from '../store/store.ts';
import type { Unsettled } from './unsettled.ts';

/** This process's copy of a session: the base of the next save, and what its log weighs. */
export class Replica {
  readonly id: string;
  image: Image = new Image();
  /** The record that the next one follows: also of a session that has expired or ended, whose image is empty. */
  head: RecordParent = NO_PARENT;
  state: 'absent' | Head['state'] = 'absent';
  /** Of a session that has ended: the id that it lives on under, for as long as that is told. */
  alias: string | undefined;
  /** Weights, in uncompressed bytes: of the latest snapshot, and of the deltas after it. */
  snapshotBytes = 0;
  deltaBytes = 0;
  /** Must be pulled before use: it never was, or what was done with it may not be what the primary has. */
  stale = true;
  /** The rule that the session has. */
  expiry: Expiry = {};
  /** Monotonic ms, as far as this process knows; Infinity: never. */
  expiresAt: number = Infinity;
  /** The absolute one of both expiries. */
  #agesAt: number = Infinity;
  /** A record of which nobody knows yet whether the primary has it. */
  unsettled: Unsettled | undefined;

  constructor(id: string) {
    this.id = id;
  }

  get exists(): boolean {
    return this.state === 'live';
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
    this.#agesAt = Infinity;
  }

  /** What the primary said of the expiry when it was asked: `now` is monotonic, `ageLeftMs` until the absolute one. */
  learnExpiry(now: number, { expiry, leftMs }: Head, ageLeftMs: number): void {
    this.expiry = expiry;
    this.#agesAt = now + ageLeftMs;
    this.expiresAt = Math.min(now + leftMs, this.#agesAt);
  }

  /** A use that the primary has noted, at `now` or before; with a rule, that is the session's from then on. */
  used(now: number, rule: Expiry | undefined): void {
    if (rule !== undefined && rule.ageMs !== this.expiry.ageMs) this.#agesAt = now + (rule.ageMs ?? Infinity);
    this.expiry = rule ?? this.expiry;
    this.expiresAt = Math.min(now + (this.expiry.idleMs ?? Infinity), this.#agesAt);
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
