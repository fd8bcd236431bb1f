import { HoldfastError } from '../errors.ts';
import { DEPTH_LIMIT } from '../codec/format.ts';
import { showPath, type Path } from '../path.ts';
import { isNewProperty, type Change } from './changes.ts';

/** RFC 6902; paths are JSON pointers (RFC 6901). */
export type JsonPatchOperation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'move' | 'copy'; readonly from: string; readonly path: string };

const pointer = (path: Path): string =>
  path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** The changes as operations. Of an object's keys the order is not told: in JSON they have none. */
export function patchOf(changes: readonly Change[], target: unknown): JsonPatchOperation[] {
  const operations: JsonPatchOperation[] = [];
  /** Lists that are told whole: nothing that comes after has to be. */
  const whole: Path[] = [];
  for (const change of changes) {
    if (whole.some((path) => path.every((step, at) => change.path[at] === step))) continue;
    if (change.op === 'reorder') {
      const list = valueAt(target, change.path);
      if (!Array.isArray(list)) continue;
      whole.push(change.path);
      operations.push({ op: 'replace', path: pointer(change.path), value: json(list, change.path) });
    } else operations.push(...operationsOf(change, target));
  }
  return operations;
}

function operationsOf(change: Change, target: unknown): readonly JsonPatchOperation[] {
  const { path } = change;
  for (const step of path) if (typeof step === 'object') refuse(path, 'a place in a Map or Set');
  const at = pointer(path);
  switch (change.op) {
    case 'set':
      return [{ op: isNewProperty(change) ? 'add' : 'replace', path: at, value: json(change.value, path) }];
    case 'unset':
      return [{ op: 'remove', path: at }];
    case 'insert':
      return change.values.map((value, n) => {
        const place = [...path, change.index + n];
        return { op: 'add', path: pointer(place), value: json(value, place) };
      });
    case 'remove':
      return Array.from({ length: change.count }, () => ({ op: 'remove', path: `${at}/${change.index}` }));
    case 'move':
      return [{ op: 'move', from: `${at}/${change.from}`, path: `${at}/${change.to}` }];
    case 'splice':
      if ('delta' in change) return refuse(path, 'bytes');
      return [{ op: 'replace', path: at, value: valueAt(target, path) }];
    default:
      return refuse(path, 'a Map or Set');
  }
}

/** Changes of texts and new orders come when all around them is as in the target. */
function valueAt(target: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, step) => (value as Record<string, unknown>)[step as string], target);
}

function refuse(path: Path, what: string): never {
  throw new HoldfastError(
    'ERR_INVALID',
    `${showPath(['target', ...path])} is ${what}, which JSON does not have: use diff`,
    {
      paths: [path],
    },
  );
}

/** `value` itself, if JSON has it. */
function json(value: unknown, path: Path): unknown {
  if (path.length >= DEPTH_LIMIT) throw new HoldfastError('ERR_LIMIT', 'target is nested too deeply: keep it flatter');
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : refuse(path, `${value}`);
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i += 1) json(value[i], [...path, i]);
    return value;
  }
  if (typeof value !== 'object') return refuse(path, value === undefined ? 'undefined' : `a ${typeof value}`);
  if (![Object.prototype, null].includes(Object.getPrototypeOf(value) as null)) refuse(path, 'no plain object');
  for (const key of Object.keys(value)) json((value as Record<string, unknown>)[key], [...path, key]);
  return value;
}
