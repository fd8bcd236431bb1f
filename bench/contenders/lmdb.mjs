import { readFileSync } from 'node:fs';
import { PolledLock } from './polled-lock.mjs';

const HEAD_BYTES = 104;

export async function lmdbVersion() {
  await import('lmdb');
  return JSON.parse(readFileSync(new URL('../node_modules/lmdb/package.json', import.meta.url), 'utf8')).version;
}

/**
 * npm lmdb at its best: conditional writes that its own thread compares (`ifVersion`), with no JavaScript under the
 * write lock. Commits flush before they resolve (`overlappingSync: false`): measured faster than the overlapping flush,
 * waited for by each commit's `flushed`. `eventTurnBatching` as it comes: no difference seen. Reads are synchronous,
 * each as of now.
 */
export async function openLmdb(dir) {
  const { open } = await import('lmdb');
  const root = open({ path: dir, encoding: 'binary', noSubdir: false, overlappingSync: false, maxDbs: 4 });
  const heads = root.openDB('heads', { encoding: 'binary', useVersions: true });
  const records = root.openDB('records', { encoding: 'binary' });
  const locks = root.openDB('locks', { encoding: 'string' });
  const head = Buffer.alloc(HEAD_BYTES, 1);

  return {
    async append(id, revision, bytes) {
      const write = () => {
        heads.put(id, head, revision);
        records.put([id, revision], bytes);
      };
      const isWritten = await (revision === 1 ? heads.ifNoExists(id, write) : heads.ifVersion(id, revision - 1, write));
      if (!isWritten) throw new Error(`${id} ${revision}: another was faster`);
    },
    read(id) {
      root.resetReadTxn();
      if (heads.getBinary(id) === undefined) return 0;
      let count = 0;
      for (const { value } of records.getRange({ start: [id, 0], end: [id, Infinity] }))
        count += value.length > 0 ? 1 : 0;
      return count;
    },
    contest(id, side) {
      const read = () => {
        root.resetReadTxn();
        return locks.get(id);
      };
      return new PolledLock(side, { read, write: (row) => locks.put(id, row) });
    },
    close: () => root.close(),
  };
}
