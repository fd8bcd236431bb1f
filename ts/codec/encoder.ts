import { HoldfastError } from '../errors.ts';
import { findSteps, formatPath, type Step } from '../path.ts';
import {
  DEPTH_LIMIT, EXT_BIGINT, EXT_MAP, EXT_NULL_PROTOTYPE, EXT_SET, EXT_SPARSE, EXT_STRING16, EXT_TIMESTAMP, EXT_UNDEFINED, EXT_VIEW,
  SIZE_LIMIT, VIEW_ARRAY_BUFFER, VIEW_DATA_VIEW, VIEWS,
} from './format.ts';

const FIRST_BYTES = 8_192;
/** A scratch area larger than this is not kept between calls. */
const KEPT_BYTES = 16 * 1_048_576;
/** Room that `writeValue` guarantees: a key's or value's header, and a number. */
const HEADROOM = 32;
/** Up to this length a loop in JavaScript writes a string faster than a call into the engine. */
const SHORT_STRING = 48;

const CANONICAL_NAN = 0x7ff8000000000000n;
const BIGINT_MIN = -(2n ** 63n);
const BIGINT_SIGNED_END = 2n ** 63n;
const BIGINT_END = 2n ** 64n;

type WellFormed = string & { isWellFormed(): boolean };

/** Writes the bytes that `format.ts` describes, checking as it goes. One value at a time; the scratch area is used again. */
export class Encoder {
  private bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  private view: DataView = new DataView(this.bytes.buffer);
  private safeEnd: number = FIRST_BYTES - HEADROOM;
  private position = 0;
  private depth = 0;
  private readonly trail: Step[] = [];
  private seen: Set<unknown> = new Set();
  private root: unknown;
  private rootPath = '';

  encode(value: unknown, path: string): Uint8Array {
    this.position = 0;
    this.depth = 0;
    this.root = value;
    this.rootPath = path;
    try {
      this.writeValue(value);
      return new Uint8Array(this.bytes.buffer.slice(0, this.position) as ArrayBuffer);
    } catch (cause) {
      throw cause instanceof HoldfastError ? cause : this.foreignError(cause);
    } finally {
      this.reset();
    }
  }

  private reset(): void {
    this.root = undefined;
    this.trail.length = 0;
    // Emptying a large table costs more than dropping it.
    if (this.seen.size > 64) this.seen = new Set();
    else this.seen.clear();
    if (this.bytes.length > KEPT_BYTES) this.resize(FIRST_BYTES);
  }

  private writeValue(value: unknown): void {
    if (this.position > this.safeEnd) this.reserve(HEADROOM);
    switch (typeof value) {
      case 'string': return this.writeString(value);
      case 'number': return this.writeNumber(value);
      case 'boolean': this.bytes[this.position++] = value ? 0xc3 : 0xc2; return;
      case 'undefined': return this.writePrefix(EXT_UNDEFINED);
      case 'bigint': return this.writeBigint(value);
      case 'object':
        if (value === null) this.bytes[this.position++] = 0xc0;
        else this.writeObject(value);
        return;
      case 'function': return this.refuse('a function', 'keep data only, and attach behaviour outside the session');
      default: return this.refuse('a symbol', 'use a string');
    }
  }

  private writeNumber(value: number): void {
    const bytes = this.bytes;
    if (value >>> 0 === value && (value !== 0 || Object.is(value, 0))) {
      if (value < 0x80) bytes[this.position++] = value;
      else this.writeUint(value);
    } else if (value >> 0 === value && value !== 0) {
      this.writeNegative(value);
    } else {
      bytes[this.position++] = 0xcb;
      // The engine may hold any of NaN's bit patterns.
      if (value === value) this.view.setFloat64(this.position, value);
      else this.view.setBigUint64(this.position, CANONICAL_NAN);
      this.position += 8;
    }
  }

  private writeUint(value: number): void {
    if (value < 0x100) {
      this.header8(0xcc, value);
    } else if (value < 0x10000) {
      this.header16(0xcd, value);
    } else {
      this.header32(0xce, value);
    }
  }

  private writeNegative(value: number): void {
    if (value >= -0x20) {
      this.bytes[this.position++] = value & 0xff;
    } else if (value >= -0x80) {
      this.header8(0xd0, value & 0xff);
    } else if (value >= -0x8000) {
      this.header16(0xd1, value & 0xffff);
    } else {
      this.header32(0xd2, value);
    }
  }

  private writeBigint(value: bigint): void {
    if (value >= BIGINT_MIN && value < BIGINT_SIGNED_END) {
      this.bytes[this.position] = 0xd3;
      this.view.setBigInt64(this.position + 1, value);
      this.position += 9;
    } else if (value >= 0n && value < BIGINT_END) {
      this.bytes[this.position] = 0xcf;
      this.view.setBigUint64(this.position + 1, value);
      this.position += 9;
    } else {
      this.writeLargeBigint(value);
    }
  }

  private writeLargeBigint(value: bigint): void {
    const negative = value < 0n;
    const hex = (negative ? ~value : value).toString(16);
    const bits = 4 * hex.length - Math.clz32(parseInt(hex.charAt(0), 16)) + 28;
    const words = Math.floor(bits / 64) + 1;
    const data = Buffer.from(hex.padStart(words * 16, '0'), 'hex');
    if (negative) for (let i = 0; i < data.length; i++) data[i] = ~data[i]!;
    this.reserve(data.length + HEADROOM);
    if (data.length === 16) this.bytes[this.position++] = 0xd8;
    else this.extHeader(data.length);
    this.bytes[this.position++] = EXT_BIGINT;
    this.append(data);
  }

  private writeString(value: string): void {
    const length = value.length;
    if (length > SHORT_STRING) return this.writeLongString(value);
    // 3 bytes a character at most, and 2 of header.
    if (this.position + length * 3 > this.safeEnd) this.reserve(length * 3 + HEADROOM);
    const bytes = this.bytes;
    let position = this.position + 1;
    if (length >= 0x20) position++;
    const start = position;
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i);
      if (unit >= 0x80) return this.writeShortUnicode(value);
      bytes[position++] = unit;
    }
    if (length < 0x20) {
      bytes[start - 1] = 0xa0 | length;
    } else {
      bytes[start - 2] = 0xd9;
      bytes[start - 1] = length;
    }
    this.position = position;
  }

  /** Room for 3 bytes a character is there. */
  private writeShortUnicode(value: string): void {
    if (!(value as WellFormed).isWellFormed()) return this.writeString16(value);
    const guess = this.position + (value.length < 0x20 ? 1 : 2);
    const written = this.bytes.write(value, guess, 'utf8');
    this.closeString(guess, written);
  }

  private writeLongString(value: string): void {
    if (!(value as WellFormed).isWellFormed()) return this.writeString16(value);
    this.reserve(value.length * 3 + HEADROOM);
    const guess = this.position + (value.length < 0x100 ? 2 : value.length < 0x10000 ? 3 : 5);
    const written = this.bytes.write(value, guess, 'utf8');
    this.closeString(guess, written);
  }

  /** Puts the header before `length` bytes that lie at `guess`, moving them when they need a longer one. */
  private closeString(guess: number, length: number): void {
    const header = length < 0x20 ? 1 : length < 0x100 ? 2 : length < 0x10000 ? 3 : 5;
    const start = this.position + header;
    if (start !== guess) this.bytes.copyWithin(start, guess, guess + length);
    if (header === 1) this.bytes[this.position++] = 0xa0 | length;
    else if (header === 2) {
      this.header8(0xd9, length);
    } else if (header === 3) this.header16(0xda, length);
    else this.header32(0xdb, length);
    this.position = start + length;
  }

  private writeString16(value: string): void {
    const data = Buffer.from(value, 'utf16le');
    this.reserve(data.length + HEADROOM);
    this.extHeader(data.length);
    this.bytes[this.position++] = EXT_STRING16;
    this.append(data);
  }

  private writeObject(value: object): void {
    this.enter(value);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype) return this.writeProperties(value as Record<string, unknown>);
    if (Array.isArray(value)) return this.writeArray(value, prototype);
    const write = prototype === null ? undefined : WRITERS.get(prototype as object);
    if (write !== undefined) return write(this, value);
    if (prototype === null) this.writePrefix(EXT_NULL_PROTOTYPE);
    else if (!isForeignPlain(prototype)) this.refuseInstance(value);
    this.writeProperties(value as Record<string, unknown>);
  }

  private writeProperties(value: Record<string, unknown>): void {
    const keys = Object.keys(value);
    if (Object.getOwnPropertySymbols(value).length > 0) this.refuse('an object with a symbol as key', 'use string keys');
    this.countHeader(keys.length, 0x80, 0xde);
    const depth = this.depth++;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      if (this.position > this.safeEnd) this.reserve(HEADROOM);
      this.writeString(key);
      this.trail[depth] = key;
      this.writeValue(value[key]);
    }
    this.depth = depth;
  }

  private writeArray(value: readonly unknown[], prototype: unknown): void {
    // An instance of a subclass has an ordinary object as prototype; Array.prototype, of any realm, is an array.
    if (prototype !== Array.prototype && !Array.isArray(prototype)) this.refuseInstance(value);
    const length = value.length;
    for (let i = 0; i < length; i++) if (value[i] === undefined && !Object.hasOwn(value, i)) return this.writeSparse(value);
    this.countHeader(length, 0x90, 0xdc);
    const depth = this.depth++;
    for (let i = 0; i < length; i++) {
      this.trail[depth] = i;
      this.writeValue(value[i]);
    }
    this.depth = depth;
  }

  private writeSparse(value: readonly unknown[]): void {
    const keys = Object.keys(value);
    this.writePrefix(EXT_SPARSE);
    this.countHeader(keys.length * 2 + 1, 0x90, 0xdc);
    const depth = this.depth++;
    this.writeValue(value.length);
    for (const key of keys) {
      const index = Number(key);
      if (String(index >>> 0) !== key) this.refuseNamed(key);
      this.trail[depth] = index;
      this.writeValue(index);
      this.writeValue(value[index]);
    }
    this.depth = depth;
  }

  /** @internal */
  writeMap(value: ReadonlyMap<unknown, unknown>): void {
    this.refuseProperties(value);
    this.writePrefix(EXT_MAP);
    this.countHeader(value.size, 0x80, 0xde);
    const depth = this.depth++;
    let index = 0;
    for (const [key, element] of value) {
      this.trail[depth] = { kind: 'map key', key, index };
      this.writeValue(key);
      this.trail[depth] = { kind: 'map value', key, index: index++ };
      this.writeValue(element);
    }
    this.depth = depth;
    if (index !== value.size) this.refuse('a Map that its own content changes', 'use no getters');
  }

  /** @internal */
  writeSet(value: ReadonlySet<unknown>): void {
    this.refuseProperties(value);
    this.writePrefix(EXT_SET);
    this.countHeader(value.size, 0x90, 0xdc);
    const depth = this.depth++;
    let index = 0;
    for (const key of value) {
      this.trail[depth] = { kind: 'set element', key, index: index++ };
      this.writeValue(key);
    }
    this.depth = depth;
    if (index !== value.size) this.refuse('a Set that its own content changes', 'use no getters');
  }

  /** @internal The same choice of form as msgpackr's. */
  writeDate(value: Date): void {
    const time = value.getTime();
    const seconds = Math.floor(time / 1000);
    const milliseconds = time - seconds * 1000;
    const short = seconds >= 0 && seconds < 0x100000000;
    if (time !== time) {
      this.bytes[this.position++] = 0xd4;
      this.bytes[this.position++] = EXT_TIMESTAMP;
      this.bytes[this.position++] = 0xff;
    } else if (short && milliseconds === 0) {
      this.header8(0xd6, EXT_TIMESTAMP);
      this.word(seconds);
    } else if (short) {
      this.header8(0xd7, EXT_TIMESTAMP);
      this.word(milliseconds * 4_000_000);
      this.word(seconds);
    } else {
      this.header16(0xc7, (12 << 8) | EXT_TIMESTAMP);
      this.word(milliseconds * 1_000_000);
      this.view.setBigInt64(this.position, BigInt(seconds));
      this.position += 8;
    }
  }

  /** @internal */
  writeBuffer(value: Uint8Array): void {
    this.reserve(value.length + HEADROOM);
    if (value.length < 0x100) {
      this.header8(0xc4, value.length);
    } else if (value.length < 0x10000) this.header16(0xc5, value.length);
    else this.header32(0xc6, value.length);
    this.append(value);
  }

  /** @internal */
  writeView(kind: number, data: Uint8Array): void {
    this.reserve(data.length + HEADROOM);
    this.extHeader(data.length + 1);
    this.bytes[this.position++] = EXT_VIEW;
    this.bytes[this.position++] = kind;
    this.append(data);
  }

  private writePrefix(type: number): void {
    if (this.position > this.safeEnd) this.reserve(HEADROOM);
    this.bytes[this.position++] = 0xd4;
    this.bytes[this.position++] = type;
    this.bytes[this.position++] = 0;
  }

  private countHeader(count: number, fix: number, token16: number): void {
    if (this.position > this.safeEnd) this.reserve(HEADROOM);
    if (count < 0x10) this.bytes[this.position++] = fix | count;
    else if (count < 0x10000) this.header16(token16, count);
    else this.header32(token16 + 1, count);
  }

  /** Never the fixed lengths: as msgpackr writes typed arrays. */
  private extHeader(length: number): void {
    if (length < 0x100) {
      this.header8(0xc7, length);
    } else if (length < 0x10000) this.header16(0xc8, length);
    else this.header32(0xc9, length);
  }

  private header8(token: number, value: number): void {
    this.bytes[this.position++] = token;
    this.bytes[this.position++] = value;
  }

  private header16(token: number, value: number): void {
    this.bytes[this.position++] = token;
    this.bytes[this.position++] = value >> 8;
    this.bytes[this.position++] = value & 0xff;
  }

  private header32(token: number, value: number): void {
    this.bytes[this.position++] = token;
    this.word(value);
  }

  private word(value: number): void {
    this.view.setUint32(this.position, value);
    this.position += 4;
  }

  private append(data: Uint8Array): void {
    this.bytes.set(data, this.position);
    this.position += data.length;
  }

  private reserve(length: number): void {
    const needed = this.position + length;
    if (needed <= this.bytes.length) return;
    if (needed > SIZE_LIMIT) this.fail('ERR_LIMIT', 'makes the attribute larger than 2 GB', 'split the attribute');
    this.resize(Math.min(SIZE_LIMIT, Math.max(needed, this.bytes.length * 2)));
  }

  private resize(length: number): void {
    const old = this.bytes;
    this.bytes = Buffer.allocUnsafeSlow(length);
    this.bytes.set(old.subarray(0, Math.min(this.position, length)));
    this.view = new DataView(this.bytes.buffer);
    this.safeEnd = length - HEADROOM;
  }

  private enter(value: object): void {
    const before = this.seen.size;
    this.seen.add(value);
    if (this.seen.size === before) this.refuseShared(value);
    if (this.depth >= DEPTH_LIMIT) this.fail('ERR_LIMIT', `is nested deeper than ${DEPTH_LIMIT}`, 'keep it flatter');
  }

  private refuseNamed(key: string): never {
    this.depth--;
    this.refuse(`an array with a property ${JSON.stringify(key)}`, 'use an object beside it');
  }

  private refuseProperties(value: object): void {
    if (Object.keys(value).length > 0) this.refuse('a Map or Set with own properties', 'keep them in an attribute beside it');
  }

  private refuseInstance(value: object): never {
    const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
    const of = typeof name === 'string' && name !== '' ? name : 'an unknown class';
    this.refuse(`an instance of ${of}`, 'store a plain object with its data');
  }

  private refuseShared(value: object): never {
    const path = this.path();
    const first = formatPath(this.rootPath, findSteps(this.root, value) ?? []);
    throw new HoldfastError(
      'ERR_INVALID',
      `${path} is the same object as ${first}: a session keeps values, not references. Copy it before storing it twice.`,
      { paths: [path, first] },
    );
  }

  private refuse(what: string, remedy: string): never {
    return this.fail('ERR_INVALID', `is ${what}, which cannot be kept`, remedy);
  }

  private fail(code: 'ERR_INVALID' | 'ERR_LIMIT', fault: string, remedy: string): never {
    const path = this.path();
    throw new HoldfastError(code, `${path} ${fault}: ${remedy}.`, { paths: [path] });
  }

  private path(): string {
    return formatPath(this.rootPath, this.trail.slice(0, this.depth));
  }

  /** A getter or a Proxy threw, a built-in method met an impostor, or the caller's stack was nearly used up. */
  private foreignError(cause: unknown): HoldfastError {
    const path = this.path();
    const full = cause instanceof RangeError;
    const message = full
      ? `${path} is nested too deeply for the stack, or too large: keep it flatter or smaller.`
      : `${path} could not be read: ${cause instanceof Error ? cause.message : String(cause)}. Store plain data.`;
    return new HoldfastError(full ? 'ERR_LIMIT' : 'ERR_INVALID', message, { cause, paths: [path] });
  }
}

/** Plain objects of another realm (`node:vm`, test runners): their prototype is that realm's Object.prototype. */
function isForeignPlain(prototype: unknown): boolean {
  return typeof prototype === 'object' && prototype !== null
    && Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf');
}

type Writer = (encoder: Encoder, value: object) => void;

function viewWriter(kind: number): Writer {
  return (encoder, value) => {
    const view = value as ArrayBufferView;
    encoder.writeView(kind, new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  };
}

/** By prototype, so that instances of subclasses are not taken for the class. */
const WRITERS: ReadonlyMap<object, Writer> = new Map<object, Writer>([
  [Map.prototype, (encoder, value) => encoder.writeMap(value as Map<unknown, unknown>)],
  [Set.prototype, (encoder, value) => encoder.writeSet(value as Set<unknown>)],
  [Date.prototype, (encoder, value) => encoder.writeDate(value as Date)],
  [Buffer.prototype, (encoder, value) => encoder.writeBuffer(value as Buffer)],
  [ArrayBuffer.prototype, (encoder, value) => encoder.writeView(VIEW_ARRAY_BUFFER, new Uint8Array(value as ArrayBuffer))],
  [DataView.prototype, viewWriter(VIEW_DATA_VIEW)],
  ...VIEWS.map((constructor, kind): [object, Writer] => [constructor.prototype as object, viewWriter(kind)]),
]);
