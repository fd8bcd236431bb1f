import { DEPTH_LIMIT } from '../codec/format.ts';
import { refuseDepth, refuse } from '../codec/fault.ts';
import { LEAVES, foreignCollection, isForeignPlain, refuseInstance } from '../codec/kinds.ts';
import { isInstance } from './values.ts';

/** Containers whose parts are told apart: places in an order, with keys in all but lists. */
export type SequenceKind = 'object' | 'bare' | 'list' | 'sparse' | 'map' | 'set';

/** What of a value can be changed in part. `bare`: with a null prototype; `sparse`: an array with holes. */
export type Kind = SequenceKind | 'text' | 'bytes' | 'leaf';

/** Throws a `Fault` for what the codec does not keep; only the outermost is looked at. */
export function kindOf(value: unknown): Kind {
  if (typeof value === 'string') return 'text';
  if (typeof value === 'function' || typeof value === 'symbol') return refuse(`a ${typeof value}`, 'keep data only');
  return typeof value === 'object' && value !== null ? objectKind(value) : 'leaf';
}

export function objectKind(value: object): Kind {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype) return 'object';
  if (Array.isArray(value)) {
    if (prototype !== Array.prototype && !Array.isArray(prototype)) refuseInstance(value);
    return isSparse(value) ? 'sparse' : 'list';
  }
  if (prototype === null) return 'bare';
  if (prototype === Map.prototype) return 'map';
  if (prototype === Set.prototype) return 'set';
  if (LEAVES.has(prototype)) return prototype === Date.prototype ? 'leaf' : 'bytes';
  if (isForeignPlain(prototype)) return 'object';
  return foreignCollection(value) ?? (isInstance(value) ? 'leaf' : refuseInstance(value));
}

export const isSequence = (kind: Kind): kind is SequenceKind => kind !== 'text' && kind !== 'bytes' && kind !== 'leaf';

/** Ends at the first hole: no array is longer to look through than what it holds. */
function isSparse(array: readonly unknown[]): boolean {
  for (let i = 0; i < array.length; i += 1) if (array[i] === undefined && !Object.hasOwn(array, i)) return true;
  return false;
}

/** Both differ and codec stop here, so that neither runs out of stack; a cycle ends here too. */
export function checkDepth(depth: number): void {
  if (depth >= DEPTH_LIMIT) refuseDepth();
}

/** Of a typed array, Buffer, ArrayBuffer or DataView: its memory. */
export function bytesOf(value: object): Uint8Array {
  return ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value as ArrayBuffer);
}

/** The keys by which a sequence's places are known, in order; a list has none. A Set's are its elements. */
export function keysOf(kind: SequenceKind, value: object): readonly unknown[] | undefined {
  switch (kind) {
    case 'list':
      return undefined;
    case 'map':
      return [...(value as ReadonlyMap<unknown, unknown>).keys()];
    case 'set':
      return [...(value as ReadonlySet<unknown>)];
    case 'sparse':
      return Object.keys(value).map(Number);
    default:
      return Object.keys(value);
  }
}

export function sizeOf(kind: SequenceKind, value: object, keys: readonly unknown[] | undefined): number {
  return kind === 'list' ? (value as readonly unknown[]).length : keys!.length;
}

/** What is at the `index`th place; of a Set: undefined. */
export function valueAt(
  kind: SequenceKind,
  value: object,
  keys: readonly unknown[] | undefined,
  index: number,
): unknown {
  switch (kind) {
    case 'list':
      return (value as readonly unknown[])[index];
    case 'map':
      return (value as ReadonlyMap<unknown, unknown>).get(keys![index]);
    case 'set':
      return undefined;
    default:
      return (value as Record<string, unknown>)[keys![index] as string];
  }
}
