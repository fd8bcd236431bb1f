/** Values below this share memory. */
export const SMALL_BYTES = 1024;
/** A value that is kept for long keeps at most so much memory of its neighbours'. */
const SHARED_BYTES = 16 * 1024;

/**
 * The same byte strings, in memory that holds nothing else: images keep them for as long as a session is open, and a
 * slice of a record or of an encoder's buffer would keep all of that. Small ones are put together, because each piece
 * of memory costs over 100 bytes of its own.
 */
export function ownedBytes(values: readonly Uint8Array[]): Uint8Array[] {
  const owned = values.map((bytes) => (bytes.length < SMALL_BYTES || isAlone(bytes) ? bytes : new Uint8Array(bytes)));
  let small: number[] = [];
  let length = 0;
  for (const [index, bytes] of owned.entries()) {
    if (bytes.length >= SMALL_BYTES) continue;
    if (length + bytes.length > SHARED_BYTES) {
      putTogether(owned, small, length);
      small = [];
      length = 0;
    }
    small.push(index);
    length += bytes.length;
  }
  putTogether(owned, small, length);
  return owned;
}

/** A fifth of the memory, at most, is of no use. */
const isAlone = (bytes: Uint8Array): boolean => 5 * bytes.length >= 4 * bytes.buffer.byteLength;

/** Moves the values at these indices, `length` bytes in all, to memory that they share. */
function putTogether(values: Uint8Array[], indices: readonly number[], length: number): void {
  const only = indices[0];
  if (only === undefined || (indices.length === 1 && isAlone(values[only] as Uint8Array))) return;
  const memory = new Uint8Array(length);
  let offset = 0;
  for (const index of indices) {
    const bytes = values[index] as Uint8Array;
    memory.set(bytes, offset);
    values[index] = memory.subarray(offset, (offset += bytes.length));
  }
}
