import { ORIGIN, samePosition } from '../position.ts';
import type { Position } from '../position.ts';
import { HoldfastError } from '../errors.ts';
import { epochOf } from '../token.ts';
import type { Token } from '../token.ts';
import type { Draft, View } from './backend.ts';
import { ruleOf, stateOf } from './expiry.ts';
import { grantOf, isHeldUnder, isIdle, isWanted, recallOf, releaseLock, renewLock, requestLock } from './lock-row.ts';
import type { LockOutcome, Notice } from './lock-row.ts';
import { birthToken, putUsed, rowAt } from './moment.ts';
import type { Moment } from './moment.ts';
import { HEAD_ALONE, headOf, isKept, tailOf } from './reads.ts';
import { newRow } from './row.ts';
import type { Row } from './row.ts';
import type { Append, Appended, ImageRecord, SessionImage } from './store.ts';

export interface Outcome<Reply> {
  readonly reply: Reply;
  readonly notices: readonly Notice[];
  /** The log has changed: whoever watches it is told. */
  readonly written?: boolean;
}

export function append(draft: Draft, id: string, request: Append, moment: Moment): Outcome<Appended> {
  const found = rowAt(draft, id, moment);
  if (found !== undefined && isKept(draft, id, found, request.position)) {
    return { reply: { appended: true, token: found.lock.token, wanted: isWanted(found.lock) }, notices: [] };
  }
  const row = found ?? newRow(birthToken(draft.marks()));
  const lock = typeof request.under === 'number' ? undefined : requestLock(row.lock, request.under, moment.monotonic);
  if (lock?.granted === false) {
    if (lock.changed) putUsed(draft, row, moment);
    return { reply: { appended: false, why: 'locked', retryMs: lock.retryMs }, notices: lock.notices };
  }
  const token = typeof request.under === 'number' ? request.under : row.lock.token;
  const why = token < row.lock.token ? 'fenced' : fits(row, request, moment) ? undefined : 'conflict';
  if (why !== undefined && lock !== undefined)
    return refuseGranted(draft, id, row, found !== undefined, request, lock, moment);
  if (why !== undefined) {
    const tail = tailOf(draft, id, found, { since: request.parent }, moment);
    return { reply: { appended: false, why, token: row.lock.token, tail }, notices: [] };
  }
  const notices = write(draft, row, request, token, moment);
  return {
    reply: { appended: true, token, wanted: isWanted(row.lock) },
    notices: [...(lock?.notices ?? []), ...notices],
    written: true,
  };
}

function fits(row: Row, { parent, kind, begins }: Append, { wall }: Moment): boolean {
  if (!samePosition(row, parent)) return false;
  if (row.revision === 0) return true;
  const state = stateOf(row, wall);
  return state === 'expired' ? kind === 'snapshot' && begins !== false : state === 'live';
}

/** The lock was given, but the parent does not fit. Where there is nothing to rebase on, the lock goes back. */
function refuseGranted(
  draft: Draft,
  id: string,
  row: Row,
  found: boolean,
  { parent }: Append,
  lock: LockOutcome,
  moment: Moment,
): Outcome<Appended> {
  const keeps = headOf(row, moment)?.state === 'live';
  const notices = [...lock.notices, ...(keeps ? [] : releaseLock(row.lock, moment.monotonic))];
  if (found ? lock.changed || !keeps : !isIdle(row.lock, moment.monotonic)) putUsed(draft, row, moment);
  const token = found ? row.lock.token : birthToken(draft.marks());
  const tail = tailOf(draft, id, row, { since: parent }, moment);
  const grant = keeps ? grantOf(row.lock, moment.monotonic) : undefined;
  return { reply: { appended: false, why: 'conflict', token, tail, ...(grant && { grant }) }, notices };
}

function write(draft: Draft, row: Row, request: Append, token: Token, moment: Moment): Notice[] {
  const { position, kind, bytes, begins } = request;
  if (begins === true || row.revision === 0 || stateOf(row, moment.wall) === 'expired')
    beginAnew(draft, row, request, moment);
  if (kind === 'delta') row.deltaBytes += bytes.length;
  else Object.assign(row, { snapshot: position.revision, snapshotBytes: bytes.length, deltaBytes: 0 });
  row.revision = position.revision;
  row.nonce = position.nonce;
  row.ended = kind === 'end';
  row.usedAt = moment.stamp;
  if (request.expiry !== undefined) row.expiry = ruleOf(request.expiry);
  if (request.terms !== undefined) row.terms = [...new Set(request.terms)];
  const oldest = Math.max(
    row.first,
    Math.min(request.first ?? (kind === 'delta' ? row.first : position.revision), row.snapshot),
  );
  draft.deleteRecords(row.first, oldest);
  row.first = oldest;
  const notices = settleGrant(row, request, token, moment.monotonic);
  putUsed(draft, row, moment);
  draft.putRecord(row.revision, { nonce: row.nonce, bytes });
  return notices;
}

/** Nothing of what was before shows in the session that takes its place, but revision and token. */
function beginAnew(draft: Draft, row: Row, { position, createdAt }: Append, { stamp }: Moment): void {
  draft.deleteRecords(row.first, row.revision + 1);
  Object.assign(row, { first: position.revision, createdAt: createdAt ?? stamp, expiry: {}, terms: [] });
}

/** An append proves that its writer is alive; an end outdates every token given so far. */
function settleGrant({ lock }: Row, { kind, under, lock: then }: Append, token: Token, now: number): Notice[] {
  if (token > lock.token) {
    lock.token = token;
    lock.holder = undefined;
  }
  if (kind === 'end') return releaseLock(lock, now);
  const does = then ?? (typeof under === 'number' ? 'renew' : 'release');
  if (does === 'leave' || !isHeldUnder(lock, token)) return [];
  if (does === 'release') return releaseLock(lock, now);
  renewLock(lock, now);
  return [];
}

export function replace(
  draft: Draft,
  id: string,
  image: SessionImage,
  expected: Position | undefined,
  moment: Moment,
): Outcome<Appended> {
  const marks = draft.marks();
  const last = image.records.at(-1) as ImageRecord;
  const row = expected === undefined ? readableRow(draft, id, moment) : rowAt(draft, id, moment);
  const token = row === 'damaged' ? image.token + DAMAGE_LEAP : (row?.lock.token ?? birthToken(marks));
  const found = row === 'damaged' ? undefined : row;
  const refuse = (why: 'fenced' | 'conflict'): Outcome<Appended> => {
    const tail = tailOf(draft, id, found, { since: last.position, ...HEAD_ALONE }, moment);
    return { reply: { appended: false, why, token, tail }, notices: [] };
  };
  if (epochOf(image.token) < marks.epoch) return refuse('fenced');
  const head = found ?? ORIGIN;
  if (expected !== undefined && !samePosition(head, expected)) {
    return samePosition(head, last.position)
      ? { reply: { appended: true, token, wanted: isWanted(found?.lock) }, notices: [] }
      : refuse('conflict');
  }
  const next = rowOf(image, Math.max(token, image.token) + 1, moment);
  draft.clear();
  putUsed(draft, next, moment);
  for (const { position, bytes } of image.records) draft.putRecord(position.revision, { nonce: position.nonce, bytes });
  return {
    reply: { appended: true, token: next.lock.token, wanted: false },
    notices: recallOf(found?.lock),
    written: true,
  };
}

/** The token of a damaged row cannot be read: nobody has been granted this many since its copy was made. */
const DAMAGE_LEAP = 2 ** 20;

/** A damaged row is as good as none: it is about to be replaced. */
function readableRow(view: View, id: string, moment: Moment): Row | undefined | 'damaged' {
  try {
    return rowAt(view, id, moment);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'ERR_CORRUPT') return 'damaged';
    throw error;
  }
}

function rowOf({ records, createdAt, expiry, terms = [] }: SessionImage, token: Token, { stamp }: Moment): Row {
  const row = newRow(token);
  const [oldest, last] = [records[0], records.at(-1)] as [ImageRecord, ImageRecord];
  const snapshot = records.findLastIndex(({ kind }) => kind !== 'delta');
  const sizes = records.map(({ bytes }) => bytes.length);
  const { revision, nonce } = last.position;
  Object.assign(row, { revision, nonce, ended: last.kind === 'end', first: oldest.position.revision });
  Object.assign(row, { snapshot: records[snapshot]?.position.revision });
  Object.assign(row, {
    snapshotBytes: sizes[snapshot],
    deltaBytes: sizes.slice(snapshot + 1).reduce((sum, size) => sum + size, 0),
  });
  Object.assign(row, { createdAt, usedAt: stamp, expiry: ruleOf(expiry), terms: [...new Set(terms)] });
  return row;
}
