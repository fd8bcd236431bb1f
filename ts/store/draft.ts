import type { Draft, Row, StoredRecord, View } from './transactional.ts';

export type RecordChange =
  | { readonly op: 'put'; readonly revision: number; readonly record: StoredRecord }
  | { readonly op: 'delete'; readonly from: number; readonly to: number };

/** Notes down the changes to one session; whoever made it commits them, in their order. */
export class NotedDraft implements Draft {
  readonly #view: View;
  readonly #id: string;
  readonly records: RecordChange[] = [];
  /** Null: it is to be deleted. Undefined: it stays. */
  changedRow: Row | null | undefined;

  constructor(view: View, id: string) {
    this.#view = view;
    this.#id = id;
  }

  get empty(): boolean {
    return this.changedRow === undefined && this.records.length === 0;
  }

  row(id: string): Row | undefined {
    return id === this.#id && this.changedRow !== undefined ? (this.changedRow ?? undefined) : this.#view.row(id);
  }

  record(id: string, revision: number): StoredRecord | undefined {
    return this.#view.record(id, revision);
  }

  ids(after: string, limit: number): string[] {
    return this.#view.ids(after, limit);
  }

  putRow(row: Row): void {
    this.changedRow = row;
  }

  deleteRow(): void {
    this.changedRow = null;
  }

  putRecord(revision: number, record: StoredRecord): void {
    this.records.push({ op: 'put', revision, record });
  }

  deleteRecords(from: number, to: number): void {
    if (from < to) this.records.push({ op: 'delete', from, to });
  }
}
