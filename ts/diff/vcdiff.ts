/** What writer and reader of VCDIFF (RFC 3284) share. The comments cite its sections. */

/** 4.1: "VCD" with the highest bits set, version 0. */
export const MAGIC: readonly number[] = [0xd6, 0xc3, 0xc4, 0];
export const HEADER_SECONDARY = 0x01;
export const HEADER_CODE_TABLE = 0x02;
/** Not in the RFC: xdelta3's application data. */
export const HEADER_APPLICATION = 0x04;
export const WINDOW_SOURCE = 0x01;
export const WINDOW_TARGET = 0x02;
/** Not in the RFC: xdelta3's Adler-32 of the window's target. */
export const WINDOW_ADLER = 0x04;

export const ADD = 1;
export const RUN = 2;
export const COPY = 3;

const NEAR_SLOTS = 4;
const SAME_PAGES = 3;
/** The first of the modes that take their address from the "same" cache. */
export const MODE_SAME: number = 2 + NEAR_SLOTS;
/** 5.6: a copy of 4 to 18 bytes has a code of its own in each mode. */
export const COPY_LEAST = 4;
export const COPY_MOST = 18;
/** An add of 1 to 17 bytes has one too. */
export const ADD_MOST = 17;

/** Code of an add: 5.6. */
export function addCode(length: number): number {
  return length <= ADD_MOST ? 1 + length : 1;
}

/** Code of a copy: 5.6. */
export function copyCode(length: number, mode: number): number {
  return 19 + 16 * mode + (length >= COPY_LEAST && length <= COPY_MOST ? length - COPY_LEAST + 1 : 0);
}

/** One half of a code's pair of instructions. `length` 0: it follows. */
export interface Instruction {
  readonly kind: number;
  readonly length: number;
  readonly mode: number;
}

/** The default code table: 5.6. */
export const CODES: readonly (readonly Instruction[])[] = makeCodes();

function makeCodes(): Instruction[][] {
  const add = (length: number): Instruction => ({ kind: ADD, length, mode: 0 });
  const copy = (length: number, mode: number): Instruction => ({ kind: COPY, length, mode });
  const codes: Instruction[][] = [[{ kind: RUN, length: 0, mode: 0 }]];
  for (let length = 0; length <= ADD_MOST; length++) codes.push([add(length)]);
  for (let mode = 0; mode < 9; mode++) {
    codes.push([copy(0, mode)]);
    for (let length = COPY_LEAST; length <= COPY_MOST; length++) codes.push([copy(length, mode)]);
  }
  for (let mode = 0; mode < 9; mode++) {
    for (let added = 1; added <= 4; added++) {
      for (let copied = 4; copied <= (mode < MODE_SAME ? 6 : 4); copied++) codes.push([add(added), copy(copied, mode)]);
    }
  }
  for (let mode = 0; mode < 9; mode++) codes.push([copy(4, mode), add(1)]);
  return codes;
}

/** The caches of addresses: 5.1. Both are empty at the start of a window. */
export class AddressCache {
  readonly #near: number[] = Array.from({ length: NEAR_SLOTS }, () => 0);
  readonly #same: number[] = Array.from({ length: SAME_PAGES * 256 }, () => 0);
  #next = 0;

  /** The address that a mode and a number stand for; a mode of the "same" cache takes a byte. */
  decode(mode: number, value: number, here: number): number {
    let address = value;
    if (mode === 1) address = here - value;
    else if (mode >= MODE_SAME) address = this.#same[(mode - MODE_SAME) * 256 + value]!;
    else if (mode >= 2) address = this.#near[mode - 2]! + value;
    this.#remember(address);
    return address;
  }

  /** The mode that takes fewest bytes for an address, and the number to write. */
  encode(address: number, here: number): { mode: number; value: number } {
    const place = address % (SAME_PAGES * 256);
    let best = { mode: 0, value: address };
    if (here - address < best.value) best = { mode: 1, value: here - address };
    for (let i = 0; i < NEAR_SLOTS; i++) {
      const value = address - this.#near[i]!;
      if (value >= 0 && value < best.value) best = { mode: 2 + i, value };
    }
    if (this.#same[place] === address && best.value >= 128)
      best = { mode: MODE_SAME + Math.floor(place / 256), value: place % 256 };
    this.#remember(address);
    return best;
  }

  #remember(address: number): void {
    this.#near[this.#next] = address;
    this.#next = (this.#next + 1) % NEAR_SLOTS;
    this.#same[address % (SAME_PAGES * 256)] = address;
  }
}

/** Sums of so many bytes cannot overflow 32 bits: RFC 1950. */
const ADLER_STRETCH = 5552;

/** Adler-32 of the bytes: RFC 1950. */
export function adler32(bytes: Uint8Array): number {
  let low = 1;
  let high = 0;
  for (let start = 0; start < bytes.length; start += ADLER_STRETCH) {
    const end = Math.min(start + ADLER_STRETCH, bytes.length);
    for (let i = start; i < end; i++) {
      low += bytes[i]!;
      high += low;
    }
    low %= 65521;
    high %= 65521;
  }
  return high * 65536 + low;
}
