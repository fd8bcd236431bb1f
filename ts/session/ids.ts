import { HoldfastError } from '../errors.ts';
import { describe } from '../options.ts';
import { checkId } from '../store/arguments.ts';

/**
 * Whether a session may have this id. What a client sends may be any text, and is then the id of none; what is no text
 * at all is a mistake of the code that passes it: `ERR_INVALID`.
 */
export function isPossible(id: string): boolean {
  if (typeof id !== 'string')
    throw new HoldfastError(
      'ERR_INVALID',
      `a session id is text, not ${describe(id)}: look first whether there is one`,
    );
  try {
    checkId(id);
    return true;
  } catch {
    return false;
  }
}
