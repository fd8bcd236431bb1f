import { isUtf8 } from 'node:buffer';
import { HoldfastError } from '../errors.ts';
import {
  DEPTH_LIMIT,
  EXT_BIGINT,
  EXT_ENTRIES,
  EXT_MAP,
  EXT_NEGATIVE_ZERO,
  EXT_NULL_PROTOTYPE,
  EXT_SET,
  EXT_SPARSE,
  EXT_STRING16,
  EXT_TIMESTAMP,
  EXT_UNDEFINED,
  EXT_VIEW,
} from './format.ts';

/** Up to this length a loop in JavaScript looks through a string faster than a call into the engine. */
const SHORT_STRING = 48;
const LATEST_SECONDS = 8_640_000_000_000n;

/**
 * Goes over the headers of `bytes` before msgpackr reads them. `ERR_CORRUPT` unless they are one whole value of the
 * forms in `format.ts`: nothing missing or left over, no claim larger than the bytes, no other extension, no deeper
 * than the limit.
 */
export function scan(bytes: Buffer): void {
  const headers = new Scan(bytes);
  headers.value(0);
  headers.end();
}

class Scan {
  private readonly bytes: Buffer;
  private position = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  end(): void {
    if (this.position !== this.bytes.length) this.corrupt('bytes follow the value');
  }

  value(depth: number): void {
    if (this.position >= this.bytes.length) this.corrupt('bytes are missing');
    const token = this.bytes[this.position++]!;
    if (token < 0x80 || token >= 0xe0) return;
    if (token < 0x90) return this.properties(token & 0xf, depth);
    if (token < 0xa0) return this.elements(token & 0xf, depth);
    if (token < 0xc0) return this.text(token & 0x1f);
    this.token(token, depth);
  }

  private token(token: number, depth: number): void {
    switch (token) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return;
      case 0xc4:
        return this.skip(this.length(1, 0));
      case 0xc5:
        return this.skip(this.length(2, 0x100));
      case 0xc6:
        return this.skip(this.length(4, 0x10000));
      case 0xc7:
        return this.extension(this.length(1, 0), false);
      case 0xc8:
        return this.extension(this.length(2, 0x100), false);
      case 0xc9:
        return this.extension(this.length(4, 0x10000), false);
      case 0xcb:
      case 0xcf:
      case 0xd3:
        return this.skip(8);
      case 0xcc:
        return void this.length(1, 0x80);
      case 0xcd:
        return void this.length(2, 0x100);
      case 0xce:
        return void this.length(4, 0x10000);
      case 0xd0:
        return this.skip(1);
      case 0xd1:
        return this.skip(2);
      case 0xd2:
        return this.skip(4);
      case 0xd4:
        return this.prefix(depth);
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.extension(2 << (token - 0xd5), true);
      case 0xd9:
        return this.text(this.length(1, 0x20));
      case 0xda:
        return this.text(this.length(2, 0x100));
      case 0xdb:
        return this.text(this.length(4, 0x10000));
      case 0xdc:
        return this.elements(this.length(2, 0x10), depth);
      case 0xdd:
        return this.elements(this.length(4, 0x10000), depth);
      case 0xde:
        return this.properties(this.length(2, 0x10), depth);
      case 0xdf:
        return this.properties(this.length(4, 0x10000), depth);
      default:
        this.corrupt(`token ${token} is not used`);
    }
  }

  private elements(count: number, depth: number): void {
    this.open(count, depth);
    for (let i = 0; i < count; i++) this.value(depth + 1);
  }

  private properties(count: number, depth: number): void {
    this.open(count * 2, depth);
    for (let i = 0; i < count; i++) {
      this.key();
      this.value(depth + 1);
    }
  }

  private key(): void {
    const start = this.position;
    const token = this.bytes[start] ?? 0;
    if (token >= 0xa0 && token < 0xc0) {
      this.position = start + 1;
      this.text(token & 0x1f);
      if (token === 0xa9 && this.bytes[start + 1] === 0x5f) this.refusePrototype(start + 1);
    } else if (token >= 0xd9 && token <= 0xdb) {
      this.value(0);
    } else {
      this.corrupt('a property name is not a string');
    }
  }

  private refusePrototype(start: number): void {
    if (this.bytes.toString('latin1', start, start + 9) === '__proto__') this.corrupt('a key would set a prototype');
  }

  private text(length: number): void {
    const start = this.position;
    this.skip(length);
    const bytes = this.bytes;
    const end = this.position;
    let bits = length > SHORT_STRING ? 0x80 : 0;
    if (bits === 0) for (let i = start; i < end; i++) bits |= bytes[i]!;
    if (bits < 0x80) return;
    if (!isUtf8(bytes.subarray(start, end))) this.corrupt('a string is not UTF-8');
    if (bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf)
      this.corrupt('a string begins with a byte order mark');
  }

  private prefix(depth: number): void {
    const type = this.bytes[this.position];
    const filler = this.bytes[this.position + 1];
    this.skip(2);
    if (filler !== (type === EXT_TIMESTAMP ? 0xff : 0)) this.corrupt('a prefix is damaged');
    const next = this.bytes[this.position] ?? 0;
    switch (type) {
      case EXT_UNDEFINED:
      case EXT_NEGATIVE_ZERO:
      case EXT_TIMESTAMP:
        return;
      case EXT_MAP:
      case EXT_ENTRIES:
      case EXT_SET:
      case EXT_SPARSE:
        if (next >> 4 !== 0x9 && next >> 1 !== 0xdc >> 1) this.corrupt('a prefix has no list');
        // How an object's keys are written is known only after its values: it counts once.
        return this.value(type === EXT_ENTRIES ? depth : depth + 1);
      case EXT_NULL_PROTOTYPE:
        if (next === 0xd4 && this.bytes[this.position + 1] !== EXT_ENTRIES) this.corrupt('a prefix follows a prefix');
        if (next >> 4 !== 0x8 && next >> 1 !== 0xde >> 1 && next !== 0xd4) this.corrupt('a prefix has no object');
        return this.value(depth + 1);
      default:
        this.corrupt(`prefix ${type} is not used`);
    }
  }

  private extension(length: number, fixed: boolean): void {
    const type = this.bytes[this.position];
    const start = this.position + 1;
    this.skip(length + 1);
    const isFixedLength = length === 2 || length === 4 || length === 8 || length === 16;
    switch (type) {
      case EXT_VIEW:
        if (fixed) break;
        return;
      case EXT_STRING16:
        if (fixed !== isFixedLength) break;
        return;
      case EXT_BIGINT:
        if (fixed !== isFixedLength || length < 16) break;
        return;
      case EXT_TIMESTAMP:
        if (fixed ? length === 4 || (length === 8 && this.isLongDate(start)) : length === 12 && this.isFarDate(start))
          return;
        break;
      default:
    }
    this.corrupt(`extension ${type} is not used, or not so`);
  }

  private isLongDate(start: number): boolean {
    const milliseconds = this.bytes.readUInt32BE(start) / 4_000_000;
    return Number.isInteger(milliseconds) && milliseconds >= 1 && milliseconds < 1_000;
  }

  private isFarDate(start: number): boolean {
    const milliseconds = this.bytes.readUInt32BE(start) / 1_000_000;
    const seconds = this.bytes.readBigInt64BE(start + 4);
    const inRange =
      seconds < LATEST_SECONDS ? seconds >= -LATEST_SECONDS : seconds === LATEST_SECONDS && milliseconds === 0;
    return Number.isInteger(milliseconds) && milliseconds < 1_000 && inRange && (seconds < 0n || seconds >= 2n ** 32n);
  }

  /** Enters a container whose content takes at least `bytes` more: no small header can claim a large one. */
  private open(bytes: number, depth: number): void {
    if (bytes > this.bytes.length - this.position) this.corrupt('bytes are missing');
    if (depth >= DEPTH_LIMIT) this.corrupt(`nested deeper than ${DEPTH_LIMIT}`);
  }

  private skip(length: number): void {
    this.position += length;
    if (this.position > this.bytes.length) this.corrupt('bytes are missing');
  }

  /** A number that would have fitted a shorter header was not written by the encoder. */
  private length(size: 1 | 2 | 4, least: number): number {
    const at = this.position;
    this.skip(size);
    const value = size === 1 ? this.bytes[at]! : size === 2 ? this.bytes.readUInt16BE(at) : this.bytes.readUInt32BE(at);
    return value >= least ? value : this.corrupt('a header is longer than needed');
  }

  private corrupt(why: string): never {
    throw new HoldfastError('ERR_CORRUPT', `Not an encoded value: ${why}, near byte ${this.position}.`);
  }
}
