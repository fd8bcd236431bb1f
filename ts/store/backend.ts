import type { Token } from '../token.ts';
import type { Deadline } from './deadline.ts';
import type { Row, StoredRecord } from './row.ts';
import type { Hint, ListQuery, Membership, Page } from './store.ts';

/** What holds for the whole store. Both only rise. */
export interface Marks {
  readonly epoch: number;
  /** Above the token of every row that was swept: a new row's token begins here. */
  readonly births: Token;
}

/** Marks never fall. */
export function raised(marks: Marks, { epoch = 0, births = 0 }: Partial<Marks>): Marks {
  return { epoch: Math.max(marks.epoch, epoch), births: Math.max(marks.births, births) };
}

/** What a read sees. */
export interface View {
  marks(): Marks;
  /** A copy, which the caller may change. */
  row(id: string): Row | undefined;
  record(id: string, revision: number): StoredRecord | undefined;
  /** Ids that may fit the query: whoever asks looks at their rows. Fewer than the limit may come with a cursor. */
  page(query: ListQuery): Page;
}

/** A change to one session, noted down until it is committed. */
export interface Draft extends View {
  putRow(row: Row): void;
  putRecord(revision: number, record: StoredRecord): void;
  /** Deletes the records with `from` ≤ revision < `to`. */
  deleteRecords(from: number, to: number): void;
  /** Deletes the row and all records, damaged ones too. */
  clear(): void;
}

/** A session that is asked about. */
export interface About {
  readonly id: string;
  /** All its records are likely to be asked for. */
  readonly whole?: boolean | undefined;
}

/** A place that keeps rows and records, and carries hints between members. */
export interface Backend {
  readonly name: string;
  /**
   * All or nothing, against one session and the marks as they are then: `run` is called again if another was faster.
   */
  write<T>(about: About, run: (draft: Draft) => T, deadline: Deadline): Promise<T>;
  /**
   * One consistent view; `run` may be called again, on another. `about`: what it asks for, a session or a page;
   * undefined: the marks alone.
   */
  read<T>(about: About | ListQuery | undefined, run: (view: View) => T, deadline: Deadline): Promise<T>;
  /**
   * The marks that `next` asks for, never lower than those that are there; resolves when no write goes by older ones.
   */
  raise(next: (marks: Marks) => Partial<Marks>, deadline: Deadline): Promise<Marks>;
  /** Never throws, never waits; as `changed`. */
  send(member: string, hint: Hint): void;
  /** Tells those that watch `id`. */
  changed(id: string): void;
  join(listener: (hint: Hint) => void): Promise<Omit<Membership, 'epoch'>>;
  close(): Promise<void>;
}
