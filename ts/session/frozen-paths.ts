import { HoldfastError } from '../errors.ts';
import { describe } from '../options.ts';
import type { Rule } from '../options.ts';
import { parsePath } from '../path.ts';
import type { Path } from '../path.ts';
import type { FrozenPath } from '../tracking/frozen.ts';

/** Rule of a path to what is frozen. */
export const namesTo: Rule = (name, value) => {
  const path: Path | undefined =
    typeof value === 'string' ? parsePath(value) : Array.isArray(value) ? value : undefined;
  if (path !== undefined && path.length > 0 && path.every((step) => typeof step === 'string')) return;
  throw new HoldfastError(
    'ERR_INVALID',
    `${name} must be the names that lead to a portion, such as 'plan.limits' or ['plan', 'limits'], not ${describe(value)}`,
  );
};

/** Of an immutable attribute. */
export const NO_FROZEN: Rule = (name) => {
  throw new HoldfastError('ERR_INVALID', `${name}: an immutable attribute is frozen as a whole: leave the option out`);
};

/** Each once, and none that is in another. */
export function frozenPaths(given: readonly (string | readonly string[])[]): readonly FrozenPath[] | undefined {
  const all = given.map((one) => (typeof one === 'string' ? (parsePath(one) as FrozenPath) : [...one]));
  const isIn = (path: FrozenPath, other: FrozenPath): boolean => other.every((step, i) => path[i] === step);
  const outer = all.filter(
    (path, i) => !all.some((other, j) => i !== j && isIn(path, other) && (other.length < path.length || j < i)),
  );
  return outer.length === 0 ? undefined : outer;
}
