import type { Differ } from '../diff/differ.ts';
import { HoldfastError, isSilence, shortId } from '../errors.ts';
import type { Image } from '../log/image.ts';
import { SMALL_BYTES } from '../log/owned.ts';
import { corrupt, sameDigest } from '../log/record.ts';
import { ORIGIN, samePosition } from '../position.ts';
import type { CallOptions, Tail } from '../store/store.ts';
import { readTail } from '../store/tail.ts';
import { failing, ready } from './commit.ts';
import type { OnSilence } from './commit.ts';
import type { Line } from './line.ts';
import { take } from './pull.ts';
import { Replica } from './replica.ts';

/**
 * What is kept of an attribute's base between saves, once its value is decoded. `bytes`: all of it; `signature`: the
 * hashes of its chunks, from which changes are found as well, to the chunk; `store`: nothing, so that it is read again
 * from the store when a save needs it.
 */
export type KeptBase = (typeof KEPT_BASES)[number];
export const KEPT_BASES = ['bytes', 'signature', 'store'] as const;

/** Keeps no more of the value than that; small ones stay, which share their memory with others. True: its bytes are gone. */
export function letGo(image: Image, name: string, kept: KeptBase, differ: Differ): boolean {
  const bytes = kept === 'bytes' ? undefined : image.value(name)?.bytes;
  if (bytes === undefined || bytes.length < SMALL_BYTES) return false;
  // Copied: a short one lies in memory that it shares with who knows what.
  image.letGo(name, kept === 'signature' ? new Uint8Array(differ.signature(bytes)) : undefined);
  return true;
}

/**
 * Reads the bytes from the primary that the replica's image has let go. False: it does not have this state, as the
 * session has gone on there without this replica or here without the primary, or it is not asked: a save that goes on here
 * waits for none.
 */
export async function regain(line: Line, replica: Replica, silence: OnSilence): Promise<boolean> {
  const { id, head, image } = replica;
  const tail = await tailOf(line, replica, silence);
  if (tail?.head?.state !== 'live' || !samePosition(tail.head.position, head)) return false;
  const read = new Replica(id);
  try {
    take(line, read, tail);
    if (!sameDigest(read.image.digest, image.digest))
      throw corrupt(id, head.revision, 'it does not hold what was saved (digest)');
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'ERR_CORRUPT') {
      const { revision, message } = error;
      line.observers.emit('damage', () => ({ id, place: 'primary' as const, revision, message }));
    }
    throw error;
  }
  image.regain(read.image);
  return true;
}

/** Undefined: who goes on here asks nothing of a primary that is away, or that lacks what is saved here. */
async function tailOf(line: Line, { id, unsettled }: Replica, { failMs, local }: OnSilence): Promise<Tail | undefined> {
  if (local !== undefined && (unsettled !== undefined || line.outage.isOut)) return undefined;
  const { timeoutMs, ...call } = line.call;
  const longestMs = local === undefined ? timeoutMs : Math.min(failMs ?? Infinity, timeoutMs);
  const options: CallOptions = { ...call, timeoutMs: longestMs, failMs };
  try {
    return await readTail(line.store, id, ORIGIN, options);
  } catch (cause) {
    if (!isSilence(cause)) throw cause;
    if (failMs !== undefined) line.outage.begin();
    if (local !== undefined) return undefined;
    const message = `session '${shortId(id)}': what this is saved on must be read from the primary, which does not answer; nothing was written: try again later`;
    throw new HoldfastError('ERR_UNAVAILABLE', message, { session: id, outcome: 'none', cause });
  }
}

/** The same of all that is to be there. `ERR_CONFLICT` where the session has gone on. */
export async function makeWhole(line: Line, replica: Replica): Promise<void> {
  if (replica.image.isWhole) return;
  const silence = failing(line);
  await ready(line, replica, silence);
  if (await regain(line, replica, silence)) return;
  throw new HoldfastError(
    'ERR_CONFLICT',
    `session '${shortId(replica.id)}' has been saved or ended by another; nothing was written: open it again and retry`,
    { session: replica.id, outcome: 'none' },
  );
}
