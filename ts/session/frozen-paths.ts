import { HoldfastError } from '../errors.ts';
import { describe } from '../options.ts';
import type { Rule } from '../options.ts';
import { parsePath } from '../path.ts';
import type { Path } from '../path.ts';
import type { FrozenPath } from '../tracking/frozen.ts';
import type { Leaf } from './storable.ts';

type Containers = readonly unknown[] | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>;

/** Names of the properties of plain objects; `string` where the type does not tell. */
type NamesOf<T> = unknown extends T
  ? string
  : T extends Leaf | Containers
    ? never
    : T extends object
      ? keyof T & string
      : never;

/** As text, or name by name; of the names, the first is one of `N`. */
type PathFrom<N extends string> = N | `${N}.${string}` | `${N}[${string}` | `["${string}` | readonly [N, ...string[]];

/** What stands in the place of paths where there can be none. The compiler shows it. */
interface NotFrozen<Why extends string> {
  readonly why: Why;
}

/** Paths say nothing of what `T` is. */
type Given<T> = [T][T extends unknown ? 0 : never];

type PathsBy<N extends string> = [N] extends [never]
  ? NotFrozen<'portions are properties of plain objects: lists, Maps, Sets and single values have none'>
  : PathFrom<N>;

/**
 * A path to what is frozen in `T`. Its first name is one that `T` has, so that the compiler finds one that is misspelt;
 * the others are not looked at, as a list of all paths may have no end.
 */
export type FrozenOf<T> = PathsBy<NamesOf<Given<T>>>;

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
