import { loadAddon, type Addon } from '../addon.ts';
import { loadDiffer } from '../diff/engine.ts';
import { MAX_LEN } from '../diff/format.ts';
import { translated } from '../diff/native.ts';
import { newTarget } from '../diff/room.ts';

/**
 * What is done in native code where both sides are canonical bytes (`crates/graph`). Undefined: not these bytes; they are
 * damaged, or have what only the codec knows.
 */
export interface BytesDiffer {
  diff(base: Uint8Array, target: Uint8Array): Uint8Array | undefined;
  apply(base: Uint8Array, delta: Uint8Array, limitBytes: number): Uint8Array | undefined;
}

/** Of a delta: most have less. */
const FIRST_BYTES = 4_096;

function make(addon: Addon): BytesDiffer {
  const made = (guess: number, write: (out: Uint8Array) => number): Uint8Array | undefined => {
    const bytes = translated(() => newTarget(guess, write));
    return bytes.length === 0 ? undefined : bytes;
  };
  return {
    diff: (base, target) => made(FIRST_BYTES, (out) => addon.graphDiffInto(base, target, out)),
    apply(base, delta, limitBytes) {
      const limit = Math.min(limitBytes, MAX_LEN);
      const guess = Math.min(limit, base.length + delta.length);
      return made(guess, (out) => addon.graphApplyInto(base, delta, limit, out));
    },
  };
}

/** Undefined where the binary differ is not the native one. */
export function loadBytesDiffer(): BytesDiffer | undefined {
  return loadDiffer().engine === 'native' ? make(loadAddon()) : undefined;
}
