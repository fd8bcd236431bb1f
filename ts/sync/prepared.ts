import { encodeDeltaBody, encodeSnapshotBody } from '../log/body.ts';
import { compactionDue, weightOf } from '../log/compaction.ts';
import type { Staged } from '../log/image.ts';
import { regain } from './base.ts';
import { NOTHING, capture, differenceOf, lacksBase, withBases } from './compare.ts';
import type { Difference, Tracked } from './compare.ts';
import type { OnSilence } from './commit.ts';
import type { Line } from './line.ts';
import type { Replica } from './replica.ts';

/** What a save is made of, before anything is written. */
export interface Prepared {
  readonly difference: Difference;
  readonly staged: Staged;
  readonly kind: 'delta' | 'snapshot';
  readonly body: Uint8Array;
}

/**
 * Undefined: nothing differs. What was touched is encoded at once, and no promise given but where bytes must be read that
 * the image has let go. Changes nothing but what `tracked` does itself.
 */
export function prepare(
  line: Line,
  replica: Replica,
  tracked: Tracked,
  create: boolean,
  silence: OnSilence,
): Prepared | undefined | Promise<Prepared> {
  const { image } = replica;
  const captured = capture(line, image, tracked);
  if (captured === undefined) return replica.exists || !create ? undefined : staged(line, replica, NOTHING, silence);
  if (lacksBase(captured))
    return regain(line, replica, silence).then(() => {
      // The session's values may be others by now: nothing is told of these.
      return staged(line, replica, differenceOf(line, image, withBases(captured, image)), silence);
    });
  const difference = differenceOf(line, image, captured);
  for (const [name, { bytes }] of difference.values) tracked.encoded?.(name, bytes);
  return staged(line, replica, difference, silence);
}

function staged(
  line: Line,
  replica: Replica,
  difference: Difference,
  silence: OnSilence,
): Prepared | Promise<Prepared> {
  const { image } = replica;
  const { directory, directoryDelta, changes, values } = difference;
  const staging = image.stage(directory, values);
  const delta = encodeDeltaBody(directory ?? image.directory, directoryDelta, changes);
  const asDelta: Prepared = { difference, staged: staging, kind: 'delta', body: delta };
  const asSnapshot = (): Prepared => ({ ...asDelta, kind: 'snapshot', body: encodeSnapshotBody(image, staging) });
  if (replica.exists && !compactionDue(replica, weightOf(delta.length))) return asDelta;
  if (image.isWholeWith(staging)) return asSnapshot();
  // Where the session has gone on without us the append is refused, whatever it is; here the log is shortened later.
  return regain(line, replica, silence).then((isHere) => (isHere ? asSnapshot() : asDelta));
}
