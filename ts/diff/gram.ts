/** Hashes of short grams, in 32 bits. */

const MULTIPLIER_LOW = 0x9e3779b1;
const MULTIPLIER_HIGH = 0x85ebca77;

/** Of the 8 bytes at `at`, the highest `bits` of 32. */
export function hash8(view: DataView, at: number, bits: number): number {
  const low = Math.imul(view.getInt32(at, true), MULTIPLIER_LOW);
  const high = Math.imul(view.getInt32(at + 4, true), MULTIPLIER_HIGH);
  return ((low + high) | 0) >>> (32 - bits);
}

/** Of 5 bytes. */
export function hash5(view: DataView, at: number, bits: number): number {
  const low = Math.imul(view.getInt32(at, true), MULTIPLIER_LOW);
  const high = Math.imul(view.getUint8(at + 4), MULTIPLIER_HIGH);
  return ((low + high) | 0) >>> (32 - bits);
}

/** Of 4 bytes. */
export function hash4(view: DataView, at: number, bits: number): number {
  return Math.imul(view.getInt32(at, true), MULTIPLIER_LOW) >>> (32 - bits);
}

/** Whether 8 bytes are the same. */
export function sameGram(a: DataView, aAt: number, b: DataView, bAt: number): boolean {
  return a.getInt32(aAt, true) === b.getInt32(bAt, true) && a.getInt32(aAt + 4, true) === b.getInt32(bAt + 4, true);
}

/** The length of a number below 2^32 in bits. */
export function bitsOf(number: number): number {
  return 32 - Math.clz32(number);
}
