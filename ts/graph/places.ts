import type { Named } from '../codec/ids.ts';
import { HoldfastError } from '../errors.ts';
import { findSteps, showPath, type Path } from '../path.ts';
import type { Side } from './side.ts';
import { valueCodec } from './values.ts';

/** Throws where bytes have something in several places: JSON tells of trees alone. */
export function checkTree(side: Side, name: string): void {
  if (side.given === undefined || !side.isShared()) return;
  const named: Named = { ids: undefined };
  valueCodec().look(side.value, name, named);
  const [shared] = named.ids!.keys();
  const path: Path = [name, ...(findSteps(side.value, shared!) ?? [])];
  throw new HoldfastError(
    'ERR_INVALID',
    `${showPath(path)} is in several places of the value, and a JSON Patch tells of trees: take a delta (graph.diff), or put a copy in each place.`,
    { paths: [path] },
  );
}
