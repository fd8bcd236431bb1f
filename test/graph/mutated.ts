/** Bytes with some damage, which `numbers` decide. */
export function mutated(delta: Uint8Array, numbers: readonly number[]): Uint8Array {
  let bytes = [...delta];
  for (let n = 0; n + 2 < numbers.length; n += 3) {
    const [kind, at, value] = [numbers[n]! % 5, numbers[n + 1]! % bytes.length, numbers[n + 2]! & 0xff];
    if (kind === 0) bytes[at]! ^= 1 << (value & 7);
    else if (kind === 1) bytes[at] = value;
    else if (kind === 2) bytes.splice(at, 1 + (value & 3));
    else if (kind === 3) bytes.splice(at, 0, value);
    else bytes = [...bytes.slice(0, at), ...bytes.slice(value % bytes.length)];
    if (bytes.length === 0) bytes = [1];
  }
  return Uint8Array.from(bytes);
}
