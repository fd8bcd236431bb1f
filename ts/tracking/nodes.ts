import type { Attribute } from './attribute.ts';

/** An object inside an attribute: the value itself, the attribute that it is part of, and the proxy that stands for it. */
export interface Node {
  readonly raw: object;
  readonly attribute: Attribute;
  /** Undefined: never handed out, or opaque. */
  proxy: object | undefined;
}

/** By the value and by its proxy, so that one look-up tells owner, value and proxy. */
export const nodes: WeakMap<object, Node> = new WeakMap();

/** States of trackers, which belong to no attribute. */
export const states: WeakSet<object> = new WeakSet();

/** Frozen objects that were replaced by a copy in the tree: asked for, the copy is meant. */
export const replaced: WeakMap<object, object> = new WeakMap();

/** The value behind a proxy, or `value` itself. For reading: what is changed through it goes unnoticed. */
export function unwrap<T>(value: T): T {
  return typeof value === 'object' && value !== null ? ((nodes.get(value)?.raw as T | undefined) ?? value) : value;
}

/** The form in which `member` is found by `has`: as it was given, or the copy that took its place. */
export function locate(member: unknown, has: (raw: unknown) => boolean): unknown {
  const raw = unwrap(member);
  if (typeof raw !== 'object' || raw === null || has(raw)) return raw;
  return replaced.get(raw) ?? raw;
}
