import fc from 'fast-check';
import { anyValue } from '../codec/values.ts';

/** A source of small numbers that decide an edit. */
type Next = (most: number) => number;

const isContainer = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && !(value instanceof ArrayBuffer);

function define(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

function rebuilt(entries: readonly (readonly [string, unknown])[], like: object): object {
  const object = (Object.getPrototypeOf(like) === null ? Object.create(null) : {}) as object;
  for (const [key, value] of entries) define(object, key, value);
  return object;
}

/** Takes some elements out, puts some in, moves some, changes some in themselves. */
function editList(list: unknown[], next: Next, fresh: () => unknown, depth: number): unknown[] {
  for (let left = 1 + next(3); left > 0; left -= 1) {
    const at = next(list.length);
    switch (next(6)) {
      case 0:
        list.splice(at, next(2), fresh());
        break;
      case 1:
        list.splice(at, 1 + next(2));
        break;
      case 2:
        list.splice(next(list.length), 0, ...list.splice(at, 1));
        break;
      case 3:
        list.reverse();
        break;
      default:
        if (at < list.length) list[at] = edit(list[at], next, fresh, depth + 1);
    }
  }
  return list;
}

/** A value that `value` may have become: `value` itself stays as it is. */
export function edit(value: unknown, next: Next, fresh: () => unknown, depth = 0): unknown {
  if (typeof value === 'string') {
    const at = next(value.length);
    return (
      value.slice(0, at) + ['', 'x', '\ud83d\ude00', '\udc00', 'a longer text'][next(5)] + value.slice(at + next(4))
    );
  }
  if (value instanceof Uint8Array && value.length > 0) {
    const copy = Buffer.isBuffer(value) ? Buffer.from(value) : value.slice();
    copy[next(copy.length - 1)]! ^= 1;
    return copy;
  }
  if (!isContainer(value) || depth > 6 || next(20) === 0) return fresh();
  if (Array.isArray(value)) {
    if (Object.keys(value).length === value.length) return editList([...(value as unknown[])], next, fresh, depth);
    const copy = value.slice() as unknown[];
    const at = next(copy.length);
    if (next(2) === 0) Reflect.deleteProperty(copy, at);
    else copy[at] = fresh();
    return copy;
  }
  if (value instanceof Set) return new Set(editList([...(value as Set<unknown>)], next, fresh, depth));
  if (value instanceof Date) return new Date(next(1e6));
  const isMap = value instanceof Map;
  const entries = (isMap ? [...(value as Map<unknown, unknown>)] : Object.entries(value)) as [string, unknown][];
  const at = next(entries.length);
  const kind = next(6);
  if (kind === 0) entries.splice(at, 1);
  else if (kind === 1) entries.splice(at, 0, [`k${next(100)}`, fresh()]);
  else if (kind === 2) entries.splice(next(entries.length), 0, ...entries.splice(at, 1));
  else if (entries[at] !== undefined) entries[at] = [entries[at][0], edit(entries[at][1], next, fresh, depth + 1)];
  return isMap ? new Map(entries) : rebuilt(entries, value);
}

/** A value, and what some edits in it make of it. */
export const edited: fc.Arbitrary<[base: unknown, target: unknown]> = fc
  .tuple(
    anyValue,
    fc.array(fc.nat(), { minLength: 40, maxLength: 40 }),
    fc.array(anyValue, { minLength: 4, maxLength: 4 }),
  )
  .map(([base, numbers, values]) => [base, editedBy(base, numbers, values)]);

export function editedBy(base: unknown, numbers: readonly number[], values: readonly unknown[]): unknown {
  let at = 0;
  let taken = 0;
  const next: Next = (most) => (numbers[at++ % numbers.length] ?? 0) % (most + 1);
  // Each of them once: no value may be in two places.
  const fresh = (): unknown => (taken < values.length ? values[taken++] : next(100));
  return edit(base, next, fresh);
}
