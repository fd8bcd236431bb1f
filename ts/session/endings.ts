import { HoldfastError } from '../errors.ts';
import type { EndOfHold } from '../lock/hold.ts';

/** Only the primary's own word for it makes a lock a lost one; that a backup was promoted does not. */
export const endAfter = (error: unknown): EndOfHold =>
  error instanceof HoldfastError && error.code === 'ERR_FENCED' && error.outcome === 'none' && error.cause === undefined
    ? 'lost'
    : 'keep';

/** The primary has moved on without this session, or has outdated it. */
export const isOver = (error: unknown): error is HoldfastError =>
  error instanceof HoldfastError && ['ERR_FENCED', 'ERR_CONFLICT', 'ERR_NOT_FOUND'].includes(error.code);
