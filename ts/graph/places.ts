import type { Named } from '../codec/ids.ts';
import { HoldfastError } from '../errors.ts';
import { findSteps, showPath, type Path } from '../path.ts';
import { valueCodec } from './values.ts';

/** The bytes of a tree; `value` is it, or a list of parts of it. Overwritten by the next call. */
export function treeBytes(value: unknown, name: string, tree: unknown = value): Uint8Array {
  const named: Named = { ids: undefined };
  const bytes = valueCodec().look(value, name, named);
  checkTree(tree, named, name);
  return bytes;
}

/** The tree whose bytes they are. */
export function treeOf(bytes: Uint8Array, name: string): unknown {
  const named: Named = { ids: undefined };
  const tree = decoded(bytes, name, named);
  checkTree(tree, named, name);
  return tree;
}

function decoded(bytes: Uint8Array, name: string, named: Named): unknown {
  try {
    return valueCodec().decode(bytes, name, named);
  } catch (cause) {
    if (!(cause instanceof HoldfastError) || cause.code !== 'ERR_CORRUPT') throw cause;
    throw new HoldfastError('ERR_CORRUPT', `${name} cannot be read: ${cause.message}`, { cause });
  }
}

/** Throws where something is in several places: parts are compared, and made, as those of a tree. */
function checkTree(root: unknown, { ids }: Named, name: string): void {
  if (ids === undefined) return;
  const [shared] = ids.keys();
  const path: Path = [name, ...(findSteps(root, shared!) ?? [])];
  throw new HoldfastError(
    'ERR_INVALID',
    `${showPath(path)} is in several places of the value, and the graph differ takes values as trees: take a delta of the bytes (holdfast/delta), or put a copy in each place`,
    { paths: [path] },
  );
}
