import { STATUS_CODES } from 'node:http';
import { HoldfastError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

/** What an error that nobody handles is answered with, where it is not the server's fault alone (500). */
const STATUS: Partial<Readonly<Record<ErrorCode, number>>> = {
  ERR_NOT_FOUND: 401,
  ERR_CONFLICT: 409,
  ERR_LOCK_TIMEOUT: 503,
  ERR_UNAVAILABLE: 503,
};

/** The error as it is, with its status by each of the names that frameworks ask for. */
export function withStatus<T>(error: T): T {
  if (!(error instanceof HoldfastError) || 'status' in error) return error;
  const status = STATUS[error.code];
  if (status === undefined) return error;
  const getResponse = (): Response => new Response(STATUS_CODES[status], { status });
  return Object.assign(error, { status, statusCode: status, getResponse });
}
