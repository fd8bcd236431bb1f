import { HoldfastError } from '../errors.ts';
import { encodeDeltaBody, encodeSnapshotBody } from '../log/body.ts';
import { compactionDue } from '../log/compaction.ts';
import type { Staged, Value } from '../log/image.ts';
import { drawNonce } from '../nonce.ts';
import { RECORD_OVERHEAD, encodeRecord } from '../log/record.ts';
import type { Append } from '../store/store.ts';
import { NOTHING, compare } from './compare.ts';
import type { Tracked } from './compare.ts';
import type { Line } from './line.ts';
import type { Replica } from './replica.ts';

export interface PushOptions {
  /** The fencing token under which to append. */
  readonly token: number;
  /** Hand the lock over in the same call. */
  readonly release: boolean;
  /** Renew the lease by this append. */
  readonly renew: boolean;
  /** Save a session that does not exist yet even if it has no attributes. */
  readonly create: boolean;
}

export interface Pushed {
  readonly revision: number;
  /** The attributes that were written or deleted. */
  readonly changed: readonly string[];
  /** Bytes of the record, as appended to the primary. */
  readonly recordBytes: number;
  readonly kind: 'delta' | 'snapshot';
}

/**
 * Saves what was touched: encodes it, compares it with the replica's image, and appends what differs to the primary and to the
 * backups. Undefined: nothing differed and nothing was sent. On an error nothing has changed, here or there, unless
 * it is `ERR_UNAVAILABLE`: then the outcome may be unknown, and saving again either goes through or conflicts.
 */
export async function push(line: Line, replica: Replica, tracked: Tracked, options: PushOptions): Promise<Pushed | undefined> {
  const { image } = replica;
  const difference = compare(line, image, tracked);
  if (difference === undefined && (replica.exists || !options.create)) return undefined;

  const { directory, directoryDelta, changes, values } = difference ?? NOTHING;
  const staged = image.stage(directory, values);
  if (staged.byteLength > line.limitBytes) throw tooLarge(line, replica.id, staged.byteLength);
  const body = encodeDeltaBody(directory ?? image.directory, directoryDelta, changes);
  const snapshot = !replica.exists || compactionDue(replica, body.length + RECORD_OVERHEAD);
  const append = write(line, replica, staged, options, snapshot ? { kind: 'snapshot', body: encodeSnapshotBody(image, staged) } : { kind: 'delta', body });

  const deleted = directory === undefined ? [] : image.directory.names.filter((name) => !directory.names.includes(name));
  await appendOnce(line, replica.id, append);
  image.accept(staged, append.position);
  weigh(line, replica, append);
  await line.backups.feed(replica.id, append);
  return { revision: append.position.revision, changed: [...values.keys(), ...deleted], recordBytes: append.bytes.length, kind: snapshot ? 'snapshot' : 'delta' };
}

/** Ends the session for good: a tombstone that outdates every token. */
export async function pushTombstone(line: Line, replica: Replica, token: number, ttlMs: number): Promise<void> {
  const { image } = replica;
  const position = { revision: image.position.revision + 1, nonce: drawNonce() };
  const bytes = encodeRecord(replica.id, { kind: 'tombstone', ...position, token, parentNonce: image.position.nonce, digest: { low: 0, high: 0 }, body: new Uint8Array(0) });
  const append: Append = { parent: image.position, position, kind: 'tombstone', bytes, token, ttlMs };
  await appendOnce(line, replica.id, append);
  replica.destroyed = true;
  await line.backups.feed(replica.id, append);
}

/** Saves the state of `from` as the first revision of `to`; the expiry moves along. */
export async function pushCopy(line: Line, from: Replica, to: Replica, token: number): Promise<void> {
  const { directory } = from.image;
  const values = new Map(directory.names.map((name) => [name, from.image.value(name) as Value]));
  const staged = to.image.stage(directory, values);
  const ttlMs = from.expiresAt === Infinity ? undefined : Math.max(1, from.expiresAt - line.clock.monotonic());
  const options = { token, release: false, renew: true };
  const append = { ...write(line, to, staged, options, { kind: 'snapshot', body: encodeSnapshotBody(to.image, staged) }), ttlMs };
  await appendOnce(line, to.id, append);
  to.image.accept(staged, append.position);
  weigh(line, to, append);
  to.expiresAt = from.expiresAt;
  await line.backups.feed(to.id, append);
}

function write(line: Line, replica: Replica, staged: Staged, options: Pick<PushOptions, 'token' | 'release' | 'renew'>, content: { kind: 'delta' | 'snapshot'; body: Uint8Array }): Append {
  const parent = replica.image.position;
  const position = { revision: parent.revision + 1, nonce: drawNonce() };
  const bytes = encodeRecord(replica.id, { ...content, ...position, token: options.token, parentNonce: parent.nonce, digest: staged.digest });
  return { parent, position, kind: content.kind, bytes, token: options.token, ttlMs: line.ttlMs, release: options.release, renew: options.renew };
}

function tooLarge(line: Line, id: string, bytes: number): HoldfastError {
  return new HoldfastError('ERR_LIMIT', `session '${id}' would take ${bytes} bytes, over limitBytes = ${line.limitBytes}; keep less in it or raise the limit`, { session: id });
}

/** Where the outcome is unknown the head tells: our nonce is there, or it never happened. */
async function appendOnce(line: Line, id: string, append: Append): Promise<void> {
  try {
    await line.store.append(id, append);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'ERR_UNAVAILABLE') throw error;
    const tail = await line.store.read(id, append.position).catch(() => undefined);
    if (tail?.head === undefined || tail.whole) throw error; // else the log has our nonce, whatever came after it
  }
}

function weigh(line: Line, replica: Replica, append: Append): void {
  if (line.ttlMs !== undefined) replica.expiresAt = line.clock.monotonic() + line.ttlMs;
  if (append.kind === 'snapshot') {
    replica.snapshotBytes = append.bytes.length;
    replica.deltaBytes = 0;
  } else replica.deltaBytes += append.bytes.length;
}
