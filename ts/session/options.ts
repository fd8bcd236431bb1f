import type { BackupOptions } from '../backup/backup.ts';
import type { Clock } from '../clock.ts';
import type { Engine } from '../diff/differ.ts';
import type { Entropy } from '../entropy.ts';
import type { LockOptions } from '../lock/context.ts';
import type { AcquireOptions } from '../lock/member-locks.ts';
import type { OutageOptions, Store } from '../store/store.ts';
import type { KeptBase } from '../sync/base.ts';
import type { Differencing } from '../sync/differencing.ts';
import type { AutosaveOptions } from './autosave.ts';
import type { SaveMode } from '../tracking/classes.ts';
import type { SessionDefinition } from './definition.ts';
import type { OnSaved } from './saved.ts';

export interface RepositoryOptions<S extends object, V extends object> {
  readonly store: Store;
  readonly definition: SessionDefinition<S, V>;
  /** Stores that are fed each record once the primary has it. Default none. */
  readonly backups?: readonly BackupOptions[] | undefined;
  readonly lock?: LockOptions | undefined;
  /** What a save compares. Default `write`: what was written. */
  readonly saveMode?: SaveMode | undefined;
  /**
   * Open sessions that were touched are saved so often, without ending them; not within a scope. What goes wrong is an
   * event. Default: never.
   */
  readonly autosave?: AutosaveOptions | undefined;
  /**
   * Called after each save that sent something, a scope's and those of `autosave` too: `saved.changes()` tells what,
   * part by part. Default: none.
   */
  readonly onSaved?: OnSaved | undefined;
  /**
   * How changed attributes travel, where they do not say so themselves. `binary`: as deltas between their bytes;
   * `graph`: between their parts; `auto`: as the former, unless parts have moved and the latter is shorter; `off`:
   * whole. Default `auto`.
   */
  readonly differencing?: Differencing | undefined;
  /**
   * What is kept of an attribute's bytes between saves beside its decoded value, where it does not say so itself.
   * `bytes`: all of them; `signature`: the hashes of their chunks, 2.4 %; `store`: nothing, they are read again where a
   * save needs them. Default `bytes`.
   */
  readonly base?: KeptBase | undefined;
  /** Forces the differ's implementation; default: native where it is built, else JavaScript. */
  readonly engine?: Engine | undefined;
  /**
   * `auto`: snapshots from 512 bytes on, and values from 16 KB on, are deflated where that saves a tenth. Default
   * `auto`.
   */
  readonly compress?: 'auto' | 'off' | undefined;
  /**
   * A session expires this long after its last save, or half to all of it after it was last opened. At least half of
   * `lock.leaseMs`. Default: never.
   */
  readonly ttlMs?: number | undefined;
  /** A session expires this long after it was created, used or not. At least 1. Default: never. */
  readonly maxAgeMs?: number | undefined;
  /** A destroyed id stays refused for this long. At least 1. Default a day. */
  readonly tombstoneTtlMs?: number | undefined;
  /** Bound on the bytes of one session. Default 16 MiB. */
  readonly limitBytes?: number | undefined;
  /** Sessions kept in memory between uses, as bytes of their images. Default 64 MiB. */
  readonly cacheBytes?: number | undefined;
  /**
   * Bounds each call to the primary. A save that is not answered in time rejects with `ERR_UNAVAILABLE`, outcome
   * `unknown`. Default 5000.
   */
  readonly storeTimeoutMs?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly entropy?: Entropy | undefined;
}

/** What a repository could not bring to an end when it was closed. */
export interface ClosedReport {
  /** Saves of which nobody knows whether the primary has them: the ids of their sessions. */
  readonly unsettled: readonly string[];
  /** Sessions whose uses had not ended: what they save from now on is saved, and their locks go back when they end. */
  readonly open: readonly string[];
  /** Saves that had resolved with `stored: false`, and that the primary has not said it has: in all likelihood lost. */
  readonly unstored: readonly Unstored[];
  /** Sessions of which a backup lacks something, as far as this process knows. */
  readonly unfed: readonly string[];
}

/** Of one session. */
export interface Unstored {
  readonly id: string;
  readonly saves: number;
  /** Of their records. */
  readonly bytes: number;
}

export interface CloseOptions {
  /**
   * How long all of it may take: locks, uses under way, saves of unknown outcome, backups. Default `storeTimeoutMs`.
   */
  readonly timeoutMs?: number | undefined;
}

/**
 * `exclusive`: locked while the use runs. `optimistic`: not locked; a save takes the lock for itself alone, and merges
 * with what others have saved since the use began, or is `ERR_CONFLICT`. `read`: not locked, and nothing can be changed.
 */
export type AccessMode = 'exclusive' | 'optimistic' | 'read';

/** How a save, or all of a session, meets a primary that does not answer. */
export interface SaveOptions {
  /** What it leaves open is as the session was opened with, and else as the store says. */
  readonly outage?: OutageOptions | undefined;
  /** Saves resolve when the primary has them, and wait for it up to `storeTimeoutMs`. Default false. */
  readonly durable?: boolean | undefined;
}

/** What is asked for with a session. */
export type Opening = AcquireOptions & SaveOptions;

/** How a session is opened. `timeoutMs` and `signal` are for each wait for the lock: under `optimistic`, of each save. */
export interface Access extends AcquireOptions, SaveOptions {
  /** Default `exclusive`. */
  readonly mode?: AccessMode | undefined;
}

export interface ReadOptions extends Access {
  readonly mode: 'read';
  /** There is no lock to be held. */
  readonly holdMs?: undefined;
}

export interface UseOptions<V extends object> extends Access {
  /** See `AccessMode`. Default `exclusive`. */
  readonly mode?: 'exclusive' | 'optimistic' | undefined;
  /**
   * First values of the session, which is made if there is none; `true`: without any, where the definition requires
   * none.
   */
  readonly create?: V | NoneRequired<V, true, never> | undefined;
}

/** Of a scope that has the session for itself. */
export interface ExclusiveScope<V extends object> extends UseOptions<V> {
  readonly mode?: 'exclusive' | undefined;
  /** What others save is no reason to refuse it. */
  readonly retry?: 0 | undefined;
}

export interface OptimisticScope<V extends object> extends UseOptions<V> {
  readonly mode: 'optimistic';
  /**
   * How often the use is run again, on the state as it is by then, when its save was refused and nothing of it was
   * written. Default 0.
   */
  readonly retry?: number | undefined;
}

export type ScopeOptions<V extends object> = ExclusiveScope<V> | OptimisticScope<V>;

/** Of a use in any mode. */
export interface AnyUse<V extends object> extends Access, Pick<UseOptions<V>, 'create'> {
  readonly retry?: number | undefined;
}

export interface CreateOptions extends AcquireOptions, SaveOptions {
  readonly id?: string | undefined;
}

export interface ChangeIdOptions extends AcquireOptions {
  /**
   * For this long the old id leads to the new one: for requests that were sent before the client knew it. At most
   * 60000. Default 0: it has ended at once, as it must at a login.
   */
  readonly graceMs?: number | undefined;
}

/** `Yes` where no value must be given. */
type NoneRequired<V, Yes, No> = Record<never, never> extends V ? Yes : No;
export type CreateArguments<V> = NoneRequired<
  V,
  [values?: V, options?: CreateOptions],
  [values: V, options?: CreateOptions]
>;
