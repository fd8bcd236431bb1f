import { inspect } from 'node:util';
import type { InspectOptions } from 'node:util';
import type { Attribute } from './attribute.ts';
import { isObject, type Collection } from './kinds.ts';
import { nodeOf, nodeOfRaw, type Node } from './nodes.ts';

export type Method = (this: unknown, ...args: unknown[]) => unknown;

/**
 * What a method works on: the attribute, the value itself, its node, and the proxy that it was called on. For what lasts
 * beyond the call, as iterators and callbacks do, see `nowOf`.
 */
export interface Call<T> {
  readonly node: Node;
  readonly attribute: Attribute;
  readonly raw: T;
  readonly proxy: unknown;
}

/** A part of `call.raw`, or the copy that a save has put in its place since the call. */
export function nowOf({ node, raw }: Call<object>, part: unknown): unknown {
  return node.raw === raw || !isObject(part) ? part : (nodeOfRaw(part)?.raw ?? part);
}

/** Keys of a Map or elements of a Set, in its order; from a save on that put a copy in its place, the copy's. */
export function* membersOf(call: Call<Collection>): Generator<unknown, undefined> {
  const { node, raw } = call;
  for (const member of raw.keys()) {
    const now = nowOf(call, member);
    if (node.raw === raw || (node.raw as Collection).has(now)) yield now;
  }
  if (node.raw === raw) return undefined;
  const seen = new Set(Array.from(raw.keys(), (member) => nowOf(call, member)));
  for (const member of (node.raw as Collection).keys()) if (!seen.has(member)) yield member;
  return undefined;
}

type Run<T> = (call: Call<T>, args: unknown[]) => unknown;

/**
 * The pair of a built-in method and its stand-in, which runs the built-in one when it is borrowed for other objects.
 */
export function standIn<T extends object>(prototype: object, name: string, run: Run<T>): [unknown, Method] {
  const native = (prototype as Record<string, unknown>)[name] as Method;
  const method: Method = function (...args) {
    const node = typeof this === 'object' && this !== null ? nodeOf(this) : undefined;
    return node === undefined
      ? Reflect.apply(native, this, args)
      : run({ node, attribute: node.attribute, raw: node.raw as T, proxy: this }, args);
  };
  Object.defineProperty(method, 'name', { value: native.name });
  return [native, method];
}

/**
 * Hidden methods for what stands for a Map or Set: each notes what it does to the value itself, and shows proxies of
 * what is inside.
 */
export function recorders<T extends object>(
  prototype: object,
  size: Run<T>,
  runs: readonly (readonly [name: string | symbol, run: Run<T>])[],
): PropertyDescriptorMap {
  const sizeGetter = Object.getOwnPropertyDescriptor(prototype, 'size')?.get as Method;
  const hidden = { writable: false, enumerable: false, configurable: false };
  const properties: PropertyDescriptorMap = {
    size: { get: recorder(sizeGetter, size), enumerable: false, configurable: false },
    [inspect.custom]: { value: inspectRaw, ...hidden },
  };
  for (const [name, run] of runs) {
    const native = (prototype as Record<string | symbol, unknown>)[name] as Method;
    properties[name as string] = { value: recorder(native, run), ...hidden };
  }
  return properties;
}

/** Runs the built-in method when it is borrowed for other objects. */
function recorder<T extends object>(native: Method, run: Run<T>): Method {
  const method: Method = function (...args) {
    const node = typeof this === 'object' && this !== null ? nodeOfRaw(this) : undefined;
    return node !== undefined && node.proxy === this
      ? run({ node, attribute: node.attribute, raw: node.raw as T, proxy: this }, args)
      : Reflect.apply(native, this, args);
  };
  Object.defineProperty(method, 'name', { value: native.name });
  return method;
}

/** As a Proxy is shown: what it stands for, and no read of it. */
function inspectRaw(this: object, _depth: number, options: InspectOptions): string {
  return inspect(nodeOfRaw(this)?.raw, options);
}
