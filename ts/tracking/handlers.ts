import { inspect, type InspectOptions } from 'node:util';
import type { Attribute } from './attribute.ts';
import { ARRAY_METHODS } from './array-methods.ts';
import type { Tree } from './kinds.ts';
import type { Method } from './method.ts';
import { NODE, nodeOf, nodeOfRaw, type Node } from './nodes.ts';

/** What stands in for each built-in method that reads or changes what a Proxy does not see. */
const METHODS: ReadonlyMap<unknown, Method> = new Map<unknown, Method>(ARRAY_METHODS);

/**
 * Proxies of plain objects and arrays. Their targets are the values themselves; one handler serves a whole attribute.
 */
export class TreeHandler implements ProxyHandler<Tree> {
  readonly #attribute: Attribute;

  constructor(attribute: Attribute) {
    this.#attribute = attribute;
  }

  get(target: Tree, key: string | symbol): unknown {
    if (key === NODE) return nodeOfRaw(target);
    const attribute = this.#attribute;
    if (!attribute.reading) {
      if (attribute.isAwaited(key)) return undefined;
      attribute.noteRead();
    }
    const value = target[key];
    if (typeof value === 'object') return value === null ? null : attribute.reach(value, target, key);
    return typeof value === 'function' ? (METHODS.get(value) ?? value) : value;
  }

  set(target: Tree, key: string | symbol, value: unknown, receiver: unknown): boolean {
    const attribute = this.#attribute;
    const node = nodeOfRaw(target);
    // An object that inherits from the proxy gets a property of its own, as usual.
    if (node === undefined || receiver !== node.proxy) return Reflect.set(target, key, value, receiver);
    const name = this.#checkWritable(target, key);
    const taken = attribute.assigned(target, name, value);
    noteSet(attribute, node, target, name, taken);
    target[name] = taken;
    return true;
  }

  defineProperty(target: Tree, key: string | symbol, descriptor: PropertyDescriptor): boolean {
    const name = this.#checkWritable(target, key);
    const old = Object.getOwnPropertyDescriptor(target, key);
    const node = nodeOfRaw(target)!;
    if (name === 'length' && Array.isArray(target)) {
      noteSet(this.#attribute, node, target, name, descriptor.value);
      return Reflect.defineProperty(target, key, descriptor);
    }
    const merged = { ...old, ...descriptor };
    if (
      merged.get !== undefined ||
      merged.set !== undefined ||
      !merged.writable ||
      !merged.enumerable ||
      !merged.configurable
    ) {
      this.#attribute.refuse(
        target,
        stepOf(target, key),
        'would be an accessor, hidden or read-only, which is not kept: assign a value',
      );
    }
    if ('value' in descriptor) merged.value = this.#attribute.assigned(target, name, descriptor.value);
    noteSet(this.#attribute, node, target, name, merged.value);
    return Reflect.defineProperty(target, key, merged);
  }

  deleteProperty(target: Tree, key: string | symbol): boolean {
    this.#attribute.noteRead();
    if (!Object.hasOwn(target, key)) return true;
    this.#attribute.frozen?.checkRemoval(target, key);
    this.#attribute.noteWrite(target, stepOf(target, key));
    const { changes } = this.#attribute;
    if (Array.isArray(target)) changes.incomplete ??= 'an array got holes';
    else changes.removes(nodeOfRaw(target)!, key, target[key]);
    return Reflect.deleteProperty(target, key);
  }

  has(target: Tree, key: string | symbol): boolean {
    this.#attribute.noteRead();
    return key in target;
  }

  ownKeys(target: Tree): (string | symbol)[] {
    this.#attribute.noteRead();
    return Reflect.ownKeys(target);
  }

  getOwnPropertyDescriptor(target: Tree, key: string | symbol): PropertyDescriptor | undefined {
    const attribute = this.#attribute;
    attribute.noteRead();
    const descriptor = Reflect.getOwnPropertyDescriptor(target, key);
    const value: unknown = descriptor?.value;
    if (typeof value !== 'object' || value === null) return descriptor;
    // The value may be exchanged on the way, when it is frozen.
    const shown = attribute.reach(value, target, key);
    return { ...Reflect.getOwnPropertyDescriptor(target, key), value: shown };
  }

  setPrototypeOf(target: Tree): never {
    return this.#attribute.refuse(target, undefined, 'has no prototype that could be kept: store plain data');
  }

  preventExtensions(target: Tree): never {
    return this.#attribute.refuse(
      target,
      undefined,
      'cannot be frozen in place, as immer and others do: give them a copy, plain(value), and assign what they make of it',
    );
  }

  /** Notes the write, and refuses what an encoding would lose. */
  #checkWritable(target: Tree, key: string | symbol): string {
    if (!this.#attribute.writing) this.#attribute.noteWrite(target, stepOf(target, key));
    if (typeof key === 'symbol')
      return this.#attribute.refuse(target, undefined, 'cannot keep a symbol as key: use a string');
    if (key === '__proto__' && !Object.hasOwn(target, key)) {
      return this.#attribute.refuse(target, key, 'would set the prototype: store plain data');
    }
    if (Array.isArray(target) && !isElementKey(key))
      return this.#attribute.refuse(target, key, 'is no element of the array: use an object beside it');
    return key;
  }
}

/**
 * Of a container that the application has assigned: its proxy works on what `node` has at the time, the copy that takes
 * its place at the next save included.
 */
export class FollowingHandler implements ProxyHandler<object> {
  node: Node | undefined;
  readonly #trees: TreeHandler;

  constructor(trees: TreeHandler) {
    this.#trees = trees;
  }

  get #raw(): Tree {
    return this.node!.raw as Tree;
  }

  get(_target: object, key: string | symbol): unknown {
    return this.#trees.get(this.#raw, key);
  }

  set(_target: object, key: string | symbol, value: unknown, receiver: unknown): boolean {
    return this.#trees.set(this.#raw, key, value, receiver);
  }

  defineProperty(_target: object, key: string | symbol, descriptor: PropertyDescriptor): boolean {
    return this.#trees.defineProperty(this.#raw, key, descriptor);
  }

  deleteProperty(_target: object, key: string | symbol): boolean {
    return this.#trees.deleteProperty(this.#raw, key);
  }

  has(_target: object, key: string | symbol): boolean {
    return this.#trees.has(this.#raw, key);
  }

  ownKeys(): (string | symbol)[] {
    return this.#trees.ownKeys(this.#raw);
  }

  getOwnPropertyDescriptor(_target: object, key: string | symbol): PropertyDescriptor | undefined {
    return this.#trees.getOwnPropertyDescriptor(this.#raw, key);
  }

  setPrototypeOf(): never {
    return this.#trees.setPrototypeOf(this.#raw);
  }

  preventExtensions(): never {
    return this.#trees.preventExtensions(this.#raw);
  }
}

/** What such a Proxy is made of: of its kind, but empty. `console.log` looks at it, not at the Proxy. */
export function standInFor(raw: object): object {
  const target = Array.isArray(raw) ? [] : (Object.create(Object.getPrototypeOf(raw) as object | null) as object);
  (target as Record<symbol, unknown>)[inspect.custom] = inspectNode;
  return target;
}

function inspectNode(this: object, _depth: number, options: InspectOptions): string {
  return inspect(nodeOf(this)?.raw, options);
}

/** Before `target[key] = value`. */
function noteSet(attribute: Attribute, node: Node, target: Tree, key: string, value: unknown): void {
  const { changes } = attribute;
  if (!Array.isArray(target)) {
    const had = Object.hasOwn(target, key); // `constructor` is inherited
    const old = had ? target[key] : undefined;
    // An equal value, which is no new object, is no change.
    if (!had || !Object.is(old, value)) changes.sets(node, key, had, old);
  } else if (key !== 'length') changes.setsElement(node, target, Number(key), value);
  else if ((value as number) > target.length) changes.incomplete ??= 'an array got holes';
  else changes.rearranges(node, target);
}

/** As the language has it: `1.5`, `01` and what is past the longest array are names. */
const INDEX = /^(?:0|[1-9]\d{0,9})$/;

const isElementKey = (key: string): boolean => key === 'length' || (INDEX.test(key) && Number(key) < 2 ** 32 - 1);

function stepOf(target: object, key: string | symbol): string | number {
  return Array.isArray(target) && isElementKey(String(key)) && key !== 'length' ? Number(key) : String(key);
}
