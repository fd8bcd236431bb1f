import type { LockRequest } from './store.ts';

/** A session's member lock as a store keeps it. Transitions are pure, so that every store locks alike. */
export interface LockRow {
  token: number;
  holder?: Holder;
  queue: Waiter[];
}

interface Holder {
  member: string;
  leaseMs: number;
  /** Store time in ms, as all times here. */
  leaseUntil: number;
  /** When another first asked. */
  recalledAt?: number;
}

interface Waiter {
  member: string;
  leaseMs: number;
  /** The place is forfeit then, unless the waiter asks again. */
  until: number;
}

/** A hint that the store is to send once the transition is committed. */
export interface Notice {
  readonly kind: 'recall' | 'grant';
  readonly member: string;
  readonly token: number;
}

export interface LockOutcome {
  /** The token, when `member` holds the lock after the request. */
  readonly token: number | undefined;
  readonly retryMs: number;
  readonly notices: Notice[];
}

/** A recall may take this long before a lapsed lease is taken: the holder may be at work and only has not been asked yet. */
const graceMs = (holder: Holder): number => Math.min(250, holder.leaseMs / 4);

export function emptyLockRow(): LockRow {
  return { token: 0, queue: [] };
}

export function requestLock(row: LockRow, request: LockRequest, now: number): LockOutcome {
  const { member, leaseMs } = request;
  const notices: Notice[] = [];
  if (row.holder?.member === member) return { token: row.token, retryMs: 0, notices }; // handed over to it
  enqueue(row, member, leaseMs, now);
  if (row.holder !== undefined && now >= takeableAt(row.holder, now)) delete row.holder;
  if (row.holder === undefined) grantNext(row, now, notices, member);
  const holder = row.holder as Holder | undefined;
  if (holder?.member === member) return { token: row.token, retryMs: 0, notices };
  if (!request.wait) row.queue = row.queue.filter((waiter) => waiter.member !== member);
  if (holder === undefined) return { token: undefined, retryMs: 0, notices };
  holder.recalledAt ??= now;
  notices.push({ kind: 'recall', member: holder.member, token: row.token });
  return { token: undefined, retryMs: takeableAt(holder, now) - now, notices };
}

/** The token must be the holder's. */
export function renewLock(row: LockRow, token: number, now: number): boolean {
  if (row.holder === undefined || row.token !== token) return false;
  row.holder.leaseUntil = now + row.holder.leaseMs;
  return true;
}

/** Returns the notices; undefined when `token` is not the holder's and nothing changed. */
export function releaseLock(row: LockRow, token: number, now: number): Notice[] | undefined {
  if (row.holder === undefined || row.token !== token) return undefined;
  delete row.holder;
  row.token += 1;
  const notices: Notice[] = [];
  grantNext(row, now, notices);
  return notices;
}

/** Returns the notices; undefined when nothing changed. */
export function leaveLockQueue(row: LockRow, member: string, now: number): Notice[] | undefined {
  if (row.holder?.member === member) return releaseLock(row, row.token, now);
  const left = row.queue.filter((waiter) => waiter.member !== member);
  if (left.length === row.queue.length) return undefined;
  row.queue = left;
  return [];
}

function takeableAt(holder: Holder, now: number): number {
  return Math.max(holder.leaseUntil, (holder.recalledAt ?? now) + graceMs(holder));
}

function enqueue(row: LockRow, member: string, leaseMs: number, now: number): void {
  row.queue = row.queue.filter((waiter) => waiter.until > now || waiter.member === member);
  const place = row.queue.find((waiter) => waiter.member === member);
  if (place === undefined) row.queue.push({ member, leaseMs, until: now + leaseMs });
  else place.until = now + leaseMs;
}

/** Grants to the first waiter that is alive. The one that asked (`self`) needs no hint. */
function grantNext(row: LockRow, now: number, notices: Notice[], self?: string): void {
  for (let waiter = row.queue.shift(); waiter !== undefined; waiter = row.queue.shift()) {
    if (waiter.until <= now) continue;
    row.token += 1;
    row.holder = { member: waiter.member, leaseMs: waiter.leaseMs, leaseUntil: now + waiter.leaseMs };
    if (row.queue.length > 0) row.holder.recalledAt = now; // it learns so from `wanted`
    if (waiter.member !== self) notices.push({ kind: 'grant', member: waiter.member, token: row.token });
    return;
  }
}
