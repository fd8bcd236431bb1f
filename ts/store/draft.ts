import type { Draft, Marks, View } from './backend.ts';
import type { Row, StoredRecord } from './row.ts';
import type { ListQuery, Page } from './store.ts';

export type RecordChange =
  | { readonly op: 'put'; readonly revision: number; readonly record: StoredRecord }
  | { readonly op: 'delete'; readonly from: number; readonly to: number };

/** Notes down the changes to one session; whoever made it commits them, in their order. */
export class NotedDraft implements Draft {
  readonly #view: View;
  /** All that is there goes first. */
  cleared = false;
  records: RecordChange[] = [];
  changedRow: Row | undefined;

  constructor(view: View) {
    this.#view = view;
  }

  get empty(): boolean {
    return !this.cleared && this.changedRow === undefined && this.records.length === 0;
  }

  marks(): Marks {
    return this.#view.marks();
  }

  row(id: string): Row | undefined {
    return this.#view.row(id);
  }

  record(id: string, revision: number): StoredRecord | undefined {
    return this.#view.record(id, revision);
  }

  page(query: ListQuery): Page {
    return this.#view.page(query);
  }

  putRow(row: Row): void {
    this.changedRow = row;
  }

  putRecord(revision: number, record: StoredRecord): void {
    this.records.push({ op: 'put', revision, record });
  }

  deleteRecords(from: number, to: number): void {
    if (from < to) this.records.push({ op: 'delete', from, to });
  }

  clear(): void {
    this.cleared = true;
    this.records = [];
    this.changedRow = undefined;
  }
}
