import { HoldfastError, shortId } from '../errors.ts';
import type { EndOfHold, Hold } from '../lock/hold.ts';

/** Only the primary's own word for it makes a lock a lost one; that a backup was promoted does not. */
export const endAfter = (error: unknown): EndOfHold =>
  error instanceof HoldfastError && error.code === 'ERR_FENCED' && error.outcome === 'none' && error.cause === undefined
    ? 'lost'
    : 'keep';

/** The primary has moved on without this session, or has outdated it. */
export const isOver = (error: unknown): error is HoldfastError =>
  error instanceof HoldfastError && ['ERR_FENCED', 'ERR_CONFLICT', 'ERR_NOT_FOUND'].includes(error.code);

/** Who was fenced off for being slow would be so again: the error says what to do about it. */
export function explained(error: unknown, hold: Hold): unknown {
  if (endAfter(error) !== 'lost' || !hold.overdue()) return error;
  const { code, message, outcome, session, revision } = error as HoldfastError;
  const why =
    'the use kept others waiting for longer than it may (lock.maxHoldMs): ask for more time with holdMs, or do slow work outside of it';
  return new HoldfastError(code, `${message}. Why: ${why}`, { outcome, session, revision });
}

/** Why the expiry of a session cannot be changed. */
export function untouched(id: string, why: 'fenced' | 'gone'): HoldfastError {
  const details = { session: id };
  if (why === 'fenced')
    return new HoldfastError(
      'ERR_FENCED',
      `session '${shortId(id)}': its lock was given to another; its expiry stays as it was: open it again`,
      details,
    );
  return new HoldfastError(
    'ERR_CONFLICT',
    `session '${shortId(id)}' is not there (any more): save it before it can expire`,
    details,
  );
}
