import { stepTo, type PathStep } from '../path.ts';
import type { Attribute } from './attribute.ts';
import type { Notes } from './change-set.ts';
import { DEPTH_LIMIT } from './kinds.ts';

/**
 * An object inside an attribute: the value itself, the attribute that it is part of, and the proxy that stands for it.
 */
export class Node {
  raw: object;
  attribute: Attribute;
  /** Stands for the attribute from one tracker to the next. */
  readonly owner: object;
  /**
   * Or, for a Map or Set, the empty one that stands for it, which has this node too. Undefined: never handed out, or
   * opaque.
   */
  proxy: object | undefined;
  /** The proxy works on `raw` whatever that becomes. */
  follows = false;
  /** `raw` is the copy of an object that is the application's alone again, and has this node too. */
  copied = false;
  /** Of the change set in which it came into the tree; 0: not known to have come since that was last encoded. */
  readonly born: number;
  /**
   * The tree or Map that it was last found in, the attribute for its root. Undefined: not known, as for keys and
   * elements of Sets.
   */
  parent: object | undefined;
  /** Under which. */
  key: unknown;
  /** Of the change set of their round alone. */
  notes: Notes | undefined;
  /** Where its entries lie in the attribute's bytes: its owner's knowledge. */
  spans: object | undefined;
  /** The last walk that came by, which must not come twice. */
  visit = 0;

  constructor(
    raw: object,
    attribute: Attribute,
    born: number,
    proxy?: object,
    parent?: object,
    key?: unknown,
    spans?: object,
  ) {
    this.raw = raw;
    this.attribute = attribute;
    this.owner = attribute.owner;
    this.proxy = proxy;
    this.born = born;
    this.parent = parent;
    this.key = key;
    this.notes = undefined;
    this.spans = spans;
  }
}

/** Asked of a tracked proxy, this key gives its node; of the state itself, `STATE`. */
export const NODE: unique symbol = Symbol('node');
export const STATE: unique symbol = Symbol('state');

class Returned {
  constructor(object: object) {
    return object;
  }
}

/** For objects that are frozen, on engines that then refuse a private field; undefined: none was. */
let unmarked: WeakMap<object, Node> | undefined;

/**
 * Puts a private field on objects that are not its own. An entry in a WeakMap of the size that a server's sessions need
 * costs about 1 µs, growth and garbage collection included; the field costs a few nanoseconds and no program can see
 * it.
 */
class Mark extends Returned {
  #node: Node;

  constructor(raw: object, node: Node) {
    super(raw);
    this.#node = node;
  }

  static read(raw: object): Node | undefined {
    return #node in raw ? raw.#node : undefined;
  }

  static write(raw: object, node: Node): void {
    if (#node in raw) raw.#node = node;
    else new Mark(raw, node);
  }
}

/** The node of a value itself; proxies have none here. */
export function nodeOfRaw(raw: object): Node | undefined {
  return Mark.read(raw) ?? unmarked?.get(raw);
}

/** The node of a value, or of what a proxy stands for. */
export function nodeOf(value: object): Node | undefined {
  const node = (value as { [NODE]?: Node | typeof STATE })[NODE];
  // What inherits from a proxy answers too.
  if (typeof node === 'object' && node.proxy === value) return node;
  const own = nodeOfRaw(value);
  return own?.copied === true && own.raw !== value && own.proxy !== value ? undefined : own;
}

/** Whether `value` is a copy that was handed out of what is read-only: the application's own, and perhaps changed since. */
export const isLent = ({ raw, proxy }: Node, value: object): boolean => proxy === undefined && raw !== value;

/** Makes `raw` part of an attribute. */
export function setNode(raw: object, node: Node): void {
  try {
    Mark.write(raw, node);
  } catch {
    (unmarked ??= new WeakMap()).set(raw, node);
  }
}

/** States of trackers belong to no attribute. */
export function isState(value: object): boolean {
  return (value as { [NODE]?: unknown })[NODE] === STATE;
}

/** Whether `value` is neither part of a state nor stands for one. */
export function isNew(value: object): boolean {
  return (value as { [NODE]?: unknown })[NODE] === undefined && nodeOfRaw(value) === undefined;
}

/** Whether `value` stands for a part of a state, or is one. */
export function isTracked(value: object): boolean {
  const node = nodeOf(value);
  return node === undefined ? isState(value) : node.raw !== value;
}

/** Objects that were replaced by a copy in the tree: asked for, the copy is meant. */
export const replaced: WeakMap<object, object> = new WeakMap();

/** The value behind a proxy, or `value` itself. For reading: what is changed through it goes unnoticed. */
export function unwrap<T>(value: T): T {
  return typeof value === 'object' && value !== null ? ((nodeOf(value)?.raw as T | undefined) ?? value) : value;
}

/** The form in which `member` is found by `has`: as it was given, or the copy that took its place. */
export function locate(member: unknown, has: (raw: unknown) => boolean): unknown {
  let raw: unknown;
  try {
    raw = unwrap(member);
  } catch {
    return member; // a Proxy that was revoked, or throws: it stands for nothing of ours
  }
  if (typeof raw !== 'object' || raw === null || has(raw)) return raw;
  return replaced.get(raw) ?? nodeOfRaw(raw)?.raw ?? raw;
}

/**
 * The steps to `raw` from the root of what `top` stands for, by what each part was last found in. Undefined: one has
 * been moved since, or has no known place.
 */
export function stepsTo(raw: object, top: { readonly root: unknown }): PathStep[] | undefined {
  const steps: PathStep[] = [];
  let at = raw;
  for (
    let parent = nodeOfRaw(at)?.parent;
    parent !== undefined && steps.length < DEPTH_LIMIT;
    parent = nodeOfRaw(at)?.parent
  ) {
    if (parent === top) return top.root === at ? steps : undefined;
    const step = stepTo(parent, at);
    if (step === undefined) return undefined;
    steps.unshift(step);
    at = parent;
  }
  return undefined;
}
