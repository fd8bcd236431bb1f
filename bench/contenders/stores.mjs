import { openHoldfast } from './holdfast.mjs';
import { lmdbVersion, openLmdb } from './lmdb.mjs';
import { betterSqlite, nodeSqlite } from './sqlite-drivers.mjs';
import { openSql } from './sql.mjs';

/**
 * Each keeps one row of head and one record per append, compares the head's revision before it writes, and has flushed
 * when it answers. The others have no more to do than that: no lock with tokens, no checksums, no look at the files.
 * `version` throws where the contender cannot run here, and says why. `open(dir)` gives
 *   append(id, revision, bytes)  rejects unless `revision - 1` was the head
 *   read(id)                     number of the session's records, head and records fetched as of now
 *   contest(id, side)            a lock shared with the other side: take(), then given up by itself when the other
 * asks: lost()
 *   close()
 */
export const stores = {
  holdfast: { version: async () => 'this tree', open: openHoldfast },
  lmdb: { version: lmdbVersion, open: openLmdb },
  'better-sqlite3': {
    version: async () => (await betterSqlite()).version,
    open: async (dir) => openSql(await betterSqlite(), dir),
  },
  'node:sqlite': {
    version: async () => (await nodeSqlite()).version,
    open: async (dir) => openSql(await nodeSqlite(), dir),
  },
};
