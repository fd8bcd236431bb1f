import { HoldfastError } from '../errors.ts';
import { EPOCHS, floorOf } from '../token.ts';
import type { Token } from '../token.ts';
import { copyLock, emptyLock } from './lock-row.ts';
import type { Holder, LockRow, Waiter } from './lock-row.ts';
import type { Expiry } from './store.ts';

/**
 * All that a store keeps of a session beside its records. Revision 0: it was never written and is here for its lock.
 */
export interface Row {
  revision: number;
  nonce: number;
  ended: boolean;
  /** Revision of the oldest record kept. */
  first: number;
  /** Revision of the latest record that stands alone: a snapshot, or the end. */
  snapshot: number;
  snapshotBytes: number;
  deltaBytes: number;
  /** Wall clock in ms, as the next. */
  createdAt: number;
  usedAt: number;
  expiry: Expiry;
  terms: readonly string[];
  lock: LockRow;
  /** The run of the machine that the lock's times and `lookedAt` were measured in; absent where nobody can tell. */
  boot?: string | undefined;
  /** Monotonic clock: when a sweep first saw that nobody needs it. */
  lookedAt?: number | undefined;
}

export interface StoredRecord {
  readonly nonce: number;
  readonly bytes: Uint8Array;
}

/** A row for an id that has none. */
export function newRow(token: Token): Row {
  return {
    revision: 0,
    nonce: 0,
    ended: false,
    first: 1,
    snapshot: 0,
    snapshotBytes: 0,
    deltaBytes: 0,
    createdAt: 0,
    usedAt: 0,
    expiry: {},
    terms: [],
    lock: emptyLock(token),
    boot: undefined,
    lookedAt: undefined,
  };
}

/**
 * A copy that may be changed while the other stays as it is: terms and rule are replaced, never changed. Its fields are
 * named one by one, for every call copies a row: rows come in several shapes, and to spread these takes five times as
 * long.
 */
export const copyRow = (row: Row): Row => ({
  revision: row.revision,
  nonce: row.nonce,
  ended: row.ended,
  first: row.first,
  snapshot: row.snapshot,
  snapshotBytes: row.snapshotBytes,
  deltaBytes: row.deltaBytes,
  createdAt: row.createdAt,
  usedAt: row.usedAt,
  expiry: row.expiry,
  terms: row.terms,
  lock: copyLock(row.lock),
  boot: row.boot,
  lookedAt: row.lookedAt,
});

/** The names of sessions in messages: ids are secrets. */
export const shortId = (id: string): string => (id.length > 8 ? `${id.slice(0, 8)}…` : id);

/** A row that was read back, checked in shape. Throws `ERR_CORRUPT`. */
export function checkRow(id: string, value: object): Row {
  const row = value as Row;
  const wrong = faultOf(row);
  if (wrong !== undefined) throw damagedRow(id, wrong);
  return row;
}

export function damagedRow(id: string, what: string): HoldfastError {
  const message = `session '${shortId(id)}': its row in the store is damaged (${what}); restore the session from a backup`;
  return new HoldfastError('ERR_CORRUPT', message, { session: id });
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isTime = (value: unknown): boolean => Number.isFinite(value);
const isRule = (value: unknown): boolean => value === undefined || (isTime(value) && (value as number) > 0);
const isOptional = (value: unknown, check: (value: unknown) => boolean): boolean => value === undefined || check(value);
const isText = (value: unknown): boolean => typeof value === 'string';

/** The name of the first field that is not as it should be. */
function faultOf(row: Row): string | undefined {
  const counts = ['revision', 'nonce', 'first', 'snapshot', 'snapshotBytes', 'deltaBytes'] as const;
  const count = counts.find((name) => !isCount(row[name]));
  if (count !== undefined) return count;
  if (typeof row.ended !== 'boolean') return 'ended';
  if (row.revision > 0 && (row.first < 1 || row.first > row.snapshot || row.snapshot > row.revision)) return 'first';
  if (!isTime(row.createdAt) || !isTime(row.usedAt) || !isOptional(row.lookedAt, isTime)) return 'times';
  if (!isObject(row.expiry) || !isRule(row.expiry.idleMs) || !isRule(row.expiry.ageMs)) return 'expiry';
  if (!Array.isArray(row.terms) || !row.terms.every(isText) || !isOptional(row.boot, isText)) return 'terms';
  return isLock(row.lock) ? undefined : 'lock';
}

function isLock(lock: LockRow): boolean {
  if (!isObject(lock) || !isCount(lock.token) || lock.token >= floorOf(EPOCHS)) return false;
  return Array.isArray(lock.queue) && lock.queue.every(isWaiter) && isOptional(lock.holder, isHolder);
}

function isOwner(value: unknown): value is Holder & Waiter {
  const { member, ticket, leaseMs } = (isObject(value) ? value : {}) as Partial<Holder>;
  return isText(member) && isCount(ticket) && isTime(leaseMs);
}
const isHolder = (value: unknown): boolean =>
  isOwner(value) && isTime(value.leaseUntil) && isOptional(value.recalledAt, isTime);
const isWaiter = (value: unknown): boolean => isOwner(value) && isTime(value.until);
