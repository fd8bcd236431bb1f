import type { Climate, Knobs } from '../../ts/simulation/knobs.ts';

/** A run that failed once. `knobs` are set over those of its climate. */
export interface FailedSeed {
  /** What was wrong, and where it was mended. */
  readonly fault: string;
  readonly seed: number;
  readonly climate: Climate;
  readonly knobs?: Partial<Knobs>;
}

/**
 * Each fault that the simulation found, by a seed that fails without its mend. A change of the workload gives all later
 * draws another meaning: then a seed is a run like any other, and `backward.test.ts` still shows that the fault is
 * found.
 */
export const FAILED: readonly FailedSeed[] = [
  { fault: 'a grant to whoever had the lock did not raise the token (store/lock-row)', seed: 1, climate: 'late' },
  { fault: 'a late leaving took away a lock that was in use (store/lock-row)', seed: 35, climate: 'late' },
  { fault: 'tokens began again where a row had been deleted (store/moment)', seed: 1, climate: 'expiry' },
  { fault: 'leases ran on the wall clock (store/transactional, lock/member-lock)', seed: 21, climate: 'jumps' },
  {
    fault: 'a backup took a record that is dated before its parent for damaged, and never caught up (sync/log-reader)',
    seed: 1,
    climate: 'jumps',
  },
  {
    fault: 'an outdated primary could not become a backup of the promoted one where it was ahead (backup/copy)',
    seed: 60,
    climate: 'promotion',
  },
  {
    fault: 'a wall clock that was set back brought an expired session back (clock)',
    seed: 34,
    climate: 'store',
    knobs: { storeJumps: 3, expiry: 'near' },
  },
  {
    fault: 'a save said that nothing was stored after one whose outcome was lost for ever (session/session)',
    seed: 70537,
    climate: 'slow',
  },
  {
    fault:
      'a session that began anew went on with the age of its old copy in a backup that was fed late (store/writes)',
    seed: 9265,
    climate: 'expiry',
  },
];
