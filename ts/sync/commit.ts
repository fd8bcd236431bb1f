import { HoldfastError, shortId } from '../errors.ts';
import type { Staged } from '../log/image.ts';
import type { Append, Appended } from '../store/store.ts';
import type { Line } from './line.ts';
import type { Replica } from './replica.ts';
import { Unsettled, offer } from './unsettled.ts';
import type { Settled } from './unsettled.ts';
import type { Written } from './written.ts';

/**
 * Appends the record to the primary, makes it the replica's own, and feeds the backups. `staged` undefined: the session
 * ends. What the outcome of is unknown is left to `replica.unsettled`.
 */
export async function commit(
  line: Line,
  replica: Replica,
  written: Written,
  staged: Staged | undefined,
): Promise<Appended & { appended: true }> {
  line.backups.checkCurrent();
  const { append } = written;
  let answer: Appended;
  try {
    answer = await offer(line, replica.id, append, written.head.time);
  } catch (error) {
    if (error instanceof HoldfastError && error.outcome === 'unknown') leaveUnsettled(line, replica, written, staged);
    throw error;
  }
  if (!answer.appended) throw refused(line, replica.id, append, answer);
  await accept(line, replica, written, staged);
  return answer;
}

async function accept(
  line: Line,
  replica: Replica,
  { append, head, weight, after }: Written,
  staged: Staged | undefined,
): Promise<void> {
  const kind = append.kind;
  if (kind === 'end' || staged === undefined) replica.clear('ended', head);
  else {
    if (!replica.exists) replica.createdAt = append.createdAt ?? head.time;
    replica.image.accept(staged, append.position);
    replica.advance(head, kind, weight);
    replica.used(line.clock.monotonic(), line.time.now(), append.expiry);
  }
  line.observers.emit('sent', () => ({
    id: replica.id,
    place: 'primary' as const,
    kind,
    revision: head.revision,
    bytes: append.bytes.length,
  }));
  await line.backups.feed(replica.id, append, after);
}

const OUTCOMES = { appended: 'stored', fenced: 'none', conflict: 'none', unknown: 'unknown' } as const;

/** The repository owns the record from now on; nothing else is done with the session until its outcome is known. */
function leaveUnsettled(line: Line, replica: Replica, written: Written, staged: Staged | undefined): void {
  const { revision } = written.append.position;
  const since = line.clock.monotonic();
  line.observers.emit('unsettled', () => ({ id: replica.id, revision }));
  const unsettled = new Unsettled(line, replica.id, written.append, written.head.time, async (how: Settled) => {
    line.unsettled.delete(unsettled);
    replica.unsettled = undefined;
    if (how !== 'appended') replica.stale = true;
    line.observers.emit('settled', () => ({
      id: replica.id,
      revision,
      outcome: OUTCOMES[how],
      tookMs: line.clock.monotonic() - since,
    }));
    if (how === 'appended') await accept(line, replica, written, staged);
  });
  line.unsettled.add(unsettled);
  replica.unsettled = unsettled;
}

function refused(line: Line, id: string, append: Append, answer: Appended & { appended: false }): HoldfastError {
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
  const code = head?.state === 'ended' ? 'ERR_NOT_FOUND' : 'ERR_CONFLICT';
  return new HoldfastError(code, `session '${shortId(id)}' ${state}; nothing was written: open it again and retry`, {
    session: id,
    revision: head?.position.revision,
  });
}
