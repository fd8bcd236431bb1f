import { HoldfastError } from '../errors.ts';
import {
  ADD,
  AddressCache,
  CODES,
  COPY,
  HEADER_APPLICATION,
  HEADER_CODE_TABLE,
  HEADER_SECONDARY,
  type Instruction,
  MAGIC,
  MODE_SAME,
  WINDOW_ADLER,
  WINDOW_SOURCE,
  WINDOW_TARGET,
  adler32,
} from './vcdiff.ts';

function corrupt(message: string, at: number): HoldfastError {
  return new HoldfastError('ERR_CORRUPT', `the VCDIFF ${message} (byte ${at})`);
}

/** Fields between two positions, in turn. */
class Reader {
  readonly bytes: Uint8Array;
  readonly end: number;
  at: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** Skips so many bytes; where they start. */
  take(length: number): number {
    const start = this.at;
    if (length > this.end - start) throw corrupt('ends inside a field', start);
    this.at = start + length;
    return start;
  }

  byte(): number {
    return this.bytes[this.take(1)]!;
  }

  /** RFC 3284, 2; below 2^32. */
  integer(): number {
    const start = this.at;
    let value = 0;
    for (let i = 0; i < 5; i++) {
      const byte = this.byte();
      value = value * 128 + (byte & 0x7f);
      if (value > 0xffffffff) break;
      if (byte < 128) return value;
    }
    throw corrupt('has a number over 32 bits', start);
  }

  /** So many bytes as a reader of their own. */
  section(length: number): Reader {
    const start = this.take(length);
    return new Reader(this.bytes, start, start + length);
  }
}

/** The target that a VCDIFF makes of `base`, of at most `limit` bytes. */
export function readVcdiff(base: Uint8Array, vcdiff: Uint8Array, limit: number): Buffer {
  const reader = new Reader(vcdiff, 0, vcdiff.length);
  readHeader(reader);
  let target: Buffer = Buffer.alloc(0);
  let length = 0;
  while (reader.at < reader.end) {
    const start = reader.at;
    const indicator = reader.byte();
    if ((indicator & ~(WINDOW_SOURCE | WINDOW_TARGET | WINDOW_ADLER)) !== 0 || (indicator & 3) === 3)
      throw corrupt('has an unknown window', start);
    const source = readSource(reader, indicator, base, target.subarray(0, length));
    const body = reader.section(reader.integer());
    const made = body.integer();
    if (made > limit - length)
      throw new HoldfastError(
        'ERR_LIMIT',
        `the target is longer than the limit of ${limit} bytes (VCDIFF, byte ${start})`,
      );
    if (length + made > target.length) {
      const grown = Buffer.allocUnsafe(Math.min(limit, 2 * (length + made)));
      target.copy(grown, 0, 0, length);
      target = grown;
    }
    readWindow(body, source, target.subarray(length, length + made), (indicator & WINDOW_ADLER) !== 0);
    length += made;
  }
  return target.subarray(0, length);
}

/** RFC 3284, 4.1. */
function readHeader(reader: Reader): void {
  for (const [i, byte] of MAGIC.entries())
    if (reader.bytes[i] !== byte) throw corrupt('does not start as one of version 0', i);
  reader.take(MAGIC.length);
  const indicator = reader.byte();
  const start = reader.at;
  if ((indicator & HEADER_SECONDARY) !== 0) throw corrupt('has a secondary compressor, which is not supported', start);
  if ((indicator & HEADER_CODE_TABLE) !== 0)
    throw corrupt('has a code table of its own, which is not supported', start);
  if ((indicator & ~HEADER_APPLICATION) !== 0) throw corrupt('has an unknown header', start);
  if (indicator !== 0) reader.take(reader.integer());
}

/** The source segment: 4.2. */
function readSource(reader: Reader, indicator: number, base: Uint8Array, target: Uint8Array): Uint8Array {
  if ((indicator & (WINDOW_SOURCE | WINDOW_TARGET)) === 0) return base.subarray(0, 0);
  const from = (indicator & WINDOW_SOURCE) === 0 ? target : base;
  const at = reader.at;
  const length = reader.integer();
  const start = reader.integer();
  if (start + length > from.length) throw corrupt('reaches beyond its source', at);
  return from.subarray(start, start + length);
}

/** 4.3 from the indicator on; fills `out`. */
function readWindow(body: Reader, source: Uint8Array, out: Buffer, hasChecksum: boolean): void {
  const start = body.at;
  if (body.byte() !== 0) throw corrupt('has compressed sections, which are not supported', start);
  const lengths = [body.integer(), body.integer(), body.integer()];
  const sumAt = hasChecksum ? body.take(4) : 0;
  const [data, instructions, addresses] = lengths.map((length) => body.section(length)) as [Reader, Reader, Reader];
  if (body.at < body.end) throw corrupt('has a window that goes on after its end', body.at);
  const window = new Window(source, out, data, addresses);
  while (instructions.at < instructions.end) {
    const at = instructions.at;
    for (const instruction of CODES[instructions.byte()]!) {
      window.run(instruction, instruction.length === 0 ? instructions.integer() : instruction.length, at);
    }
  }
  window.finish(instructions.at);
  if (!hasChecksum) return;
  const sum = Buffer.from(body.bytes.subarray(sumAt, sumAt + 4)).readUInt32BE(0);
  if (adler32(out) !== sum) throw corrupt('is damaged or was made against another base', sumAt);
}

class Window {
  readonly #source: Uint8Array;
  readonly #out: Buffer;
  readonly #data: Reader;
  readonly #addresses: Reader;
  readonly #cache = new AddressCache();
  #at = 0;

  constructor(source: Uint8Array, out: Buffer, data: Reader, addresses: Reader) {
    this.#source = source;
    this.#out = out;
    this.#data = data;
    this.#addresses = addresses;
  }

  /** Runs one instruction, which stands at `where`. */
  run(instruction: Instruction, length: number, where: number): void {
    const { kind, mode } = instruction;
    if (length > this.#out.length - this.#at) throw corrupt('makes more than its window holds', where);
    const end = this.#at + length;
    if (kind === COPY) this.#copy(mode, length, where);
    else if (kind === ADD) {
      const from = this.#data.take(length);
      this.#out.set(this.#data.bytes.subarray(from, from + length), this.#at);
    } else this.#out.fill(this.#data.byte(), this.#at, end);
    this.#at = end;
  }

  finish(where: number): void {
    if (this.#at < this.#out.length) throw corrupt('makes less than its window holds', where);
    if (this.#data.at < this.#data.end || this.#addresses.at < this.#addresses.end)
      throw corrupt('has sections that are too long', where);
  }

  /** Source and target count as one string, and a copy may overlap what it writes. */
  #copy(mode: number, length: number, where: number): void {
    const here = this.#source.length + this.#at;
    const value = mode >= MODE_SAME ? this.#addresses.byte() : this.#addresses.integer();
    const address = this.#cache.decode(mode, value, here);
    if (address < 0 || address >= here) throw corrupt('copies from beyond its window', where);
    const out = this.#out;
    const direct = Math.min(length, Math.max(0, this.#source.length - address));
    out.set(this.#source.subarray(address, address + direct), this.#at);
    const from = address - this.#source.length;
    if (from + length <= this.#at && direct === 0) out.copyWithin(this.#at, from, from + length);
    else for (let i = direct; i < length; i++) out[this.#at + i] = out[from + i]!;
  }
}
