import { types } from 'node:util';
import { ARRAY_BUFFER, DATA_VIEW, VIEWS } from './format.ts';
import { refuse } from './fault.ts';

/** By prototype, so that instances of subclasses are not taken for the class. */
export const LEAVES: ReadonlySet<unknown> = new Set<unknown>(
  [Date, Buffer, ArrayBuffer, DataView, ...VIEWS].map((constructor): unknown => constructor.prototype),
);

/** Dates and bytes: what has no identity of its own, and is written wherever it is. */
export const isLeaf = (value: object): boolean => LEAVES.has(Object.getPrototypeOf(value)) || types.isDate(value);

const KINDS: ReadonlyMap<unknown, number> = new Map<unknown, number>([
  ...VIEWS.map(({ prototype }, index): [unknown, number] => [prototype, index]),
  [ArrayBuffer.prototype, ARRAY_BUFFER],
  [DataView.prototype, DATA_VIEW],
]);

/** Of a typed array, ArrayBuffer or DataView, as it is written. */
export const viewKind = (value: object): number => KINDS.get(Object.getPrototypeOf(value)) as number;

/** Asks what only the real thing answers; a Proxy or an object that merely has the prototype throws. */
export function checkedLeaf(value: object): object {
  if (Object.hasOwn(value, 'constructor')) refuseInstance(value);
  if (ArrayBuffer.isView(value)) void new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  else if (Object.getPrototypeOf(value) === LoadedDate.prototype) LoadedDate.prototype.getTime.call(value);
  else void (value as ArrayBufferView).byteLength;
  return value;
}

const LoadedDate = Date;

/**
 * The same time, of what is a Date but for its prototype: one of another realm, or of a class that adds nothing, as
 * those are that tests set the time with.
 */
export function asDate(value: object): Date | undefined {
  if (!types.isDate(value) || !isDatePrototype(Object.getPrototypeOf(value))) return undefined;
  return new LoadedDate(LoadedDate.prototype.getTime.call(value));
}

function isDatePrototype(prototype: unknown): boolean {
  if (typeof prototype !== 'object' || prototype === null) return false;
  const above: unknown = Object.getPrototypeOf(prototype);
  const [key, ...others] = Reflect.ownKeys(prototype);
  if (key === 'constructor' && others.length === 0) return isDatePrototype(above);
  return isForeignPlain(above) && Object.hasOwn(prototype, 'toISOString');
}

/** Plain objects of another realm (`node:vm`, test runners): their prototype is that realm's Object.prototype. */
export function isForeignPlain(prototype: unknown): boolean {
  return (
    typeof prototype === 'object' &&
    prototype !== null &&
    Object.getPrototypeOf(prototype) === null &&
    Object.hasOwn(prototype, 'isPrototypeOf')
  );
}

/** What a Map or Set of another realm is, as their `structuredClone` gives those to code under test runners. */
export function foreignCollection(value: object): 'map' | 'set' | undefined {
  const kind = types.isMap(value) ? 'map' : types.isSet(value) ? 'set' : undefined;
  if (kind === undefined || Object.keys(value).length > 0) return undefined;
  const prototype = Object.getPrototypeOf(value) as object | null;
  const isOwn =
    prototype !== null && isForeignPlain(Object.getPrototypeOf(prototype)) && Object.hasOwn(prototype, 'size');
  return isOwn ? kind : undefined;
}

export function refuseProperties(value: object): void {
  if (Object.keys(value).length > 0) refuse('a Map or Set with own properties', 'keep them in an attribute beside it');
}

const KEPT_NAMES = new Set([
  ...['Map', 'Set', 'ArrayBuffer', 'DataView', 'Buffer', ...VIEWS.map(({ name }) => name)],
  ...['RegExp', 'Error', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError', 'AggregateError'],
]);

export function refuseInstance(value: object): never {
  const { constructor } = value as { constructor?: { name?: unknown } };
  const name: unknown = constructor?.name;
  const of = typeof name === 'string' && name !== '' ? name : 'an unknown class';
  // Test runners give each file a realm of its own, but for some functions of the engine, as structuredClone.
  if (KEPT_NAMES.has(of) && !(value instanceof (globalThis as unknown as Record<string, typeof Map>)[of]!))
    return refuse(
      `an instance of another realm's ${of} (node:vm, Jest)`,
      `make one of your own of it, with new ${of}(…)`,
    );
  return refuse(
    `an instance of ${of}`,
    `store a plain object with its data, or name its class, types: [valueType('${of}', …)]`,
  );
}
