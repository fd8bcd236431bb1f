import type { Expiry, HeadState } from './store.ts';
import type { Row } from './row.ts';

/** A rule as it is kept: without what it leaves out. */
export function ruleOf({ idleMs, ageMs }: Expiry): Expiry {
  return { ...(idleMs !== undefined && { idleMs }), ...(ageMs !== undefined && { ageMs }) };
}

/** Ms until the earlier of both expiries; Infinity: never. */
export function leftMs({ usedAt, createdAt, expiry }: Row, now: number): number {
  return Math.min(usedAt + (expiry.idleMs ?? Infinity), createdAt + (expiry.ageMs ?? Infinity)) - now;
}

/** An ended session expires too: only then may it be swept. */
export function stateOf(row: Row, now: number): HeadState {
  if (leftMs(row, now) <= 0) return 'expired';
  return row.ended ? 'ended' : 'live';
}
