import { HoldfastError } from '../errors.ts';

/** Reads what `Writer` wrote; `ERR_CORRUPT` past the end, and at a number that is too large or longer than it need be. */
export class Reader {
  private readonly bytes: Uint8Array;
  private readonly end: number;
  at: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  get left(): number {
    return this.end - this.at;
  }

  byte(): number {
    if (this.at >= this.end) this.corrupt('it is cut short');
    return this.bytes[this.at++]!;
  }

  /** Below 2^32. */
  number(): number {
    let value = 0;
    for (let scale = 1; scale <= 0x10000000; scale *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte >= 0x80) continue;
      if ((byte === 0 && scale > 1) || value > 0xffffffff) break;
      return value;
    }
    return this.corrupt('a number is too long');
  }

  /** As `number`, at most `most`. */
  upTo(most: number, what: string): number {
    const value = this.number();
    return value <= most ? value : this.corrupt(what);
  }

  raw(length: number): Uint8Array {
    if (length > this.left) this.corrupt('it is cut short');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  corrupt(what: string): never {
    throw new HoldfastError(
      'ERR_CORRUPT',
      `the delta is damaged or was made for another base: ${what} (byte ${this.at}); get it, or the whole value, again`,
    );
  }
}
