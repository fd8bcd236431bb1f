import type { Differ } from '../../ts/diff/differ.ts';
import { jsDiffer } from '../../ts/diff/js.ts';
import { loadNative } from '../../ts/diff/native.ts';

function tryNative(): Differ | undefined {
  try {
    return loadNative();
  } catch {
    return undefined;
  }
}

export const js: Differ = jsDiffer;

/** Missing where the addon is not built. */
export const native: Differ | undefined = tryNative();

/** Why tests of the native differ are skipped. */
export const SKIP_REASON = 'the native differ is not built: run `node scripts/build-native.mjs`';

export const engines: readonly Differ[] = native === undefined ? [js] : [native, js];
