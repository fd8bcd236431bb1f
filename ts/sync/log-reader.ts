import type { LogReader } from '../backup/copy.ts';
import { NO_PARENT, corrupt, decodeRecord } from '../log/record.ts';
import type { LogRecord, RecordParent } from '../log/record.ts';
import { samePosition } from '../position.ts';
import type { Head, ImageRecord, Tail } from '../store/store.ts';
import { checkPlace, take } from './pull.ts';
import type { PullLine } from './pull.ts';
import { Replica } from './replica.ts';

/** Reads records for backups, which take only what has been checked. */
export function logReader(line: Omit<PullLine, 'store' | 'call'>): LogReader {
  return {
    whole: (id, tail) => {
      take(line, new Replica(id), tail);
      return chain(line, id, undefined, tail);
    },
    // Times and tokens in these records are differences to the parent's, which is not known here; nor are they asked
    // for.
    after: (id, since, tail) => chain(line, id, { ...NO_PARENT, time: SOME_TIME, ...since }, tail),
  };
}

/** Far from both ends: a record may have been written by a clock that was behind its parent's. */
const SOME_TIME = 2 ** 47;

function chain(
  { limitBytes }: Pick<PullLine, 'limitBytes'>,
  id: string,
  since: RecordParent | undefined,
  tail: Tail,
): ImageRecord[] {
  const { position: head, state } = tail.head as Head;
  let parent = since;
  let revision = since?.revision ?? head.revision - tail.records.length;
  const records = tail.records.map((bytes) => {
    const record = decodeRecord(id, bytes, parent, (revision += 1), limitBytes);
    if (state === 'live') checkPlace(id, record, revision, parent);
    parent = record;
    return { position: { revision: record.revision, nonce: record.nonce }, kind: kindOf(record), bytes };
  });
  if (parent === undefined || !samePosition(parent, head))
    throw corrupt(id, head.revision, 'the head names a record that the log does not have');
  return records;
}

const kindOf = ({ kind }: LogRecord): ImageRecord['kind'] => (kind === 'delta' || kind === 'snapshot' ? kind : 'end');
