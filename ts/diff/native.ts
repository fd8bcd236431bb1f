import { loadAddon } from '../addon.ts';
import type { Addon } from '../addon.ts';
import { HoldfastError, type ErrorCode } from '../errors.ts';
import { checkAverage, checkBatch, checkBytes, checkChunk, checkLimit, checkList, checkResults } from './arguments.ts';
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

function makeDiffer(addon: Addon): Differ {
  const diffInto = (base: Uint8Array, target: Uint8Array, out: Uint8Array): number => {
    try {
      return addon.diffInto(base, target, out);
    } catch (error) {
      throw translate(error);
    }
  };
  return {
    engine: 'native',
    ...makeExtras(addon),

    diff(base, target) {
      checkBytes(base, 'base');
      checkBytes(target, 'target');
      return newDelta(target.length + MAX_OVERHEAD, (out) => diffInto(base, target, out));
    },

    diffInto(base, target, out) {
      checkBytes(base, 'base');
      checkBytes(target, 'target');
      checkBytes(out, 'out');
      return diffInto(base, target, out);
    },

    apply(base, delta, limitBytes) {
      checkBytes(base, 'base');
      checkBytes(delta, 'delta');
      const limit = checkLimit(limitBytes);
      return translated(() =>
        newTarget(Math.min(limit, base.length + delta.length), (out) => addon.applyInto(base, delta, limit, out)),
      );
    },

    applyInto(base, delta, out) {
      checkBytes(base, 'base');
      checkBytes(delta, 'delta');
      checkBytes(out, 'out');
      try {
        return addon.applyInto(base, delta, out.length, out);
      } catch (error) {
        throw translate(error);
      }
    },

    applyChain(base, deltas, limitBytes) {
      checkBytes(base, 'base');
      const list = checkList(deltas, 'deltas');
      const limit = checkLimit(limitBytes);
      const guess = list.reduce((sum, delta) => sum + delta.length, base.length);
      return translated(() => newTarget(Math.min(limit, guess), (out) => addon.applyChainInto(base, list, limit, out)));
    },

    diffBatch(bases, targets, out, results) {
      const from = checkList(bases, 'bases', true);
      const to = checkList(targets, 'targets');
      checkBatch(from, to, out);
      checkResults(results, to.length);
      return translated(() => addon.diffBatch(from, to, out, results));
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
