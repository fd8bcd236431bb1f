/** Logs below this are left to grow: a snapshot of a small session costs about as much as a few of its deltas. */
export const SMALLEST_LOG_BYTES = 4096;

/** Bytes of a delta record beside its body, about. */
const ENVELOPE_BYTES = 20;

/** What a record counts in its log: uncompressed, since that is what a reader has to work through. */
export const weightOf = (bodyBytes: number): number => bodyBytes + ENVELOPE_BYTES;

/**
 * Whether the next record should be a snapshot: when the deltas would outweigh max(last snapshot, 4 KB). Each byte of a
 * delta is then paid for at most twice, and reading a session costs at most two snapshots. All in bytes of bodies,
 * uncompressed: how well something compresses must not decide how much a reader has to apply.
 */
export function compactionDue(
  log: { readonly snapshotBytes: number; readonly deltaBytes: number },
  nextWeight: number,
): boolean {
  return log.deltaBytes + nextWeight > Math.max(log.snapshotBytes, SMALLEST_LOG_BYTES);
}
