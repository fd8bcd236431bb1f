import type { Codec } from '../codec/codec.ts';
import { HoldfastError, nameOf } from '../errors.ts';
import { showPath } from '../path.ts';
import { plainFor } from '../tracking/tracker.ts';

/**
 * A value that a function of the definition makes, as a copy: what it returns may be a constant of the application's,
 * and must not be changed through a session. `by` names the function. `ERR_INVALID` when that throws, or makes what no
 * save would take: it must not be shown as if it were a value.
 */
export function made(codec: Codec, name: string, by: string, make: () => unknown): unknown {
  const value = called(name, by, make);
  if (typeof value === 'object' ? value === null : typeof value !== 'function' && typeof value !== 'symbol')
    return value;
  if (isThenable(value)) {
    // What becomes of it is nobody's to handle any more.
    if (value instanceof Promise) value.catch(() => undefined);
    const why = 'returned a promise: it must return the value itself; give what has to be awaited to create()';
    throw new HoldfastError('ERR_INVALID', `${showPath([name])}: its ${by} ${why}`, { paths: [[name]] });
  }
  try {
    const own = plainFor({ name, types: codec.types }, value);
    codec.look(own, name);
    return own;
  } catch (error) {
    const { code, message, paths, cause = error } = error as HoldfastError;
    const what = `${showPath([name])}: its ${by} returned what cannot be kept: ${message}`;
    throw new HoldfastError(code, what, { paths, cause });
  }
}

function isThenable(value: unknown): boolean {
  try {
    return typeof (value as { then?: unknown }).then === 'function';
  } catch {
    return false; // what cannot be read is found again, with its path, when it is copied
  }
}

function called(name: string, by: string, make: () => unknown): unknown {
  try {
    return make();
  } catch (cause) {
    const message = `${showPath([name])}: its ${by} threw (${nameOf(cause)}, see \`cause\`)`;
    throw new HoldfastError('ERR_INVALID', message, { paths: [[name]], cause });
  }
}
