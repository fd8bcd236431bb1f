import { Fault } from './fault.ts';
import { EXT_NEGATIVE_ZERO, EXT_STRING16, SCRATCH_LIMIT, needsString16 } from './format.ts';

export const FIRST_BYTES = 8_192;
/** Every header, number and known key fits in; whoever writes more asks for room. */
const MARGIN = 32;
/** Up to this length a loop in JavaScript writes ASCII faster than a call into the engine. */
const SHORT_TEXT = 24;

/** First bytes of MessagePack's families of headers; the next lengths follow each. */
export const MAP = 0x80;
const ARRAY = 0x90;
const TEXT = 0xa0;

/** Writes tokens of MessagePack, as `format.ts` draws them, one behind the other into memory that grows. */
export class Writer {
  protected bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  protected view: DataView = new DataView(this.bytes.buffer);
  protected at: number = 0;
  protected last: number = FIRST_BYTES - MARGIN;

  protected take(bytes: Buffer): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
    this.last = bytes.length - MARGIN;
  }

  /** Makes sure of so many bytes beside the margin. */
  protected room(more: number): void {
    if (this.at + more > this.last) this.grow(more);
  }

  protected grow(more: number): void {
    const needed = this.at + more + MARGIN;
    if (needed > SCRATCH_LIMIT) throw new Fault('is too large to encode: split the attribute', { code: 'ERR_LIMIT' });
    const larger = Buffer.allocUnsafeSlow(Math.min(SCRATCH_LIMIT, Math.max(2 * this.bytes.length, needed)));
    this.bytes.copy(larger, 0, 0, this.at);
    this.take(larger);
  }

  protected number(value: number): void {
    const { bytes, view, at } = this;
    if ((value | 0) === value) {
      if (value >= 0) return value === 0 && 1 / value < 0 ? this.prefix(EXT_NEGATIVE_ZERO) : this.natural(value);
      if (value >= -0x20) bytes[this.at++] = value;
      else if (value >= -0x80) {
        bytes[at] = 0xd0;
        bytes[at + 1] = value;
        this.at = at + 2;
      } else if (value >= -0x8000) {
        bytes[at] = 0xd1;
        view.setInt16(at + 1, value);
        this.at = at + 3;
      } else {
        bytes[at] = 0xd2;
        view.setInt32(at + 1, value);
        this.at = at + 5;
      }
    } else if (value >>> 0 === value) this.natural(value);
    else {
      bytes[at] = 0xcb;
      // The engine may hold any of NaN's bit patterns.
      if (value === value) view.setFloat64(at + 1, value);
      else {
        view.setUint32(at + 1, 0x7ff80000);
        view.setUint32(at + 5, 0);
      }
      this.at = at + 9;
    }
  }

  /** Below 2^32. */
  protected natural(value: number): void {
    if (value < 0x80) this.bytes[this.at++] = value;
    else this.sized(value, 0xcc);
  }

  /** A length or number behind the first of three headers, for 8, 16 and 32 bits. */
  protected sized(value: number, first: number): void {
    const { bytes, at } = this;
    if (value < 0x100) {
      bytes[at] = first;
      bytes[at + 1] = value;
      this.at = at + 2;
    } else if (value < 0x10000) {
      bytes[at] = first + 1;
      bytes[at + 1] = value >> 8;
      bytes[at + 2] = value;
      this.at = at + 3;
    } else {
      bytes[at] = first + 2;
      this.view.setUint32(at + 1, value);
      this.at = at + 5;
    }
  }

  /** Announces that what follows is to be read as something else. */
  protected prefix(type: number): void {
    const { bytes, at } = this;
    bytes[at] = 0xd4;
    bytes[at + 1] = type;
    bytes[at + 2] = 0;
    this.at = at + 3;
  }

  /** The definition of an id, or a reference to it. */
  protected mark(type: number, id: number): void {
    const { bytes, view, at } = this;
    bytes[at] = id < 0x100 ? 0xd4 : id < 0x10000 ? 0xd5 : 0xd6;
    bytes[at + 1] = type;
    if (id < 0x100) bytes[at + 2] = id;
    else if (id < 0x10000) view.setUint16(at + 2, id);
    else view.setUint32(at + 2, id);
    this.at = at + (id < 0x100 ? 3 : id < 0x10000 ? 4 : 6);
  }

  /** Of an array; MessagePack has none of 8 bits for it. */
  protected list(length: number): void {
    if (length < 16) this.bytes[this.at++] = ARRAY | length;
    else this.counted(this.at, length, 0xdc);
  }

  /** A header of 16 or 32 bits at `at`, behind which writing goes on. */
  protected counted(at: number, count: number, first: number): void {
    this.bytes[at] = count < 0x10000 ? first : first + 1;
    if (count < 0x10000) this.view.setUint16(at + 1, count);
    else this.view.setUint32(at + 1, count);
    this.at = at + (count < 0x10000 ? 3 : 5);
  }

  protected text(text: string): void {
    const { length } = text;
    this.room(3 * length);
    if (length >= SHORT_TEXT) return this.longText(text);
    const { bytes } = this;
    let at = this.at + 1;
    for (let i = 0; i < length; i += 1) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return this.longText(text);
      bytes[at++] = code;
    }
    bytes[this.at] = TEXT | length;
    this.at = at;
  }

  /** Behind a header as ASCII would need it; what is not ASCII moves where it needs a longer one. */
  protected longText(text: string): void {
    const guessed = textHeader(text.length);
    const from = this.at + guessed;
    const length = this.bytes.write(text, from, 3 * text.length, 'utf8');
    // Text that needs another form takes more bytes than it has characters.
    if (length !== text.length && needsString16(text)) return this.text16(text);
    const header = textHeader(length);
    if (header !== guessed) this.bytes.copyWithin(this.at + header, from, from + length);
    if (header === 1) this.bytes[this.at++] = TEXT | length;
    else this.sized(length, 0xd9);
    this.at += length;
  }

  protected text16(text: string): void {
    const length = 2 * text.length;
    this.extension(EXT_STRING16, length, true);
    this.at += this.bytes.write(text, this.at, length, 'utf16le');
  }

  /** `fixed`: lengths of 2, 4, 8 and 16 have headers of their own. */
  protected extension(type: number, length: number, fixed: boolean): void {
    this.room(length);
    const fix = fixed ? [2, 4, 8, 16].indexOf(length) : -1;
    if (fix >= 0) this.bytes[this.at++] = 0xd5 + fix;
    else this.sized(length, 0xc7);
    this.bytes[this.at++] = type;
  }

  /** Moves all from `from` on, to make room for a longer header before it. */
  protected shift(from: number, by: number): void {
    this.bytes.copyWithin(from + by, from, this.at);
    this.at += by;
  }

  protected binary(bytes: Uint8Array): void {
    this.room(bytes.length);
    this.sized(bytes.length, 0xc4);
    this.copy(bytes);
  }

  protected copy(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }
}

const textHeader = (length: number): number => (length < 32 ? 1 : length < 0x100 ? 2 : length < 0x10000 ? 3 : 5);
