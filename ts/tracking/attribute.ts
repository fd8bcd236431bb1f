import { HoldfastError } from '../errors.ts';
import { findSteps, formatPath, type Path, type PathStep } from '../path.ts';
import type { AttributeClass } from './classes.ts';
import { Exposures } from './exposures.ts';
import { CollectionHandler, TreeHandler } from './handlers.ts';
import { DEPTH_LIMIT, isObject, keysOf, kindOf, thawed, type Kind, type Tree } from './kinds.ts';
import { isState, nodeOf, nodeOfRaw, replaced, setNode } from './nodes.ts';
import { copyOpaque, plain } from './plain.ts';

/** What an attribute needs of its tracker. */
export interface Host {
  /** The first read, or write, since marks were last taken. Throws when closed. */
  markRead(attribute: Attribute): void;
  markWritten(attribute: Attribute): void;
  rootOf(name: string): unknown;
  replaceRoot(name: string, value: unknown): void;
}

interface Guest {
  readonly parent: Tree | Map<unknown, unknown>;
  readonly key: unknown;
  readonly raw: object;
}

/** With more of them, decoding the value again is as cheap. */
const MOST_GUESTS = 256;

/** Hands out the parts of one attribute as proxies, takes in what is assigned, and notes reads and writes. */
export class Attribute {
  readonly name: string;
  readonly class: AttributeClass;
  /** Stands for the attribute from one tracker to the next. */
  readonly owner: object;
  /** Parts of it are also in the application's own hands, somewhere: the value must not be shown by a later tracker. */
  aliased = false;
  /** Objects of the application's own that were placed in the tree. */
  #guests: Guest[] = [];
  /** Undefined: nothing opaque was handed out. */
  exposures: Exposures | undefined;
  /** Already noted: the one flag that most accesses look at. */
  reading = false;
  writing = false;
  /** Generation of marks in which it was last read, and written. */
  readIn = 0;
  writtenIn = 0;
  readonly #host: Host;
  readonly #trees: TreeHandler;
  readonly #collections: CollectionHandler;

  constructor(host: Host, name: string, attributeClass: AttributeClass, owner: object) {
    this.#host = host;
    this.name = name;
    this.owner = owner;
    this.class = attributeClass;
    this.#trees = new TreeHandler(this);
    this.#collections = new CollectionHandler(this);
  }

  noteRead(): void {
    if (!this.reading) this.#host.markRead(this);
  }

  /** Before a change of `raw`, at `step`. */
  noteWrite(raw: object, step?: PathStep): void {
    if (this.writing) return;
    if (this.class === 'immutable') {
      this.#host.markRead(this); // throws when closed
      this.refuse(raw, step, 'is part of an immutable attribute, which is read-only once set: copy it, or declare the attribute mutable');
    }
    this.#host.markWritten(this);
  }

  refuse(raw: object, step: PathStep | undefined, why: string): never {
    const path: Path = [this.name, ...(findSteps(this.#host.rootOf(this.name), raw) ?? []), ...(step === undefined ? [] : [step])];
    throw new HoldfastError('ERR_INVALID', `${formatPath(path)} ${why}.`, { paths: [path] });
  }

  /** How the application sees `value`, which is no part of the tree any more or has no place of its own. */
  show(value: unknown): unknown {
    return isObject(value) ? this.reach(value, undefined, '') : value;
  }

  /** How the application sees `value`, found in `parent` under `key`; `parent` is the attribute itself for its root. */
  reach(value: object, parent: object | undefined, key: unknown): object {
    const node = nodeOfRaw(value);
    return node !== undefined && node.proxy !== undefined && node.attribute === this ? node.proxy : this.#meet(value, parent, key);
  }

  #meet(value: object, parent: object | undefined, key: unknown): object {
    if (isInherited(parent, key)) return value;
    const node = nodeOf(value);
    if (node?.proxy === value) return value;
    const kind = kindOf(value);
    if (kind === 'opaque' && this.class === 'immutable') return copyOpaque(value);
    if (node !== undefined && node.owner !== this.owner) {
      const own = this.adopt(value) as object;
      if (own !== value) this.#put(parent, key, own);
      return own === value ? value : this.reach(own, parent, key);
    }
    return this.#handOut(value, kind, parent, key);
  }

  #handOut(value: object, kind: Kind, parent: object | undefined, key: unknown): object {
    if (kind === 'opaque') {
      if (nodeOfRaw(value) === undefined) this.#own(value);
      (this.exposures ??= new Exposures()).add(value);
      this.aliased = true;
      return value;
    }
    // A Proxy may not show anything but the very child that a frozen object has.
    const frozen = kind === 'tree' && !Object.isExtensible(value);
    const raw = frozen ? this.thaw(value) : value;
    if (frozen) this.#put(parent, key, raw);
    const proxy = new Proxy(raw, kind === 'tree' ? (this.#trees as ProxyHandler<object>) : this.#collections);
    setNode(raw, { raw, owner: this.owner, attribute: this, proxy });
    return proxy;
  }

  /** The copy that takes the place of a frozen tree: same content, so nothing is written. */
  thaw(frozen: object): Tree {
    const copy = thawed(frozen);
    this.#own(copy);
    replaced.set(frozen, copy);
    return copy;
  }

  /** A Map's key or a Set's element has no place where it could be exchanged later. */
  adoptMember(value: unknown): unknown {
    const raw = this.adopt(value);
    return isFrozenTree(raw) ? this.thaw(raw) : raw;
  }

  /** Exchanges frozen keys and elements, in their order, before they are handed out. */
  thawMembers(raw: Map<unknown, unknown> | Set<unknown>): void {
    for (const key of raw.keys()) if (isFrozenTree(key)) return this.#rebuild(raw, (member) => (isFrozenTree(member) ? this.thaw(member) : member));
  }

  #rebuild(raw: Map<unknown, unknown> | Set<unknown>, change: (member: unknown) => unknown): void {
    const entries = [...raw.entries()];
    raw.clear();
    for (const [key, value] of entries) {
      if (raw instanceof Map) raw.set(change(key), change(value));
      else raw.add(change(key));
    }
  }

  #put(parent: object | undefined, key: unknown, value: object): void {
    if (parent === undefined) return;
    if (parent === this) this.#host.replaceRoot(this.name, value);
    else if (parent instanceof Map) parent.set(key, value);
    else (parent as Tree)[key as string] = value;
  }

  #own(raw: object): void {
    setNode(raw, { raw, owner: this.owner, attribute: this, proxy: undefined });
  }

  /**
   * What goes into the tree when `value` is assigned: the value itself, without proxies anywhere inside, and no object that is
   * already part of another attribute. Those are copied: attributes are values of their own, saved one by one.
   */
  adopt(value: unknown, depth = 0): unknown {
    if (!isObject(value)) return value;
    const node = nodeOf(value);
    // The same Date in two places (`createdAt`, `updatedAt`) is meant as the same time.
    if (node !== undefined && node.owner === this.owner) return node.raw instanceof Date ? new Date(node.raw) : node.raw;
    const kind = kindOf(value);
    if (node !== undefined || isState(value)) return this.#adoptCopy(value, kind, depth);
    if (depth > DEPTH_LIMIT) throw new HoldfastError('ERR_LIMIT', `The value is nested deeper than ${DEPTH_LIMIT}: keep it flatter.`, { paths: [[this.name]] });
    this.aliased = true;
    this.#own(value);
    if (kind === 'opaque') return value;
    if (kind === 'tree') return this.#adoptTree(value as Tree, depth);
    this.#adoptMembers(value as Map<unknown, unknown> | Set<unknown>, depth);
    return value;
  }

  /** As `adopt`, for what is about to be put under `key` of `parent`; `detach` will find it there. */
  place(parent: Tree | Map<unknown, unknown>, key: unknown, value: unknown): unknown {
    const { aliased } = this;
    const adopted = this.adopt(value);
    if (aliased || !this.aliased || this.#guests.length >= MOST_GUESTS) return adopted;
    this.aliased = false;
    this.#guests.push({ parent, key, raw: adopted as object });
    return adopted;
  }

  /** Puts copies in the place of what the application still holds, as far as that is still where it was put; else `aliased` stays. */
  detach(): void {
    for (const { parent, key, raw } of this.#guests.splice(0)) {
      if ((parent instanceof Map ? parent.get(key) : parent[key as string]) === raw) this.#put(parent, key, plain(raw));
      else this.aliased = true;
    }
  }

  #adoptCopy(value: object, kind: Kind, depth: number): unknown {
    const copy = plain(value);
    // Instances of unknown classes cannot be copied.
    if (copy === value && kind === 'opaque') return value;
    const { aliased } = this;
    const adopted = this.adopt(copy, depth);
    this.aliased = aliased; // the copy is in nobody else's hands
    return adopted;
  }

  #adoptTree(value: Tree, depth: number): Tree {
    let tree = value;
    for (const key of keysOf(value)) {
      const child = value[key as string];
      if (!isObject(child)) continue;
      const adopted = this.adopt(child, depth + 1);
      if (adopted === child) continue;
      if (tree === value && !Object.isExtensible(value)) tree = this.thaw(value);
      Object.defineProperty(tree, key, { value: adopted, writable: true, enumerable: true, configurable: true });
    }
    return tree;
  }

  #adoptMembers(value: Map<unknown, unknown> | Set<unknown>, depth: number): void {
    let same = true;
    for (const [key, member] of value.entries()) {
      same &&= this.adopt(key, depth + 1) === key && this.adopt(member, depth + 1) === member;
      if (!same) break;
    }
    if (!same) this.#rebuild(value, (member) => this.adopt(member, depth + 1));
  }
}

function isFrozenTree(value: unknown): value is object {
  return isObject(value) && !Object.isExtensible(value) && kindOf(value) === 'tree';
}

/** `tree.__proto__` and the like: not part of the state. */
function isInherited(parent: object | undefined, key: unknown): boolean {
  return parent !== undefined && typeof key === 'string' && kindOf(parent) === 'tree' && !Object.hasOwn(parent, key);
}
