import { HoldfastError } from '../errors.ts';
import { checkOptions, describe, flag, func, milliseconds, positive, signal, text } from '../options.ts';
import type { Rules } from '../options.ts';
import type { Position } from '../position.ts';
import { EPOCHS, isToken } from '../token.ts';
import type { Acquire, LockOwner } from './lock.ts';
import { shortId } from './row.ts';
import type { Append, CallOptions, Capabilities, Durability, Expiry, Hint, ImageRecord, ListQuery } from './store.ts';
import type { LockRequest, ReadRequest, RecordKind, SessionImage, SweepRequest, Touch } from './store.ts';

/** The faults of a caller: each check throws `ERR_INVALID` that names what is wrong. */
function invalid(what: string): never {
  throw new HoldfastError('ERR_INVALID', what);
}

function checkObject(what: string, value: unknown): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    invalid(`${what} must be an object, not ${describe(value)}`);
}

function checkChoice(what: string, choices: readonly string[], value: unknown): void {
  if (choices.includes(value as string)) return;
  const allowed = choices.map((choice) => `'${choice}'`).join(', ');
  invalid(`${what} must be one of ${allowed}, not ${typeof value === 'string' ? `'${value}'` : describe(value)}`);
}

const CALL_RULES: Rules = { timeoutMs: milliseconds, signal, failMs: positive };

export const checkCall = (options: CallOptions): void => checkOptions('the call to the store', options, CALL_RULES);

export function checkId(id: string): void {
  const bytes = typeof id === 'string' ? Buffer.byteLength(id) : 0;
  if (bytes < 1 || bytes > 255 || id.includes('\0') || !id.isWellFormed()) {
    const found = typeof id === 'string' ? `text of ${bytes} bytes` : describe(id);
    invalid(`a session id is a string of 1 to 255 bytes of UTF-8 without NUL, not ${found}`);
  }
}

export function checkIds(ids: readonly string[] | 'all'): void {
  if (ids === 'all') return;
  if (!Array.isArray(ids)) invalid(`what is watched must be an array of ids, or 'all', not ${describe(ids)}`);
  ids.forEach(checkId);
}

export function checkListener(listener: (hint: Hint) => void): void {
  func('the listener of a member', listener);
}

export const isCount = (value: unknown, least = 0): boolean =>
  Number.isSafeInteger(value) && (value as number) >= least;

function checkPosition(what: string, position: Position | undefined): void {
  if (isCount(position?.revision) && isCount(position?.nonce) && (position?.nonce as number) < 2 ** 48) return;
  const found =
    typeof position === 'object' && position !== null
      ? `revision ${describe(position.revision)} and nonce ${describe(position.nonce)}`
      : describe(position);
  invalid(`${what} must be a position: a revision and a nonce of 48 bits, both whole numbers, not ${found}`);
}

function checkToken(token: unknown): void {
  if (!isToken(token)) invalid(`a token is a whole number from 0 on, below 2^52 - 2^24, not ${describe(token)}`);
}

function checkExpiry(expiry: Expiry | undefined): void {
  if (expiry === undefined) return;
  checkObject('expiry', expiry);
  for (const name of ['idleMs', 'ageMs'] as const) {
    const ms = expiry[name];
    if (ms === undefined || (Number.isFinite(ms) && ms > 0)) continue;
    invalid(`${name} must be a number of milliseconds above 0, or undefined for no such expiry, not ${describe(ms)}`);
  }
}

function checkTime(session: string, createdAt: number): void {
  if (!Number.isFinite(createdAt)) invalid(`${session}: createdAt must be a time in ms, not ${describe(createdAt)}`);
}

const isTerm = (term: unknown): boolean =>
  typeof term === 'string' && term !== '' && term.isWellFormed() && Buffer.byteLength(term) <= 64;

function checkTerms(terms: readonly string[] | undefined): void {
  if (terms !== undefined && !(Array.isArray(terms) && terms.every(isTerm)))
    invalid('terms are an array of strings of 1 to 64 bytes');
}

function checkOwner({ member, ticket }: LockOwner): void {
  if (typeof member !== 'string' || member === '') invalid('a lock is asked for by the member that join named');
  if (!isCount(ticket)) invalid(`a ticket is a whole number from 0, not ${describe(ticket)}`);
}

function checkAcquire(request: Acquire): void {
  checkOwner(request);
  const { leaseMs, wait } = request;
  if (!Number.isFinite(leaseMs) || leaseMs <= 0)
    invalid(`leaseMs must be a number of milliseconds above 0, not ${describe(leaseMs)}`);
  flag('wait', wait);
}

function checkFlag(name: string, value: unknown): void {
  if (value !== undefined) flag(name, value);
}

export function checkRead(request: ReadRequest): void {
  checkObject('a read', request);
  const { since, kept, limitBytes } = request;
  checkPosition('since', since);
  checkFlag('kept', kept);
  if (limitBytes !== undefined) checkAmount('limitBytes', 'bytes', limitBytes);
}

export function checkLock(request: LockRequest): void {
  checkObject('a request of a lock', request);
  checkAcquire(request);
  checkRead(request);
  checkFlag('existing', request.existing);
}

export function checkUnlock(who: { readonly token: number } | LockOwner): void {
  checkObject('who unlocks', who);
  if ('member' in who) checkOwner(who);
  else checkToken(who.token);
}

export function checkTouch(touch: Touch): void {
  checkObject('a touch', touch);
  checkToken(touch.token);
  checkFlag('renew', touch.renew);
  checkExpiry(touch.expiry);
}

export function checkAppend(id: string, append: Append, can: Capabilities): void {
  checkObject('an append', append);
  const { parent, position, kind, under, begins } = append;
  checkPosition('parent', parent);
  checkPosition('position', position);
  checkBytes(append.bytes);
  const session = `session '${shortId(id)}'`;
  if (position.revision !== parent.revision + 1)
    invalid(`${session}: revision ${position.revision} does not follow ${parent.revision}`);
  checkKind(session, kind);
  if (parent.revision === 0 && kind !== 'snapshot') invalid(`${session}: the first record must be a snapshot`);
  checkFlag('begins', begins);
  if (begins === true && kind !== 'snapshot')
    invalid(`${session}: only a snapshot begins a session, this is of the kind '${kind}'`);
  if (begins === false && parent.revision === 0) invalid(`${session}: the first record begins it`);
  if (typeof under === 'object' && under !== null) checkAcquire(under);
  else checkToken(under);
  if (append.first !== undefined && !isCount(append.first))
    invalid(`first must be a revision, not ${describe(append.first)}`);
  if (append.createdAt !== undefined) checkTime(session, append.createdAt);
  if (append.lock !== undefined) checkChoice(`${session}: lock`, ['renew', 'leave', 'release'], append.lock);
  if (append.version !== undefined) text('version', append.version);
  checkExpiry(append.expiry);
  checkTerms(append.terms);
  checkDurability(append.durability, can);
}

function checkKind(session: string, kind: RecordKind): void {
  checkChoice(`${session}: the kind of a record`, ['delta', 'snapshot', 'end'], kind);
}

function checkBytes(bytes: Uint8Array): void {
  if (!(bytes instanceof Uint8Array)) invalid(`a record is a Uint8Array, not ${describe(bytes)}`);
}

function checkDurability(durability: Durability | undefined, can: Capabilities): void {
  if (durability === undefined) return;
  const replicas = typeof durability === 'object' ? durability?.replicas : undefined;
  const level = typeof durability === 'object' ? 'replicas' : durability;
  if (!can.durability.includes(level)) {
    const levels = can.durability.join(' or ');
    invalid(
      `this store's appends can be durable as ${levels}, not as ${String(level)}: choose one that store.can.durability names`,
    );
  }
  if (level === 'replicas' && !isCount(replicas, 1))
    invalid(`durability must say how many replicas, a whole number from 1, not ${describe(replicas)}`);
}

export function checkImage(id: string, image: SessionImage, expected: Position | undefined): void {
  checkObject('an image', image);
  const session = `session '${shortId(id)}'`;
  checkRecords(session, image.records);
  checkTime(session, image.createdAt);
  checkObject('the expiry of an image', image.expiry);
  checkExpiry(image.expiry);
  checkTerms(image.terms);
  checkToken(image.token);
  if (expected !== undefined) checkPosition('expected', expected);
}

function checkRecords(session: string, records: readonly ImageRecord[]): void {
  if (!Array.isArray(records))
    invalid(`${session}: the records of an image must be an array, not ${describe(records)}`);
  for (const record of records as readonly ImageRecord[]) {
    checkObject('a record of an image', record);
    checkPosition('the position of a record', record.position);
    checkKind(session, record.kind);
    checkBytes(record.bytes);
  }
  const oldest = records[0];
  if (oldest === undefined || oldest.kind === 'delta' || (oldest.kind === 'end' && records.length > 1)) {
    invalid(`${session}: an image begins with a snapshot, or is an end alone`);
  }
  records.forEach(({ position, kind }, index) => {
    if (position.revision !== oldest.position.revision + index || position.revision === 0) {
      invalid(`${session}: the records of an image follow each other, from revision 1 or later`);
    }
    if (kind === 'end' && index < records.length - 1) invalid(`${session}: nothing follows the end in an image`);
  });
}

export function checkList(query: ListQuery): void {
  checkObject('a listing', query);
  checkPage(query);
  if (query.term !== undefined && !isTerm(query.term)) invalid('a term is a string of 1 to 64 bytes');
}

export function checkSweep(request: SweepRequest): void {
  checkObject('a sweep', request);
  checkPage(request);
  checkAmount('graceMs', 'milliseconds', request.graceMs);
}

function checkPage({ cursor, limit }: Pick<ListQuery, 'cursor' | 'limit'>): void {
  if (!isCount(limit, 1)) invalid(`limit must be a whole number from 1, not ${describe(limit)}`);
  if (cursor !== undefined) text('a cursor', cursor);
}

/** Infinity is one. */
function checkAmount(name: string, unit: string, value: number): void {
  if (typeof value !== 'number' || !(value >= 0))
    invalid(`${name} must be a number of ${unit} from 0, not ${describe(value)}`);
}

export function checkAbove(above: number): void {
  if (!isCount(above)) invalid(`promote takes the epoch to go above, a whole number, not ${describe(above)}`);
}

export const noEpoch = (above: number): HoldfastError =>
  new HoldfastError(
    'ERR_LIMIT',
    `there is no epoch above ${above}: epochs end below ${EPOCHS}; copy the sessions into a new store`,
  );
