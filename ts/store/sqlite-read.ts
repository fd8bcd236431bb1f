import type { StoredRecord } from './row.ts';
import { marksOf, meta } from './sqlite-connection.ts';
import type { SqliteDriver, SqlRow } from './sqlite-driver.ts';
import { seal } from './sqlite-seal.ts';
import { COMMITS_KEY, MOST_ROWS, SQL } from './sqlite-sql.ts';
import type { Checked, FetchRequest, Found, FoundPage, FoundRow, PageRequest } from './sqlite-wire.ts';

export function fetchRow(driver: SqliteDriver, { id, from, limitBytes }: FetchRequest): Found {
  const marks = marksOf(driver);
  const key = Buffer.from(id);
  const [row] = id === '' ? [] : driver.all(SQL.row, key);
  const records = new Map<number, StoredRecord>();
  const found = { marks, row: row && foundRow(key, row), records, more: false, damaged: undefined };
  let bytes = 0;
  for (const stored of from === undefined || id === '' ? [] : driver.all(SQL.records, key, from)) {
    const [revision, nonce, body] = [
      stored['revision'] as bigint,
      stored['nonce'] as bigint,
      stored['body'] as Uint8Array,
    ];
    bytes += body.length;
    if (records.size > 0 && bytes > limitBytes) return { ...found, more: true };
    if (seal(key, revision, nonce, body) !== stored['sum']) return { ...found, damaged: Number(revision) };
    records.set(Number(revision), { nonce: Number(nonce), bytes: body });
  }
  return found;
}

export function fetchPage(driver: SqliteDriver, { query: { term = '', cursor = '', limit } }: PageRequest): FoundPage {
  const most = Math.min(limit, MOST_ROWS);
  const after = Buffer.from(cursor);
  const found =
    term === ''
      ? driver.all(SQL.page, after, most + 1)
      : driver.all(SQL.pageOfTerm, after, most + 1, Buffer.from(term));
  const rows = new Map<string, FoundRow>();
  for (const row of found.slice(0, most)) {
    const id = Buffer.from(row['id'] as Uint8Array);
    rows.set(id.toString(), foundRow(id, row));
  }
  return { marks: marksOf(driver), rows, more: found.length > most };
}

/** `known`: commits that were acknowledged. */
export function look(driver: SqliteDriver, known: number): Checked {
  const lines = driver.all('PRAGMA quick_check').map((row) => String(Object.values(row)[0]));
  return { faults: lines.filter((line) => line !== 'ok'), commits: meta(driver, COMMITS_KEY), known };
}

function foundRow(id: Buffer, row: SqlRow): FoundRow {
  const [version, body] = [row['version'] as bigint, row['row'] as Uint8Array];
  return {
    version: Number(version),
    body: seal(id, -1n, version, body) === row['sum'] ? Buffer.from(body).toString() : undefined,
  };
}
