import type { SessionImage } from '../store/store.ts';
import type { Engine } from '../diff/differ.ts';
import type { KeptBase } from '../sync/base.ts';
import type { Differencing } from '../sync/differencing.ts';
import type { SaveMode } from '../tracking/classes.ts';
import type { Explained } from './explained.ts';
import type { TraceHeader } from './trace.ts';

/**
 * Where the sessions of one trace live: folders of the embedded store, the memory of the only worker, or addresses on a
 * Redis server.
 */
export interface Places {
  readonly store: 'memory' | 'sqlite' | 'redis';
  /** The primary's, then the backups'. */
  readonly dirs: readonly string[];
}

export interface WorkerSetup {
  readonly places: Places;
  readonly header: TraceHeader;
  readonly lock: 'lazy' | 'access';
  readonly differ: Differencing;
  readonly base: KeptBase;
  readonly saveMode: SaveMode;
  /** Turns are explained, but for those that begin a session. */
  readonly explain: boolean;
  readonly engine: Engine | undefined;
  /** The folder for its history, and its name there; undefined: none is recorded. */
  readonly history: { readonly folder: string; readonly who: string } | undefined;
  /** Turns are reported in batches of this size, at the latest when none is left. */
  readonly reportEvery: number;
}

/** One opening of a session: its records are applied, then it is saved. */
export interface Turn {
  readonly id: string;
  /** The session does not exist yet. */
  readonly first: boolean;
  /** Lines of the trace, as they stand there. */
  readonly lines: readonly string[];
}

/** What a turn did and took. */
export interface TurnReport {
  readonly id: string;
  readonly kind: 'delta' | 'snapshot' | 'nothing';
  readonly recordBytes: number;
  /** Bytes of the whole state after it, encoded. */
  readonly fullBytes: number;
  /** Opening, editing and saving. */
  readonly tookUs: number;
  /** Of the largest of the worker's turns so far. */
  readonly explained: Explained | undefined;
}

/** A session as one place holds it. */
export interface PlacedImage {
  readonly place: number;
  readonly id: string;
  readonly image: SessionImage;
}

export type ToWorker =
  | { readonly kind: 'begin'; readonly setup: WorkerSetup }
  | { readonly kind: 'turns'; readonly turns: readonly Turn[] }
  /** Logs are asked for where nobody else can read them. */
  | { readonly kind: 'sendLog'; readonly id: string }
  | { readonly kind: 'finish' };

export type FromWorker =
  | { readonly kind: 'ready'; readonly engine: Engine }
  | { readonly kind: 'turned'; readonly reports: readonly TurnReport[] }
  | { readonly kind: 'log'; readonly logs: readonly PlacedImage[] }
  | { readonly kind: 'finished'; readonly handOvers: number; readonly backupBytes: readonly number[] }
  | Failed;

export type ToVerifier =
  | {
      readonly kind: 'begin';
      readonly places: Places;
      readonly binary: readonly string[];
      readonly engine: Engine | undefined;
    }
  | { readonly kind: 'log'; readonly logs: readonly PlacedImage[] }
  | { readonly kind: 'check'; readonly sessions: readonly ExpectedSession[] }
  | { readonly kind: 'judge'; readonly folder: string }
  | { readonly kind: 'finish' };

export type FromVerifier =
  | { readonly kind: 'ready' }
  | { readonly kind: 'copied' }
  /** Answers `check`, and `finish` with what is too much. */
  | { readonly kind: 'checked'; readonly failures: readonly string[] }
  | { readonly kind: 'judged'; readonly history: HistoryVerdict }
  | Failed;

/** What the workers' histories come to. */
export interface HistoryVerdict {
  /** Records that a store acknowledged, of the primary and of all backups. */
  readonly acknowledged: number;
  /** Calls of which nobody knows what they did. */
  readonly unknown: number;
  /** Whatever a store did that it must not, a line each. */
  readonly findings: readonly string[];
}

export interface ExpectedSession {
  readonly sid: string;
  readonly id: string;
  readonly sha256: string;
}

/** The process gives up; it ends by itself. */
export interface Failed {
  readonly kind: 'failed';
  readonly error: string;
}
