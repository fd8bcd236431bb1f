import { HoldfastError } from '../errors.ts';
import { sameDigest } from '../log/record.ts';
import { samePosition } from '../position.ts';
import type { Store } from '../store/store.ts';
import type { Line } from '../sync/line.ts';
import { pull } from '../sync/pull.ts';
import { Replica } from '../sync/replica.ts';

/**
 * What a backup has of a session, beside the primary. `behind`: not fed yet; `ahead`: it has what the primary does not
 * have (any more); `unreachable`: it does not answer.
 */
export type BackupVerdict = 'equal' | 'behind' | 'ahead' | 'damaged' | 'unreachable';

/** A session as a store has it, without a lock: each record and the digest are checked. */
export async function readBack(line: Line, store: Pick<Store, 'read'>, id: string): Promise<Replica> {
  const replica = new Replica(id);
  await pull({ ...line, store }, replica);
  return replica;
}

/** Reads the session back from the primary and from each backup, and compares. */
export async function verifyBackups(line: Line, id: string): Promise<BackupVerdict[]> {
  const primary = await readBack(line, line.store, id);
  return Promise.all(
    line.backups.stores.map(async (store) => {
      try {
        return compared(await readBack(line, store, id), primary);
      } catch (error) {
        return error instanceof HoldfastError && error.code === 'ERR_CORRUPT' ? 'damaged' : 'unreachable';
      }
    }),
  );
}

function compared(backup: Replica, primary: Replica): BackupVerdict {
  const equal = samePosition(backup.head, primary.head) && sameDigest(backup.image.digest, primary.image.digest);
  if (equal && backup.state === primary.state) return 'equal';
  const { revision, nonce } = backup.head;
  const rival = revision === primary.head.revision && nonce !== primary.head.nonce;
  return revision > primary.head.revision || rival ? 'ahead' : 'behind';
}
