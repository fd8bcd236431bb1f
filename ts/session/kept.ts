import { samePosition } from '../position.ts';
import type { Position } from '../position.ts';
import { Replica } from '../sync/replica.ts';
import type { Slots } from './slots.ts';

/** A session's copy in this process, kept between uses. */
export interface Kept {
  readonly replica: Replica;
  /** Decoded values that equal the image; undefined: to be decoded again. */
  slots: Slots | undefined;
  /** Uses that are going on or waiting for the lock. */
  pins: number;
  /** As counted in the cache. */
  bytes: number;
}

/** Of each attribute the value or its bytes. */
export const isHere = ({ slots, replica }: Pick<Kept, 'slots' | 'replica'>): boolean =>
  slots !== undefined || replica.image.isWhole;

/** Bytes that a kept session takes beside its image, about. */
const KEPT_OVERHEAD = 500;

/** The sessions that this process keeps between uses, up to a number of bytes; the longest unused go first. */
export class KeptSessions {
  readonly #limitBytes: number;
  readonly #onEvict: (id: string) => void;
  /** In order of last use. */
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  /** `onEvict`: this process no longer knows the session; its lock is of no use to it. */
  constructor(limitBytes: number, onEvict: (id: string) => void) {
    this.#limitBytes = limitBytes;
    this.#onEvict = onEvict;
  }

  /** The session's copy, an empty one at first, kept at least until it is unpinned. */
  pin(id: string): Kept {
    const kept = this.#kept.get(id) ?? { replica: new Replica(id), slots: undefined, pins: 0, bytes: 0 };
    this.#kept.delete(id); // moves to the end
    this.#kept.set(id, kept);
    kept.pins += 1;
    return kept;
  }

  /** A use has ended; a session that does not exist is not kept. */
  unpin(kept: Kept): void {
    kept.pins -= 1;
    const bytes = kept.replica.image.byteLength + KEPT_OVERHEAD;
    this.#bytes += bytes - kept.bytes;
    kept.bytes = bytes;
    if (kept.pins === 0 && !kept.replica.exists) this.#evict(kept);
    for (const oldest of this.#kept.values()) {
      if (this.#bytes <= this.#limitBytes) return;
      if (oldest.pins === 0) this.#evict(oldest);
    }
  }

  /**
   * What was read of a session since it was at `since`, for the next use to begin with: kept unless the copy here is in
   * use, or has gone on by itself. `isUse`: also where there was none.
   */
  offer(fresh: Replica, since: Position, isUse: boolean): void {
    const kept = this.#kept.get(fresh.id);
    if (kept === undefined && !isUse) return;
    if (!fresh.exists || (kept !== undefined && (kept.pins > 0 || !samePosition(kept.replica.head, since)))) return;
    if (kept !== undefined && !kept.replica.stale && samePosition(fresh.head, since)) return;
    this.#bytes -= kept?.bytes ?? 0;
    this.#kept.delete(fresh.id);
    const renewed = { replica: fresh.fork(), slots: undefined, pins: 1, bytes: 0 };
    this.#kept.set(fresh.id, renewed);
    this.unpin(renewed);
  }

  /** What is kept of a session, if there is something. */
  of(id: string): Kept | undefined {
    return this.#kept.get(id);
  }

  /**
   * The decoded values of a session that is pinned, as far as they are of its image, for its use alone: while they are
   * in use nothing here leads to them.
   */
  takeSlots(replica: Replica): Slots | undefined {
    const kept = this.#kept.get(replica.id);
    const slots = kept?.slots;
    if (kept !== undefined) kept.slots = undefined;
    return slots?.isOf(replica.image) === true ? slots : undefined;
  }

  clear(): void {
    this.#kept.clear();
    this.#bytes = 0;
  }

  #evict(kept: Kept): void {
    const { id } = kept.replica;
    if (this.#kept.get(id) !== kept) return;
    this.#kept.delete(id);
    this.#bytes -= kept.bytes;
    this.#onEvict(id);
  }
}
