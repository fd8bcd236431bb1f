/** Logs below this are left to grow: a snapshot of a small session costs about as much as a few of its deltas. */
export const SMALLEST_LOG_BYTES = 4096;

/**
 * Whether the next record should be a snapshot: when the deltas would outweigh max(last snapshot, 4 KB). Each byte of a
 * delta is then paid for at most twice, and reading a session costs at most two snapshots.
 */
export function compactionDue(log: { readonly snapshotBytes: number; readonly deltaBytes: number }, nextDeltaBytes: number): boolean {
  return log.deltaBytes + nextDeltaBytes > Math.max(log.snapshotBytes, SMALLEST_LOG_BYTES);
}
