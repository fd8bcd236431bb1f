import { pick, randomFrom } from './random.ts';

/**
 * What a seed draws, unless a climate or the caller sets it. Chances are per call or use, counts per run, times in ms.
 */
export interface Knobs {
  /** Processes with a repository; each has `workers` that use sessions. */
  readonly members: number;
  /** Processes that speak the store's contract without a repository, on sessions of their own. */
  readonly clients: number;
  readonly workers: number;
  readonly ids: number;
  /** Uses a worker, and the longest rest before each. */
  readonly ops: number;
  readonly restMs: number;
  readonly latencyMs: number;
  /** The driver's bound on a call that names none; 0: it waits. */
  readonly patienceMs: number;
  readonly lossBefore: number;
  readonly lossAfter: number;
  /** Requests that arrive after their sender has given up. */
  readonly late: number;
  readonly duplicates: number;
  readonly hintLoss: number;
  readonly crashes: number;
  readonly pauses: number;
  readonly cuts: number;
  readonly restarts: number;
  /** Steps of a wall clock by up to 2 h either way. */
  readonly memberJumps: number;
  readonly storeJumps: number;
  readonly backups: number;
  readonly backupTrouble: 'none' | 'cut' | 'hang';
  /**
   * Times that the primary is given up and a backup promoted in its place (without members: the primary itself is
   * promoted).
   */
  readonly promotions: number;
  /** Uses that put an older state back (clients only). */
  readonly restores: number;
  /** `far`: set and renewed, never reached. `near`: reached. */
  readonly expiry: 'none' | 'far' | 'near';
  /** Between two sweeps of a store, and between its two looks. */
  readonly sweepMs: number;
  readonly leaseMs: number;
  /** Uses that last up to 600 ms. */
  readonly lingers: number;
  /** Uses that delete, or move to another id. */
  readonly ends: number;
  /** Uses that hold no lock while they run. */
  readonly optimistic: number;
  /** Uses that go on from their process's image where the primary does not answer. */
  readonly local: number;
}

export function knobsOf(seed: number, given: Partial<Knobs> = {}): Knobs {
  const random = randomFrom(seed, 'knobs');
  const of = <T>(...from: readonly T[]): T => pick(random, from);
  return {
    members: of(2, 3, 3, 4),
    clients: of(0, 0, 2),
    workers: of(1, 2, 2),
    ids: of(1, 2, 3),
    ops: of(6, 10, 16),
    restMs: of(40, 40, 40, 400),
    latencyMs: of(1, 4, 15),
    patienceMs: of(60, 300, 0),
    lossBefore: of(0, 0.02, 0.05),
    lossAfter: of(0, 0.02, 0.05),
    late: of(0, 0, 0.02),
    duplicates: of(0, 0.02),
    hintLoss: of(0, 0.15, 0.6),
    crashes: of(0, 1, 3),
    pauses: of(0, 1, 3),
    cuts: of(0, 1, 2),
    restarts: of(0, 0, 2),
    memberJumps: of(0, 2),
    storeJumps: of(0, 0, 0, 1),
    backups: of(0, 1, 1, 2),
    backupTrouble: of('none', 'none', 'cut', 'hang'),
    promotions: of(0, 0, 0, 1),
    restores: of(0, 0, 0.03),
    expiry: of('none', 'none', 'far', 'near'),
    sweepMs: of(300, 1000, 60_000),
    leaseMs: of(120, 500, 2000),
    lingers: of(0.1, 0.1, 0.4),
    ends: of(0, 0.04, 0.1),
    optimistic: of(0, 0.3, 0.6),
    local: 0,
    ...given,
  };
}

const CALM: Partial<Knobs> = { late: 0, memberJumps: 0, storeJumps: 0, promotions: 0, restores: 0, expiry: 'none' };

export type Climate =
  | 'calm'
  | 'outage'
  | 'late'
  | 'slow'
  | 'hang'
  | 'expiry'
  | 'jumps'
  | 'promotion'
  | 'store'
  | 'everything'
  | 'outage';

/** Kinds of weather. Each finds faults of its own: what is clean in one need not be in the next. */
export const CLIMATES: Record<Climate, Partial<Knobs>> = {
  /** Crashes, pauses, partitions, losses, duplicates, restarts, backups in trouble. */
  calm: CALM,
  late: { ...CALM, late: 0.03 },
  /** Answers that come when their lease is over. */
  slow: { ...CALM, latencyMs: 15, leaseMs: 120, pauses: 3, lossAfter: 0.05, patienceMs: 300 },
  /** A backup hangs for up to 8 s, and no driver gives up. */
  hang: { ...CALM, patienceMs: 0, backups: 1, backupTrouble: 'hang' },
  expiry: { ...CALM, expiry: 'near' },
  jumps: { ...CALM, memberJumps: 2, storeJumps: 2, expiry: 'far' },
  promotion: { ...CALM, backups: 1, promotions: 1, restores: 0.03 },
  /** The store's contract alone, without repositories. */
  store: { members: 0, clients: 3, backups: 0 },
  everything: {},
  /** Most uses go on without the primary, which is often away. */
  outage: { ...CALM, local: 0.6, cuts: 4, restarts: 2, ops: 16 },
};
