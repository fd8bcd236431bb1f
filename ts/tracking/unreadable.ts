import { HoldfastError, nameOf } from '../errors.ts';
import { mapValue, showPath, type Path, type PathStep } from '../path.ts';
import { DEPTH_LIMIT, isObject, keysOf } from './kinds.ts';

/**
 * What stopped the reading of a value that is for the attribute `name`, as the caller is to see it: a getter or a Proxy
 * of the application's threw.
 */
export function unreadable(cause: unknown, name: string, value: unknown): HoldfastError {
  if (cause instanceof HoldfastError) return cause;
  const path: Path = [name, ...(stepsToFault(value, new Set(), 0) ?? [])];
  // Its message may have the user's values.
  const what = `could not be read (${nameOf(cause)}, see \`cause\`)`;
  return new HoldfastError('ERR_INVALID', `${showPath(path)} ${what}: store plain data`, { paths: [path], cause });
}

/** To the first part that throws when it is read; undefined: none does. */
function stepsToFault(value: unknown, seen: Set<object>, depth: number): PathStep[] | undefined {
  if (!isObject(value) || seen.has(value) || depth > DEPTH_LIMIT) return undefined;
  seen.add(value);
  let at: PathStep | undefined;
  try {
    for (const [step, read] of partsOf(value)) {
      at = step;
      const inside = stepsToFault(read(), seen, depth + 1);
      if (inside !== undefined) return [step, ...inside];
    }
    return undefined;
  } catch {
    return at === undefined ? [] : [at];
  }
}

type Part = readonly [step: PathStep, read: () => unknown];

function* partsOf(value: object): Iterable<Part> {
  if (value instanceof Map) {
    let index = 0;
    for (const [key, member] of value as Map<unknown, unknown>) {
      yield [{ kind: 'map key', index }, () => key];
      yield [mapValue(key, index), () => member];
      index += 1;
    }
  } else if (value instanceof Set) {
    let index = 0;
    for (const member of value as Set<unknown>) yield [{ kind: 'set element', index: index++ }, () => member];
  } else if (!ArrayBuffer.isView(value)) {
    for (const key of keysOf(value)) yield [key, () => (value as Record<string, unknown>)[key]];
  }
}
