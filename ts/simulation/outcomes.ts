import { HoldfastError } from '../errors.ts';
import type { Outcome } from '../history/mark.ts';

/** What users must be ready for. */
const EXPECTED = new Set([
  'ERR_UNAVAILABLE',
  'ERR_LOCK_TIMEOUT',
  'ERR_FENCED',
  'ERR_CONFLICT',
  'ERR_CLOSED',
  'ERR_NOT_FOUND',
  'thrown',
  'aborted',
]);

/** Every session that was saved has keys. */
export function keysOf(state: { readonly keys?: readonly string[] } | undefined): readonly string[] | undefined {
  return state?.keys === undefined || state.keys.length === 0 ? undefined : [...state.keys];
}

export function codeOf(error: unknown): string {
  if (error instanceof HoldfastError) return error.code;
  const { message, name } = error as Error;
  return name === 'AbortError' ? 'aborted' : message;
}

export function outcomeOf(error: unknown): Outcome {
  if (!(error instanceof HoldfastError)) return 'failed';
  if (error.outcome === 'superseded') return 'superseded';
  return error.code === 'ERR_UNAVAILABLE' && error.outcome !== 'none' ? 'unknown' : 'failed';
}

export const isExpected = (error: unknown): boolean => EXPECTED.has(codeOf(error));
