import { types } from 'node:util';
import { HoldfastError } from '../errors.ts';
import { findSteps, formatPath, stepTo, type Path, type PathStep } from '../path.ts';
import type { AttributeClass } from './classes.ts';
import { Exposures } from './exposures.ts';
import { TreeHandler } from './handlers.ts';
import { DEPTH_LIMIT, isObject, keysOf, kindOf, thawed, type Collection, type Kind, type Tree } from './kinds.ts';
import { Lent } from './lent.ts';
import { MAP_RECORDERS } from './map-methods.ts';
import { isState, nodeOf, nodeOfRaw, replaced, setNode } from './nodes.ts';
import { plain, plainFor, tooDeep } from './plain.ts';
import { SET_RECORDERS } from './set-methods.ts';

/** What an attribute needs of its tracker. */
export interface Host {
  isClosed(): boolean;
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

/** What the engine finds where it looks past the methods. It cannot be cloned, and the error shows its text. */
const TAKE_A_COPY = Symbol('this Map or Set is part of a session: take a copy with plain(value)');

const IMMUTABLE =
  'is part of an immutable attribute, which is read-only once set: copy it, or declare the attribute mutable';

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
  /** Undefined: nothing opaque was handed out of what is read-only. */
  lent: Lent | undefined;
  /** Already noted: the one flag that most accesses look at. */
  reading = false;
  writing = false;
  /** Generation of marks in which it was last read, and written; 0: not since that was saved. */
  readIn = 0;
  writtenIn = 0;
  readonly #host: Host;
  readonly #trees: TreeHandler;
  /** What takes the place of what, in the value that is being taken in. */
  #taken: Map<object, object> | undefined;

  /** Why nothing inside can be changed; undefined: it can. */
  readonly #fixed: string | undefined;
  readonly #readOnly: string | undefined;

  /** `readOnly`: see `AttributeSlots`. */
  constructor(host: Host, name: string, attributeClass: AttributeClass, owner: object, readOnly: string | undefined) {
    this.#host = host;
    this.name = name;
    this.owner = owner;
    this.class = attributeClass;
    this.#readOnly = readOnly;
    this.#fixed = readOnly ?? (attributeClass === 'immutable' ? IMMUTABLE : undefined);
    this.#trees = new TreeHandler(this);
  }

  noteRead(): void {
    if (!this.reading) this.#host.markRead(this);
  }

  /** A use may return what has ended already: to resolve a promise with it, `then` is asked for. */
  isAwaited(key: unknown): boolean {
    return key === 'then' && this.#host.isClosed();
  }

  /** Before a change of `raw`, at `step`. */
  noteWrite(raw: object, step?: PathStep): void {
    if (this.writing) return;
    if (this.#fixed !== undefined) {
      this.#host.markRead(this); // throws when closed
      this.refuse(raw, step, this.#fixed);
    }
    this.#host.markWritten(this);
  }

  /** Before it is given another value, or deleted. */
  checkAssignable(): void {
    if (this.#readOnly !== undefined)
      throw new HoldfastError('ERR_INVALID', `${formatPath([this.name])} ${this.#readOnly}.`, { paths: [[this.name]] });
  }

  refuse(raw: object, step: PathStep | undefined, why: string): never {
    const steps = this.#climb(raw) ?? findSteps(this.#host.rootOf(this.name), raw) ?? [];
    const path: Path = [this.name, ...steps, ...(step === undefined ? [] : [step])];
    throw new HoldfastError('ERR_INVALID', `${formatPath(path)} ${why}.`, { paths: [path] });
  }

  /** Throws when something that is read-only was changed where nothing could refuse it. */
  checkLent(): void {
    const changed = this.lent?.changed();
    if (changed === undefined) return;
    this.refuse(changed, undefined, `was changed in place, so that nothing is saved: it ${this.#fixed}`);
  }

  /**
   * The steps from the root to `raw`, by what each part was last found in. Undefined: one has been moved since, or has
   * no known place.
   */
  #climb(raw: object): PathStep[] | undefined {
    const steps: PathStep[] = [];
    let at = raw;
    for (
      let parent = nodeOfRaw(at)?.parent;
      parent !== undefined && steps.length < DEPTH_LIMIT;
      parent = nodeOfRaw(at)?.parent
    ) {
      if (parent === this) return this.#host.rootOf(this.name) === at ? steps : undefined;
      const step = stepTo(parent, at);
      if (step === undefined) return undefined;
      steps.unshift(step);
      at = parent;
    }
    return undefined;
  }

  /** How the application sees `value`, which is no part of the tree any more or has no place of its own. */
  show(value: unknown): unknown {
    return isObject(value) ? this.reach(value, undefined, '') : value;
  }

  /** How the application sees `value`, found in `parent` under `key`; `parent` is the attribute itself for its root. */
  reach(value: object, parent: object | undefined, key: unknown): object {
    const node = nodeOfRaw(value);
    if (node === undefined || node.proxy === undefined || node.attribute !== this)
      return this.#meet(value, parent, key);
    if (parent !== undefined && node.parent !== parent) node.parent = parent;
    return node.proxy;
  }

  #meet(value: object, parent: object | undefined, key: unknown): object {
    if (isInherited(parent, key)) return value;
    const node = nodeOf(value);
    const kind = kindOf(value);
    if (node?.proxy === value) return value;
    if (kind === 'opaque' && this.#fixed !== undefined) return (this.lent ??= new Lent(this)).copyOf(value, parent);
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
    if (kind !== 'tree') return this.#standFor(value as Collection, parent);
    // A Proxy may not show anything but the very child that a frozen object has.
    const frozen = !Object.isExtensible(value);
    const raw = frozen ? this.thaw(value) : value;
    if (frozen) this.#put(parent, key, raw);
    const proxy = new Proxy(raw, this.#trees as ProxyHandler<object>);
    setNode(raw, { raw, owner: this.owner, attribute: this, proxy, parent });
    return proxy;
  }

  /** Not a Proxy, which libraries and the engine take for no Map at all, but a Map whose own methods work on `raw`. */
  #standFor(raw: Collection, parent: object | undefined): Collection {
    const standIn = raw instanceof Map ? new Map([[TAKE_A_COPY, TAKE_A_COPY]]) : new Set([TAKE_A_COPY]);
    const node = { raw, owner: this.owner, attribute: this, proxy: standIn, parent };
    setNode(raw, node);
    setNode(standIn, node);
    return Object.preventExtensions(
      Object.defineProperties(standIn, raw instanceof Map ? MAP_RECORDERS : SET_RECORDERS),
    );
  }

  /**
   * The copy that takes the place of a tree, because that is frozen or the application's: same content, so nothing is
   * written.
   */
  thaw(tree: object): Tree {
    const copy = thawed(tree);
    this.#own(copy);
    replaced.set(tree, copy);
    return copy;
  }

  /** While a value is taken in, what is met again is the same copy again. */
  #remember(value: object, copy: object): void {
    (this.#taken ??= new Map()).set(value, copy);
  }

  /** A Map's key or a Set's element has no place where it could be exchanged later. */
  adoptMember(value: unknown): unknown {
    return this.#unfrozen(this.adopt(value));
  }

  #unfrozen(raw: unknown): unknown {
    return isFrozenTree(raw) ? this.thaw(raw) : raw;
  }

  /** Exchanges frozen keys and elements, in their order, before they are handed out. */
  thawMembers(raw: Collection): void {
    for (const member of raw.keys()) {
      if (!isFrozenTree(member)) continue;
      refill(raw, (one) => this.#unfrozen(one));
      return;
    }
  }

  #put(parent: object | undefined, key: unknown, value: object): void {
    if (parent === undefined) return;
    if (parent === this) this.#host.replaceRoot(this.name, value);
    else if (parent instanceof Map) parent.set(key, value);
    else (parent as Tree)[key as string] = value;
  }

  #own(raw: object): void {
    setNode(raw, { raw, owner: this.owner, attribute: this, proxy: undefined, parent: undefined });
  }

  /**
   * What goes into the tree when `value` is assigned: the value itself, without proxies anywhere inside, and no object
   * that is already part of another attribute. Those are copied: attributes are values of their own, saved one by one.
   * So is what holds them: what the application passes in is not changed by passing it.
   */
  adopt(value: unknown): unknown {
    if (!isObject(value)) return value;
    try {
      return this.#take(value, 0);
    } finally {
      this.#taken = undefined;
    }
  }

  #take(value: unknown, depth: number): unknown {
    if (!isObject(value)) return value;
    const node = nodeOf(value);
    const kind = kindOf(value);
    if (node === undefined ? isState(value) : node.owner !== this.owner)
      return this.#takeCopy(value, plainFor(this.name, value), depth);
    // The same Date in two places (`createdAt`, `updatedAt`) is meant as the same time.
    if (node !== undefined && types.isDate(node.raw)) return new Date(node.raw);
    if (node?.proxy === value) {
      node.attribute.noteRead(); // throws, if its session has ended
      if (this.#guests.length > 0) this.aliased = true; // as a part of a guest, which goes elsewhere
      return node.raw;
    }
    if (depth > DEPTH_LIMIT) throw tooDeep(this.name);
    const known = this.#taken?.get(value);
    if (known !== undefined) return known;
    this.aliased = true; // not by its proxy: the application holds it
    if (node?.attribute === this && !replaced.has(value)) return value;
    this.#own(value);
    if (kind === 'opaque') return value;
    return kind === 'tree' ? this.#takeTree(value as Tree, depth) : this.#takeCollection(value as Collection, depth);
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

  /**
   * Puts copies in the place of what the application still holds, as far as that is still where it was put; else
   * `aliased` stays.
   */
  detach(): void {
    if (this.#guests.length === 0) return;
    for (const { parent, key, raw } of this.#guests.splice(0)) {
      if ((parent instanceof Map ? parent.get(key) : parent[key as string]) === raw) this.#put(parent, key, plain(raw));
      else this.aliased = true;
    }
  }

  #takeCopy(value: object, copy: object, depth: number): unknown {
    if (copy === value) return value; // an instance of an unknown class
    const { aliased } = this;
    const taken = this.#take(copy, depth);
    this.aliased = aliased; // the copy is in nobody else's hands
    return taken;
  }

  #takeTree(value: Tree, depth: number): Tree {
    if (Array.isArray(value)) this.#checkArray(value);
    let tree = value;
    for (const key of keysOf(value)) {
      const child = value[key as string];
      if (!isObject(child)) continue;
      const taken = this.#take(child, depth + 1);
      if (taken === child) continue;
      if (tree === value) this.#remember(value, (tree = this.thaw(value)));
      Object.defineProperty(tree, key, { value: taken, writable: true, enumerable: true, configurable: true });
    }
    return tree;
  }

  /** Names come after indices. */
  #checkArray(array: readonly unknown[]): void {
    const last = Object.keys(array).at(-1);
    if (last === undefined || String(Number(last) >>> 0) === last) return;
    const message = `An array with a property ${JSON.stringify(last)} cannot be kept whole in ${formatPath([this.name])}: use an object beside it.`;
    throw new HoldfastError('ERR_INVALID', message, { paths: [[this.name]] });
  }

  /** One that is frozen, as immer leaves them, is copied as well: its own methods refuse. */
  #takeCollection(value: Collection, depth: number): Collection {
    let same = Object.isExtensible(value);
    const take = (member: unknown): unknown => {
      const taken = this.#take(member, depth + 1);
      same &&= taken === member;
      return taken;
    };
    const taken =
      value instanceof Map ? Array.from(value, ([key, member]) => [take(key), take(member)]) : Array.from(value, take);
    if (same) return value;
    const copy = value instanceof Map ? new Map(taken as [unknown, unknown][]) : new Set(taken);
    this.#own(copy);
    this.#remember(value, copy);
    replaced.set(value, copy);
    return copy;
  }
}

/** Exchanges each key and element for what `change` makes of it, in their order. */
function refill(raw: Collection, change: (member: unknown) => unknown): void {
  const entries = [...raw.entries()];
  raw.clear();
  for (const [key, value] of entries) {
    if (raw instanceof Map) raw.set(change(key), value);
    else raw.add(change(key));
  }
}

function isFrozenTree(value: unknown): value is object {
  return isObject(value) && !Object.isExtensible(value) && kindOf(value) === 'tree';
}

/** `tree.__proto__` and the like: not part of the state. */
function isInherited(parent: object | undefined, key: unknown): boolean {
  return parent !== undefined && typeof key === 'string' && kindOf(parent) === 'tree' && !Object.hasOwn(parent, key);
}
