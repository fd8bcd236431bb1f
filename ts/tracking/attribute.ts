import type { ValueTypes } from '../codec/value-types.ts';
import { HoldfastError } from '../errors.ts';
import { findSteps, showPath, type Path, type PathStep } from '../path.ts';
import { ASSIGNED, ChangeSet, nextRound, valueAt } from './change-set.ts';
import type { AttributeTerms, Host, Owner } from './attribute-terms.ts';
import type { AttributeClass } from './classes.ts';
import { Adoption } from './adoption.ts';
import { Exposures } from './exposures.ts';
import { FollowingHandler, TreeHandler, standInFor } from './handlers.ts';
import { isInherited, isLong, isObject, kindOf } from './kinds.ts';
import type { Collection, Kind, Tree } from './kinds.ts';
import { Frozen, type FrozenPath } from './frozen.ts';
import { Lent } from './lent.ts';
import { Node, nodeOf, nodeOfRaw, setNode, stepsTo } from './nodes.ts';
import { keepIds } from './identities.ts';
import { Reduction } from './reduction.ts';
import { standInOf } from './stand-in.ts';
import { thaw } from './thaw.ts';

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

  /** Undefined: it has no frozen portions. */
  readonly frozen: Frozen | undefined;
  /** Of a frozen portion: the way to it. */
  readonly #inside: FrozenPath;

  /** `readOnly`: see `AttributeSlots`. */
  constructor(
    host: Host,
    name: string,
    attributeClass: AttributeClass,
    owner: Owner,
    { readOnly, frozen, inside = [] }: AttributeTerms,
  ) {
    this.#host = host;
    this.frozen = frozen && new Frozen(this, frozen);
    this.#inside = inside;
    this.name = name;
    this.owner = owner;
    this.class = attributeClass;
    this.#readOnly = readOnly;
    this.#fixed = readOnly ?? (attributeClass === 'immutable' ? IMMUTABLE : undefined);
  }

  /** Undefined: nothing was written since the last save took that. */
  get noted(): ChangeSet | undefined {
    return this.#changes;
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
    const known = base !== undefined && this.unknownBecause(changes) === undefined;
    const reduced =
      known && changes?.displaced === true && isObject(from) && this.#reduction.parts(changes, from, base, ends);
    if (!reduced) this.#adopting?.detach(round);
    if (!known) this.owner.forget();
    const target = known ? this.owner.splice(base, this.root, changes) : undefined;
    if (reduced) this.#adopting?.detach(round);
    if (target === undefined && this.owner.ids !== undefined) keepIds(this, changes, from);
    return target;
  }

  /** Why what was changed was not noted, in whole or in part; undefined: it was. */
  unknownBecause(changes: ChangeSet | undefined): string | undefined {
    if (this.exposures?.changed === true) return 'bytes or an instance in it were read, or a Date was changed';
    if (changes?.incomplete !== undefined) return changes.incomplete;
    // The application may have changed parts, since before that round.
    const isHeld = this.#adopting !== undefined && this.#adopting.heldSince < (changes?.round ?? Infinity);
    return isHeld ? 'the application may still hold what it assigned' : undefined;
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

  isClosed(): boolean {
    return this.#host.isClosed();
  }

  /** A use may return what has ended already: to resolve a promise with it, `then` is asked for. */
  isAwaited(key: unknown): boolean {
    return key === 'then' && this.isClosed();
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
      throw new HoldfastError('ERR_INVALID', `${showPath([this.name])} ${this.#readOnly}`, { paths: [[this.name]] });
  }

  refuse(raw: object, step: PathStep | undefined, why: string): never {
    const steps = stepsTo(raw, this) ?? findSteps(this.root, raw) ?? [];
    const path: Path = [this.name, ...this.#inside, ...steps, ...(step === undefined ? [] : [step])];
    throw new HoldfastError('ERR_INVALID', `${showPath(path)} ${why}`, { paths: [path] });
  }

  get hasLent(): boolean {
    return this.lent !== undefined || this.frozen?.hasLent === true;
  }

  /** Throws when something that is read-only was changed where nothing could refuse it. */
  checkLent(): void {
    this.frozen?.checkLent();
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
    if (node === undefined || node.proxy === undefined) return this.#meet(value, parent, key);
    if (node.attribute !== this)
      return this.#wasTree(node, value) ? this.#handAgain(node, parent, key) : this.#meet(value, parent, key);
    if (parent !== undefined) {
      node.parent = parent;
      node.key = key;
    }
    return node.proxy;
  }

  /** An earlier use of this attribute has shown it by a Proxy of its own: Dates are shown by a copy. */
  #wasTree(node: Node, value: object): boolean {
    if (node.owner !== this.owner || node.raw !== value || node.follows || this.frozen !== undefined) return false;
    return kindOf(value) === 'tree';
  }

  /** The proxy of an earlier use has ended with that: nobody asks it for its node. */
  #handAgain(node: Node, parent: object | undefined, key: unknown): object {
    node.attribute = this;
    node.follows = false;
    node.parent = parent;
    node.key = key;
    return (node.proxy = new Proxy(node.raw, this.#trees as ProxyHandler<object>));
  }

  #meet(value: object, parent: object | undefined, key: unknown): object {
    if (isInherited(parent, key)) return value;
    const portion = parent && this.frozen?.partAt(parent, key);
    if (portion !== undefined) return portion.reach(value, portion, key);
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
    const raw = frozen ? thaw(this, value) : value;
    if (frozen) this.put(parent, key, raw);
    const node = nodeOfRaw(raw);
    if (node !== undefined && node.born >= this.firstRound) return this.#handFollowing(raw as Tree, parent, key);
    if (node?.owner === this.owner) return this.#handAgain(node, parent, key);
    const proxy = new Proxy(raw, this.#trees as ProxyHandler<object>);
    this.#hand(raw, proxy, parent, key);
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

  adoptCopy(copy: object): unknown {
    return this.#adoption.adoptCopy(copy);
  }

  place(parent: object, key: unknown, value: unknown): unknown {
    return this.#adoption.place(parent, key, value);
  }

  /** What takes its place under `key` of `parent` when `value` is assigned there. */
  assigned(parent: object, key: unknown, value: unknown): unknown {
    if (this.frozen !== undefined) return this.frozen.place(parent, key, value);
    return isObject(value) ? this.place(parent, key, value) : value;
  }

  /** Whether what it has is no first value yet, so that another may be assigned whole. */
  isFree(parent: object): boolean {
    return parent === this && this.#host.isFree(this.name);
  }

  /** Shows a portion of it alone, which cannot be changed. */
  portion(host: Host, terms: AttributeTerms): Attribute {
    return new Attribute(host, this.name, 'immutable', this.owner, terms);
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
