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

/** Of what is under the name `N`, in whichever of the types of a union it is. */
type Under<T, N extends string> = T extends unknown ? (N extends keyof T ? T[N] : unknown) : never;

/** How many names are still looked at: a list of all paths may have no end. */
type Left = 0 | 1 | 2 | 3;
type Less = [0, 0, 1, 2];

/** As text. */
type TextFrom<T, N extends string, D extends Left> =
  | `["${string}`
  | {
      [K in N]:
        | K
        | `${K}[${string}`
        | `${K}.${D extends 0 ? string : TextFrom<Under<T, K>, NamesOf<Under<T, K>>, Less[D]>}`;
    }[N];

/** Name by name. */
type NamesFrom<T, N extends string, D extends Left> = {
  [K in N]:
    | readonly [K]
    | readonly [K, ...(D extends 0 ? string[] : NamesFrom<Under<T, K>, NamesOf<Under<T, K>>, Less[D]>)];
}[N];

/** What stands in the place of paths where there can be none. The compiler shows it. */
interface NotFrozen<Why extends string> {
  readonly why: Why;
}

/** Paths say nothing of what `T` is. */
type Given<T> = [T][T extends unknown ? 0 : never];

type PathsBy<T, N extends string> = [N] extends [never]
  ? NotFrozen<'portions are properties of plain objects: lists, Maps, Sets and single values have none'>
  : TextFrom<T, N, 3> | NamesFrom<T, N, 3>;

/**
 * A path to what is frozen in `T`. Its first four names are such as `T` has there, so that the compiler finds one that
 * is misspelt.
 */
export type FrozenOf<T> = PathsBy<Given<T>, NamesOf<Given<T>>>;

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
