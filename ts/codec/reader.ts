import { isUtf8 } from 'node:buffer';
import {
  ARRAY_BUFFER,
  DATA_VIEW,
  EXT_BIGINT,
  EXT_STRING16,
  EXT_TIMESTAMP,
  EXT_VIEW,
  VIEWS,
  needsString16,
} from './format.ts';

const LATEST_SECONDS = 8_640_000_000_000n;
const NO_BYTES = Buffer.alloc(0);
/** Up to this length a loop in JavaScript reads ASCII faster than a call into the engine. */
const SHORT_TEXT = 12;
const REPLACEMENT = '\ufffd';
const { fromCharCode } = String;

/** Node's own, at which `toString` arrives after a third more time. */
interface TextBuffer extends Buffer {
  utf8Slice(start: number, end: number): string;
}

/** Reads what is no container, one behind the other, and checks that each header is as short as can be. */
export abstract class Reader {
  protected bytes: Buffer = NO_BYTES;
  protected at: number = 0;

  protected abstract corrupt(why: string): never;

  protected open(bytes: Buffer): void {
    this.bytes = bytes;
    this.at = 0;
  }

  protected shut(): void {
    this.bytes = NO_BYTES;
  }

  protected skip(length: number): void {
    this.at += length;
    if (this.at > this.bytes.length) this.corrupt('bytes are missing');
  }

  /** A number that would have fitted a shorter header was not written by the encoder. */
  protected length(size: 1 | 2 | 4, least: number): number {
    const { at, bytes } = this;
    this.skip(size);
    const value =
      size === 1
        ? bytes[at]!
        : size === 2
          ? (bytes[at]! << 8) | bytes[at + 1]!
          : bytes[at]! * 0x1000000 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!);
    return value >= least ? value : this.corrupt('a header is longer than needed');
  }

  /** Of what is no unsigned number of up to 32 bits. */
  protected number(token: number): number | bigint {
    const { at, bytes } = this;
    switch (token) {
      case 0xd0:
        this.skip(1);
        return bytes.readInt8(at);
      case 0xd1:
        this.skip(2);
        return bytes.readInt16BE(at);
      case 0xd2:
        this.skip(4);
        return bytes.readInt32BE(at);
      case 0xcf:
        this.skip(8);
        return bytes.readBigUInt64BE(at);
      case 0xd3:
        this.skip(8);
        return bytes.readBigInt64BE(at);
      default:
        this.skip(8);
        return bytes.readDoubleBE(at);
    }
  }

  protected text(length: number): string {
    const start = this.at;
    const end = start + length;
    const { bytes } = this;
    if (end > bytes.length) this.corrupt('bytes are missing');
    this.at = end;
    if (length <= SHORT_TEXT) {
      const text = shortText(bytes, start, length);
      if (text !== undefined) return text;
    }
    const text = (bytes as TextBuffer).utf8Slice(start, end);
    // What is wrong takes the place of others; text of one byte a character is looked through in no time.
    if ((text.length !== length || text.includes(REPLACEMENT)) && !isUtf8(bytes.subarray(start, end)))
      this.corrupt('a string is not UTF-8');
    if (bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf)
      this.corrupt('a string begins with a byte order mark');
    return text;
  }

  protected binary(length: number): Buffer {
    const start = this.at;
    this.skip(length);
    return Uint8Array.prototype.slice.call(this.bytes, start, this.at) as Buffer;
  }

  protected extension(length: number, fixed: boolean): unknown {
    const type = this.bytes[this.at];
    const start = this.at + 1;
    this.skip(length + 1);
    const isFixedLength = length === 2 || length === 4 || length === 8 || length === 16;
    if (type === EXT_VIEW && !fixed) return this.view(start, length);
    if (type === EXT_STRING16 && fixed === isFixedLength) return this.text16(start);
    if (type === EXT_BIGINT && fixed === isFixedLength && length >= 16)
      return BigInt.asIntN(8 * length, BigInt(`0x${this.bytes.toString('hex', start, this.at)}`));
    if (type === EXT_TIMESTAMP) {
      if (fixed && length === 4) return new Date(this.bytes.readUInt32BE(start) * 1_000);
      if (fixed && length === 8) return this.longDate(start);
      if (length === 12) return this.farDate(start);
    }
    return this.corrupt(`extension ${type} is not used, or not so`);
  }

  private view(start: number, length: number): object {
    const kind = length === 0 ? -1 : this.bytes[start]!;
    const { buffer } = new Uint8Array(this.bytes.subarray(start + 1, this.at));
    if (kind === ARRAY_BUFFER) return buffer;
    if (kind === DATA_VIEW) return new DataView(buffer);
    const View = VIEWS[kind] as (new (buffer: ArrayBufferLike) => ArrayBufferView) | undefined;
    return View === undefined ? this.corrupt(`a typed array of kind ${kind} is not used`) : new View(buffer);
  }

  private text16(start: number): string {
    const text = this.bytes.toString('utf16le', start, this.at);
    return (this.at - start) % 2 === 0 && needsString16(text) ? text : this.corrupt('a string is damaged');
  }

  private longDate(start: number): Date {
    const milliseconds = this.bytes.readUInt32BE(start) / 4_000_000;
    if (!Number.isInteger(milliseconds) || milliseconds < 1 || milliseconds >= 1_000) this.corrupt('a date is damaged');
    return new Date(this.bytes.readUInt32BE(start + 4) * 1_000 + milliseconds);
  }

  private farDate(start: number): Date {
    const milliseconds = this.bytes.readUInt32BE(start) / 1_000_000;
    const seconds = this.bytes.readBigInt64BE(start + 4);
    const inRange =
      seconds < LATEST_SECONDS ? seconds >= -LATEST_SECONDS : seconds === LATEST_SECONDS && milliseconds === 0;
    const isFar = seconds < 0n || seconds >= 2n ** 32n;
    if (!Number.isInteger(milliseconds) || milliseconds >= 1_000 || !inRange || !isFar)
      this.corrupt('a date is damaged');
    return new Date(Number(seconds) * 1_000 + milliseconds);
  }
}

/** Undefined: it is not ASCII. */
function shortText(bytes: Buffer, at: number, length: number): string | undefined {
  let text = '';
  let bits = 0;
  let i = at;
  const end = at + length;
  for (; i + 4 <= end; i += 4) {
    const a = bytes[i]!;
    const b = bytes[i + 1]!;
    const c = bytes[i + 2]!;
    const d = bytes[i + 3]!;
    bits |= a | b | c | d;
    text += fromCharCode(a, b, c, d);
  }
  for (; i < end; i += 1) {
    const a = bytes[i]!;
    bits |= a;
    text += fromCharCode(a);
  }
  return bits < 0x80 ? text : undefined;
}
