import { samePosition } from '../position.ts';
import type { Position } from '../position.ts';
import type { Token } from '../token.ts';
import { spanOf } from './call.ts';
import type { Heard, SessionCall } from './call.ts';
import { checkTail, checkToken } from './head-check.ts';
import type { Birth, Span } from './life.ts';
import { NOTHING, placeOf } from './log.ts';
import type { Offered } from './log.ts';
import type { Answer, AppendRequest, ReplaceRequest } from './mark.ts';

type Refusal = Extract<Answer, { readonly op: 'append' | 'replace'; readonly appended: false }>;

/** Whether a session may begin with it: a snapshot that does not say that the session goes on. */
const mayBegin = ({ kind, begins }: AppendRequest): boolean => kind === 'snapshot' && begins !== false;
const birthOf = (request: AppendRequest): Birth | undefined => (mayBegin(request) ? request : undefined);

/** Whether the writer's lock is given up with it. */
export const releases = ({ lock, kind }: AppendRequest): boolean => lock === 'release' || kind === 'end';

/** An append is sent. */
export function sendAppend(call: SessionCall, request: AppendRequest): void {
  const { log, before, index, mark } = call;
  const record = log.offered(request, request.parent, index, mark.wall);
  call.records = [record];
  call.wasThere = record.branch === log.branch;
  if (record.open === undefined && !call.wasThere) {
    record.before = before;
    record.sentBy = index;
    record.sentAt = mark.wall;
  }
  record.open = (record.open ?? new Set()).add(index);
  if (typeof request.under === 'number') record.under = Math.max(record.under, request.under);
  record.offers += 1;
  record.starts ||= mayBegin(request);
  if (request.kind === 'end') log.endsOffered += 1;
  log.life.sent(index, mark.wall, request.expiry, birthOf(request));
  if (typeof request.under !== 'number') {
    log.ask(request.under);
    log.leases.tries(request.under);
  } else if (releases(request)) log.leases.release(request.under);
}

/**
 * A record was acknowledged. Answers the token under which it was written, where this is certain: it was offered once.
 * Undefined: the record was written by one of several offers, or was acknowledged before.
 */
export function checkAppended(
  call: SessionCall,
  request: AppendRequest,
  token: Token,
  heard: Heard,
): Token | undefined {
  const { log } = call;
  const [record] = call.records;
  if (record === undefined) return undefined;
  settleTry(call, request, releases(request));
  const again = record.ackedBy !== undefined;
  const under = record.offers === 1 ? token : undefined;
  for (const open of record.open ?? []) if (open !== call.index) log.life.failed(open);
  record.open = undefined;
  if (again) log.life.perhaps(call.index, spanOf(call, heard), birthOf(request));
  else {
    checkWriter(call, request, record, under, heard);
    record.ackedBy = heard.index;
    record.seenBy ??= heard.index;
    if (log.comparable(record.before)) checkPlace(call, request, record, heard);
    else {
      log.alive(log.life.mayBeOver(record.before.earliest, heard.wall), heard.index);
      const span = written(record, heard);
      if (mayBegin(request)) log.life.began(call.index, span, request, false);
      else log.life.used(call.index, span, request.expiry);
    }
    record.before = NOTHING;
  }
  log.reach(token, heard.index);
  return again ? undefined : under;
}

/** One of the offers of the record has written it. */
const written = ({ sentBy, sentAt }: Offered, { index, wall }: Heard): Span => ({
  sentBy,
  sentAt,
  heardBy: index,
  wall,
});

const sayRecord = ({ kind, position }: Offered): string => `the ${kind} ${position.revision} (${position.nonce})`;

function checkWriter(
  { log, index }: SessionCall,
  request: AppendRequest,
  record: Offered,
  token: Token | undefined,
  heard: Heard,
): void {
  const { before, position, parent } = record;
  const under = typeof request.under === 'number' ? Math.max(record.under, request.under) : token;
  if (under !== undefined && under < before.token) {
    const detail = `${sayRecord(record)} was accepted under ${under}, when ${before.token} had been reached`;
    log.findings.say('old token accepted', log.id, detail, [before.tokenBy, index, heard.index]);
  }
  if (parent === undefined || record.under === Infinity) return; // an image brings no parents
  const written = parent.revision === 0 || log.records.has(placeOf(parent));
  if (written && position.revision === parent.revision + 1) return;
  log.findings.say('broken chain', log.id, `${sayRecord(record)} was accepted, and follows nothing that was written`, [
    index,
    heard.index,
  ]);
}

/** Whether the record may stand where it does. */
function checkPlace(call: SessionCall, request: AppendRequest, record: Offered, heard: Heard): void {
  const { log } = call;
  const { index, wall } = heard;
  const { before, position, parent, kind } = record;
  const starts = mayBegin(request);
  const marks = [call.index, index];
  const over = log.life.mayBeOver(before.earliest, wall);
  const what = `${sayRecord(record)} was accepted`;
  const anew = before.expiredAt !== undefined && before.expiredAt === parent?.revision;
  const older = over || before.lapsedBy !== undefined;
  // What a read has shown was judged then.
  if (before.endedBy !== undefined && record.branch !== log.branch && !(older && log.mayStart(record))) {
    log.findings.say('resurrected session', log.id, `${what} after the end`, [before.endedBy, ...marks]);
  } else if (!starts && anew) {
    log.findings.say('resurrected session', log.id, `${what} after the session had expired`, [
      before.expiredBy,
      ...marks,
    ]);
  } else if (!starts && record.offers === 1 && log.life.mustBeOver(call.mark.wall, call.index)) {
    log.findings.say('served though expired', log.id, what, marks);
  }
  if (over) log.lapsedAt = wall;
  const { branch } = log;
  log.present(record, index, older);
  log.told(before);
  if (log.branch === branch && position.revision <= before.acked) {
    log.findings.say('wrong order', log.id, `${what} after ${before.acked} had been acknowledged or seen`, [
      before.headBy,
      ...marks,
    ]);
  }
  const begins = parent?.revision === 0 || request.begins === true;
  const span = written(record, heard);
  if (begins || (starts && over))
    log.life.began(call.index, span, request, anew || request.begins === true || before.acked === 0);
  else log.life.used(call.index, span, request.expiry);
  if (placeOf(log.known.head) !== placeOf(position)) return;
  log.learn({ endedBy: kind === 'end' ? index : undefined, expiredAt: undefined, expiredBy: undefined });
}

/** An append was refused: what its answer shows, and whether the record can still come. */
export function checkRefused(call: SessionCall, request: AppendRequest, answer: Refusal, heard: Heard): void {
  const { log, before } = call;
  const [record] = call.records;
  if (answer.why !== 'locked') {
    checkToken(call, answer.token, heard);
    checkTail(call, answer.tail, request.parent, heard);
  }
  if (record === undefined) return;
  const head = answer.why === 'locked' ? undefined : answer.tail.head;
  const { revision } = record.position;
  const settled =
    head !== undefined && log.comparable(before) && head.first <= revision && head.position.revision >= revision;
  if (settled && call.wasThere) {
    const detail = `${sayRecord(record)} was refused when it was offered again, and it is there`;
    log.findings.say('failed and present', log.id, detail, [record.ackedBy ?? record.seenBy, call.index, heard.index]);
  }
  settleFailed(call, heard, settled);
  // Where there is nothing to rebase on, a lock that was asked for goes back.
  settleTry(call, request, answer.why !== 'locked' && answer.grant === undefined);
}

/** An append that asks for the lock itself was answered. */
export function settleTry({ log }: SessionCall, { under }: AppendRequest, gaveUp: boolean): void {
  if (typeof under !== 'number') log.leases.tried(under, gaveUp);
}

/** The call did nothing. `settled`: nor can an earlier one of the same record any more. */
export function settleFailed({ log, records: [record], index }: SessionCall, heard: Heard, settled = false): void {
  log.life.failed(index);
  if (record === undefined) return;
  record.open?.delete(index);
  if (record.open?.size === 0) record.open = undefined;
  if (settled || record.open === undefined) log.refused(record, heard.index, settled);
}

/** An image is sent, which may take the place of all that is there. */
export function sendImage(call: SessionCall, { records: image, expiry }: ReplaceRequest): void {
  const { log, index, mark } = call;
  const records = image.map((written, i) => log.offered(written, image[i - 1]?.position, index, mark.wall));
  call.records = records;
  // An append may find what the image brought: under which token is unknown.
  for (const record of records) {
    record.offers += 1;
    record.under = Infinity;
  }
  log.leases.freeing();
  log.life.sent(index, mark.wall, expiry);
  const last = records.at(-1);
  if (last === undefined) return;
  if (last.kind === 'end') log.endsOffered += 1;
  const place = placeOf(last.position);
  log.replacing.set(place, (log.replacing.get(place) ?? 0) + 1);
}

/**
 * An image was answered. Where it took its place, earlier offers of it are settled too if they can do nothing to this
 * head.
 */
export function settleImage(
  { log, records, index }: SessionCall,
  { at }: Heard,
  replaced: boolean,
  expected?: Position,
): void {
  log.leases.freed(at);
  if (!replaced) log.life.failed(index);
  const last = records.at(-1);
  if (last === undefined) return;
  const place = placeOf(last.position);
  const left = (log.replacing.get(place) ?? 1) - 1;
  if ((replaced && expected !== undefined) || left === 0) log.replacing.delete(place);
  else log.replacing.set(place, left);
}

/** `alone`: no other image was under way or of unknown outcome. */
export function checkReplaced(
  call: SessionCall,
  request: ReplaceRequest,
  token: Token,
  alone: boolean,
  heard: Heard,
): void {
  const { log, before, mark, records } = call;
  const { expected, token: asked } = request;
  const marks = [before.headBy, call.index, heard.index];
  if (token < before.token || asked < call.floor) {
    const detail = `an image with token ${asked} was accepted and got ${token}, when ${before.token} had been reached`;
    log.findings.say('old token accepted', log.id, detail, [before.tokenBy, call.index, heard.index]);
  }
  // Offered again, or brought by somebody else meanwhile: counts as replaced.
  const covers = records.some(
    ({ position, parent }) =>
      samePosition(position, before.head) || (parent !== undefined && samePosition(parent, before.head)),
  );
  const over = log.life.mayBeOver(before.earliest, heard.wall); // then it may have been deleted before
  if (
    expected !== undefined &&
    alone &&
    !covers &&
    !over &&
    log.comparable(before) &&
    before.acked > expected.revision
  ) {
    const detail = `an image for revision ${expected.revision} by ${mark.who} took the place of ${before.acked}`;
    log.findings.say('acknowledged and missing', log.id, detail, marks);
  }
  log.reach(token, heard.index);
  // Answers may cross: each image raises the token, so the one with the higher came last.
  if (token < log.imageToken) return log.life.failed(call.index);
  log.imageToken = token;
  log.replaced(records, heard.index);
  const last = records.at(-1);
  log.life.replaced(call.index, last === undefined ? spanOf(call, heard) : written(last, heard), request);
}
