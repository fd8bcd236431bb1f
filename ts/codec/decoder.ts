import { HoldfastError } from '../errors.ts';
import {
  DEPTH_LIMIT, EXT_BIGINT, EXT_MAP, EXT_NULL_PROTOTYPE, EXT_SET, EXT_SPARSE, EXT_STRING16, EXT_TIMESTAMP, EXT_UNDEFINED, EXT_VIEW,
  VIEW_ARRAY_BUFFER, VIEW_DATA_VIEW, VIEWS,
} from './format.ts';

const KEY_CACHE_SIZE = 4_096;
const KEY_CACHE_LENGTH = 32;
/** Up to this length a loop in JavaScript reads a string faster than a call into the engine. */
const SHORT_STRING = 24;
const SAFE_SECONDS = 8_640_000_000_000n;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Property names met before, by a hash of their bytes, so that the engine finds each already interned. What is found is
 * compared in full: the cache can only cost time, never change a result.
 */
const keyCache: string[] = Array.from({ length: KEY_CACHE_SIZE }, () => '');

/** Reads what `Encoder` writes and nothing else: any other bytes are `ERR_CORRUPT`. */
export class Decoder {
  private readonly bytes: Buffer;
  private readonly view: DataView;
  private position = 0;
  private depth = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  decode(): unknown {
    try {
      const value = this.readValue();
      if (this.position !== this.bytes.length) this.corrupt('bytes follow the value');
      return value;
    } catch (cause) {
      if (cause instanceof HoldfastError) throw cause;
      // Reading past the end, an ArrayBuffer or string beyond the engine's limits, UTF-8 that is none.
      throw new HoldfastError('ERR_CORRUPT', `Not an encoded value: damaged near byte ${this.position}.`, { cause });
    }
  }

  private readValue(): unknown {
    const token = this.bytes[this.position++];
    if (token === undefined) return this.corrupt('bytes are missing');
    if (token < 0x80) return token;
    if (token < 0x90) return this.readProperties({}, token & 0xf);
    if (token < 0xa0) return this.readElements(token & 0xf);
    if (token < 0xc0) return this.readString(token & 0x1f);
    if (token >= 0xe0) return token - 0x100;
    return this.readToken(token);
  }

  private readToken(token: number): unknown {
    switch (token) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: return this.readBuffer(this.length8(0));
      case 0xc5: return this.readBuffer(this.length16(0x100));
      case 0xc6: return this.readBuffer(this.length32());
      case 0xc7: return this.readExtension(this.length8(0));
      case 0xc8: return this.readExtension(this.length16(0x100));
      case 0xc9: return this.readExtension(this.length32());
      case 0xd4: return this.readPrefixed();
      case 0xd6: return this.readShortDate();
      case 0xd7: return this.readLongDate();
      case 0xd8: return this.readTwoWordBigint();
      case 0xd9: return this.readString(this.length8(0x20));
      case 0xda: return this.readString(this.length16(0x100));
      case 0xdb: return this.readString(this.length32());
      case 0xdc: return this.readElements(this.length16(0x10));
      case 0xdd: return this.readElements(this.length32());
      case 0xde: return this.readProperties({}, this.length16(0x10));
      case 0xdf: return this.readProperties({}, this.length32());
      default: return this.readNumber(token);
    }
  }

  private readNumber(token: number): number | bigint {
    const at = this.position;
    switch (token) {
      case 0xcb:
        this.position += 8;
        return this.view.getFloat64(at);
      case 0xcc: return this.length8(0x80);
      case 0xcd: return this.length16(0x100);
      case 0xce: return this.length32();
      case 0xcf:
        this.position += 8;
        return this.view.getBigUint64(at);
      case 0xd0:
        this.position += 1;
        return this.view.getInt8(at);
      case 0xd1:
        this.position += 2;
        return this.view.getInt16(at);
      case 0xd2:
        this.position += 4;
        return this.view.getInt32(at);
      case 0xd3:
        this.position += 8;
        return this.view.getBigInt64(at);
      default: return this.corrupt(`token ${token} is not used`);
    }
  }

  private readString(length: number): string {
    const end = this.take(length);
    const bytes = this.bytes;
    const start = end - length;
    if (length > SHORT_STRING) return this.readLongString(start, end);
    let text = '';
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!;
      if (byte >= 0x80) return utf8.decode(bytes.subarray(start, end));
      text += String.fromCharCode(byte);
    }
    return text;
  }

  private readLongString(start: number, end: number): string {
    const text = this.bytes.toString('utf8', start, end);
    // Bytes that are no UTF-8 become U+FFFD: only then is it worth asking whether it was written so.
    return text.includes('\ufffd') ? utf8.decode(this.bytes.subarray(start, end)) : text;
  }

  private readKey(): string {
    const token = this.bytes[this.position];
    if (token === undefined || token < 0xa0 || token > 0xbf) return this.readLongKey();
    this.position++;
    const length = token & 0x1f;
    const end = this.take(length);
    const bytes = this.bytes;
    let hash = length;
    for (let i = end - length; i < end; i++) hash = Math.imul(hash, 31) + bytes[i]!;
    const slot = (hash ^ (hash >>> 12)) & (KEY_CACHE_SIZE - 1);
    const known = keyCache[slot]!;
    if (known.length === length && this.matches(known, end - length)) return known;
    this.position -= length;
    const key = this.readString(length);
    if (key.length === length && length <= KEY_CACHE_LENGTH) keyCache[slot] = key;
    return key;
  }

  private matches(known: string, start: number): boolean {
    const bytes = this.bytes;
    for (let i = 0; i < known.length; i++) if (known.charCodeAt(i) !== bytes[start + i]) return false;
    return true;
  }

  private readLongKey(): string {
    const key = this.readValue();
    return typeof key === 'string' ? key : this.corrupt('a property name is not a string');
  }

  private readProperties(value: Record<string, unknown>, count: number): Record<string, unknown> {
    this.open(count * 2);
    for (let i = 0; i < count; i++) {
      const key = this.readKey();
      if (key === '__proto__') {
        // Assigning would set the prototype.
        Object.defineProperty(value, key, { value: this.readValue(), writable: true, enumerable: true, configurable: true });
      } else {
        value[key] = this.readValue();
      }
    }
    this.depth--;
    return value;
  }

  private readElements(count: number): unknown[] {
    this.open(count);
    const elements: unknown[] = [];
    for (let i = 0; i < count; i++) elements.push(this.readValue());
    this.depth--;
    return elements;
  }

  private readPrefixed(): unknown {
    const type = this.bytes[this.position++];
    const filler = this.bytes[this.position++];
    if (type === EXT_TIMESTAMP && filler === 0xff) return new Date(NaN);
    if (filler !== 0) this.corrupt('a prefix is damaged');
    switch (type) {
      case EXT_UNDEFINED: return undefined;
      case EXT_MAP: return this.readMap(this.readCount(0x80, 0xde));
      case EXT_SET: return this.readSet(this.readCount(0x90, 0xdc));
      case EXT_SPARSE: return this.readSparse(this.readCount(0x90, 0xdc));
      case EXT_NULL_PROTOTYPE: {
        const bare = Object.create(null) as Record<string, unknown>;
        return this.readProperties(bare, this.readCount(0x80, 0xde));
      }
      default: return this.corrupt(`prefix ${type} is not used`);
    }
  }

  private readCount(fix: number, token16: number): number {
    const token = this.bytes[this.position++] ?? 0;
    if ((token & 0xf0) === fix) return token & 0xf;
    if (token === token16) return this.length16(0x10);
    return token === token16 + 1 ? this.length32() : this.corrupt('a prefix has no content');
  }

  private readMap(count: number): Map<unknown, unknown> {
    this.open(count * 2);
    const map = new Map<unknown, unknown>();
    for (let i = 0; i < count; i++) {
      const key = this.readValue();
      map.set(key, this.readValue());
    }
    this.depth--;
    return map.size === count ? map : this.corrupt('a Map has a key twice');
  }

  private readSet(count: number): Set<unknown> {
    this.open(count);
    const set = new Set<unknown>();
    for (let i = 0; i < count; i++) set.add(this.readValue());
    this.depth--;
    return set.size === count ? set : this.corrupt('a Set has an element twice');
  }

  private readSparse(count: number): unknown[] {
    if (count % 2 === 0) this.corrupt('a sparse array is incomplete');
    this.open(count);
    const length = this.readIndex(-1, 2 ** 32);
    const array: unknown[] = [];
    // The engine would reserve all of a length below 2^25: going over it first makes it keep a table of what is there.
    if (length > 4 * count + 64) array.length = 2 ** 32 - 1;
    array.length = length;
    let last = -1;
    for (let i = 1; i < count; i += 2) {
      last = this.readIndex(last, length);
      array[last] = this.readValue();
    }
    this.depth--;
    return array;
  }

  private readIndex(after: number, end: number): number {
    const index = this.readValue();
    return typeof index === 'number' && Number.isInteger(index) && index > after && index < end
      ? index
      : this.corrupt('a sparse array has a wrong index');
  }

  private readShortDate(): Date {
    if (this.bytes[this.position++] !== EXT_TIMESTAMP) this.corrupt('an extension is not used');
    return new Date(this.length32(0) * 1_000);
  }

  private readLongDate(): Date {
    if (this.bytes[this.position++] !== EXT_TIMESTAMP) this.corrupt('an extension is not used');
    const milliseconds = this.length32(0) / 4_000_000;
    return this.date(this.length32(0), milliseconds, 1);
  }

  private readFarDate(): Date {
    const milliseconds = this.length32(0) / 1_000_000;
    const seconds = this.view.getBigInt64(this.position);
    this.position += 8;
    if (seconds > SAFE_SECONDS || seconds < -SAFE_SECONDS) this.corrupt('a date is out of range');
    return this.date(Number(seconds), milliseconds, 0);
  }

  private date(seconds: number, milliseconds: number, least: number): Date {
    const whole = Number.isInteger(milliseconds) && milliseconds >= least && milliseconds < 1_000;
    const date = new Date(seconds * 1_000 + milliseconds);
    return whole && !Number.isNaN(date.getTime()) ? date : this.corrupt('a date is out of range');
  }

  private readExtension(length: number): unknown {
    const type = this.bytes[this.position++];
    const end = this.take(length);
    const start = end - length;
    switch (type) {
      case EXT_VIEW: return this.readView(start, end);
      case EXT_STRING16: return this.readString16(start, end);
      case EXT_BIGINT: return this.bigint(start, end);
      case EXT_TIMESTAMP:
        if (length !== 12) this.corrupt('a date is damaged');
        this.position = start;
        return this.readFarDate();
      default: return this.corrupt(`extension ${type} is not used`);
    }
  }

  private readView(start: number, end: number): ArrayBuffer | ArrayBufferView {
    const kind = this.bytes[start] ?? 0xff;
    const buffer = new ArrayBuffer(end - start - 1);
    new Uint8Array(buffer).set(this.bytes.subarray(start + 1, end));
    if (kind === VIEW_ARRAY_BUFFER) return buffer;
    if (kind === VIEW_DATA_VIEW) return new DataView(buffer);
    const constructor = VIEWS[kind];
    return constructor === undefined ? this.corrupt(`typed array ${kind} is not used`) : new constructor(buffer);
  }

  private readBuffer(length: number): Buffer {
    const end = this.take(length);
    const copy = Buffer.allocUnsafeSlow(length);
    copy.set(this.bytes.subarray(end - length, end));
    return copy;
  }

  private readString16(start: number, end: number): string {
    const text = this.bytes.toString('utf16le', start, end);
    const lone = (end - start) % 2 === 0 && !(text as string & { isWellFormed(): boolean }).isWellFormed();
    return lone ? text : this.corrupt('a string is damaged');
  }

  private readTwoWordBigint(): bigint {
    if (this.bytes[this.position++] !== EXT_BIGINT) this.corrupt('an extension is not used');
    const end = this.take(16);
    return this.bigint(end - 16, end);
  }

  private bigint(start: number, end: number): bigint {
    const data = Buffer.from(this.bytes.subarray(start, end));
    if (data.length < 16 || data.length % 8 !== 0) this.corrupt('a bigint is damaged');
    const negative = data[0]! >= 0x80;
    if (negative) for (let i = 0; i < data.length; i++) data[i] = ~data[i]!;
    const magnitude = BigInt(`0x${data.toString('hex')}`);
    return negative ? ~magnitude : magnitude;
  }

  /** Enters a container whose content takes at least `bytes` more: no small header can claim a large one. */
  private open(bytes: number): void {
    if (bytes > this.bytes.length - this.position) this.corrupt('bytes are missing');
    if (++this.depth > DEPTH_LIMIT) this.corrupt(`nested deeper than ${DEPTH_LIMIT}`);
  }

  private take(length: number): number {
    const end = this.position + length;
    if (end > this.bytes.length) this.corrupt('bytes are missing');
    this.position = end;
    return end;
  }

  /** A length that would have fitted a shorter header was not written by the encoder. */
  private length8(least: number): number {
    const value = this.view.getUint8(this.position++);
    return value >= least ? value : this.corrupt('a header is longer than needed');
  }

  private length16(least: number): number {
    const value = this.view.getUint16(this.position);
    this.position += 2;
    return value >= least ? value : this.corrupt('a header is longer than needed');
  }

  private length32(least = 0x10000): number {
    const value = this.view.getUint32(this.position);
    this.position += 4;
    return value >= least ? value : this.corrupt('a header is longer than needed');
  }

  private corrupt(why: string): never {
    throw new HoldfastError('ERR_CORRUPT', `Not an encoded value: ${why}, near byte ${this.position}.`);
  }
}
