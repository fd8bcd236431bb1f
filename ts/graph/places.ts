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
  const remedy = 'a JSON Patch tells of trees: take a delta (graph.diff), or put a copy in each place';
  throw refusal(side.value, name, named, remedy);
}

/** Of `values`, parts of a target that was said to be a tree. Overwritten by the next call. */
export function treeBytes(values: readonly unknown[], target: unknown): Uint8Array {
  const named: Named = { ids: undefined };
  const bytes = valueCodec().look(values, 'target', named);
  if (named.ids === undefined) return bytes;
  throw refusal(target, 'target', named, 'the option `trees` says that there is no such object: leave it out');
}

function refusal(root: unknown, name: string, { ids }: Named, remedy: string): HoldfastError {
  const [shared] = ids!.keys();
  const path: Path = [name, ...(findSteps(root, shared!) ?? [])];
  const message = `${showPath(path)} is in several places of the value, and ${remedy}`;
  return new HoldfastError('ERR_INVALID', message, { paths: [path] });
}
