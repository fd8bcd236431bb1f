import { types } from 'node:util';
import { HoldfastError, nameOf } from '../errors.ts';

/** `ERR_INVALID` for what a scope cannot run: a generator function only makes a generator, and runs nothing of its body. */
export function checkUse(use: unknown): void {
  if (typeof use !== 'function')
    throw invalid('scope takes a function, which is called with the state: scope(id, (state) => …, options)');
  if (types.isGeneratorFunction(use))
    throw invalid(
      'scope takes no generator function (function*): nothing would run its body; pass a function or an async function',
    );
}

/** The same of what a use has given, once it was awaited: nothing could run it any more. */
export function checkGiven(result: unknown): void {
  if (types.isGeneratorObject(result))
    throw invalid(
      'the function given to scope returned a generator, whose body could only run after the scope, so that nothing is saved: use it up in the scope, with for…of or for await…of',
    );
}

/** What is none is not waited for. `ERR_INVALID`: it cannot be read, and so not be returned by a promise either. */
export function isThenable<T>(value: T | Promise<T>): value is Promise<T> {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return false;
  try {
    return typeof (value as { readonly then?: unknown }).then === 'function';
  } catch (cause) {
    const what = `the function given to scope returned what cannot be read (${nameOf(cause)}, see \`cause\`), so that nothing is saved: return plain data`;
    throw new HoldfastError('ERR_INVALID', what, { cause });
  }
}

const invalid = (message: string): HoldfastError => new HoldfastError('ERR_INVALID', message);
