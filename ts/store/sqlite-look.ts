import { HoldfastError } from '../errors.ts';
import type { View } from './backend.ts';
import { damagedRow } from './row.ts';

/** What a look through a store found; `faults`: none, or one line each. */
export interface StoreCheck {
  readonly sessions: number;
  readonly records: number;
  /** Of the records. */
  readonly bytes: number;
  readonly faults: readonly string[];
}

interface Content {
  readonly records: number;
  readonly bytes: number;
}

export function add(counts: { records: number; bytes: number }, { records, bytes }: Content): void {
  counts.records += records;
  counts.bytes += bytes;
}

/** Damage is what is looked for; all else ends the look. */
export function faultOf(error: unknown): string {
  if (error instanceof HoldfastError && error.code === 'ERR_CORRUPT') return error.message;
  throw error;
}

/** Throws where row and records are not what one of them says of the other. */
export function lookThrough(view: View, id: string): Content {
  const row = view.row(id);
  const seen = { records: 0, bytes: 0 };
  if (row === undefined) return seen; // gone meanwhile
  let nonce = 0;
  for (let revision = row.first; revision <= row.revision; revision += 1) {
    const record = view.record(id, revision);
    if (record === undefined) throw damagedRow(id, `record ${revision} of ${row.first} to ${row.revision} is missing`);
    nonce = record.nonce;
    add(seen, { records: 1, bytes: record.bytes.length });
  }
  if (nonce !== row.nonce) throw damagedRow(id, 'its last record is another than the one there');
  return seen;
}
