import { HoldfastError } from '../errors.ts';
import type { Differ, Engine } from './differ.ts';
import { jsDiffer } from './js.ts';
import { loadNative } from './native.ts';

let warned = false;

/**
 * The differ. `engine`, or else the environment's `HOLDFAST_ENGINE`, forces one: `ERR_INVALID` for an unknown name,
 * `ERR_UNAVAILABLE` where the native one is not built. Otherwise the native one, or, after one line on stderr, the
 * JavaScript.
 */
export function loadDiffer(engine?: Engine): Differ {
  const wanted: string = engine ?? process.env['HOLDFAST_ENGINE'] ?? '';
  if (wanted === 'js') return jsDiffer;
  if (wanted === 'native') return loadNative();
  if (wanted !== '')
    throw new HoldfastError('ERR_INVALID', `unknown engine '${wanted}': HOLDFAST_ENGINE is 'native' or 'js'`);
  try {
    return loadNative();
  } catch (error) {
    if (!warned) {
      warned = true;
      process.stderr.write(`holdfast: going on in plain JavaScript, slower: ${(error as Error).message}\n`);
    }
    return jsDiffer;
  }
}
