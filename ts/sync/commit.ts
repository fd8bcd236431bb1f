import { within } from '../deadline.ts';
import { HoldfastError, isSilence, shortId } from '../errors.ts';
import type { Keeper } from '../lock/hold.ts';
import type { Staged } from '../log/image.ts';
import type { Appended } from '../store/store.ts';
import type { Line } from './line.ts';
import { lost, notStored, refused } from './refused.ts';
import type { Replica } from './replica.ts';
import { Unsettled, offer } from './unsettled.ts';
import type { Pending, Settled } from './unsettled.ts';
import type { Written } from './written.ts';

/** How a save meets a primary that does not answer. */
export interface OnSilence {
  /** So long after the connection was lost it fails; undefined: it is offered until `call.timeoutMs` have passed. */
  readonly failMs?: number | undefined;
  /** Where the session goes on here: the record waits for the primary, and so does the lock. */
  readonly local?: { readonly queueBytes: number; keep(): Keeper } | undefined;
}

/** What is more than a save: nothing goes on from it here. */
export const failing = ({ outage }: Line): OnSilence => ({ failMs: outage.terms?.failMs });

export interface Committed {
  /** Others queue for the lock. */
  readonly wanted: boolean;
  /**
   * The primary has not said that it has the record. Resolves when it has; rejects where it never will, or nobody can
   * tell. Nobody has to listen.
   */
  readonly settled?: Promise<void> | undefined;
}

/**
 * Appends the record to the primary, makes it the replica's own, and feeds the backups. `staged` undefined: the session
 * ends. What the outcome of is unknown is left to `replica.unsettled`.
 */
export async function commit(
  line: Line,
  replica: Replica,
  written: Written,
  staged: Staged | undefined,
  silence: OnSilence,
): Promise<Committed> {
  line.backups.checkCurrent();
  const { append } = written;
  const { failMs, local } = silence;
  if (local !== undefined && (replica.unsettled !== undefined || line.outage.isOut))
    return goOn(line, replica, written, staged, local, false);
  if (replica.unsettled !== undefined) await ready(line, replica, silence);
  let answer: Appended;
  try {
    answer = await offer(line, replica.id, append, written.head.time, { failMs, isShort: local !== undefined });
  } catch (error) {
    if (!isSilence(error)) throw error;
    if (failMs !== undefined) line.outage.begin();
    const wasSent = (error as HoldfastError).outcome === 'unknown';
    if (local !== undefined) return goOn(line, replica, written, staged, local, wasSent, error);
    if (wasSent) leave(line, replica, written, staged);
    throw error;
  }
  if (!answer.appended) throw refused(line, replica.id, append, answer);
  adopt(line, replica, written, staged);
  const feeding = tell(line, replica.id, written);
  if (feeding !== undefined) await feeding;
  return answer;
}

/** The replica has the record. */
function adopt(line: Line, replica: Replica, { append, head, weight }: Written, staged: Staged | undefined): void {
  const kind = append.kind;
  if (kind === 'end' || staged === undefined) return replica.clear('ended', head);
  if (!replica.exists) replica.createdAt = append.createdAt ?? head.time;
  replica.image.accept(staged, append.position);
  replica.advance(head, kind, weight);
  const { monotonic, wall } = line.time.look();
  replica.used(monotonic, wall, append.expiry);
}

/** The primary has the record. Undefined: nobody is to be waited for. */
function tell(line: Line, id: string, { append, head, after }: Written): Promise<void> | undefined {
  line.observers.emit('sent', () => ({
    id,
    place: 'primary' as const,
    kind: append.kind,
    revision: head.revision,
    bytes: append.bytes.length,
  }));
  return line.backups.feed(id, append, after);
}

/** What became of a save of unknown outcome; `ERR_UNAVAILABLE` where that is not known in time. */
export function outcomeOf({ clock, call }: Line, { id, done }: Unsettled): Promise<Settled> {
  const what = `what became of the save before of session '${shortId(id)}' is not known yet: the primary`;
  return within(clock, call.timeoutMs, what, () => done);
}

/** What does not go on here follows what the primary has. */
export async function ready(line: Line, { id, unsettled }: Replica, { failMs, local }: OnSilence): Promise<undefined> {
  if (unsettled !== undefined && local === undefined) await drained(line, id, unsettled, failMs);
  return undefined;
}

/**
 * Waits until the primary has what is saved here, for who does not go on from that: `ERR_UNAVAILABLE` where it does not
 * get it in time, `ERR_CONFLICT` where it never will. `failMs`: as of `OnSilence`.
 */
export async function drained(line: Line, id: string, unsettled: Unsettled, failMs: number | undefined): Promise<void> {
  const what = `session '${shortId(id)}': saves before this wait for the primary, which`;
  let how: Settled;
  try {
    how = await within(line.clock, failMs ?? line.call.timeoutMs, what, () => unsettled.done);
  } catch (cause) {
    const message = `${(cause as Error).message}; nothing more was written: try again later`;
    throw new HoldfastError('ERR_UNAVAILABLE', message, { session: id, outcome: 'none', cause });
  }
  if (how !== 'appended') throw notStored(id);
}

/** The repository owns the record from now on; nothing else is done with the session until its outcome is known. */
function leave(line: Line, replica: Replica, written: Written, staged: Staged | undefined): void {
  own(line, replica, written, true, undefined, (how) => {
    if (how === 'appended') adopt(line, replica, written, staged);
  }).catch(() => undefined); // whoever saved has been told
}

/** The same, but that uses go on here from what the record says. */
function goOn(
  line: Line,
  replica: Replica,
  written: Written,
  staged: Staged | undefined,
  local: NonNullable<OnSilence['local']>,
  wasSent: boolean,
  error?: unknown,
): Committed {
  const { append } = written;
  try {
    line.outage.take(replica.id, append, local.queueBytes);
  } catch (full) {
    if (!wasSent) throw full;
    leave(line, replica, written, staged);
    throw error;
  }
  // The lock is handed over when nothing waits any more.
  const waiting = { ...written, append: { ...append, lock: append.lock === 'leave' ? 'leave' : 'renew' } } as const;
  const keeper = replica.unsettled?.keeper ?? local.keep();
  const settled = own(line, replica, waiting, wasSent, keeper, () => line.outage.give(append));
  settled.catch(() => undefined); // it is told as an event, too
  adopt(line, replica, written, staged);
  return { wanted: false, settled };
}

const OUTCOMES = { appended: 'stored', fenced: 'none', conflict: 'none', unknown: 'unknown' } as const;

/** Rejects where the primary does not get the record, or nobody can tell. */
function own(
  line: Line,
  replica: Replica,
  written: Written,
  wasSent: boolean,
  keeper: Keeper | undefined,
  onEnd: (how: Settled) => void,
): Promise<void> {
  const { id } = replica;
  const { append, head } = written;
  const { revision } = head;
  const since = line.clock.monotonic();
  line.observers.emit('unsettled', () => ({ id, revision, ...(keeper && { local: true }) }));
  return new Promise((resolve, reject) => {
    const pending: Pending = {
      append,
      madeAt: head.time,
      wasSent,
      onSettled: async (how, refusal) => {
        if (unsettled.hasEnded) {
          line.unsettled.delete(unsettled);
          replica.unsettled = undefined;
        }
        const outcome = how === 'unknown' && !pending.wasSent ? 'none' : OUTCOMES[how];
        if (how !== 'appended') replica.stale = true;
        line.observers.emit('settled', () => ({ id, revision, outcome, tookMs: line.clock.monotonic() - since }));
        onEnd(how);
        if (how === 'appended') {
          await tell(line, id, written);
          return resolve();
        }
        if (keeper !== undefined)
          line.observers.emit('conflict', () => ({ id, revision: append.parent.revision, paths: [], lost: true }));
        reject(lost(id, revision, outcome === 'unknown' ? outcome : 'none', refusal));
      },
    };
    const unsettled = replica.unsettled ?? new Unsettled(line, id, keeper);
    line.unsettled.add(unsettled);
    replica.unsettled = unsettled;
    unsettled.add(pending);
  });
}
