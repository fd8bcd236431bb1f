import type { Named } from '../codec/ids.ts';
import type { ValueTypes } from '../codec/value-types.ts';
import { HoldfastError } from '../errors.ts';
import { findSteps, showPath, type Path, type PathStep } from '../path.ts';
import { ASSIGNED, ChangeSet, nextRound, valueAt } from './change-set.ts';
import type { AttributeClass } from './classes.ts';
import { Adoption } from './adoption.ts';
import { Exposures } from './exposures.ts';
import { FollowingHandler, TreeHandler, standInFor } from './handlers.ts';
import {
  isFrozenTree,
  isInherited,
  isLong,
  isObject,
  kindOf,
  refill,
  thawed,
  type Collection,
  type Kind,
  type Tree,
} from './kinds.ts';
import { Lent } from './lent.ts';
import { Node, nodeOf, nodeOfRaw, replaced, setNode, stepsTo } from './nodes.ts';
import { keepIds } from './identities.ts';
import { Reduction } from './reduction.ts';
import { standInOf } from './stand-in.ts';

/** What an attribute needs of its tracker. */
export interface Host {
  isClosed(): boolean;
  /** The first read, or write, since marks were last taken. Throws when closed. */
  markRead(attribute: Attribute): void;
  markWritten(attribute: Attribute): void;
  rootOf(name: string): unknown;
  replaceRoot(name: string, value: unknown): void;
}

/** Stands for an attribute from one tracker to the next, and knows what it was encoded as last. */
export interface Owner extends Named {
  /** Classes whose instances are kept. */
  readonly types: ValueTypes;
  /**
   * The bytes of `root`, which were `base` before what `changes` tells, if any; `base` itself where nothing has changed.
   * Undefined: they are not known, and it must be encoded whole.
   */
  splice(base: Uint8Array, root: unknown, changes: ChangeSet | undefined): Uint8Array | undefined;
  /** The value that was encoded as `base`, before any change that was noted since; undefined: not known. */
  valueOf(base: Uint8Array): unknown;
  /** It is not known any more. */
  forget(): void;
}

const READ_ONLY = 'is read-only in the object that was assigned: assign a copy of that';
const IMMUTABLE =
  'is part of an immutable attribute, which is read-only once set: copy it, or declare the attribute mutable';

/** Hands out the parts of one attribute as proxies, takes in what is assigned, and notes reads and writes. */
export class Attribute {
  readonly name: string;
  readonly class: AttributeClass;
  /** Stands for the attribute from one tracker to the next. */
  readonly owner: Owner;
  /** Undefined: nothing opaque was handed out. */
  exposures: Exposures | undefined;
  /** What was written inside since the last save took it. */
  #changes: ChangeSet | undefined;
  round: number = nextRound(); // another one once a save has taken what was written
  /** Undefined: nothing opaque was handed out of what is read-only. */
  lent: Lent | undefined;
  /** Already noted: the one flag that most accesses look at. */
  reading = false;
  writing = false;
  /** Generation of marks in which it was last read, and written; 0: not since that was saved. */
  readIn = 0;
  writtenIn = 0;
  #host: Host;
  readonly #trees: TreeHandler = new TreeHandler(this);
  #adopting: Adoption | undefined;
  #reducing: Reduction | undefined;
  /** What was taken in from then on may have moved to copies, and what was handed out for it with it. */
  readonly firstRound: number = this.round;
  /** Why nothing inside can be changed; undefined: it can. */
  readonly #fixed: string | undefined;
  readonly #readOnly: string | undefined;

  /** `readOnly`: see `AttributeSlots`. */
  constructor(host: Host, name: string, attributeClass: AttributeClass, owner: Owner, readOnly: string | undefined) {
    this.#host = host;
    this.name = name;
    this.owner = owner;
    this.class = attributeClass;
    this.#readOnly = readOnly;
    this.#fixed = readOnly ?? (attributeClass === 'immutable' ? IMMUTABLE : undefined);
  }

  get changes(): ChangeSet {
    return (this.#changes ??= new ChangeSet(this.round, this));
  }

  get #adoption(): Adoption {
    return (this.#adopting ??= new Adoption(this));
  }

  get #reduction(): Reduction {
    return (this.#reducing ??= new Reduction(this, this.#adoption));
  }

  /**
   * The attribute's bytes, put together from `base` and what was written since that was saved; `base` itself if nothing
   * was. Undefined: it must be encoded whole. What is written from now on belongs to the next save. `ends`: there is
   * none, as the tracker is closed before anything else runs.
   */
  splice(base: Uint8Array | undefined, ends: boolean): Uint8Array | undefined {
    const changes = this.#changes;
    const round = this.round;
    this.#changes = undefined;
    this.round = nextRound();
    const target = this.#spliced(base, ends, changes, round);
    changes?.drop();
    return target;
  }

  #spliced(
    base: Uint8Array | undefined,
    ends: boolean,
    changes: ChangeSet | undefined,
    round: number,
  ): Uint8Array | undefined {
    const from = base === undefined ? undefined : this.owner.valueOf(base);
    if (changes?.incomplete === ASSIGNED && isObject(from) && (ends || !this.#reduction.isShown(from))) {
      const reduced = this.#reduction.whole(changes, from, base!);
      if (reduced !== undefined) {
        const target = this.owner.splice(base!, this.root, reduced);
        reduced.drop();
        this.#adopting?.detach(round);
        return target;
      }
    }
    const known = base !== undefined && !this.#isUnknown(changes);
    const reduced =
      known && changes !== undefined && isObject(from) && this.#reduction.parts(changes, from, base, ends);
    if (!reduced) this.#adopting?.detach(round);
    if (!known) this.owner.forget();
    const target = known ? this.owner.splice(base, this.root, changes) : undefined;
    if (reduced) this.#adopting?.detach(round);
    if (target === undefined && this.owner.ids !== undefined) keepIds(this, changes, from);
    return target;
  }

  /** What was changed was not noted, in whole or in part. */
  #isUnknown(changes: ChangeSet | undefined): boolean {
    if (this.exposures?.changed === true || changes?.incomplete !== undefined) return true;
    // The application may have changed parts, since before that round.
    return this.#adopting !== undefined && this.#adopting.heldSince < (changes?.round ?? Infinity);
  }

  get types(): ValueTypes {
    return this.owner.types;
  }

  get root(): unknown {
    return this.#host.rootOf(this.name);
  }

  /** Its tracker has ended: what was handed out says so, by `host`, and keeps nothing else of it. */
  end(host: Host): void {
    this.reading = this.writing = false;
    this.#host = host;
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
      throw new HoldfastError('ERR_INVALID', `${showPath([this.name])} ${this.#readOnly}.`, { paths: [[this.name]] });
  }

  refuse(raw: object, step: PathStep | undefined, why: string): never {
    const steps = stepsTo(raw, this) ?? findSteps(this.root, raw) ?? [];
    const path: Path = [this.name, ...steps, ...(step === undefined ? [] : [step])];
    throw new HoldfastError('ERR_INVALID', `${showPath(path)} ${why}.`, { paths: [path] });
  }

  /** Throws when something that is read-only was changed where nothing could refuse it. */
  checkLent(): void {
    const changed = this.lent?.changed();
    if (changed === undefined) return;
    this.refuse(changed, undefined, `was changed in place, so that nothing is saved: it ${this.#fixed}`);
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
    if (parent !== undefined) {
      node.parent = parent;
      node.key = key;
    }
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
      if (own !== value) this.put(parent, key, own);
      return own === value ? value : this.reach(own, parent, key);
    }
    return this.#handOut(value, kind, parent, key);
  }

  #handOut(value: object, kind: Kind, parent: object | undefined, key: unknown): object {
    if (kind === 'opaque') {
      if (nodeOfRaw(value) === undefined) this.own(value);
      (this.exposures ??= new Exposures()).add(value, parent, key);
      return value;
    }
    if (kind !== 'tree') return this.#standFor(value as Collection, parent, key);
    // A Proxy may not show anything but the very child that a frozen object has.
    const frozen = !Object.isExtensible(value);
    const raw = frozen ? this.thaw(value) : value;
    if (frozen) this.put(parent, key, raw);
    const node = nodeOfRaw(raw);
    if (node !== undefined && node.born >= this.firstRound) return this.#handFollowing(raw as Tree, parent, key);
    const proxy = new Proxy(raw, this.#trees as ProxyHandler<object>);
    if (node?.owner !== this.owner) this.#hand(raw, proxy, parent, key);
    else {
      // The proxy of an earlier use has ended with that: nobody asks it for its node.
      node.attribute = this;
      node.proxy = proxy;
      node.follows = false;
      node.parent = parent;
      node.key = key;
    }
    return proxy;
  }

  /** Its proxy works on the copy that is to take its place. */
  #handFollowing(raw: Tree, parent: object | undefined, key: unknown): object {
    const handler = new FollowingHandler(this.#trees);
    const proxy = new Proxy(standInFor(raw), handler);
    handler.node = this.#hand(raw, proxy, parent, key);
    handler.node.follows = true;
    return proxy;
  }

  #hand(raw: object, proxy: object, parent: object | undefined, key: unknown): Node {
    const old = nodeOfRaw(raw);
    const known = old?.owner === this.owner ? old : undefined;
    const node = new Node(raw, this, known?.born ?? 0, proxy, parent, key, known?.spans);
    setNode(raw, node);
    return node;
  }

  #standFor(raw: Collection, parent: object | undefined, key: unknown): Collection {
    const standIn = standInOf(raw);
    const node = this.#hand(raw, standIn, parent, key);
    node.follows = true;
    setNode(standIn, node);
    return Object.preventExtensions(standIn);
  }

  /**
   * The copy that takes the place of a tree, because that is frozen or the application's: same content, so nothing is
   * written.
   */
  thaw(tree: object): Tree {
    const copy = thawed(tree);
    setNode(copy, new Node(copy, this, nodeOfRaw(tree)?.born ?? 0));
    replaced.set(tree, copy);
    return copy;
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
      this.changes.incomplete ??= 'frozen members were exchanged';
      refill(raw, (one) => this.#unfrozen(one));
      return;
    }
  }

  /** Puts it where another of the same content is: nothing is written. */
  put(parent: object | undefined, key: unknown, value: object): void {
    if (parent === undefined) return;
    if (parent === this) this.#host.replaceRoot(this.name, value);
    else if (parent instanceof Map) parent.set(key, value);
    else if (!Reflect.set(parent, key as string, value)) this.refuse(parent, key as string, READ_ONLY);
  }

  own(raw: object): void {
    setNode(raw, new Node(raw, this, this.changes.round));
  }

  adopt(value: unknown): unknown {
    return this.#adoption.adopt(value);
  }

  place(parent: object, key: unknown, value: unknown): unknown {
    return this.#adoption.place(parent, key, value);
  }

  /**
   * At the end. False: the value must not be shown by a later tracker, since the application goes on holding parts of
   * it.
   */
  detach(): boolean {
    this.#adopting?.detach(this.round);
    const left = this.exposures?.leave((parent, key, date) => this.#exchange(parent, key, date)) !== false;
    return left && this.#adopting?.aliased !== true;
  }

  #exchange(parent: object, key: unknown, date: Date): void {
    if (parent === this ? this.root === date : valueAt(parent, key) === date) this.put(parent, key, new Date(date));
    else if (Array.isArray(parent) && !isLong(parent) && parent.includes(date))
      parent[parent.indexOf(date)] = new Date(date);
  }
}
