import { eachPart, type Parts } from './parts.ts';
import {
  AddressCache,
  MAGIC,
  MODE_SAME,
  WINDOW_ADLER,
  WINDOW_SOURCE,
  addCode,
  adler32,
  copyCode,
  ADD_MOST,
  COPY_LEAST,
  COPY_MOST,
} from './vcdiff.ts';

/** Longest target of a window: decoders hold one in memory, and xdelta3's refuse longer ones. */
const WINDOW_BYTES = 1 << 23;

/** Bytes that grow. */
class Section {
  #bytes: Buffer = Buffer.allocUnsafe(64);
  length = 0;

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.length++] = value;
  }

  /** RFC 3284, 2: base 128, highest digit first. */
  integer(value: number): void {
    const digits = [value % 128];
    for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) digits.push((rest % 128) + 128);
    for (const digit of digits.toReversed()) this.byte(digit);
  }

  put(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }

  #reserve(count: number): void {
    if (this.length + count <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(2 * (this.length + count));
    grown.set(this.bytes);
    this.#bytes = grown;
  }
}

/** Our delta in VCDIFF. The delta has been applied to `base` and gave `target`. */
export function writeVcdiff(base: Uint8Array, delta: Uint8Array, target: Uint8Array, hasChecksum: boolean): Buffer {
  const writer = new Writer(base.length, target, hasChecksum);
  eachPart(base, delta, target.length, writer);
  return writer.finish();
}

class Writer implements Parts {
  readonly #out = new Section();
  readonly #base: number;
  readonly #target: Uint8Array;
  readonly #hasChecksum: boolean;
  #window = new Window();
  /** Where in the target the window starts. */
  #start = 0;

  constructor(base: number, target: Uint8Array, hasChecksum: boolean) {
    this.#base = base;
    this.#target = target;
    this.#hasChecksum = hasChecksum;
    this.#out.put(Buffer.from([...MAGIC, 0]));
  }

  copy(source: number, length: number): void {
    this.#cut(length, (from, to) => this.#window.copy(source + from, to - from, this.#base));
  }

  /** A window reaches only into its own target: what is before it is added again. */
  repeat(source: number, length: number): void {
    this.#cut(length, (from, to) => {
      const inWindow = source + from - this.#start;
      if (inWindow >= 0) this.#window.copy(this.#base + inWindow, to - from, this.#base);
      else this.#window.add(this.#target.subarray(source + from, source + to));
    });
  }

  add(bytes: Uint8Array): void {
    this.#cut(bytes.length, (from, to) => this.#window.add(bytes.subarray(from, to)));
  }

  run(byte: number, length: number): void {
    this.#cut(length, (from, to) => this.#window.run(byte, to - from));
  }

  /** A decoder wants one window at least. */
  finish(): Buffer {
    if (this.#window.length > 0 || this.#start === 0) this.#flush();
    return this.#out.bytes;
  }

  /** Hands on stretches of a part that end where windows do. */
  #cut(length: number, put: (from: number, to: number) => void): void {
    for (let from = 0; from < length;) {
      const to = Math.min(length, from + WINDOW_BYTES - this.#window.length);
      put(from, to);
      from = to;
      if (this.#window.length === WINDOW_BYTES) this.#flush();
    }
  }

  /** RFC 3284, 4.2 and 4.3. */
  #flush(): void {
    const window = this.#window;
    const end = this.#start + window.length;
    const lengths = new Section();
    lengths.integer(window.length);
    lengths.byte(0);
    for (const section of [window.data, window.instructions, window.addresses]) lengths.integer(section.length);
    if (this.#hasChecksum) {
      const sum = Buffer.alloc(4);
      sum.writeUInt32BE(adler32(this.#target.subarray(this.#start, end)));
      lengths.put(sum);
    }
    this.#out.byte((this.#base > 0 ? WINDOW_SOURCE : 0) | (this.#hasChecksum ? WINDOW_ADLER : 0));
    if (this.#base > 0) {
      this.#out.integer(this.#base);
      this.#out.integer(0);
    }
    this.#out.integer(lengths.length + window.data.length + window.instructions.length + window.addresses.length);
    for (const section of [lengths, window.data, window.instructions, window.addresses]) this.#out.put(section.bytes);
    this.#window = new Window();
    this.#start = end;
  }
}

/** The three sections of a window. */
class Window {
  readonly data: Section = new Section();
  readonly instructions: Section = new Section();
  readonly addresses: Section = new Section();
  readonly #cache = new AddressCache();
  /** Bytes of the target that the instructions make. */
  length = 0;

  /** `base`: length of the source segment, in front of the window's target. */
  copy(source: number, length: number, base: number): void {
    const { mode, value } = this.#cache.encode(source, base + this.length);
    this.instructions.byte(copyCode(length, mode));
    if (length < COPY_LEAST || length > COPY_MOST) this.instructions.integer(length);
    if (mode >= MODE_SAME) this.addresses.byte(value);
    else this.addresses.integer(value);
    this.length += length;
  }

  add(bytes: Uint8Array): void {
    this.instructions.byte(addCode(bytes.length));
    if (bytes.length > ADD_MOST) this.instructions.integer(bytes.length);
    this.data.put(bytes);
    this.length += bytes.length;
  }

  run(byte: number, length: number): void {
    this.instructions.byte(0);
    this.instructions.integer(length);
    this.data.byte(byte);
    this.length += length;
  }
}
