import type { Change } from '../graph/changes.ts';
import type { AttributeChange } from '../log/body.ts';
import { encodeRecord } from '../log/record.ts';
import type { Path } from '../path.ts';
import type { Tracked } from './compare.ts';
import type { Line } from './line.ts';
import { failing } from './commit.ts';
import { prepare } from './prepared.ts';
import type { Prepared } from './prepared.ts';
import type { Replica } from './replica.ts';
import { Told } from './told.ts';

/** What a save would do. */
export interface PushExplanation {
  readonly kind: 'delta' | 'snapshot' | 'nothing';
  /** Of the record, if it were written now: another time or nonce may take a few bytes more or fewer. */
  readonly bytes: number;
  /** Why it is of this kind. */
  readonly why: string;
  /** By attribute, those that are equal to what was saved included. */
  readonly attributes: ReadonlyMap<string, AttributePush>;
}

/** What a save would do with one attribute. */
export interface AttributePush {
  /** As what it would travel in a delta: whole, as a delta between bytes or parts. */
  readonly op: AttributeChange['op'] | 'delete' | 'nothing';
  /** In the body of a delta. */
  readonly bytes: number;
  /** Of its value. */
  readonly valueBytes: number;
  /** Why it takes as many. */
  readonly why: string;
  /** The changes that bring most. */
  readonly largest: readonly LargeChange[];
}

export interface LargeChange {
  readonly path: Path;
  readonly op: Change['op'];
  /** Of what is new in it, encoded. */
  readonly bytes: number;
}

const MOST_LARGE = 5;

/** Changes nothing: `tracked` has no `splice` and no `encoded`. */
export async function explainPush(
  line: Line,
  replica: Replica,
  tracked: Tracked,
  create: boolean,
): Promise<PushExplanation> {
  const prepared = await prepare(line, replica, tracked, create, failing(line));
  const changes = changesIn(line, replica, prepared);
  const attributes = new Map<string, AttributePush>();
  for (const name of tracked.touched) attributes.set(name, pushOf(line, replica, tracked, changes.get(name), name));
  if (prepared === undefined)
    return { kind: 'nothing', bytes: 0, why: 'nothing differs from what was saved', attributes };
  const { kind, body, staged } = prepared;
  const { head } = replica;
  const record = {
    kind,
    revision: head.revision + 1,
    nonce: 0,
    parentNonce: head.nonce,
    time: Math.round(line.time.stamp()),
    token: head.token,
    digest: staged.digest,
    body,
  };
  const { length } = encodeRecord(replica.id, record, head, line.compress);
  return { kind, bytes: length, why: whyKind(line, replica, prepared), attributes };
}

function whyKind({ limitBytes }: Line, replica: Replica, { kind, staged }: Prepared): string {
  if (staged.byteLength > limitBytes)
    return `it will be refused: the session would take ${staged.byteLength} bytes, over limitBytes = ${limitBytes}`;
  if (kind === 'delta') return 'what differs is sent';
  return replica.exists
    ? 'the whole is sent: the deltas since the last snapshot have come to weigh as much'
    : 'the whole is sent: it is the first save';
}

interface ChangeIn {
  readonly op: AttributeChange['op'];
  readonly bytes: number;
  readonly valueBytes: number;
  readonly parts: Change[];
}

/** By attribute that has changed. */
function changesIn(line: Line, { image }: Replica, prepared: Prepared | undefined): Map<string, ChangeIn> {
  const found = new Map<string, ChangeIn>();
  if (prepared === undefined) return found;
  const { staged, difference } = prepared;
  for (const { name, op, bytes } of difference.changes) {
    const valueBytes = staged.values.get(name)?.bytes.length ?? 0;
    found.set(name, { op, bytes: bytes.length, valueBytes, parts: [] });
  }
  for (const change of new Told(line, image, staged, [...found.keys()]).changes())
    found.get(change.path[0] as string)?.parts.push(change);
  return found;
}

function pushOf(
  line: Line,
  { image }: Replica,
  tracked: Tracked,
  change: ChangeIn | undefined,
  name: string,
): AttributePush {
  const base = image.value(name);
  if (change === undefined) {
    const isGone = base !== undefined && tracked.names?.includes(name) === false;
    const valueBytes = isGone ? 0 : ((base?.bytes ?? base)?.length ?? 0);
    return isGone
      ? { op: 'delete', bytes: 0, valueBytes, why: 'it is deleted', largest: [] }
      : { op: 'nothing', bytes: 0, valueBytes, why: 'it is equal to what was saved', largest: [] };
  }
  const { op, bytes, valueBytes, parts } = change;
  const isOff = (tracked.differencing?.(name) ?? line.differencing) === 'off';
  const put = isOff ? 'differencing is off' : 'no delta is shorter';
  const why = {
    binary: base?.bytes === undefined ? 'a delta from the hashes of its chunks' : 'a delta between its bytes',
    graph: 'a delta between its parts',
    put: base === undefined ? 'it is new, and travels whole' : `it travels whole: ${put}`,
  }[op];
  return { op, bytes, valueBytes, why, largest: largestOf(line, parts) };
}

function largestOf({ codec }: Line, changes: readonly Change[]): LargeChange[] {
  const bytesOf = (value: unknown): number => codec.look(value, 'value').length;
  const sized = changes.map((change) => ({ path: change.path, op: change.op, bytes: sizeOf(change, bytesOf) }));
  return sized.toSorted((a, b) => b.bytes - a.bytes).slice(0, MOST_LARGE);
}

function sizeOf(change: Change, bytesOf: (value: unknown) => number): number {
  switch (change.op) {
    case 'set':
      return bytesOf(change.value);
    case 'insert':
      return change.values.reduce((sum: number, value) => sum + bytesOf(value), 0);
    case 'splice':
      return 'delta' in change ? change.delta.length : Buffer.byteLength(change.insert);
    case 'add':
      return bytesOf(change.key) + ('value' in change ? bytesOf(change.value) : 0);
    case 'reorder':
      return 2 * change.order.length;
    default:
      return 1;
  }
}
