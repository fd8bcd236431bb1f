import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { apply } from '../../ts/delta.ts';
import type { Change } from '../../ts/graph.ts';
import type { PathStep } from '../../ts/path.ts';

function define(object: object, key: PropertyKey, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

function stepInto(value: unknown, step: PathStep): unknown {
  if (typeof step === 'object') return [...(value as Map<unknown, unknown>).values()][step.index];
  return (value as Record<PropertyKey, unknown>)[step];
}

/** `holder` with `value` in place of what is behind `step`. */
function put(holder: unknown, step: PathStep, value: unknown): unknown {
  if (typeof step === 'object') {
    const map = holder as Map<unknown, unknown>;
    map.set([...map.keys()][step.index], value);
  } else define(holder as object, step, value);
  return holder;
}

function patchBytes(value: object, delta: Uint8Array): unknown {
  const view = ArrayBuffer.isView(value) ? value : new Uint8Array(value as ArrayBuffer);
  const made = Uint8Array.from(apply(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), delta, 1e9)).buffer;
  if (value instanceof ArrayBuffer) return made;
  return Buffer.isBuffer(value)
    ? Buffer.from(made)
    : new (value.constructor as new (memory: ArrayBuffer) => object)(made);
}

/** Of an object, as of another copy of the value: the first one that is encoded alike. */
function memberOf(value: ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>, key: unknown): unknown {
  if (typeof key !== 'object' || key === null || value.has(key)) return key;
  const bytes = Buffer.from(msgpackCodec.encode(key, 'key'));
  return [...value.keys()].find(
    (other) => typeof other === 'object' && bytes.equals(msgpackCodec.encode(other, 'key')),
  );
}

function reordered(value: object, order: readonly number[]): unknown {
  if (Array.isArray(value)) return order.map((place) => value[place] as unknown);
  if (value instanceof Map) return new Map(order.map((place) => [...value][place] as [unknown, unknown]));
  if (value instanceof Set) return new Set(order.map((place) => [...value][place] as unknown));
  const made = Object.create(Object.getPrototypeOf(value) as object | null) as object;
  for (const place of order) {
    const key = Object.keys(value)[place]!;
    define(made, key, (value as Record<string, unknown>)[key]);
  }
  return made;
}

/** Does to `value` what one change says; its result, which may be `value` itself. */
function changeOne(value: unknown, change: Change): unknown {
  switch (change.op) {
    case 'insert':
      (value as unknown[]).splice(change.index, 0, ...change.values);
      return value;
    case 'remove':
      (value as unknown[]).splice(change.index, change.count);
      return value;
    case 'move':
      (value as unknown[]).splice(change.to, 0, ...(value as unknown[]).splice(change.from, 1));
      return value;
    case 'splice':
      if ('delta' in change) return patchBytes(value as object, change.delta);
      return (
        (value as string).slice(0, change.index) + change.insert + (value as string).slice(change.index + change.remove)
      );
    case 'add':
      if (value instanceof Map) value.set(change.key, change.value);
      else (value as Set<unknown>).add(change.key);
      return value;
    case 'delete':
      (value as Map<unknown, unknown>).delete(memberOf(value as Map<unknown, unknown>, change.key));
      return value;
    case 'reorder':
      return reordered(value as object, change.order);
    default:
      throw new Error(`${change.op} is the container's`);
  }
}

function changeAt(value: unknown, path: readonly PathStep[], change: Change): unknown {
  if (path.length === 0) return change.op === 'set' ? change.value : changeOne(value, change);
  const [step, ...rest] = path as [PathStep, ...PathStep[]];
  if (change.op === 'unset' && rest.length === 0) {
    Reflect.deleteProperty(value as object, step as string);
    return value;
  }
  const inside =
    change.op === 'set' && rest.length === 0 ? change.value : changeAt(stepInto(value, step), rest, change);
  return put(value, step, inside);
}

/** What the changes make of `base`, a copy that may be changed: written anew, by what their types promise. */
export const changed = (base: unknown, changes: readonly Change[]): unknown =>
  changes.reduce((value, change) => changeAt(value, change.path, change), base);
