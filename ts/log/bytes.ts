/** Longest varint: 2^53 - 1 in groups of 7 bits. */
export const VARINT_MAX = 8;

/** Appends to a buffer that the caller has made large enough. */
export class ByteWriter {
  readonly bytes: Buffer;
  length = 0;

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafe(capacity);
  }

  byte(value: number): void {
    this.bytes[this.length++] = value;
  }

  /** LEB128, little end first, for integers from 0 to 2^53 - 1. */
  varint(value: number): void {
    let rest = value;
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) this.byte((rest % 128) | 0x80);
    this.byte(rest);
  }

  /** A varint of 0, -1, 1, -2, … as 0, 1, 2, 3, …: for integers between -2^52 and 2^52. */
  zigzag(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  uint32(value: number): void {
    this.length = this.bytes.writeUInt32LE(value >>> 0, this.length);
  }

  uint48(value: number): void {
    this.length = this.bytes.writeUIntLE(value, this.length, 6);
  }

  raw(value: Uint8Array): void {
    this.bytes.set(value, this.length);
    this.length += value.length;
  }

  finish(): Buffer {
    return this.bytes.subarray(0, this.length);
  }
}

/**
 * Reads what `ByteWriter` wrote. Past the end, or at a varint that is none or longer than it need be, it calls `fail`,
 * which must throw.
 */
export class ByteReader {
  readonly #bytes: Buffer;
  readonly #fail: (what: string, offset: number) => never;
  offset = 0;

  constructor(bytes: Uint8Array, fail: (what: string, offset: number) => never) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#fail = fail;
  }

  get done(): boolean {
    return this.offset >= this.#bytes.length;
  }

  byte(): number {
    return this.#bytes[this.#take(1)] as number;
  }

  varint(): number {
    const start = this.offset;
    let value = 0;
    for (let scale = 1; this.offset - start < VARINT_MAX; scale *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte === 0 && scale > 1) break;
      if (byte < 0x80) return Number.isSafeInteger(value) ? value : this.#fail('number too large', start);
    }
    return this.#fail('number too long', start);
  }

  zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  uint32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  uint48(): number {
    return this.#bytes.readUIntLE(this.#take(6), 6);
  }

  raw(length: number): Buffer {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  #take(length: number): number {
    const start = this.offset;
    if (length > this.#bytes.length - start) this.#fail('cut short', start);
    this.offset = start + length;
    return start;
  }
}
