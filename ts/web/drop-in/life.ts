import type { Clock } from '../../clock.ts';
import type { LifeOf } from '../../session/documents.ts';
import type { Replica } from '../../sync/replica.ts';

/** A hundred years: no two clocks are further apart. */
const NEVER_REACHED_MS = 36_525 * 24 * 3_600_000;

/**
 * Until `expires`, by this machine's clock: as idle time, which the store counts from its own now, so that their clocks
 * may differ. The date itself goes along as the age that the session may have, and a hundred years: whoever reads it
 * knows it to the millisecond. Undefined: until nobody has touched it for `ttlMs`.
 */
export function lifeUntil(expires: number | undefined, clock: Clock, ttlMs: number): LifeOf {
  return (createdAt) =>
    expires === undefined
      ? { idleMs: ttlMs }
      : { idleMs: Math.max(1, expires - clock.now()), ageMs: expires - createdAt + NEVER_REACHED_MS };
}

/** The date that the cookie of a session has; undefined: none. */
export function dateOf({ createdAt, expiry: { ageMs } }: Replica): Date | undefined {
  return ageMs === undefined ? undefined : new Date(Math.round(createdAt + ageMs - NEVER_REACHED_MS));
}
