import { HoldfastError, shortId } from '../errors.ts';
import type { EndOfHold, Hold } from '../lock/hold.ts';
import type { Replica } from '../sync/replica.ts';

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

/** Of a session that a save has ended: the end of a sentence that begins with it. */
export function endedBy({ code }: HoldfastError): string {
  return `ended when its save failed with ${code}: ${code === 'ERR_NOT_FOUND' ? 'begin another' : 'open it again'}`;
}

export const NOBODY_KNOWS = 'ended, for nobody can tell any more whether its save was stored: open it again and look';

/** `why`: what has ended it, where that was not the caller. */
export function closedError(id: string, state: Replica['state'], why: string | undefined): HoldfastError {
  const what = why ?? (state === 'ended' ? 'was destroyed; begin another' : 'has been closed; open it again');
  return new HoldfastError('ERR_CLOSED', `session '${shortId(id)}' ${what}`, { session: id });
}

/** Who waits for a use of its own process would look for it elsewhere. `place`: where that was begun, if that is known. */
export function heldHere({ code, message, session }: HoldfastError, place: string | undefined): HoldfastError {
  const where =
    place === undefined ? 'the next such error says where; that is noted from now on' : `it was opened at ${place}`;
  const what = `${message}. This very process has it open: ${where}. Uses of one session wait for each other: use scope(), or close() what you open in a finally; who needs several sessions at once takes them in one order everywhere`;
  return new HoldfastError(code, what, { session });
}

/** Of sessions without a lock: what their save was refused with before anything of them was stored. */
const refusals = new WeakMap<object, unknown>();

/** Nothing of the session is stored, nor will be: its use may be run again. */
export function noteRefusal(session: object, error: unknown): void {
  const { code, outcome } = error as HoldfastError;
  if (code === 'ERR_CONFLICT' || (code === 'ERR_FENCED' && outcome === 'none')) refusals.set(session, error);
}

export const wasRefused = (session: object, error: unknown): boolean => refusals.get(session) === error;

/** What a new rule of expiry was refused with. */
export function untouched(id: string, why: 'fenced' | 'gone'): HoldfastError {
  const [code, text] =
    why === 'fenced'
      ? (['ERR_FENCED', 'its lock was given to another; its expiry stays as it was: open it again'] as const)
      : (['ERR_CONFLICT', 'it is not there (any more): save it before it can expire'] as const);
  return new HoldfastError(code, `session '${shortId(id)}': ${text}`, { session: id });
}
