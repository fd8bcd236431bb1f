import type { Backups } from '../backup/backups.ts';
import type { Clock } from '../clock.ts';
import type { Codec } from '../codec/codec.ts';
import type { Differ } from '../diff/differ.ts';
import type { Store } from '../store/store.ts';

/** What a session's state passes through between the application and the primary. */
export interface Line {
  readonly codec: Codec;
  readonly differ: Differ;
  /** `off`: a changed attribute travels whole. */
  readonly differencing: 'binary' | 'off';
  readonly store: Store;
  readonly backups: Backups;
  /** Bound on the bytes of one session's names and values. */
  readonly limitBytes: number;
  /** Expiry counts anew from each save; undefined: sessions do not expire. */
  readonly ttlMs: number | undefined;
  readonly clock: Clock;
}
