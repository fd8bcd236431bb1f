import type { Attribute } from './attribute.ts';
import { nodeOf } from './nodes.ts';

export type Method = (this: unknown, ...args: unknown[]) => unknown;

/** What a method works on: the attribute, the value itself, and the proxy that it was called on. */
export interface Call<T> {
  readonly attribute: Attribute;
  readonly raw: T;
  readonly proxy: unknown;
}

/** The pair of a built-in method and its stand-in, which runs the built-in one when it is borrowed for other objects. */
export function standIn<T extends object>(prototype: object, name: string | symbol, run: (call: Call<T>, args: unknown[]) => unknown): [unknown, Method] {
  const native = (prototype as Record<string | symbol, unknown>)[name] as Method;
  const method: Method = function (...args) {
    const node = typeof this === 'object' && this !== null ? nodeOf(this) : undefined;
    return node === undefined ? Reflect.apply(native, this, args) : run({ attribute: node.attribute, raw: node.raw as T, proxy: this }, args);
  };
  Object.defineProperty(method, 'name', { value: native.name });
  return [native, method];
}
