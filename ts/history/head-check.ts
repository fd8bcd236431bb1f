import type { Position } from '../position.ts';
import type { Heard, SessionCall } from './call.ts';
import { placeOf } from './log.ts';
import type { HeadMark, TailMark } from './mark.ts';
import type { Token } from '../token.ts';

/** Judges an answer that shows a session's head, and its records after `since` where they were asked for. */
export function checkTail(call: SessionCall, tail: TailMark, since: Position | undefined, heard: Heard): void {
  checkHead(call, tail.head, heard);
  if (since !== undefined && call.log.comparable(call.before)) call.log.compareRecords(tail, since, heard.index);
}

/** Judges a head (undefined: the store says that there is no session) against what was known when it was asked for. */
export function checkHead(call: SessionCall, head: HeadMark | undefined, heard: Heard): void {
  const { log, before } = call;
  if (head !== undefined) checkToken(call, head.token, heard);
  if (!log.comparable(before)) return;
  const over = log.life.mayBeOver(before.earliest, heard.wall);
  if (head === undefined && over) {
    log.lapsedAt = heard.wall;
    if (log.known.acked > 0) log.renew({}); // it was deleted: what comes begins anew
    return;
  }
  if (head === undefined) return checkAbsence(call, heard);
  const record = log.recordAt(head, heard.index);
  if (record !== undefined && record.branch !== log.branch)
    log.present(record, heard.index, over || before.lapsedBy !== undefined);
  if (record !== undefined && head.state === 'live') log.told(before);
  if (log.comparable(before)) checkState(call, head, heard, over);
}

/** Judges the session's token as an answer tells it. */
export function checkToken({ log, before, index }: SessionCall, token: Token, heard: Heard): void {
  if (token < before.token)
    log.findings.sayOnce('head went back', log.id, `the token is ${token} after ${before.token}`, [
      before.tokenBy,
      index,
      heard.index,
    ]);
  log.reach(token, heard.index);
}

function checkAbsence(call: SessionCall, heard: Heard): void {
  const { log, before, index, mark } = call;
  if (before.endedBy !== undefined) {
    const detail = `${mark.request.op} by ${mark.who} finds nothing where its end should be`;
    log.findings.say('resurrected session', log.id, detail, [before.endedBy, index, heard.index]);
  } else if (before.acked > 0) lacks(call, 'nothing', heard);
}

function lacks({ log, before, index, mark }: SessionCall, shown: string, heard: Heard): void {
  const acknowledged = log.records.get(placeOf(before.head))?.ackedBy !== undefined;
  const detail = `${mark.request.op} by ${mark.who} shows ${shown}, after ${before.acked} was ${acknowledged ? 'acknowledged' : 'seen'}`;
  log.findings.say(acknowledged ? 'stale read' : 'head went back', log.id, detail, [before.headBy, index, heard.index]);
}

function checkState(call: SessionCall, head: HeadMark, heard: Heard, over: boolean): void {
  const { log, before, mark, index } = call;
  const { revision } = head.position;
  const marks = [index, heard.index];
  const what = `${mark.request.op} by ${mark.who} shows revision ${revision} as ${head.state}`;
  if (
    head.state === 'live' &&
    before.endedBy !== undefined &&
    (revision <= before.acked || !(over || before.lapsedBy !== undefined))
  ) {
    return log.findings.say('resurrected session', log.id, `${what} after its end`, [before.endedBy, ...marks]);
  }
  if (revision < before.acked) return lacks(call, `revision ${revision}`, heard);
  if (head.state === 'ended' && log.endsOffered === 0) {
    log.findings.sayOnce('destroyed by nobody', log.id, 'it has ended, and nobody ended it', marks);
  }
  if (head.state === 'expired') {
    // A late answer may tell of an expiry that others saw, and of which nothing is left.
    if (!over && revision > log.lapsedRevision)
      log.findings.say('expired too early', log.id, what, [before.headBy, ...marks]);
    log.lapsedAt = heard.wall;
    log.lapsedRevision = Math.max(log.lapsedRevision, revision);
    if (log.life.judged && revision === log.known.head.revision)
      log.learn({ expiredAt: revision, expiredBy: heard.index });
  } else if (head.state === 'live' && before.expiredAt === revision) {
    log.findings.say('resurrected session', log.id, `${what} after it had expired there`, [before.expiredBy, ...marks]);
  } else if (head.state === 'live' && log.life.mustBeOver(mark.wall, index))
    log.findings.say('served though expired', log.id, what, marks);
}
