import { loadAddon } from '../addon.ts';
import type { Addon } from '../addon.ts';
import { HoldfastError, type ErrorCode } from '../errors.ts';
import {
  checkAverage,
  checkBatch,
  checkBytes,
  checkChunk,
  checkLimit,
  checkList,
  checkResults,
  checkShape,
  checkShapes,
} from './arguments.ts';
import { CHUNK_STRIDE, chunksMax, readChunks } from './chunks.ts';
import type { Differ } from './differ.ts';
import { MAX_OVERHEAD, SIGNED_OVERHEAD } from './format.ts';
import { newDelta, newTarget } from './room.ts';
import { signatureLength } from './signature.ts';

/** The addon's error as ours; a panic, which has no code, as it is. */
function translate(error: unknown): unknown {
  const match = error instanceof Error ? /^(ERR_[A-Z_]+): ([^]*)$/.exec(error.message) : null;
  return match === null ? error : new HoldfastError(match[1] as ErrorCode, match[2]!, { cause: error });
}

/** What the addon answers, or its error as ours. */
export function translated<Answer>(call: () => Answer): Answer {
  try {
    return call();
  } catch (error) {
    throw translate(error);
  }
}

/** What is not on the path of a push or a pull. */
function makeExtras(addon: Addon): Pick<Differ, 'applyInPlace' | 'signature' | 'diffSignature' | 'chunks'> {
  return {
    applyInPlace(bytes, delta) {
      checkBytes(bytes, 'bytes');
      checkBytes(delta, 'delta');
      return translated(() => addon.applyInPlace(bytes, delta));
    },

    signature(base, options) {
      checkBytes(base, 'base');
      const bits = checkChunk(options);
      const out = Buffer.allocUnsafe(signatureLength(base.length, bits));
      addon.signatureInto(base, bits, out);
      return out;
    },

    diffSignature(signature, target) {
      checkBytes(signature, 'signature');
      checkBytes(target, 'target');
      return translated(() =>
        newDelta(target.length + SIGNED_OVERHEAD, (out) => addon.diffSignatureInto(signature, target, out)),
      );
    },

    chunks(bytes, options) {
      checkBytes(bytes, 'bytes');
      const bits = checkAverage(options);
      const words = new Uint32Array(CHUNK_STRIDE * chunksMax(bytes.length, bits));
      return readChunks(words, addon.chunksInto(bytes, bits, words));
    },
  };
}

/** An error of the addon, which refuses memory that is shared and does not know its name. */
function named(error: unknown, inputs: Record<string, Uint8Array>): unknown {
  for (const [name, bytes] of Object.entries(inputs)) checkBytes(bytes, name);
  return translate(error);
}

/** The path of a push and a pull, where the checks would take as long as the call. */
function makeDirect(addon: Addon): Pick<Differ, 'diff' | 'diffInto' | 'apply' | 'applyInto' | 'diffBatch'> {
  const diffInto = (base: Uint8Array, target: Uint8Array, out: Uint8Array): number => {
    try {
      return addon.diffInto(base, target, out);
    } catch (error) {
      throw named(error, { base, target, out });
    }
  };
  const applyInto = (base: Uint8Array, delta: Uint8Array, limit: number, out: Uint8Array): number => {
    try {
      return addon.applyInto(base, delta, limit, out);
    } catch (error) {
      throw named(error, { base, delta, out });
    }
  };
  return {
    diff(base, target) {
      checkShape(base, 'base');
      checkShape(target, 'target');
      return newDelta(target.length + MAX_OVERHEAD, (out) => diffInto(base, target, out));
    },

    diffInto(base, target, out) {
      checkShape(base, 'base');
      checkShape(target, 'target');
      checkShape(out, 'out');
      return diffInto(base, target, out);
    },

    apply(base, delta, limitBytes) {
      checkShape(base, 'base');
      checkShape(delta, 'delta');
      const limit = checkLimit(limitBytes);
      return newTarget(Math.min(limit, base.length + delta.length), (out) => applyInto(base, delta, limit, out));
    },

    applyInto(base, delta, out) {
      checkShape(base, 'base');
      checkShape(delta, 'delta');
      checkShape(out, 'out');
      return applyInto(base, delta, out.length, out);
    },

    diffBatch(bases, targets, out, results) {
      const from = checkShapes(bases, 'bases', true);
      const to = checkShapes(targets, 'targets');
      checkBytes(out, 'out');
      checkBatch(from, to, out);
      checkResults(results, to.length);
      try {
        return addon.diffBatch(from, to, out, results);
      } catch (error) {
        checkList(from, 'bases', true);
        checkList(to, 'targets');
        throw translate(error);
      }
    },
  };
}

function makeDiffer(addon: Addon): Differ {
  return {
    engine: 'native',
    ...makeDirect(addon),
    ...makeExtras(addon),

    applyChain(base, deltas, limitBytes) {
      checkBytes(base, 'base');
      const list = checkList(deltas, 'deltas');
      const limit = checkLimit(limitBytes);
      const guess = list.reduce((sum, delta) => sum + delta.length, base.length);
      return translated(() => newTarget(Math.min(limit, guess), (out) => addon.applyChainInto(base, list, limit, out)));
    },

    hashBatch(values, results) {
      const list = checkList(values, 'values');
      checkResults(results, list.length);
      translated(() => addon.hashBatch(list, results));
    },
  };
}

let loaded: Differ | undefined;

/** The native differ; `ERR_UNAVAILABLE` where it is not built. */
export function loadNative(): Differ {
  loaded ??= makeDiffer(loadAddon());
  return loaded;
}
