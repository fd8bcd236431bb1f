import { ORIGIN, samePosition } from '../position.ts';
import type { Position } from '../position.ts';
import { corrupt, decodeRecord } from '../log/record.ts';
import { Image } from '../log/image.ts';
import type { Tail } from '../store/store.ts';
import type { Line } from './line.ts';
import { Replay } from './replay.ts';
import type { Replica } from './replica.ts';

/** What a pull did to the replica: nothing, some attributes, or everything. */
export type Pulled = ReadonlySet<string> | 'all';

/**
 * Brings a replica up to the primary: reads what came after its revision (unless the lock's grant has brought it already),
 * checks that each record follows the one before, and applies them. The replica is as before if anything fails.
 */
export async function pull(line: Line, replica: Replica, granted?: Tail): Promise<Pulled> {
  const askedAt = line.clock.monotonic();
  const tail = granted ?? (await line.store.read(replica.id, replica.image.position));
  if (tail.head === undefined || tail.head.destroyed) return empty(replica, tail);
  const expiresAt = tail.head.ttlLeftMs === undefined ? Infinity : askedAt + tail.head.ttlLeftMs;
  if (tail.records.length === 0) {
    if (!samePosition(tail.head.position, replica.image.position)) throw corrupt(replica.id, tail.head.position.revision, 'the log is missing');
    replica.stale = false;
    replica.expiresAt = expiresAt;
    return new Set();
  }

  // A log read whole replaces what is here: the replica's branch has been outdated, compacted away, or is no branch at all.
  const image = tail.whole ? new Image() : replica.image;
  const replay = new Replay(replica.id, image, line.differ, line.limitBytes);
  let parent: Position = tail.whole ? beforeFirst(replica.id, tail) : image.position;
  for (const bytes of tail.records) {
    const record = decodeRecord(replica.id, bytes, parent.revision + 1);
    if (record.revision !== parent.revision + 1 || record.parentNonce !== parent.nonce) {
      throw corrupt(replica.id, parent.revision + 1, `the record found there is revision ${record.revision} and does not follow`);
    }
    replay.add(record);
    parent = { revision: record.revision, nonce: record.nonce };
  }
  if (!samePosition(parent, tail.head.position)) {
    throw corrupt(replica.id, tail.head.position.revision, 'the head names a record that the log does not have');
  }
  const changed = replay.finish();

  replica.image = image;
  replica.snapshotBytes = tail.head.snapshotBytes;
  replica.deltaBytes = tail.head.deltaBytes;
  replica.destroyed = false;
  replica.stale = false;
  replica.expiresAt = expiresAt;
  return tail.whole ? 'all' : changed;
}

function empty(replica: Replica, tail: Tail): Pulled {
  const before = replica.image.position;
  replica.image = new Image();
  replica.snapshotBytes = 0;
  replica.deltaBytes = 0;
  replica.destroyed = tail.head?.destroyed === true;
  replica.stale = false;
  replica.expiresAt = Infinity;
  return samePosition(before, ORIGIN) ? new Set() : 'all';
}

/** A snapshot stands alone: its own word is taken for the parent that is gone. */
function beforeFirst(id: string, tail: Tail): Position {
  const bytes = tail.records[0] as Uint8Array;
  const revision = (tail.head?.position.revision ?? 0) - tail.records.length + 1;
  const record = decodeRecord(id, bytes, revision);
  if (record.kind !== 'snapshot') throw corrupt(id, record.revision, 'the log does not begin with a snapshot');
  return { revision: record.revision - 1, nonce: record.parentNonce };
}
