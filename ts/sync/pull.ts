import { ORIGIN, samePosition } from '../position.ts';
import { decodeAliasBody } from '../log/body.ts';
import { NO_PARENT, corrupt, decodeRecord } from '../log/record.ts';
import type { LogRecord, RecordParent } from '../log/record.ts';
import { weightOf } from '../log/compaction.ts';
import { Image } from '../log/image.ts';
import type { Head, Store, Tail } from '../store/store.ts';
import { readTail } from '../store/tail.ts';
import type { Line } from './line.ts';
import { Replay } from './replay.ts';
import { parentOf } from './replica.ts';
import type { Replica } from './replica.ts';

/** What a pull did to the replica: nothing, some attributes, or everything. */
export type Pulled = ReadonlySet<string> | 'all';

const NOTHING: ReadonlySet<string> = new Set();

/** What a pull needs of the line. */
export type PullLine = Pick<Line, 'differ' | 'limitBytes' | 'clock' | 'time' | 'call'> & {
  readonly store: Pick<Store, 'read'>;
};

/**
 * Brings a replica up to the primary: reads what came after its revision (unless the lock's grant has brought it
 * already), checks that each record follows the one before, and applies them. Where its image has let go of bytes, all
 * of it is read, unless the grant has said that nothing came. The replica is as before if anything fails.
 */
export async function pull(line: PullLine, replica: Replica, granted?: Tail): Promise<Pulled> {
  const askedAt = line.clock.monotonic();
  const { isWhole } = replica.image;
  const isEnough = granted !== undefined && (isWhole || granted.whole || granted.records.length === 0);
  const since = isWhole ? replica.head : ORIGIN;
  const tail = await readTail(line.store, replica.id, since, line.call, isEnough ? granted : undefined);
  const pulled = take(line, replica, tail);
  replica.stale = false;
  if (tail.head?.state === 'live') replica.learnExpiry(askedAt, line.time.now(), tail.head);
  return pulled;
}

/** As `pull`, of what was read already. */
export function take(line: Omit<PullLine, 'store' | 'call'>, replica: Replica, { head, records, whole }: Tail): Pulled {
  if (head === undefined) return empty(replica, 'absent', NO_PARENT);
  if (head.state === 'expired') return empty(replica, 'expired', parentOf(head));
  if (head.state === 'ended') return takeEnd(line, replica, head, records);
  if (records.length === 0) {
    if (!samePosition(head.position, replica.head))
      throw corrupt(replica.id, head.position.revision, 'the log is missing');
    return NOTHING;
  }
  return replay(line, replica, head, records, whole);
}

function empty(replica: Replica, state: 'absent' | 'expired', head: RecordParent): Pulled {
  const before = replica.state;
  replica.clear(state, head);
  return before === 'live' ? 'all' : NOTHING;
}

function takeEnd(
  line: Pick<PullLine, 'limitBytes'>,
  replica: Replica,
  head: Head,
  records: readonly Uint8Array[],
): Pulled {
  const before = replica.state;
  const [last] = records.slice(-1);
  if (last === undefined && !samePosition(head.position, replica.head))
    throw corrupt(replica.id, head.position.revision, 'the log is missing');
  if (last !== undefined) {
    const record = decodeRecord(replica.id, last, undefined, head.position.revision, line.limitBytes);
    if (!samePosition(record, head.position))
      throw corrupt(replica.id, head.position.revision, 'the head names a record that the log does not have');
    replica.clear('ended', record);
    if (record.kind === 'alias')
      replica.alias = decodeAliasBody(record.body, (what) => {
        throw corrupt(replica.id, record.revision, what);
      });
  }
  return before === 'live' ? 'all' : NOTHING;
}

function replay(
  line: Pick<PullLine, 'limitBytes' | 'differ'>,
  replica: Replica,
  head: Head,
  records: readonly Uint8Array[],
  whole: boolean,
): Pulled {
  // A log read whole replaces what is here: the replica's branch has been outdated, compacted away, or is no branch at
  // all.
  const image = whole ? new Image() : replica.image;
  const replaying = new Replay(replica.id, image, line.differ, line.limitBytes);
  const weight = whole
    ? { snapshotBytes: 0, deltaBytes: 0 }
    : { snapshotBytes: replica.snapshotBytes, deltaBytes: replica.deltaBytes };
  let parent: RecordParent | undefined = whole ? undefined : replica.head;
  let revision = head.position.revision - records.length;
  for (const bytes of records) {
    const record: LogRecord = decodeRecord(replica.id, bytes, parent, (revision += 1), line.limitBytes);
    checkPlace(replica.id, record, revision, parent);
    replaying.add(record);
    if (record.kind === 'snapshot')
      Object.assign(weight, { snapshotBytes: weightOf(record.body.length), deltaBytes: 0 });
    else weight.deltaBytes += weightOf(record.body.length);
    parent = record;
  }
  if (parent === undefined || !samePosition(parent, head.position)) {
    throw corrupt(replica.id, head.position.revision, 'the head names a record that the log does not have');
  }
  const changed = replaying.finish();

  const { nonce, time, token } = parent;
  Object.assign(replica, weight, {
    image,
    state: 'live',
    alias: undefined,
    head: { revision: parent.revision, nonce, time, token },
  });
  return whole ? 'all' : changed;
}

/** By the primary's clock, as everybody else knows it: who made the session has it by its own. */
export async function createdAtOf({ store, call }: Line, { id, createdAt, createdAtTold }: Replica): Promise<number> {
  if (createdAtTold) return createdAt;
  const { head } = await store.read(id, { since: ORIGIN, limitBytes: 0 }, call);
  return head?.createdAt ?? createdAt;
}

/** Deltas are bound to their parents by their checksums; what stands alone says itself where it belongs. */
export function checkPlace(id: string, record: LogRecord, revision: number, parent: RecordParent | undefined): void {
  if (parent === undefined && record.kind !== 'snapshot')
    throw corrupt(id, revision, 'the log does not begin with a snapshot');
  if (record.revision !== revision || (parent !== undefined && record.parentNonce !== parent.nonce)) {
    throw corrupt(id, revision, `the record found there is revision ${record.revision} and does not follow`);
  }
}
