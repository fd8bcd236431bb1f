import { HoldfastError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { Marks } from './backend.ts';
import type { RecordChange } from './draft.ts';
import type { StoredRecord } from './row.ts';
import type { ListQuery } from './store.ts';

/** A row as bytes. `version` differs from one write of the row to the next. */
export interface FoundRow {
  readonly version: number;
  /** JSON; undefined: its checksum does not fit. */
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
  | { readonly kind: 'checked'; readonly checked: Checked };

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

/** A change of one session that is to be made if row and marks are still those that it was drafted on. */
export interface DraftRequest {
  readonly kind: 'draft';
  readonly id: string;
  /** Undefined: there was no row. */
  readonly version: number | undefined;
  readonly marks: Marks;
  /** All that is there goes first. */
  readonly cleared: boolean;
  readonly changes: readonly RecordChange[];
  /** JSON. */
  readonly row: string | undefined;
  readonly lostTerms: readonly string[];
  readonly newTerms: readonly string[];
  /** False: a power cut may undo it. */
  readonly flush: boolean;
}

/** To the marks `next`, if they are still `expected`. */
export interface RaiseRequest {
  readonly kind: 'raise';
  readonly expected: Marks;
  readonly next: Marks;
}

/** Looks through the structure of the database. */
export interface CheckRequest {
  readonly kind: 'check';
}

/** Gives unused room back to the disk; others wait meanwhile. */
export interface CompactRequest {
  readonly kind: 'compact';
}

export type Reading = FetchRequest | PageRequest | CheckRequest;
export type Writing = DraftRequest | RaiseRequest;
export type Request = Reading | Writing | CompactRequest;

const FETCH = 1;
const PAGE = 2;
const DRAFT = 3;
const RAISE = 4;
const CHECK = 5;
const COMPACT = 6;

const CLEARED = 1;
const FLUSH = 2;
const HAS_ROW = 4;
const PUT = 0;
const DELETE = 1;

const FIRST_ROOM = 4096;
const MOST_ROOM_KEPT = 1 << 20;

/** One request at a time is written here: whoever sends it copies it. */
let room = Buffer.allocUnsafeSlow(FIRST_ROOM);
let end = 0;

function begin(kind: number): void {
  if (room.length > MOST_ROOM_KEPT) room = Buffer.allocUnsafeSlow(FIRST_ROOM);
  end = 0;
  putByte(kind);
}

function reserve(bytes: number): number {
  const at = end;
  end += bytes;
  if (end > room.length) {
    const larger = Buffer.allocUnsafeSlow(2 * end);
    room.copy(larger, 0, 0, at);
    room = larger;
  }
  return at;
}

function putByte(value: number): void {
  const at = reserve(1);
  room[at] = value;
}

function putLength(value: number): void {
  const at = reserve(4);
  room.writeUInt32LE(value, at);
}

function putNumber(value: number): void {
  const at = reserve(8);
  room.writeDoubleLE(value, at);
}

function putText(text: string): void {
  const length = Buffer.byteLength(text);
  putLength(length);
  const at = reserve(length);
  room.write(text, at);
}

function putBytes(bytes: Uint8Array): void {
  putLength(bytes.length);
  const at = reserve(bytes.length);
  room.set(bytes, at);
}

function putTexts(texts: readonly string[]): void {
  putLength(texts.length);
  texts.forEach(putText);
}

function putMarks({ epoch, births }: Marks): void {
  putNumber(epoch);
  putNumber(births);
}

/** In memory that the next one takes again. */
export function encode(request: Request): Uint8Array {
  switch (request.kind) {
    case 'fetch':
      begin(FETCH);
      putText(request.id);
      putNumber(request.from ?? -1);
      putNumber(request.limitBytes);
      break;
    case 'page':
      begin(PAGE);
      putPage(request.query);
      break;
    case 'raise':
      begin(RAISE);
      putMarks(request.expected);
      putMarks(request.next);
      break;
    case 'draft':
      begin(DRAFT);
      putDraft(request);
      break;
    case 'check':
      begin(CHECK);
      break;
    case 'compact':
      begin(COMPACT);
  }
  return room.subarray(0, end);
}

function putPage({ term = '', cursor = '', limit }: ListQuery): void {
  putText(term);
  putText(cursor);
  putNumber(limit);
}

function putDraft({ id, version, marks, cleared, row, lostTerms, newTerms, changes, flush }: DraftRequest): void {
  putText(id);
  putNumber(version ?? -1);
  putMarks(marks);
  putByte((cleared ? CLEARED : 0) | (flush ? FLUSH : 0) | (row === undefined ? 0 : HAS_ROW));
  if (row !== undefined) putText(row);
  putTexts(lostTerms);
  putTexts(newTerms);
  putLength(changes.length);
  for (const change of changes) {
    putByte(change.op === 'put' ? PUT : DELETE);
    if (change.op === 'put') {
      putNumber(change.revision);
      putNumber(change.record.nonce);
      putBytes(change.record.bytes);
    } else {
      putNumber(change.from);
      putNumber(change.to);
    }
  }
}

/** What the store's threads say of a call that failed. */
export function failure(code: ErrorCode, text: string, outcome: 'none' | 'unknown'): HoldfastError {
  const then = outcome === 'none' ? 'nothing was written' : 'it may have happened, or may still: offer the identical call again';
  return new HoldfastError(code, `SQLite: ${text}${code === 'ERR_UNAVAILABLE' ? `; ${then}` : ''}`, { outcome });
}

/** Takes answers apart. What it hands out are copies. */
class Reader {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  byte(): number {
    this.at += 1;
    return this.#bytes[this.at - 1] as number;
  }

  length(): number {
    this.at += 4;
    return this.#bytes.readUInt32LE(this.at - 4);
  }

  number(): number {
    this.at += 8;
    return this.#bytes.readDoubleLE(this.at - 8);
  }

  bytes(): Buffer {
    const length = this.length();
    this.at += length;
    return Buffer.from(this.#bytes.subarray(this.at - length, this.at));
  }

  text(): string {
    const length = this.length();
    this.at += length;
    return this.#bytes.toString('utf8', this.at - length, this.at);
  }

  marks(): Marks {
    return { epoch: this.number(), births: this.number() };
  }

  row(state: number): FoundRow {
    const version = this.number();
    const body = this.text();
    return { version, body: state === 1 ? body : undefined };
  }

  found(): Found {
    const marks = this.marks();
    const state = this.byte();
    const row = state === 0 ? undefined : this.row(state);
    const records = new Map<number, StoredRecord>();
    for (let count = this.length(); count > 0; count -= 1) records.set(this.number(), { nonce: this.number(), bytes: this.bytes() });
    const more = this.byte() === 1;
    const damaged = this.number();
    return { marks, row, records, more, damaged: damaged < 0 ? undefined : damaged };
  }

  page(): FoundPage {
    const marks = this.marks();
    const rows = new Map<string, FoundRow>();
    for (let count = this.length(); count > 0; count -= 1) rows.set(this.text(), this.row(this.byte()));
    return { marks, rows, more: this.byte() === 1 };
  }

  checked(): Checked {
    const faults = Array.from({ length: this.length() }, () => this.text());
    return { faults, commits: this.number(), known: this.number() };
  }

  error(): HoldfastError {
    const code = this.text() as ErrorCode;
    const outcome = this.byte() === 1 ? 'unknown' : 'none';
    return failure(code, this.text(), outcome);
  }

  answer(): Answer | HoldfastError {
    switch (this.byte()) {
      case 0:
        return this.error();
      case 1:
        return { kind: 'opened' };
      case 2:
        return { kind: 'closed' };
      case 3:
        return { kind: 'committed', written: this.byte() === 1 };
      case 4:
        return { kind: 'found', found: this.found() };
      case 5:
        return { kind: 'page', page: this.page() };
      default:
        return { kind: 'checked', checked: this.checked() };
    }
  }
}

/** Calls `take` with each answer and its ticket. */
export function decodeAnswers(bytes: Buffer, take: (ticket: number, answer: Answer | HoldfastError) => void): void {
  const reader = new Reader(bytes);
  while (reader.at < bytes.length) {
    const next = reader.length() + reader.at;
    take(reader.length(), reader.answer());
    reader.at = next;
  }
}
