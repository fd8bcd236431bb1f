import type { Token } from '../token.ts';
import type { Acquire, Grant, LockOwner, LockView } from './lock.ts';

/**
 * A session's member lock as a store keeps it. Transitions are pure, so that every store locks alike. Times are of the
 * monotonic clock, in ms.
 */
export interface LockRow {
  token: Token;
  holder?: Holder | undefined;
  queue: Waiter[];
}

export interface Holder {
  readonly member: string;
  readonly ticket: number;
  readonly leaseMs: number;
  leaseUntil: number;
  /** When another first asked. */
  recalledAt?: number | undefined;
}

export interface Waiter {
  readonly member: string;
  ticket: number;
  leaseMs: number;
  /** The place is forfeit then, unless the waiter asks again. */
  until: number;
}

/** A hint that the store is to send once the transition is committed. */
export interface Notice {
  readonly kind: 'recall' | 'grant';
  readonly member: string;
  readonly token: Token;
}

export interface LockOutcome {
  readonly granted: boolean;
  /** False: there is nothing to write. */
  readonly changed: boolean;
  /** When to ask again, where it was not granted. */
  readonly retryMs: number;
  readonly notices: Notice[];
}

export const emptyLock = (token: Token): LockRow => ({ token, holder: undefined, queue: [] });

/**
 * A recall may take this long before a lapsed lease is taken: the holder may be at work and only has not been asked
 * yet.
 */
const recallMs = (holder: Holder): number => Math.min(250, holder.leaseMs / 4);
const takeableAt = (holder: Holder, now: number): number =>
  Math.max(holder.leaseUntil, (holder.recalledAt ?? now) + recallMs(holder));
const isTakeable = (holder: Holder, now: number): boolean => now >= takeableAt(holder, now);
const placeOf = (row: LockRow, member: string): Waiter | undefined =>
  row.queue.find((waiter) => waiter.member === member);

/**
 * No lease is granted for so much longer than it was asked for: it is of another run of the machine, and over. Cut to
 * one lease ahead each time that it is looked at, it would not end before that run's time is reached.
 */
const FAR_MS = 10_000;
const isFar = (until: number, leaseMs: number, now: number): boolean => until > now + leaseMs + FAR_MS;

/**
 * The lock as it is now: places that were not asked for are gone, so is a holder of a former epoch. Times of another
 * run of the machine, or nonsense, block for one lease at most.
 */
export function settleLock(row: LockRow, floor: Token, now: number): void {
  if (row.token < floor) {
    row.token = floor;
    row.holder = undefined;
  }
  if (row.holder !== undefined) {
    const { leaseUntil, leaseMs, recalledAt } = row.holder;
    row.holder.leaseUntil = Math.min(leaseUntil, now + leaseMs);
    if (isFar(leaseUntil, leaseMs, now)) row.holder.leaseUntil = now;
    if (recalledAt !== undefined) row.holder.recalledAt = Math.min(recalledAt, now);
  }
  row.queue = row.queue.filter(({ until, leaseMs }) => until > now && !isFar(until, leaseMs, now));
  for (const waiter of row.queue) waiter.until = Math.min(waiter.until, now + waiter.leaseMs);
}

export function requestLock(row: LockRow, request: Acquire, now: number): LockOutcome {
  const { member, ticket } = request;
  const { holder } = row;
  const own = holder?.member === member ? holder : placeOf(row, member);
  if (own !== undefined && ticket < own.ticket) {
    return { granted: false, changed: false, retryMs: retryMs(row, request, now), notices: [] };
  }
  if (holder?.member !== member) return contend(row, request, now);
  if (isTakeable(holder, now) && row.queue.length > 0) return contend(row, request, now);
  return confirm(row, holder, request, now);
}

/** The holder asks: for its grant once more, or for a new one. */
function confirm(row: LockRow, holder: Holder, request: Acquire, now: number): LockOutcome {
  const leftMs = holder.leaseUntil - now;
  const same = request.ticket === holder.ticket && leftMs > 0;
  if (!same) {
    grant(row, request, now);
    if (row.holder?.recalledAt !== undefined) row.holder.recalledAt = holder.recalledAt ?? now;
  } else if (leftMs <= holder.leaseMs / 2) holder.leaseUntil = now + holder.leaseMs;
  return { granted: true, changed: !same || holder.leaseUntil - now !== leftMs, retryMs: 0, notices: [] };
}

function contend(row: LockRow, request: Acquire, now: number): LockOutcome {
  const { member, wait } = request;
  const notices: Notice[] = [];
  if (row.holder !== undefined && isTakeable(row.holder, now)) row.holder = undefined;
  const free = row.holder === undefined;
  // Who only tries gets no place: it takes a free lock that nobody waits for.
  if (wait || (free && (row.queue.length === 0 || placeOf(row, member) !== undefined))) seat(row, request, now);
  if (free) grantNext(row, now, notices, member);
  const holder = row.holder as Holder;
  if (holder.member === member) return { granted: true, changed: true, retryMs: 0, notices };
  const recalls = wait || now >= holder.leaseUntil;
  if (recalls) {
    holder.recalledAt ??= now;
    notices.push({ kind: 'recall', member: holder.member, token: row.token });
  }
  return { granted: false, changed: free || recalls, retryMs: retryMs(row, request, now), notices };
}

/** Early enough to keep one's place. */
function retryMs(row: LockRow, { leaseMs, wait }: Acquire, now: number): number {
  const takeableMs = row.holder === undefined ? 0 : Math.max(0, takeableAt(row.holder, now) - now);
  return wait ? Math.min(takeableMs, leaseMs / 2) : takeableMs;
}

function seat(row: LockRow, { member, ticket, leaseMs }: Acquire, now: number): void {
  const place = placeOf(row, member);
  if (place === undefined) row.queue.push({ member, ticket, leaseMs, until: now + leaseMs });
  else Object.assign(place, { ticket, leaseMs, until: now + leaseMs });
}

/** Who is granted a lock that others want learns so from `wanted`: it counts as recalled. */
function grant(row: LockRow, { member, ticket, leaseMs }: LockOwner & { readonly leaseMs: number }, now: number): void {
  row.token += 1;
  const recalledAt = row.queue.length > 0 ? now : undefined;
  row.holder = { member, ticket, leaseMs, leaseUntil: now + leaseMs, recalledAt };
}

/** Grants to the first waiter. The one that asked (`self`) needs no hint. */
function grantNext(row: LockRow, now: number, notices: Notice[], self?: string): void {
  const waiter = row.queue.shift();
  if (waiter === undefined) return;
  grant(row, waiter, now);
  if (waiter.member !== self) notices.push({ kind: 'grant', member: waiter.member, token: row.token });
}

export const isHeldUnder = (row: LockRow, token: Token): boolean => row.holder !== undefined && row.token === token;

export function renewLock(row: LockRow, now: number): void {
  if (row.holder !== undefined) row.holder.leaseUntil = now + row.holder.leaseMs;
}

/** Ends the grant, if there is one, and outdates its token; the next in the queue gets the lock. */
export function releaseLock(row: LockRow, now: number): Notice[] {
  row.holder = undefined;
  row.token += 1;
  const notices: Notice[] = [];
  grantNext(row, now, notices);
  return notices;
}

/** Ends what `member` has or waits for up to its ticket. Undefined: nothing changed. */
export function leaveLock(row: LockRow, { member, ticket }: LockOwner, now: number): Notice[] | undefined {
  if (row.holder?.member === member && row.holder.ticket <= ticket) return releaseLock(row, now);
  const left = row.queue.filter((waiter) => waiter.member !== member || waiter.ticket > ticket);
  if (left.length === row.queue.length) return undefined;
  row.queue = left;
  return [];
}

/** Nobody has a lease or a place. */
export function isIdle({ holder, queue }: LockRow, now: number): boolean {
  return queue.length === 0 && (holder === undefined || holder.leaseUntil <= now);
}

/** Others queue. */
export const isWanted = (row: LockRow | undefined): boolean => row !== undefined && row.queue.length > 0;

/** What a holder is told whose lock is taken away. */
export const recallOf = (row: LockRow | undefined): Notice[] =>
  row?.holder === undefined ? [] : [{ kind: 'recall', member: row.holder.member, token: row.token }];

/** The grant of the holder. */
export function grantOf({ token, holder, queue }: LockRow, now: number): Grant {
  return { token, leaseLeftMs: (holder?.leaseUntil ?? now) - now, wanted: queue.length > 0 };
}

export function lockView({ holder, queue }: LockRow, now: number): LockView {
  const held = holder && {
    member: holder.member,
    leaseLeftMs: holder.leaseUntil - now,
    recalled: holder.recalledAt !== undefined,
  };
  return {
    ...(held && { holder: held }),
    queue: queue.map(({ member, until }) => ({ member, leftMs: until - now })),
  };
}

export function copyLock({ token, holder, queue }: LockRow): LockRow {
  return { token, holder: holder && copyHolder(holder), queue: queue.map((waiter) => ({ ...waiter })) };
}

/** Named one by one, as in `copyRow`. */
const copyHolder = ({ member, ticket, leaseMs, leaseUntil, recalledAt }: Holder): Holder => ({
  member,
  ticket,
  leaseMs,
  leaseUntil,
  recalledAt,
});
