/** More is not kept for later targets. */
const MOST_BYTES = 8 * 1_048_576;
/** From here on, where in a page a target begins is chosen. */
const LARGE_BYTES = 32_768;
const HALF_PAGE = 2_048;

const spare = new Map<number, ArrayBuffer[]>();
let spareBytes = 0;

/**
 * Memory for a target, as made for an earlier one if there is such: to have it new from the system takes longer than
 * to copy what a session of usual size has. Its content means nothing.
 */
export function takeMemory(length: number, base: Uint8Array): Uint8Array {
  const isLarge = length >= LARGE_BYTES;
  const size = sizeFor(isLarge ? length + HALF_PAGE : length);
  const known = spare.get(size)?.pop();
  if (known !== undefined) spareBytes -= size;
  const memory = known ?? (Buffer.allocUnsafeSlow(size).buffer as ArrayBuffer);
  // Copied to almost the same place in a page, bytes take four times as long: the two wait for each other.
  const offset = isLarge && base.byteOffset % (2 * HALF_PAGE) < HALF_PAGE ? HALF_PAGE : 0;
  return new Uint8Array(memory, offset, length);
}

/** Nobody looks at the target any more: `wiped`, so that who does all the same will see it. */
export function giveMemory(target: Uint8Array, wiped: boolean): void {
  if (wiped) target.fill(0xc1); // a token that MessagePack has not
  const { buffer } = target;
  const size = buffer.byteLength;
  if (spareBytes + size > MOST_BYTES) return;
  spareBytes += size;
  const list = spare.get(size);
  if (list === undefined) spare.set(size, [buffer as ArrayBuffer]);
  else list.push(buffer as ArrayBuffer);
}

/** In steps of an eighth. */
function sizeFor(length: number): number {
  const step = 1 << Math.max(28 - Math.clz32(length), 6);
  return Math.ceil(length / step) * step;
}
