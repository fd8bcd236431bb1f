import { HoldfastError, shortId } from '../errors.ts';
import type { Outcome } from '../errors.ts';
import type { Append, Head } from '../store/store.ts';
import type { Line } from './line.ts';
import type { Refusal } from './unsettled.ts';

/** What a save is rejected with that the primary has refused. */
export function refused(line: Line, id: string, append: Append, answer: Refusal): HoldfastError {
  if (answer.why === 'locked')
    throw new HoldfastError(
      'ERR_UNAVAILABLE',
      `session '${shortId(id)}': the store has answered a save under a token as if it asked for the lock`,
      { session: id },
    );
  if (answer.why === 'fenced') {
    return new HoldfastError(
      'ERR_FENCED',
      `session '${shortId(id)}': its lock was given to another under a newer token; nothing was written: discard this copy and open the session again`,
      { session: id, outcome: 'none' },
    );
  }
  const { head } = answer.tail;
  line.observers.emit('conflict', () => ({ id, revision: append.parent.revision, paths: [] }));
  const state =
    head === undefined
      ? 'is no longer there'
      : head.state === 'live'
        ? `is at revision ${head.position.revision}, not at ${append.parent.revision}`
        : `has ${head.state}`;
  return new HoldfastError(
    codeFor(head),
    `session '${shortId(id)}' ${state}; nothing was written: open it again and retry`,
    {
      session: id,
      revision: head?.position.revision,
    },
  );
}

const codeFor = (head: Head | undefined): 'ERR_NOT_FOUND' | 'ERR_CONFLICT' =>
  head?.state === 'ended' ? 'ERR_NOT_FOUND' : 'ERR_CONFLICT';

/** The same of one that was kept here for a primary that did not answer. No `refusal`: it never has. */
export function lost(id: string, revision: number, outcome: Outcome, refusal: Refusal | undefined): HoldfastError {
  const what = `session '${shortId(id)}': revision ${revision}, which was saved here while the primary did not answer,`;
  if (outcome === 'unknown')
    return new HoldfastError('ERR_UNAVAILABLE', `${what} may be there or not: nobody can tell any more; look`, {
      session: id,
      revision,
      outcome,
    });
  const details = { session: id, revision, outcome: 'none' } as const;
  if (refusal === undefined)
    return new HoldfastError('ERR_UNAVAILABLE', `${what} is lost: the primary was not there until the end`, details);
  const head = refusal.why === 'locked' ? undefined : refusal.tail.head;
  const why = head?.state === 'live' ? 'another has written first' : 'the session is gone';
  return new HoldfastError(codeFor(head), `${what} is lost: ${why}; open it again and look`, details);
}

/** What a save is rejected with that follows such. */
export const notStored = (id: string): HoldfastError =>
  new HoldfastError(
    'ERR_CONFLICT',
    `session '${shortId(id)}': what was saved here before, while the primary did not answer, is lost; open it again and look`,
    { session: id, outcome: 'none' },
  );
