const SCRATCH = 1 << 16;
let scratch: Buffer | undefined;

/** A new delta: `write` puts it at the start of memory of so many bytes, and returns its length. */
export function newDelta(needed: number, write: (out: Buffer) => number): Uint8Array {
  scratch ??= Buffer.allocUnsafeSlow(SCRATCH);
  const out = needed <= SCRATCH ? scratch : Buffer.allocUnsafeSlow(needed);
  const length = write(out);
  return Buffer.from(out.subarray(0, length));
}

/** A new target: `write` fills what it is given if that suffices, and returns how much it needs in any case. */
export function newTarget(guess: number, write: (out: Uint8Array) => number): Uint8Array {
  let out = Buffer.allocUnsafe(guess);
  let length = write(out);
  if (length > guess) {
    out = Buffer.allocUnsafe(length);
    length = write(out);
  }
  return length < guess >> 1 ? Buffer.from(out.subarray(0, length)) : out.subarray(0, length);
}
