import type { Holder, Waiter } from './lock-row.ts';
import { checkRow, damagedRow } from './row.ts';
import type { Row } from './row.ts';

/** Version of the text; the first entry. */
const FORMAT = 1;
const ENTRIES = 18;

/**
 * A row as text, where a store keeps it as such: a JSON array without names, for each append writes it. Its entries:
 * format, revision, nonce, ended (0 or 1), first, snapshot, snapshotBytes, deltaBytes, createdAt, usedAt, idleMs,
 * ageMs, terms, token, holder (member, ticket, leaseMs, leaseUntil, recalledAt), queue (of member, ticket, leaseMs,
 * until), boot, lookedAt. What is absent is null.
 */
export function writeRow(row: Row): string {
  const { token, holder, queue } = row.lock;
  return JSON.stringify([
    FORMAT,
    row.revision,
    row.nonce,
    row.ended ? 1 : 0,
    row.first,
    row.snapshot,
    row.snapshotBytes,
    row.deltaBytes,
    row.createdAt,
    row.usedAt,
    row.expiry.idleMs,
    row.expiry.ageMs,
    row.terms,
    token,
    holder && [holder.member, holder.ticket, holder.leaseMs, holder.leaseUntil, holder.recalledAt],
    queue.map(({ member, ticket, leaseMs, until }) => [member, ticket, leaseMs, until]),
    row.boot,
    row.lookedAt,
  ]);
}

/** Throws `ERR_CORRUPT`. */
export function readRow(id: string, text: string): Row {
  const found = parse(id, text);
  if (!Array.isArray(found)) throw damagedRow(id, 'no array');
  const entries = (found as unknown[]).map((entry) => entry ?? undefined);
  if (entries[0] !== FORMAT) throw damagedRow(id, `format ${String(entries[0])} where ${FORMAT} is read`);
  if (entries.length !== ENTRIES) throw damagedRow(id, `${entries.length} entries`);
  const [
    ,
    revision,
    nonce,
    ended,
    first,
    snapshot,
    snapshotBytes,
    deltaBytes,
    createdAt,
    usedAt,
    idleMs,
    ageMs,
    terms,
    token,
    holder,
    queue,
    boot,
    lookedAt,
  ] = entries;
  const expiry = { ...(idleMs !== undefined && { idleMs }), ...(ageMs !== undefined && { ageMs }) };
  const lock = {
    token,
    ...(holder !== undefined && { holder: readHolder(holder) }),
    queue: Array.isArray(queue) ? queue.map(readWaiter) : queue,
  };
  const rest = { ...(boot !== undefined && { boot }), ...(lookedAt !== undefined && { lookedAt }) };
  return checkRow(id, {
    revision,
    nonce,
    ended: readFlag(ended),
    first,
    snapshot,
    snapshotBytes,
    deltaBytes,
    createdAt,
    usedAt,
    expiry,
    terms,
    lock,
    ...rest,
  });
}

const readFlag = (value: unknown): unknown => (value === 0 ? false : value === 1 ? true : value);

function readHolder(entries: unknown): Partial<Holder> {
  const [member, ticket, leaseMs, leaseUntil, recalledAt] = Array.isArray(entries) ? (entries as never[]) : [];
  return {
    member,
    ticket,
    leaseMs,
    leaseUntil,
    ...((recalledAt ?? undefined) !== undefined && { recalledAt }),
  } as Partial<Holder>;
}

function readWaiter(entries: unknown): Partial<Waiter> {
  const [member, ticket, leaseMs, until] = Array.isArray(entries) ? (entries as never[]) : [];
  return { member, ticket, leaseMs, until } as Partial<Waiter>;
}

function parse(id: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw damagedRow(id, 'no JSON');
  }
}
