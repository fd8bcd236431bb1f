import { HoldfastError } from '../errors.ts';
import type { Position } from '../position.ts';
import { EPOCHS, floorOf } from '../token.ts';
import { shortId } from './row.ts';
import type { Acquire, Append, Capabilities, Durability, Expiry, LockOwner, ReadRequest, SessionImage, Touch } from './store.ts';

/** The faults of a caller: each check throws `ERR_INVALID` that names what is wrong. */
function invalid(what: string): never {
  throw new HoldfastError('ERR_INVALID', what);
}

export function checkId(id: string): void {
  const bytes = typeof id === 'string' ? Buffer.byteLength(id) : 0;
  if (bytes < 1 || bytes > 255 || id.includes('\0') || !id.isWellFormed()) {
    invalid('a session id is a string of 1 to 255 bytes of UTF-8 without NUL');
  }
}

export const isCount = (value: unknown, least = 0): boolean => Number.isSafeInteger(value) && (value as number) >= least;

function checkPosition(what: string, position: Position | undefined): void {
  if (isCount(position?.revision) && isCount(position?.nonce) && (position?.nonce as number) < 2 ** 48) return;
  invalid(`${what} must be a position: a revision and a nonce of 48 bits, not ${JSON.stringify(position)}`);
}

export function checkToken(token: unknown): void {
  if (!isCount(token) || (token as number) >= floorOf(EPOCHS)) invalid(`a token is a whole number from 0 to 2^52, not ${String(token)}`);
}

export function checkExpiry(expiry: Expiry | undefined): void {
  if (expiry === undefined) return;
  for (const name of ['idleMs', 'ageMs'] as const) {
    const ms = expiry?.[name];
    if (ms === undefined || (Number.isFinite(ms) && ms > 0)) continue;
    invalid(`${name} must be a number of milliseconds above 0, or undefined for no such expiry, not ${String(ms)}`);
  }
}

function checkTerms(terms: readonly string[] | undefined): void {
  const isTerm = (term: unknown): boolean => typeof term === 'string' && term !== '' && term.isWellFormed() && Buffer.byteLength(term) <= 64;
  if (terms !== undefined && !(Array.isArray(terms) && terms.every(isTerm))) invalid('terms are strings of 1 to 64 bytes');
}

export function checkOwner({ member, ticket }: LockOwner): void {
  if (typeof member !== 'string' || member === '') invalid('a lock is asked for by the member that join named');
  if (!isCount(ticket)) invalid(`a ticket is a whole number from 0, not ${String(ticket)}`);
}

export function checkAcquire(request: Acquire): void {
  checkOwner(request);
  const { leaseMs } = request;
  if (!Number.isFinite(leaseMs) || leaseMs <= 0) invalid(`leaseMs must be a number of milliseconds above 0, not ${String(leaseMs)}`);
}

export function checkFlag(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') invalid(`${name} must be true or false, not ${String(value)}`);
}

export function checkRead({ since, kept, limitBytes }: ReadRequest): void {
  checkPosition('since', since);
  checkFlag('kept', kept);
  if (limitBytes !== undefined && !(limitBytes >= 0)) invalid(`limitBytes must be a number from 0, not ${String(limitBytes)}`);
}

export function checkTouch({ token, expiry }: Touch): void {
  checkToken(token);
  checkExpiry(expiry);
}

export function checkAppend(id: string, append: Append, can: Capabilities): void {
  const { parent, position, kind, under, begins } = append;
  checkPosition('parent', parent);
  checkPosition('position', position);
  checkBytes(append.bytes);
  const session = `session '${shortId(id)}'`;
  if (position.revision !== parent.revision + 1) invalid(`${session}: revision ${position.revision} does not follow ${parent.revision}`);
  if (!['delta', 'snapshot', 'end'].includes(kind)) invalid(`${session}: there is no record of the kind '${String(kind)}'`);
  if (parent.revision === 0 && kind !== 'snapshot') invalid(`${session}: the first record must be a snapshot`);
  checkFlag('begins', begins);
  if (begins === true && kind !== 'snapshot') invalid(`${session}: only a snapshot begins a session, this is of the kind '${kind}'`);
  if (begins === false && parent.revision === 0) invalid(`${session}: the first record begins it`);
  if (typeof under === 'object') checkAcquire(under);
  else checkToken(under);
  if (append.first !== undefined && !isCount(append.first)) invalid(`first must be a revision, not ${String(append.first)}`);
  if (append.createdAt !== undefined && !Number.isFinite(append.createdAt)) invalid(`createdAt must be a time in ms, not ${String(append.createdAt)}`);
  checkExpiry(append.expiry);
  checkTerms(append.terms);
  checkDurability(append.durability, can);
}

function checkBytes(bytes: Uint8Array): void {
  if (!(bytes instanceof Uint8Array)) invalid('a record is a Uint8Array');
}

function checkDurability(durability: Durability | undefined, can: Capabilities): void {
  if (durability === undefined) return;
  const level = typeof durability === 'object' ? 'replicas' : durability;
  if (!can.durability.includes(level)) {
    const levels = can.durability.join(' or ');
    invalid(`this store's appends can be durable as ${levels}, not as ${String(level)}: choose one that store.can.durability names`);
  }
  if (typeof durability === 'object' && !isCount(durability.replicas, 1)) {
    invalid(`replicas must be a whole number from 1, not ${String(durability.replicas)}`);
  }
}

export function checkImage(id: string, { records, createdAt, expiry, terms, token }: SessionImage, expected: Position | undefined): void {
  const session = `session '${shortId(id)}'`;
  const oldest = records[0];
  if (oldest === undefined || oldest.kind === 'delta' || (oldest.kind === 'end' && records.length > 1)) {
    invalid(`${session}: an image begins with a snapshot, or is an end alone`);
  }
  records.forEach(({ position, kind, bytes }, index) => {
    checkPosition('the position of a record', position);
    checkBytes(bytes);
    if (position.revision !== oldest.position.revision + index || position.revision === 0) {
      invalid(`${session}: the records of an image follow each other, from revision 1 or later`);
    }
    if (kind === 'end' && index < records.length - 1) invalid(`${session}: nothing follows the end in an image`);
  });
  if (!Number.isFinite(createdAt)) invalid(`${session}: createdAt must be a time in ms, not ${String(createdAt)}`);
  checkExpiry(expiry);
  checkTerms(terms);
  checkToken(token);
  if (expected !== undefined) checkPosition('expected', expected);
}

export function checkLimit(limit: number): void {
  if (!isCount(limit, 1)) invalid(`limit must be a whole number from 1, not ${String(limit)}`);
}

export function checkMs(name: string, ms: number): void {
  if (typeof ms !== 'number' || !(ms >= 0)) invalid(`${name} must be a number of milliseconds, not ${String(ms)}`);
}

export function checkAbove(above: number): void {
  if (!isCount(above)) invalid(`promote takes the epoch to go above, a whole number, not ${String(above)}`);
}
