import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PolledLock } from './polled-lock.mjs';

const HEAD_BYTES = 104;
const RETRY_MS = 1;
const MAPPED_BYTES = 2 ** 28;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS heads (id TEXT PRIMARY KEY, revision INTEGER NOT NULL, row BLOB NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS records (id TEXT, revision INTEGER, bytes BLOB NOT NULL, PRIMARY KEY (id, revision)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS locks (id TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID;`;

/**
 * SQLite called from JavaScript at its best: WAL, FULL, statements prepared once, a mapped file, and group commit by
 * hand, which it lacks: what was asked in one turn of the event loop is one transaction. Another process has it: tried
 * again after 1 ms; no slower than its own handler, which sleeps on the JavaScript thread. Locks: a second connection,
 * NORMAL, so that they need no flush.
 */
export async function openSql(driver, dir) {
  const file = join(dir, 'store.sqlite');
  const db = await connect(driver, file, 'FULL');
  const lockDb = await connect(driver, file, 'NORMAL');
  const put = db.prepare(`INSERT INTO heads VALUES (?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, row = excluded.row WHERE revision = excluded.revision - 1`);
  const add = db.prepare('INSERT INTO records VALUES (?, ?, ?)');
  const head = db.prepare('SELECT row FROM heads WHERE id = ?');
  const records = db.prepare('SELECT bytes FROM records WHERE id = ? ORDER BY revision');
  const row = Buffer.alloc(HEAD_BYTES, 1);
  const batches = new Batches(db, ({ id, revision, bytes }) => {
    if (put.run(id, revision, row).changes === 0) return false;
    add.run(id, revision, bytes);
    return true;
  });

  return {
    async append(id, revision, bytes) {
      if (!(await batches.add({ id, revision, bytes }))) throw new Error(`${id} ${revision}: another was faster`);
    },
    read: (id) => (head.get(id) === undefined ? 0 : records.all(id).length),
    contest: (id, side) => new PolledLock(side, lockRow(lockDb, id)),
    async close() {
      lockDb.close();
      // Statements that nobody has collected yet would keep the log from being folded in.
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      db.close();
    },
  };
}

async function connect(driver, file, synchronous) {
  const db = driver.open(file);
  await whenFree(() => db.exec('PRAGMA journal_mode = WAL'));
  db.exec(`PRAGMA synchronous = ${synchronous}; PRAGMA mmap_size = ${MAPPED_BYTES}`);
  await whenFree(() => db.exec(SCHEMA));
  return db;
}

function lockRow(db, id) {
  const get = db.prepare('SELECT row FROM locks WHERE id = ?');
  const put = db.prepare('INSERT OR REPLACE INTO locks VALUES (?, ?)');
  return { read: () => get.get(id)?.row, write: (row) => whenFree(() => put.run(id, row)) };
}

class Batches {
  #db;
  #write;
  #begin;
  #commit;
  #waiting = [];

  constructor(db, write) {
    this.#db = db;
    this.#write = write;
    this.#begin = db.prepare('BEGIN IMMEDIATE');
    this.#commit = db.prepare('COMMIT');
  }

  add(entry) {
    return new Promise((resolve, reject) => {
      if (this.#waiting.push({ entry, resolve, reject }) === 1) setImmediate(() => void this.#run());
    });
  }

  async #run() {
    try {
      await whenFree(() => this.#begin.run());
    } catch (error) {
      for (const { reject } of this.#waiting.splice(0)) reject(error);
      return;
    }
    const batch = this.#waiting.splice(0);
    try {
      const answers = batch.map(({ entry }) => this.#write(entry));
      this.#commit.run();
      batch.forEach(({ resolve }, index) => resolve(answers[index]));
    } catch (error) {
      this.#db.exec('ROLLBACK');
      for (const { reject } of batch) reject(error);
    }
  }
}

const isBusy = (error) => /locked|busy/i.test(`${error.code} ${error.message}`);

async function whenFree(run) {
  for (;;) {
    try {
      return run();
    } catch (error) {
      if (!isBusy(error)) throw error;
      await delay(RETRY_MS);
    }
  }
}
