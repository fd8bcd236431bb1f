import { HoldfastError } from '../errors.ts';

const DAMAGED = /HFCORRUPT (.*)/;
const FOREIGN = /WRONGTYPE/;
/** The server has not begun what it was asked for. */
const NOT_BEGUN =
  /^(?:Too many Cluster redirections. Last error: ReplyError: )?(?:LOADING|READONLY|MASTERDOWN|OOM|MISCONF|NOREPLICAS|NOAUTH|WRONGPASS|NOPERM|BUSY|NOSCRIPT|CLUSTERDOWN|TRYAGAIN|MOVED|ASK) /;

/** As clients say that they have not sent it. */
const NOT_SENT = /queue is full|client is (?:closed|offline)|enableOfflineQueue options is false/i;

/** As a server answers a connection that it will not take a moment later either. */
const REFUSED = /^(?:WRONGPASS|NOAUTH|NOPERM|ERR (?:AUTH|DB index|invalid password|unknown command)) ?/i;

/** As Node calls a certificate that it does not trust. */
const UNTRUSTED = /CERT|UNABLE_TO_(?:VERIFY|GET)/;

export const isRefused = (error: unknown): boolean =>
  error instanceof Error &&
  (REFUSED.test(error.message) || UNTRUSTED.test(String((error as NodeJS.ErrnoException).code)));

/** While its keys move from one server of a Cluster to another, or a replica takes the place of its primary. */
export const isMoving = (error: unknown): boolean =>
  error instanceof Error && /\b(?:TRYAGAIN|CLUSTERDOWN) /.test(error.message);

/** The server says so, with a code before it. */
export const isReply = (error: unknown): boolean => error instanceof Error && /^[A-Z]{3,} /.test(error.message);

export const isUnknownScript = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith('NOSCRIPT');

/** What a failed call means to its caller. `outcome`: of one that may have been begun; `where`: the key, with at most a part of the id. */
export function failureOf(error: unknown, outcome: 'none' | 'unknown', where: string, session?: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const damage = FOREIGN.test(message) ? 'another kind of value is under its key' : DAMAGED.exec(message)?.[1];
  if (damage !== undefined)
    return new HoldfastError(
      'ERR_CORRUPT',
      `what lies under the key '${where}' is damaged or something else (${damage.trim()}): ${session === undefined ? 'give the store a prefix of its own' : 'restore the session from a backup'}`,
      { cause: error, session },
    );
  if (/^(?:MOVED|ASK) /.test(message))
    return new HoldfastError(
      'ERR_INVALID',
      `Redis: ${message}: the server is one of a Cluster: give the store a client of a Cluster, or its address ?cluster=true`,
      { cause: error },
    );
  const told = NOT_BEGUN.test(message) || NOT_SENT.test(message) ? 'none' : outcome;
  const then =
    told === 'none'
      ? 'nothing was written: call again'
      : 'it may have happened, or may still: offer the identical call again';
  return new HoldfastError('ERR_UNAVAILABLE', `Redis: ${message}; ${then}`, { cause: error, outcome: told });
}

export const noConnection = (
  place: string,
  waitedMs: number,
  cause: unknown,
  outcome: 'none' | 'unknown',
): HoldfastError => {
  const why = cause instanceof Error && cause.message !== '' ? ` (${cause.message})` : '';
  const remedy = isRefused(cause)
    ? 'see to user, password and database of the address, to certificates, and that the server is Redis 6.2 or later'
    : 'see that the server runs and that the client is connected, then call again';
  const then =
    outcome === 'none'
      ? `nothing was sent: ${remedy}`
      : 'the call was sent, and it may have happened, or may still: offer the identical call again';
  return new HoldfastError(
    'ERR_UNAVAILABLE',
    `Redis: there was no connection to ${place} within ${waitedMs} ms${why}; ${then}`,
    { cause, outcome },
  );
};
