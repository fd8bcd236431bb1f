import { HoldfastError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { Marks } from './backend.ts';
import type { RecordChange } from './draft.ts';
import type { StoredRecord } from './row.ts';
import type { ListQuery } from './store.ts';

/** A row as bytes. `version` differs from one write of the row to the next. */
export interface FoundRow {
  readonly version: number;
  /** See `readRow`; undefined: its checksum does not fit. */
  readonly body: string | undefined;
}

export interface Found {
  readonly marks: Marks;
  readonly row: FoundRow | undefined;
  /** By revision; in order, and those before the first damaged one. */
  readonly records: ReadonlyMap<number, StoredRecord>;
  /** There are more than came. */
  readonly more: boolean;
  /** Revision of the first record whose checksum does not fit. */
  readonly damaged: number | undefined;
}

export interface FoundPage {
  readonly marks: Marks;
  readonly rows: ReadonlyMap<string, FoundRow>;
  readonly more: boolean;
}

/** What the lookup has of a session. */
export interface LookedUp {
  /** Of its row; undefined: there is no such session. */
  readonly version: number | undefined;
  /** Terms without an entry that is sound. */
  readonly missing: readonly string[];
}

/** What a look through the database found; the contents of rows and records are not looked at. */
export interface Checked {
  readonly faults: readonly string[];
  readonly commits: number;
  /** Those that were acknowledged at least. */
  readonly known: number;
}

export type Answer =
  | { readonly kind: 'opened' | 'closed' }
  | { readonly kind: 'committed'; readonly written: boolean }
  | { readonly kind: 'found'; readonly found: Found }
  | { readonly kind: 'page'; readonly page: FoundPage }
  | { readonly kind: 'checked'; readonly checked: Checked }
  | { readonly kind: 'lookedUp'; readonly lookedUp: LookedUp }
  /**
   * Told to all, under no ticket: the log's length, once it has outgrown what it should be, and when it no longer has.
   */
  | { readonly kind: 'log'; readonly bytes: number };

/** One session, or (empty id) the marks alone. */
export interface FetchRequest {
  readonly kind: 'fetch';
  readonly id: string;
  /** Records from this revision on; undefined: none. */
  readonly from: number | undefined;
  /** Whole records up to this many bytes, but at least one. */
  readonly limitBytes: number;
}

export interface PageRequest {
  readonly kind: 'page';
  readonly query: ListQuery;
}

/** Whether a session is found by these terms. */
export interface LookUpRequest {
  readonly kind: 'lookUp';
  readonly id: string;
  readonly terms: readonly string[];
}

/** A change of one session that is to be made if row and marks are still those that it was drafted on. */
export interface DraftRequest {
  readonly kind: 'draft';
  readonly id: string;
  /** Undefined: there was no row. */
  readonly version: number | undefined;
  /** Of the row as it will be: never the same as one before, as far as random bits go. */
  readonly next: number;
  readonly marks: Marks;
  /** All that is there goes first. */
  readonly cleared: boolean;
  readonly changes: readonly RecordChange[];
  /** See `writeRow`. */
  readonly row: string | undefined;
  readonly lostTerms: readonly string[];
  readonly newTerms: readonly string[];
  /** All its entries of the lookup go first, for nobody can read which they were. */
  readonly allTerms: boolean;
  /** False: a power cut may undo it. */
  readonly flush: boolean;
}

/** To the marks `next`, if they are still `expected`. */
export interface RaiseRequest {
  readonly kind: 'raise';
  readonly expected: Marks;
  readonly next: Marks;
}

/** Looks through the structure of the database, and through its lookup. */
export interface CheckRequest {
  readonly kind: 'check';
}

/** Gives unused room back to the disk; others wait meanwhile. */
export interface CompactRequest {
  readonly kind: 'compact';
}

/** Makes a store of its own in this folder, as of one moment. */
export interface CopyRequest {
  readonly kind: 'copy';
  readonly to: string;
}

export type Reading = FetchRequest | PageRequest | LookUpRequest | CheckRequest;
export type Writing = DraftRequest | RaiseRequest;
export type Request = Reading | Writing | CompactRequest | CopyRequest;

const KINDS: Record<Request['kind'], number> = {
  fetch: 1,
  page: 2,
  draft: 3,
  raise: 4,
  check: 5,
  compact: 6,
  copy: 7,
  lookUp: 8,
};

const CLEARED = 1;
const FLUSH = 2;
const HAS_ROW = 4;
const ALL_TERMS = 8;
const PUT = 0;
const DELETE = 1;

const FIRST_ROOM = 4096;
const MOST_ROOM_KEPT = 1 << 20;

/** Requests as they are sent together: for each its length (4 bytes), ticket, bound in ms, and what is asked. */
export class Outbox {
  #room = Buffer.allocUnsafeSlow(FIRST_ROOM);
  #end = 0;

  get isEmpty(): boolean {
    return this.#end === 0;
  }

  /** Copies the request. */
  add(ticket: number, boundMs: number, request: Request): void {
    const start = this.#reserve(4);
    try {
      this.#length(ticket);
      this.#number(boundMs);
      this.#request(request);
      this.#room.writeUInt32LE(this.#end - start - 4, start);
    } catch (error) {
      this.#end = start; // of what cannot be sent nothing is
      throw error;
    }
  }

  /** All of them, in memory that the next take their place in. */
  take(): Uint8Array {
    const taken = this.#room.subarray(0, this.#end);
    this.#end = 0;
    if (this.#room.length > MOST_ROOM_KEPT) this.#room = Buffer.allocUnsafeSlow(FIRST_ROOM);
    return taken;
  }

  #reserve(bytes: number): number {
    const at = this.#end;
    this.#end += bytes;
    if (this.#end > this.#room.length) {
      const larger = Buffer.allocUnsafeSlow(2 * this.#end);
      this.#room.copy(larger, 0, 0, at);
      this.#room = larger;
    }
    return at;
  }

  #byte(value: number): void {
    const at = this.#reserve(1);
    this.#room[at] = value;
  }

  #length(value: number): void {
    const at = this.#reserve(4);
    this.#room.writeUInt32LE(value, at);
  }

  #number(value: number): void {
    const at = this.#reserve(8);
    this.#room.writeDoubleLE(value, at);
  }

  #text(text: string): void {
    const length = Buffer.byteLength(text);
    this.#length(length);
    const at = this.#reserve(length);
    this.#room.write(text, at);
  }

  #bytes(bytes: Uint8Array): void {
    this.#length(bytes.length);
    const at = this.#reserve(bytes.length);
    this.#room.set(bytes, at);
  }

  #texts(texts: readonly string[]): void {
    this.#length(texts.length);
    for (const text of texts) this.#text(text);
  }

  #marks({ epoch, births }: Marks): void {
    this.#number(epoch);
    this.#number(births);
  }

  #request(request: Request): void {
    this.#byte(KINDS[request.kind]);
    if (request.kind === 'fetch') this.#fetch(request);
    else if (request.kind === 'page') this.#page(request.query);
    else if (request.kind === 'draft') this.#draft(request);
    else if (request.kind === 'copy') this.#text(request.to);
    else if (request.kind === 'lookUp') {
      this.#text(request.id);
      this.#texts(request.terms);
    } else if (request.kind === 'raise') {
      this.#marks(request.expected);
      this.#marks(request.next);
    }
  }

  #fetch({ id, from, limitBytes }: FetchRequest): void {
    this.#text(id);
    this.#number(from ?? -1);
    this.#number(limitBytes);
  }

  #page({ term = '', cursor = '', limit }: ListQuery): void {
    this.#text(term);
    this.#text(cursor);
    this.#number(limit);
  }

  #draft(request: DraftRequest): void {
    const { id, version, next, marks, cleared, row, lostTerms, newTerms, allTerms, changes, flush } = request;
    this.#text(id);
    this.#number(version ?? -1);
    this.#number(next);
    this.#marks(marks);
    this.#byte(
      (cleared ? CLEARED : 0) | (flush ? FLUSH : 0) | (row === undefined ? 0 : HAS_ROW) | (allTerms ? ALL_TERMS : 0),
    );
    if (row !== undefined) this.#text(row);
    this.#texts(lostTerms);
    this.#texts(newTerms);
    this.#length(changes.length);
    for (const change of changes) this.#change(change);
  }

  #change(change: RecordChange): void {
    this.#byte(change.op === 'put' ? PUT : DELETE);
    if (change.op === 'put') {
      this.#number(change.revision);
      this.#number(change.record.nonce);
      this.#bytes(change.record.bytes);
    } else {
      this.#number(change.from);
      this.#number(change.to);
    }
  }
}

/** What the store's threads say of a call that failed. */
export function failure(code: ErrorCode, text: string, outcome: 'none' | 'unknown'): HoldfastError {
  const then =
    outcome === 'none' ? 'nothing was written' : 'it may have happened, or may still: offer the identical call again';
  return new HoldfastError(code, `SQLite: ${text}${code === 'ERR_UNAVAILABLE' ? `; ${then}` : ''}`, { outcome });
}
