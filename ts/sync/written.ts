import { weightOf } from '../log/compaction.ts';
import { encodeRecord } from '../log/record.ts';
import type { LogRecord, RecordParent } from '../log/record.ts';
import type { Append, Expiry } from '../store/store.ts';
import type { Token } from '../token.ts';
import type { Line } from './line.ts';
import type { Replica } from './replica.ts';

/** A record that is ready to be appended, and the head that it yields. */
export interface Written {
  readonly append: Append & { readonly under: Token };
  readonly head: RecordParent;
  /** See `compactionDue`. */
  readonly weight: number;
  /** Backups must have this session first. */
  readonly after?: string | undefined;
}

/** Makes the record that follows the replica's head, and the append that takes it to the primary. */
export function write(
  line: Line,
  replica: Replica,
  content: Pick<LogRecord, 'kind' | 'body' | 'digest'>,
  token: Token,
  lock: 'renew' | 'leave' | 'release',
  more?: Pick<Append, 'expiry' | 'createdAt'>,
): Written {
  const parent = replica.head;
  const { kind, body, digest } = content;
  const revision = parent.revision + 1;
  const nonce = line.draws.nonce();
  const time = Math.round(line.time.stamp());
  // Named one by one, here and wherever each save comes by: to spread objects of several shapes into one takes as long
  // as the rest.
  const record = { kind, revision, nonce, parentNonce: parent.nonce, time, token, digest, body };
  const bytes = encodeRecord(replica.id, record, parent, line.compress);
  const append: Written['append'] = {
    parent: { revision: parent.revision, nonce: parent.nonce },
    position: { revision, nonce },
    kind: kind === 'delta' || kind === 'snapshot' ? kind : 'end',
    bytes,
    begins: !replica.exists,
    under: token,
    expiry: newRule(line, replica),
    lock,
    ...more,
  };
  return { append, head: { revision, nonce, time, token }, weight: weightOf(body.length) };
}

/** The rule travels when it is new: a store keeps what it was told. */
const newRule = ({ expiry }: Line, replica: Replica): Expiry | undefined =>
  expiry === undefined ||
  (replica.exists && expiry.idleMs === replica.expiry.idleMs && expiry.ageMs === replica.expiry.ageMs)
    ? undefined
    : expiry;
