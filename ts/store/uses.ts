import { floorOf } from '../token.ts';
import type { Token } from '../token.ts';
import type { Draft, View } from './backend.ts';
import { leftMs, ruleOf, stateOf } from './expiry.ts';
import type { LockOwner } from './lock.ts';
import { grantOf, isHeldUnder, isIdle, isWanted, leaveLock, releaseLock, renewLock, requestLock } from './lock-row.ts';
import type { Notice } from './lock-row.ts';
import { birthToken, putUsed, rowAt } from './moment.ts';
import type { Moment } from './moment.ts';
import { headOf, tailOf } from './reads.ts';
import { newRow } from './row.ts';
import type { Row } from './row.ts';
import type { LockReply, LockRequest, Touch, Touched } from './store.ts';
import type { Outcome } from './writes.ts';

export function lock(draft: Draft, id: string, request: LockRequest, moment: Moment): Outcome<LockReply> {
  const found = rowAt(draft, id, moment);
  if (request.existing === true && headOf(found, moment)?.state !== 'live') {
    return { reply: { granted: false, retryMs: 0, tail: tailOf(draft, id, found, request, moment) }, notices: [] };
  }
  const row = found ?? newRow(birthToken(draft.marks()));
  const { granted, changed, retryMs, notices } = requestLock(row.lock, request, moment.monotonic);
  if (changed) putUsed(draft, row, moment);
  if (!granted) return { reply: { granted, retryMs }, notices };
  return {
    reply: { granted, ...grantOf(row.lock, moment.monotonic), tail: tailOf(draft, id, row, request, moment) },
    notices,
  };
}

export function unlock(
  draft: Draft,
  id: string,
  who: { readonly token: Token } | LockOwner,
  moment: Moment,
): Outcome<void> {
  const row = rowAt(draft, id, moment);
  if (row === undefined) return { reply: undefined, notices: [] };
  const now = moment.monotonic;
  const release = (token: Token): readonly Notice[] | undefined =>
    isHeldUnder(row.lock, token) ? releaseLock(row.lock, now) : undefined;
  const notices = 'member' in who ? leaveLock(row.lock, who, now) : release(who.token);
  if (notices !== undefined) putUsed(draft, row, moment);
  return { reply: undefined, notices: notices ?? [] };
}

export function touch(draft: Draft, id: string, use: Touch, moment: Moment): Outcome<Touched> {
  const marks = draft.marks();
  const row = rowAt(draft, id, moment);
  const head = headOf(row, moment);
  const wanted = isWanted(row?.lock);
  const outdated =
    use.token < (use.expiry === undefined ? floorOf(marks.epoch) : (row?.lock.token ?? birthToken(marks)));
  if (outdated || (use.renew === true && !(row !== undefined && isHeldUnder(row.lock, use.token)))) {
    return { reply: { touched: false, why: 'fenced', head, wanted }, notices: [] };
  }
  if (row === undefined) return { reply: { touched: false, why: 'gone', head, wanted }, notices: [] };
  if (use.renew === true) renewLock(row.lock, moment.monotonic);
  const live = head?.state === 'live';
  if (live) noteUse(row, use, moment);
  if (live || use.renew === true) putUsed(draft, row, moment);
  if (live) return { reply: { touched: true, leftMs: leftMs(row, moment.wall), wanted }, notices: [] };
  return { reply: { touched: false, why: 'gone', head: headOf(row, moment), wanted }, notices: [] };
}

function noteUse(row: Row, { expiry }: Touch, { stamp }: Moment): void {
  row.usedAt = stamp;
  if (expiry !== undefined) row.expiry = ruleOf(expiry);
}

/** Whether nobody needs the row: it has expired, or was never written, and nobody has or awaits its lock. */
function isForgotten(row: Row, { wall, monotonic }: Moment): boolean {
  return (row.revision === 0 || stateOf(row, wall) === 'expired') && isIdle(row.lock, monotonic);
}

function wasSeen({ lookedAt }: Row, graceMs: number, { monotonic }: Moment): boolean {
  return lookedAt !== undefined && lookedAt <= monotonic && monotonic - lookedAt >= graceMs;
}

/** What a sweep has to do with a row. */
export interface SweepView {
  /** It is to be noted, or the note is void, or it is to be deleted. */
  readonly due: boolean;
  /** Of a row that is about to be deleted, where its id begins again: above its token. 0 for any other. */
  readonly births: Token;
}

export function sweepView(view: View, id: string, graceMs: number, moment: Moment): SweepView {
  try {
    const row = rowAt(view, id, moment);
    if (row === undefined) return { due: false, births: 0 };
    const forgotten = isForgotten(row, moment);
    return {
      due: forgotten || row.lookedAt !== undefined,
      births: forgotten && wasSeen(row, graceMs, moment) ? row.lock.token + 1 : 0,
    };
  } catch {
    return { due: false, births: 0 }; // damaged: left for repair
  }
}

/** Deletes the row when it was seen forgotten `graceMs` ago, else notes what it sees. True: deleted. */
export function look(draft: Draft, id: string, graceMs: number, moment: Moment): boolean {
  const row = rowAt(draft, id, moment);
  if (row === undefined) return false;
  if (!isForgotten(row, moment)) return dropLook(draft, row);
  const { lookedAt } = row;
  const { monotonic, boot } = moment;
  if (lookedAt === undefined || lookedAt > monotonic) draft.putRow({ ...row, boot, lookedAt: monotonic });
  // A token that the mark does not cover yet was raised since: the next sweep comes by.
  else if (wasSeen(row, graceMs, moment) && row.lock.token < draft.marks().births) {
    draft.clear();
    return true;
  }
  return false;
}

/** It came back without a use: the clock that it had expired by was wrong. */
function dropLook(draft: Draft, row: Row): false {
  if (row.lookedAt === undefined) return false;
  row.lookedAt = undefined;
  draft.putRow(row);
  return false;
}
