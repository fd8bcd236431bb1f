import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { apply } from '../../ts/delta.ts';
import type { Change } from '../../ts/graph.ts';
import type { CollectionStep, PathStep } from '../../ts/path.ts';

function define(object: object, key: PropertyKey, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

function stepInto(value: unknown, step: PathStep): unknown {
  if (typeof step === 'object') {
    const map = value as Map<unknown, unknown>;
    return [...(step.kind === 'map key' ? map.keys() : map.values())][step.index];
  }
  return (value as Record<PropertyKey, unknown>)[step];
}

/** `holder` with `value` in place of what is behind `step`. */
function put(holder: unknown, step: PathStep, value: unknown): unknown {
  if (holder instanceof Set) {
    const elements = [...(holder as Set<unknown>)].with((step as CollectionStep).index, value);
    holder.clear();
    for (const element of elements) holder.add(element);
  } else if (typeof step === 'object') {
    const map = holder as Map<unknown, unknown>;
    if (step.kind === 'map value') return map.set([...map.keys()][step.index], value);
    const entries = [...map];
    entries[step.index]![0] = value;
    map.clear();
    for (const [key, part] of entries) map.set(key, part);
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

/** Each object of `value`, and the same of its copy. */
function twins(value: unknown, copy: unknown, found: Map<unknown, unknown> = new Map()): Map<unknown, unknown> {
  if (typeof value !== 'object' || value === null || found.has(value)) return found;
  found.set(value, copy);
  if (ArrayBuffer.isView(value)) return found;
  const parts = (one: object): unknown[] =>
    one instanceof Map ? [...one].flat() : one instanceof Set ? [...one] : Object.values(one);
  const others = parts(copy as object);
  parts(value).forEach((part, at) => twins(part, others[at], found));
  return found;
}

/** Of an object, as of another copy of the value: the first one that is encoded alike. */
function memberOf(value: ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>, key: unknown): unknown {
  if (typeof key !== 'object' || key === null || value.has(key)) return key;
  const bytes = Buffer.from(msgpackCodec.encode(key, 'key'));
  return [...value.keys()].find(
    (other) => typeof other === 'object' && bytes.equals(msgpackCodec.encode(other, 'key')),
  );
}

/** In place: others may refer to it. */
function reorder(value: object, order: readonly number[]): void {
  if (Array.isArray(value)) return void value.splice(0, value.length, ...order.map((place) => value[place] as unknown));
  if (value instanceof Map || value instanceof Set) {
    const entries = [...value.entries()] as [unknown, unknown][];
    value.clear();
    for (const place of order) {
      if (value instanceof Map) value.set(...entries[place]!);
      else value.add(entries[place]![0]);
    }
    return;
  }
  const entries = Object.entries(value) as [string, unknown][];
  for (const [key] of entries) Reflect.deleteProperty(value, key);
  for (const place of order) define(value, ...entries[place]!);
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
      reorder(value as object, change.order);
      return value;
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

const copied = <T>(value: T): T => msgpackCodec.decode(msgpackCodec.encode(value, 'value')) as T;

/** What the changes make of a copy of `base`: written anew, by what their types promise. */
export function changed(base: unknown, changes: readonly Change[]): unknown {
  const copy = copied(base);
  const own = twins(base, copy);
  return changes.reduce((value, change) => {
    if (change.op !== 'reference') return changeAt(value, change.path, owned(change, own));
    const { path, to } = change;
    return changeAt(value, path, { op: 'set', path, value: to.reduce(stepInto, value) });
  }, copy);
}

/** With values of its own, that what comes later may change. */
function owned(change: Change, own: ReadonlyMap<unknown, unknown>): Change {
  if (change.op === 'insert') return { ...change, values: change.values.map(copied) };
  if (change.op === 'add') return { ...change, key: copied(change.key), value: copied(change.value) };
  if (change.op === 'delete') return { ...change, key: own.get(change.key) ?? change.key };
  return change.op === 'set' ? { ...change, value: copied(change.value) } : change;
}
