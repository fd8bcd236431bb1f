import type { Marks } from './backend.ts';
import type { StoredRecord } from './row.ts';
import { blob, single, whole } from './sqlite-column.ts';
import type { SqliteDriver, SqlRow, SqlValue } from './sqlite-driver.ts';
import { damaged } from './sqlite-error.ts';
import { checkLayout, marksAndCommits } from './sqlite-meta.ts';
import { sealRecord, sealRow, sealTerm } from './sqlite-seal.ts';
import { MOST_ROWS, SQL } from './sqlite-sql.ts';
import type {
  Checked,
  FetchRequest,
  Found,
  FoundPage,
  FoundRow,
  LookUpRequest,
  LookedUp,
  PageRequest,
} from './sqlite-wire.ts';

const marksOf = (driver: SqliteDriver): Marks => {
  const { epoch, births } = marksAndCommits(driver);
  return { epoch, births };
};

function foundRow(id: Uint8Array, row: SqlRow): FoundRow {
  const [version, body] = [whole(row['version']), blob(row['row'])];
  const fits = sealRow(id, version, body) === row['sum'];
  return { version: Number(version), body: fits ? Buffer.from(body).toString() : undefined };
}

export function fetchRow(driver: SqliteDriver, { id, from, limitBytes }: FetchRequest): Found {
  const marks = marksOf(driver);
  const key = Buffer.from(id);
  const [row] = id === '' ? [] : driver.all(SQL.row, key);
  const records = new Map<number, StoredRecord>();
  const found = { marks, row: row && foundRow(key, row), records, more: false, damaged: undefined };
  let bytes = 0;
  for (const stored of from === undefined || id === '' ? [] : driver.all(SQL.records, key, from, Infinity)) {
    const [revision, nonce, body] = [whole(stored['revision']), whole(stored['nonce']), blob(stored['body'])];
    bytes += body.length;
    if (records.size > 0 && bytes > limitBytes) return { ...found, more: true };
    if (sealRecord(key, revision, nonce, body) !== stored['sum']) return { ...found, damaged: Number(revision) };
    records.set(Number(revision), { nonce: Number(nonce), bytes: body });
  }
  return found;
}

export function fetchPage(driver: SqliteDriver, { query: { term = '', cursor = '', limit } }: PageRequest): FoundPage {
  const most = Math.min(limit, MOST_ROWS);
  const found =
    term === ''
      ? driver.all(SQL.page, Buffer.from(cursor), most + 1)
      : entriesOf(driver, Buffer.from(term), Buffer.from(cursor), most + 1);
  const rows = new Map<string, FoundRow>();
  for (const row of found.slice(0, most)) {
    const id = Buffer.from(blob(row['id']));
    rows.set(id.toString(), foundRow(id, row));
  }
  return { marks: marksOf(driver), rows, more: found.length > most };
}

/** The entry behind those of the term is looked at too: one that damage has put there would end the list early. */
function entriesOf(driver: SqliteDriver, term: Buffer, after: Buffer, most: number): SqlRow[] {
  const entries: SqlRow[] = [];
  for (const entry of driver.all(SQL.pageOfTerm, after, most, term)) {
    const fault = faultOf(entry);
    if (fault !== undefined) throw damaged(fault);
    if (!term.equals(blob(entry['term']))) break;
    entries.push(entry);
  }
  return entries;
}

function faultOf({ term, id, entry, version }: SqlRow): string | undefined {
  if (!(term instanceof Uint8Array) || !(id instanceof Uint8Array) || sealTerm(term, id) !== entry)
    return 'an entry of its lookup fails its checksum';
  return version === null ? 'its lookup names a session that is not there' : undefined;
}

export function lookUp(driver: SqliteDriver, { id, terms }: LookUpRequest): LookedUp {
  const key = Buffer.from(id);
  const [row] = driver.all(SQL.version, key);
  const isMissing = (term: string): boolean => {
    const bytes = Buffer.from(term);
    return driver.all(SQL.term, bytes, key)[0]?.['sum'] !== sealTerm(bytes, key);
  };
  return { version: row && Number(whole(row['version'])), missing: terms.filter(isMissing) };
}

/** As many as SQLite tells of its own. */
const MOST_FAULTS = 100;

/** `known`: the commits that were acknowledged before. */
export function check(driver: SqliteDriver, path: string, known: number): Checked {
  const lines = driver.all('PRAGMA quick_check').map((row) => String(Object.values(row)[0]));
  const faults = lines.filter((line) => line !== 'ok');
  checkLayout(driver, path);
  checkLookup(driver, faults);
  return { faults, commits: marksAndCommits(driver).commits, known };
}

/** In pages, for all of them may be more than memory should hold. */
function checkLookup(driver: SqliteDriver, faults: string[]): void {
  let left = single(driver.all('SELECT count(*) FROM term'));
  // Below all that a key may have become.
  let last: readonly [SqlValue, SqlValue] = [-Infinity, -Infinity];
  while (faults.length < MOST_FAULTS) {
    const entries = driver.all(SQL.lookup, ...last, MOST_ROWS);
    faults.push(...entries.map(faultOf).filter((fault) => fault !== undefined));
    const { term, id } = entries.at(-1) ?? {};
    if (term === undefined || term === null || id === undefined || id === null) return;
    last = [term, id];
    left -= entries.length;
    if (left < 0) return void faults.push('its lookup is out of order'); // which may lead back to where it came from
  }
}
