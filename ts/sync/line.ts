import type { Backups } from '../backup/backups.ts';
import type { Clock, SteadyTime } from '../clock.ts';
import type { Codec } from '../codec/codec.ts';
import type { Differ } from '../diff/differ.ts';
import type { Draws } from '../entropy.ts';
import type { Observers } from '../observe.ts';
import type { CallOptions, Expiry, Store } from '../store/store.ts';
import type { Differencing } from './differencing.ts';
import type { Outage } from './outage.ts';
import type { Unsettled } from './unsettled.ts';

/** What a session's state passes through between the application and the primary. */
export interface Line {
  readonly codec: Codec;
  readonly differ: Differ;
  /** Of attributes that say nothing else. */
  readonly differencing: Differencing;
  readonly compress: 'auto' | 'off';
  readonly store: Store;
  readonly backups: Backups;
  /** Bound on the bytes of one session's names and values. */
  readonly limitBytes: number;
  /** The rule that each save states; undefined: the session keeps its own. */
  readonly expiry: Expiry | undefined;
  readonly clock: Clock;
  readonly time: SteadyTime;
  readonly draws: Draws;
  readonly observers: Observers;
  /** Records of which nobody knows yet whether the primary has them. */
  readonly unsettled: Set<Unsettled>;
  readonly outage: Outage;
  /** Bounds each call to the primary. */
  readonly call: CallOptions & { readonly timeoutMs: number };
}
