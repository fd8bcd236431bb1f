import { floorOf } from '../token.ts';
import type { Token } from '../token.ts';
import type { Draft, Marks, View } from './backend.ts';
import { settleLock } from './lock-row.ts';
import type { Row } from './row.ts';

/** The times of one call, in ms. */
export interface Moment {
  /** Leases and sweeps. */
  readonly monotonic: number;
  /** The wall clock that expiries are judged by. */
  readonly wall: number;
  /** The wall clock that uses are noted by. */
  readonly stamp: number;
  /** The machine's run, where it can be told. */
  readonly boot: string | undefined;
}

/** The token of an id that has no row: above all that were granted before it was swept. */
export const birthToken = ({ epoch, births }: Marks): Token => Math.max(floorOf(epoch), births);

/**
 * The row as it is now: its token is at the epoch's floor at least, its lock has lost what lapsed with time or a
 * restart.
 */
export function rowAt(view: View, id: string, moment: Moment): Row | undefined {
  const row = view.row(id);
  if (row === undefined) return undefined;
  if (row.boot !== moment.boot) {
    row.lock.holder = undefined;
    row.lock.queue = [];
    row.lookedAt = undefined;
  }
  settleLock(row.lock, floorOf(view.marks().epoch), moment.monotonic);
  return row;
}

/** Whoever writes a row has a use for it: the sweep looks twice again. */
export function putUsed(draft: Draft, row: Row, { boot }: Moment): void {
  row.boot = boot;
  row.lookedAt = undefined;
  draft.putRow(row);
}
