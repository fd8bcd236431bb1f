import type { ErrorCode, HoldfastError } from '../errors.ts';
import type { Marks } from './backend.ts';
import type { StoredRecord } from './row.ts';
import { failure } from './sqlite-wire.ts';
import type { Answer, Checked, Found, FoundPage, FoundRow, LookedUp } from './sqlite-wire.ts';

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
    for (let count = this.length(); count > 0; count -= 1)
      records.set(this.number(), { nonce: this.number(), bytes: this.bytes() });
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

  texts(): string[] {
    return Array.from({ length: this.length() }, () => this.text());
  }

  lookedUp(): LookedUp {
    const version = this.number();
    return { version: version < 0 ? undefined : version, missing: this.texts() };
  }

  checked(): Checked {
    const faults = this.texts();
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
      case 6:
        return { kind: 'checked', checked: this.checked() };
      case 8:
        return { kind: 'lookedUp', lookedUp: this.lookedUp() };
      default:
        return { kind: 'log', bytes: this.number() };
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
