import { HoldfastError } from '../errors.ts';
import { findSteps, formatPath, type Path } from '../path.ts';
import { findShared } from '../tracking/identities.ts';

/** Throws where an object is in several places of `value`: its parts are compared and made as those of a tree. */
export function checkPlaces(value: unknown, name: string): void {
  const shared = findShared(value);
  if (shared !== undefined) refuseShared(value, shared, name);
}

export function refuseShared(root: unknown, shared: object, name: string): never {
  const path: Path = [name, ...(findSteps(root, shared) ?? [])];
  throw new HoldfastError(
    'ERR_INVALID',
    `${formatPath(path)} is in several places of the value, and the graph differ takes values as trees: take a delta of the bytes (holdfast/delta), or put a copy in each place.`,
    { paths: [path] },
  );
}
