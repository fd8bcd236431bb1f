import { HoldfastError } from '../errors.ts';
import type { About, View } from './backend.ts';
import { damagedRow } from './row.ts';
import { withGrace } from './sqlite-link.ts';
import type { SqliteLink } from './sqlite-link.ts';
import type { SqliteSight } from './sqlite-sight.ts';
import type { ListQuery } from './store.ts';

/** What a look through a store found; `faults`: none, or one line each. */
export interface StoreCheck {
  readonly sessions: number;
  readonly records: number;
  /** Of the records. */
  readonly bytes: number;
  readonly faults: readonly string[];
}

/** Of looking through a store in one go. */
const LONGEST_LOOK_MS = 3_600_000;
const PAGE = 200;
/** Looks at a session that is changed meanwhile. */
const MOST_LOOKS = 20;

type Read = <T>(about: About | ListQuery, run: (view: SqliteSight) => T) => Promise<T>;

/** Structure and lookup as a whole, then session by session what `read` gives of it. */
export async function lookThrough(
  link: SqliteLink,
  read: Read,
  onSession: (done: number) => void,
): Promise<StoreCheck> {
  const faults = await lookAtWhole(link);
  const counts = { sessions: 0, records: 0, bytes: 0 };
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const query = { limit: PAGE, ...(cursor !== undefined && { cursor }) };
    const page = await read(query, (view) => view.page(query));
    for (const id of page.ids) {
      try {
        const { records, bytes } = await lookAtSession(link, read, id);
        counts.records += records;
        counts.bytes += bytes;
      } catch (error) {
        // Damage is what is looked for; all else ends the look.
        if (!(error instanceof HoldfastError && error.code === 'ERR_CORRUPT')) throw error;
        faults.push(error.message);
      }
      onSession((counts.sessions += 1));
    }
    cursor = page.cursor;
  }
  return { ...counts, faults };
}

async function lookAtWhole(link: SqliteLink): Promise<string[]> {
  const answer = await link.ask({ kind: 'check' }, withGrace(LONGEST_LOOK_MS));
  const { faults, commits, known } = answer.kind === 'checked' ? answer.checked : { faults: [], commits: 0, known: 0 };
  const told = faults.map((fault) => `structure: ${fault}`);
  if (commits < known) told.push(`${known} commits were acknowledged, ${commits} are there`);
  return told;
}

interface Content {
  readonly version: number | undefined;
  readonly terms: readonly string[];
  readonly records: number;
  readonly bytes: number;
}

async function lookAtSession(link: SqliteLink, read: Read, id: string): Promise<Content> {
  let content = await read({ id, whole: true }, (view) => contentOf(view, id));
  for (let looks = 1; content.terms.length > 0; looks += 1) {
    const { terms, version } = content;
    const answer = await link.ask({ kind: 'lookUp', id, terms }, withGrace(LONGEST_LOOK_MS));
    const found = answer.kind === 'lookedUp' ? answer.lookedUp : { version, missing: [] };
    if (found.version === version && found.missing.length > 0)
      throw damagedRow(id, `the lookup has ${found.missing.length} of its ${terms.length} terms not or not whole`);
    if (found.version === version || looks === MOST_LOOKS) break;
    content = await read({ id, whole: true }, (view) => contentOf(view, id)); // it was changed meanwhile
  }
  return content;
}

/** Throws where row and records are not what one of them says of the other. */
function contentOf(view: View & Pick<SqliteSight, 'version'>, id: string): Content {
  const row = view.row(id);
  const version = view.version(id);
  if (row === undefined) return { version, terms: [], records: 0, bytes: 0 }; // gone meanwhile
  let [nonce, records, bytes] = [0, 0, 0];
  for (let revision = row.first; revision <= row.revision; revision += 1) {
    const record = view.record(id, revision);
    if (record === undefined) throw damagedRow(id, `record ${revision} of ${row.first} to ${row.revision} is missing`);
    nonce = record.nonce;
    records += 1;
    bytes += record.bytes.length;
  }
  if (nonce !== row.nonce) throw damagedRow(id, 'its last record is another than the one there');
  return { version, terms: row.terms, records, bytes };
}
