import { HoldfastError, shortId } from '../errors.ts';
import { encodeAliasBody, encodeSnapshotBody } from '../log/body.ts';
import type { Alias } from '../log/body.ts';
import type { Image, Staged, Value } from '../log/image.ts';
import type { Append } from '../store/store.ts';
import type { Token } from '../token.ts';
import { commit, failing, ready } from './commit.ts';
import type { OnSilence } from './commit.ts';
import { makeWhole } from './base.ts';
import type { Tracked } from './compare.ts';
import type { Line } from './line.ts';
import { prepare } from './prepared.ts';
import { createdAtOf } from './pull.ts';
import type { Replica } from './replica.ts';
import { Told } from './told.ts';
import { write } from './written.ts';

export interface PushOptions {
  /** The fencing token under which to append. */
  readonly token: Token;
  readonly lock: 'renew' | 'leave' | 'release';
  /** Save a session that does not exist yet even if it has no attributes. */
  readonly create: boolean;
  /** Somebody may ask what it has changed. */
  readonly tells: boolean;
  /** In place of the line's rule, and of now. */
  readonly life?: Pick<Append, 'expiry' | 'createdAt'> | undefined;
  readonly silence: OnSilence;
}

export interface Pushed {
  readonly revision: number;
  /** The attributes that were written or deleted. */
  readonly changed: readonly string[];
  /** Bytes of the record, as appended to the primary. */
  readonly recordBytes: number;
  readonly kind: 'delta' | 'snapshot';
  /** Others queue for the lock. */
  readonly wanted: boolean;
  readonly told: Told | undefined;
  /** See `Committed.settled`. */
  readonly settled: Promise<void> | undefined;
}

/**
 * Saves what was touched: encodes it, compares it with the replica's image, and appends what differs to the primary and
 * to the backups. Undefined: nothing differed and nothing was sent. On an error nothing has changed, here or there, but
 * for two: `ERR_UNAVAILABLE`, outcome `unknown` (`replica.unsettled` goes on asking), and `ERR_FENCED`, outcome
 * `superseded` (only an outdated primary has it). With `silence.local` it may be here alone at first: see `settled`.
 */
export async function push(
  line: Line,
  replica: Replica,
  tracked: Tracked,
  options: PushOptions,
): Promise<Pushed | undefined> {
  const preparing = prepare(line, replica, tracked, options.create, options.silence);
  const prepared = preparing instanceof Promise ? await preparing : preparing;
  if (prepared === undefined) return replica.unsettled && ready(line, replica, options.silence);
  const { staged, kind, body } = prepared;
  const { image } = replica;
  if (staged.byteLength > line.limitBytes) throw tooLarge(line, replica.id, staged.byteLength);
  const content = { kind, body, digest: staged.digest };
  const written = write(line, replica, content, options.token, options.lock, options.life);
  const changed = changedBy(image, staged);
  const told = options.tells ? new Told(line, image, staged, changed) : undefined;
  const { wanted, settled } = await commit(line, replica, written, staged, options.silence);
  const { append, head } = written;
  return { revision: head.revision, changed, recordBytes: append.bytes.length, kind, wanted, told, settled };
}

/** Attributes that are written or gone. */
function changedBy(image: Image, { directory, values }: Staged): string[] {
  const names = [...values.keys()];
  return directory === undefined ? names : [...names, ...withoutAll(image.directory.names, directory.names)];
}

/** Saves the state of `from` as the first revision of `to`; expiry and age move along. */
export async function pushCopy(line: Line, from: Replica, to: Replica, token: Token): Promise<void> {
  await makeWhole(line, from);
  const { directory } = from.image;
  const values = new Map(directory.names.map((name) => [name, from.image.value(name) as Value]));
  const staged = to.image.stage(directory, values);
  const content = { kind: 'snapshot', body: encodeSnapshotBody(to.image, staged), digest: staged.digest } as const;
  const more = { expiry: line.expiry ?? from.expiry, createdAt: await createdAtOf(line, from) };
  await commit(line, to, write(line, to, content, token, 'renew', more), staged, failing(line));
}

function withoutAll(names: readonly string[], others: readonly string[]): string[] {
  const present = new Set(others);
  return names.filter((name) => !present.has(name));
}

export interface EndOptions {
  readonly token: Token;
  /** The end itself is forgotten so long after it was written. */
  readonly keptMs: number;
  readonly alias: Alias | undefined;
  /** The id that has its state now: no backup is told of the end before it has that. */
  readonly movedTo?: string;
}

const NO_BYTES = new Uint8Array(0);

/** Ends the session for good: a tombstone or an alias, which outdates every token. */
export async function pushEnd(
  line: Line,
  replica: Replica,
  { token, keptMs, alias, movedTo }: EndOptions,
): Promise<void> {
  const content =
    alias === undefined
      ? ({ kind: 'tombstone', body: NO_BYTES } as const)
      : ({ kind: 'alias', body: encodeAliasBody(alias) } as const);
  const more = { expiry: { idleMs: keptMs } };
  const written = write(line, replica, { ...content, digest: { low: 0, high: 0 } }, token, 'release', more);
  await commit(line, replica, { ...written, after: movedTo }, undefined, failing(line));
}

function tooLarge(line: Line, id: string, bytes: number): HoldfastError {
  return new HoldfastError(
    'ERR_LIMIT',
    `session '${shortId(id)}' would take ${bytes} bytes, over limitBytes = ${line.limitBytes}; keep less in it or raise the limit`,
    { session: id },
  );
}
