import { samePosition } from '../position.ts';
import type { Position } from '../position.ts';
import type { View } from './backend.ts';
import { leftMs, stateOf } from './expiry.ts';
import type { Moment } from './moment.ts';
import type { Row } from './row.ts';
import type { Head, ReadRequest, Tail } from './store.ts';

export const HEAD_ALONE = { limitBytes: 0 };

/** Undefined: the row is here for its lock alone. */
export function headOf(row: Row | undefined, { wall }: Moment): Head | undefined {
  if (row === undefined || row.revision === 0) return undefined;
  return {
    state: stateOf(row, wall),
    position: { revision: row.revision, nonce: row.nonce },
    token: row.lock.token,
    first: row.first,
    snapshot: row.snapshot,
    snapshotBytes: row.snapshotBytes,
    deltaBytes: row.deltaBytes,
    createdAt: row.createdAt,
    expiry: { ...row.expiry },
    leftMs: leftMs(row, wall),
  };
}

/** Whether the log has a record at this position. */
export function isKept(view: View, id: string, row: Row, { revision, nonce }: Position): boolean {
  return revision >= row.first && revision <= row.revision && view.record(id, revision)?.nonce === nonce;
}

/** What `since` lacks. */
export function tailOf(
  view: View,
  id: string,
  row: Row | undefined,
  { since, kept = false, limitBytes = Infinity }: ReadRequest,
  moment: Moment,
): Tail {
  const head = headOf(row, moment);
  if (row === undefined || head === undefined || head.state === 'expired') return { head, records: [], whole: true };
  const whole = !samePosition(head.position, since) && !isKept(view, id, row, since);
  const terms = whole && row.terms.length > 0 ? { terms: [...row.terms] } : {};
  if (limitBytes === 0) return { head, records: [], whole, ...terms };
  const records: Uint8Array[] = [];
  let last: Position | undefined;
  let bytes = 0;
  for (
    let revision = whole ? (kept ? row.first : row.snapshot) : since.revision + 1;
    revision <= row.revision;
    revision += 1
  ) {
    const record = view.record(id, revision);
    // a hole is left for the reader to find, by the parent that the next record names
    if (record === undefined) continue;
    bytes += record.bytes.length;
    if (last !== undefined && bytes > limitBytes) return { head, records, whole, next: last, ...terms };
    records.push(record.bytes);
    last = { revision, nonce: record.nonce };
  }
  return { head, records, whole, ...terms };
}
