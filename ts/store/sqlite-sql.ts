/** The tables and statements of the embedded store, word for word those of `crates/sqlite` (a test compares them). */

/** In the header of the database, as SQLite's `application_id`: "Hold". */
export const APPLICATION = 0x486f6c64;
/**
 * Of the tables; what is written in another is refused. Under a checksum of ours, and in the header, as SQLite's
 * `user_version`, for those who look before they open.
 */
export const FORMAT = 4;
export const FORMAT_KEY = 1;
export const EPOCH_KEY = 2;
export const BIRTHS_KEY = 3;
export const COMMITS_KEY = 4;
/** Keys and values of a store that is new. */
export const FIRST: readonly (readonly [number, number])[] = [
  [FORMAT_KEY, FORMAT],
  [EPOCH_KEY, 0],
  [BIRTHS_KEY, 0],
  [COMMITS_KEY, 0],
];

/** Rows of a page at most. */
export const MOST_ROWS = 1000;

export const PRAGMAS: readonly (readonly [string, string | number])[] = [
  ['mmap_size', 0],
  ['cell_size_check', 1],
  ['trusted_schema', 0],
  ['temp_store', 'MEMORY'],
  ['synchronous', 'FULL'],
  ['fullfsync', 1],
  ['checkpoint_fullfsync', 1],
  ['wal_autocheckpoint', 500],
  ['journal_size_limit', 8 << 20],
];

export const SQL = {
  /** Of records the keys alone lie in an order: where bodies lie among them, SQLite reads all of each that it compares a key with. */
  schema: `
CREATE TABLE IF NOT EXISTS meta(key INTEGER PRIMARY KEY, value INTEGER NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS session(id BLOB PRIMARY KEY, version INTEGER NOT NULL, row BLOB NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS record(id BLOB NOT NULL, revision INTEGER NOT NULL, nonce INTEGER NOT NULL, sum INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY(id, revision));
CREATE TABLE IF NOT EXISTS term(term BLOB, id BLOB, sum INTEGER NOT NULL, PRIMARY KEY(term, id)) WITHOUT ROWID;`,
  firstMeta: 'INSERT OR IGNORE INTO meta VALUES(?1, ?2, ?3)',
  countTables: 'SELECT count(*) FROM sqlite_schema',
  countMeta: "SELECT count(*) FROM sqlite_schema WHERE name='meta'",
  holdsAnything: 'SELECT EXISTS(SELECT 1 FROM session) OR EXISTS(SELECT 1 FROM meta WHERE key=?1 AND value>0)',
  layout: 'SELECT key, value, sum FROM meta WHERE key=?1',
  metas: 'SELECT key, value, sum FROM meta WHERE key BETWEEN ?1 AND ?2 ORDER BY key',
  setMeta: 'UPDATE meta SET value=?2, sum=?3 WHERE key=?1',
  row: 'SELECT version, row, sum FROM session WHERE id=?1',
  version: 'SELECT version FROM session WHERE id=?1',
  putRow: 'INSERT INTO session VALUES(?1, ?2, ?3, ?4) ON CONFLICT(id) DO UPDATE SET version=?2, row=?3, sum=?4',
  deleteRow: 'DELETE FROM session WHERE id=?1',
  /** `?3`: a longer body is left out. */
  records:
    'SELECT revision, nonce, length(body) AS size, CASE WHEN length(body)<=?3 THEN body END AS body, sum FROM record WHERE id=?1 AND revision>=?2 ORDER BY revision',
  putRecord: 'INSERT OR REPLACE INTO record(id, revision, nonce, body, sum) VALUES(?1, ?2, ?3, ?4, ?5)',
  deleteRecords: 'DELETE FROM record WHERE id=?1 AND revision>=?2 AND revision<?3',
  deleteAllRecords: 'DELETE FROM record WHERE id=?1',
  putTerm: 'INSERT OR REPLACE INTO term VALUES(?1, ?2, ?3)',
  deleteTerm: 'DELETE FROM term WHERE term=?1 AND id=?2',
  deleteAllTerms: 'DELETE FROM term WHERE id=?1',
  term: 'SELECT sum FROM term WHERE term=?1 AND id=?2',
  page: 'SELECT id, version, row, sum FROM session WHERE id>?1 ORDER BY id LIMIT ?2',
  pageOfTerm:
    'SELECT t.term, t.id, t.sum AS entry, s.version, s.row, s.sum FROM term t LEFT JOIN session s ON s.id=t.id WHERE (t.term, t.id)>(?3, ?1) ORDER BY t.term, t.id LIMIT ?2',
  lookup:
    'SELECT t.term, t.id, t.sum AS entry, s.version FROM term t LEFT JOIN session s ON s.id=t.id WHERE (t.term, t.id)>(?1, ?2) ORDER BY t.term, t.id LIMIT ?3',
} as const;
