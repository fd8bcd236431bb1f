import { HoldfastError } from '../errors.ts';
import type { Marks, View } from './backend.ts';
import { copyRow, damagedRow, shortId } from './row.ts';
import { readRow } from './row-text.ts';
import type { Row, StoredRecord } from './row.ts';
import type { Found, FoundPage, FoundRow } from './sqlite-wire.ts';
import type { ListQuery, Page } from './store.ts';

/** What is asked of a view that it does not have yet. */
export type Want = { readonly page: ListQuery } | { readonly id: string; readonly from?: number | undefined };

/** A row that was checked before. */
export interface KnownRow {
  readonly version: number;
  readonly row: Row;
}

interface Entry {
  readonly row: FoundRow | KnownRow | undefined;
  records: ReadonlyMap<number, StoredRecord>;
  /** Revisions from .. to that were looked for, in turn. */
  readonly spans: (readonly [number, number])[];
  damaged: number | undefined;
}

const NONE: ReadonlyMap<number, StoredRecord> = new Map();

const keyOf = ({ term = '', cursor = '', limit }: ListQuery): string => `${limit}/${term}/${cursor}`;

/** What was not there when it was asked for: it is fetched, and whoever asked starts over. */
class Missing extends Error {}

/** A view of the store, made of what was fetched so far. All of it is one moment's, or it does not `fit` together. */
export class SqliteSight implements View {
  #marks: Marks | undefined;
  readonly #entries = new Map<string, Entry>();
  #pages: Map<string, Page> | undefined;
  #wants: Want[] = [];

  /** What was missed since they were last taken. */
  takeWants(): Want[] {
    const wants = this.#wants;
    this.#wants = [];
    return wants;
  }

  version(id: string): number | undefined {
    return this.#entry(id).row?.version;
  }

  marks(): Marks {
    return this.#marks ?? this.#miss({ id: '' });
  }

  row(id: string): Row | undefined {
    const { row } = this.#entry(id);
    if (row === undefined) return undefined;
    if ('row' in row) return copyRow(row.row);
    if (row.body === undefined) throw damagedRow(id, 'checksum');
    return readRow(id, row.body);
  }

  record(id: string, revision: number): StoredRecord | undefined {
    const { spans, records, damaged } = this.#entry(id);
    const found = records.get(revision);
    if (found !== undefined) return found;
    if (damaged === revision) throw damagedRecord(id, revision);
    return spans.some(([from, to]) => revision >= from && revision <= to)
      ? undefined
      : this.#miss({ id, from: revision });
  }

  page(query: ListQuery): Page {
    return this.#pages?.get(keyOf(query)) ?? this.#miss({ page: query });
  }

  addKnown(id: string, row: KnownRow, marks: Marks): void {
    this.#marks = marks;
    this.#entries.set(id, { row, records: NONE, spans: [], damaged: undefined });
  }

  /** False: it is another moment's than what is here. */
  addFound(id: string, from: number | undefined, { marks, row, records, more, damaged }: Found): boolean {
    if (!this.#fits(marks)) return false;
    const known = this.#entries.get(id);
    if (known !== undefined && known.row?.version !== row?.version) return false;
    const entry: Entry = known ?? { row, records: NONE, spans: [], damaged: undefined };
    entry.records = entry.records.size === 0 ? records : new Map([...entry.records, ...records]);
    const last = Math.max(from ?? 0, ...records.keys());
    if (from !== undefined) entry.spans.push([from, damaged !== undefined ? damaged - 1 : more ? last : Infinity]);
    entry.damaged ??= damaged;
    this.#entries.set(id, entry);
    return true;
  }

  addPage(query: ListQuery, { marks, rows, more }: FoundPage): boolean {
    if (!this.#fits(marks)) return false;
    const ids = [...rows.keys()];
    for (const [id, row] of rows) this.#entries.set(id, { row, records: NONE, spans: [], damaged: undefined });
    this.#pages ??= new Map();
    this.#pages.set(keyOf(query), more ? { ids, cursor: ids.at(-1) as string } : { ids });
    return true;
  }

  #fits(marks: Marks): boolean {
    this.#marks ??= marks;
    return this.#marks.epoch === marks.epoch && this.#marks.births === marks.births;
  }

  #entry(id: string): Entry {
    return this.#entries.get(id) ?? this.#miss({ id });
  }

  #miss(want: Want): never {
    this.#wants.push(want);
    throw new Missing();
  }
}

function damagedRecord(id: string, revision: number): HoldfastError {
  const message = `session '${shortId(id)}': record ${revision} in the store is damaged (checksum); restore the session from a backup`;
  return new HoldfastError('ERR_CORRUPT', message, { session: id, revision });
}
