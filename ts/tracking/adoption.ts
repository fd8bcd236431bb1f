import { types } from 'node:util';
import { showPath, showText } from '../path.ts';
import { HoldfastError } from '../errors.ts';
import type { Placed } from './assignment.ts';
import type { Attribute } from './attribute.ts';
import { ABSENT, keyIn, valueAt } from './change-set.ts';
import { DEPTH_LIMIT, givenKindOf, isLong, isObject, kindOf, type Collection, type Tree } from './kinds.ts';
import { isNew, isState, nodeOf, nodeOfRaw, replaced, setNode, type Node } from './nodes.ts';
import { ownCopy, plainFor, tooDeep } from './plain.ts';
import { thaw } from './thaw.ts';
import { unreadable } from './unreadable.ts';

const hasOwn = Object.prototype.hasOwnProperty;

interface Guest {
  /** The attribute, where the object is its whole value. */
  readonly parent: object;
  readonly key: unknown;
  readonly raw: object;
}

/** With more of them, decoding the value again is as cheap. */
const MOST_GUESTS = 4_096;

/**
 * Takes what the application assigns into an attribute's tree. It is the application's own object until the next save,
 * and may still be changed through its own variable: from then on a copy stands in its place.
 */
export class Adoption {
  /** Parts are also in the application's own hands, somewhere, and no copy can take their place. */
  aliased = false;
  /** The round in which that began. */
  heldSince: number = Infinity;
  readonly #attribute: Attribute;
  /** Objects of the application's own that were placed in the tree. */
  #guests: Guest[] = [];
  /** One was assigned to another place, and may be in two. */
  #moved = false;
  /** Parts of the tree, of earlier uses, that were put into what was assigned: they stay what they are. */
  #parts: Set<object> | undefined;
  /** What takes the place of what, in the value that is being taken in. */
  #taken: Map<object, object> | undefined;
  /** What was met again before it was known that a copy takes its place. */
  #again: Set<object> | undefined;
  /** There was such a one: all is copied, in a second round, so that it is one object still. */
  #split = false;
  #whole = false;
  /** Of parts of other attributes. */
  #copies: Map<object, object> | undefined;

  constructor(attribute: Attribute) {
    this.#attribute = attribute;
  }

  /**
   * What goes into the tree when `value` is assigned: the value itself, without proxies anywhere inside, and no object
   * that is already part of another attribute. Those are copied: attributes are values of their own, saved one by one.
   * So is what holds them: what the application passes in is not changed by passing it.
   */
  adopt(value: unknown): unknown {
    if (!isObject(value)) return value;
    const { round } = this.#attribute;
    try {
      let taken = this.#take(value, 0);
      if (this.#split) {
        this.#taken = undefined;
        this.#whole = true;
        taken = this.#take(value, 0);
      }
      if (this.#attribute.round !== round) throw savedMeanwhile(this.#attribute.name);
      return taken;
    } catch (cause) {
      throw unreadable(cause, this.#attribute.name, value);
    } finally {
      this.#taken = this.#again = this.#copies = undefined;
      this.#split = this.#whole = false;
    }
  }

  /** As `adopt`, of a copy that is in nobody else's hands. */
  adoptCopy(copy: object): unknown {
    const { aliased, heldSince } = this;
    const taken = this.adopt(copy);
    this.aliased = aliased;
    this.heldSince = heldSince;
    return taken;
  }

  /** As `adopt`, for what is about to be put under `key` of `parent`; `detach` will find it there. */
  place(parent: object, key: unknown, value: unknown): unknown {
    const { aliased, heldSince } = this;
    const adopted = this.adopt(value);
    if (aliased || !this.aliased || this.#guests.length >= MOST_GUESTS) return adopted;
    this.aliased = false;
    this.heldSince = heldSince;
    this.#guests.push({ parent, key, raw: adopted as object });
    return adopted;
  }

  /** Values of what was assigned that were put elsewhere. */
  note(placed: readonly Placed[]): void {
    for (const { parent, key, value } of placed) this.#guests.push({ parent, key, raw: value as object });
  }

  /** Puts copies in the place of what the application held in `round`; where that cannot be, `aliased` says so. */
  detach(round: number): void {
    if (this.#guests.length > 0 && !this.#leave(this.#guests.splice(0))) this.#hold(round);
    this.#moved = false;
    this.#parts = undefined;
  }

  #hold(round: number): void {
    this.aliased = true;
    this.heldSince = Math.min(this.heldSince, round);
  }

  /** All or none. */
  #leave(guests: readonly Guest[]): boolean {
    if (this.#moved || this.aliased) return false; // one may be inside two, and would be no longer the same
    const attribute = this.#attribute;
    const places: Guest[] = [];
    const placed = new Map<object, Guest>();
    for (const { parent, key, raw } of guests) {
      // One that was frozen and has been looked at has a copy there already, which holds the application's own parts.
      for (const one of new Set([raw, replaced.get(raw) ?? raw])) {
        const place = { parent, key: this.#keyOf({ parent, key, raw: one }), raw: one };
        if (place.key === ABSENT) continue;
        const known = placed.get(one);
        if (known !== undefined) {
          const isSame = known.parent === parent && Object.is(known.key, place.key);
          if (!isSame || isTwiceIn(parent, one)) return false; // it is refused when it is encoded
          continue;
        }
        placed.set(one, place);
        places.push(place);
      }
    }
    if (places.length === 0) return true;
    const copies = new Map<object, object>();
    // What was handed out of it goes on being part of the state, and is compared at each save.
    for (const shown of attribute.exposures?.values() ?? []) copies.set(shown, shown);
    for (const part of this.#parts ?? []) copies.set(part, part);
    try {
      for (const { raw } of places) ownCopy(attribute, raw, copies);
    } catch {
      return false; // a part of a state is in it; or what is wrong is found again, with its path, when it is encoded
    }
    if (!follow(attribute, copies)) return false;
    attribute.exposures?.follow(copies);
    for (const { parent, key, raw } of places)
      // In the copy of what holds it, it is one already.
      if ((copies.get(parent) ?? parent) === parent) attribute.put(parent, key, copies.get(raw)!);
    return true;
  }

  #keyOf({ parent, key, raw }: Guest): unknown {
    if (parent === this.#attribute) return this.#attribute.root === raw ? key : ABSENT;
    if (valueAt(parent, key) === raw) return Array.isArray(parent) ? Number(key) : key;
    const node = nodeOfRaw(raw);
    if (node === undefined) return ABSENT;
    node.parent ??= parent;
    node.key ??= key;
    return keyIn(node, parent);
  }

  #take(value: unknown, depth: number): unknown {
    if (!isObject(value)) return value;
    const attribute = this.#attribute;
    const known = this.#taken?.get(value);
    if (known !== undefined && known !== value) return known;
    if (known === undefined && isNew(value)) return this.#takeOwn(value, depth);
    const node = nodeOf(value);
    if (node === undefined ? isState(value) : node.owner !== attribute.owner) return this.#takeCopy(value, depth);
    // The same Date in two places (`createdAt`, `updatedAt`) is meant as the same time.
    if (node !== undefined && types.isDate(node.raw)) return new Date(node.raw);
    if (node?.proxy === value) {
      node.attribute.noteRead(); // throws, if its session has ended
      // Of a frozen portion: a change of it in a further place would be one there.
      if (node.attribute !== attribute) return this.#takeCopy(value, depth);
      (attribute.changes.moved ??= new Set()).add(node.raw);
      if (node.born >= attribute.firstRound) this.#moved = true;
      else (this.#parts ??= new Set()).add(node.raw);
      return node.raw;
    }
    const isAgain = known === value || (node?.attribute === attribute && !replaced.has(value));
    if (depth > DEPTH_LIMIT || !isAgain || this.#whole) return this.#takeOwn(value, depth);
    this.#hold(attribute.changes.round);
    return this.#meetAgain(value);
  }

  /** Not by its proxy: the application holds it. */
  #takeOwn(value: object, depth: number): object {
    const attribute = this.#attribute;
    const kind = givenKindOf(value);
    if (depth > DEPTH_LIMIT) throw tooDeep(attribute.name);
    this.#hold(attribute.changes.round);
    if (replaced.has(value)) this.#remember(value, value);
    attribute.own(value);
    if (kind === 'opaque') return value;
    return kind === 'tree' ? this.#takeTree(value as Tree, depth) : this.#takeCollection(value as Collection, depth);
  }

  /** The application's own object, in a further place. One that is frozen would get a copy in each. */
  #meetAgain(value: object): object {
    this.#attribute.changes.incomplete = 'an object was assigned twice'; // also in place of `ASSIGNED`
    if (Object.isExtensible(value)) (this.#again ??= new Set()).add(value);
    else this.#split = true;
    return value;
  }

  #takeCopy(value: object, depth: number): unknown {
    const copy = plainFor(this.#attribute, value, (this.#copies ??= new Map()));
    if (copy === value) return value; // an instance of an unknown class
    const { aliased, heldSince } = this;
    const taken = this.#take(copy, depth);
    this.aliased = aliased; // the copy is in nobody else's hands
    this.heldSince = heldSince;
    return taken;
  }

  /** While a value is taken in, what is met again is the same copy again. */
  #remember(value: object, copy: object): void {
    (this.#taken ??= new Map()).set(value, copy);
    this.#split ||= copy !== value && this.#again?.has(value) === true;
  }

  #takeTree(value: Tree, depth: number): Tree {
    if (Array.isArray(value)) this.#checkArray(value);
    let tree = value;
    if (this.#whole) this.#remember(value, (tree = thaw(this.#attribute, value)));
    if (Array.isArray(value) && !isLong(value))
      for (let i = 0; i < value.length; i += 1) {
        const child: unknown = value[i];
        if (isObject(child)) tree = this.#takeChild(value, tree, i, child, depth);
      }
    else
      for (const key in value) {
        // In this form the engine makes the check free.
        if (!hasOwn.call(value, key)) continue;
        const child = value[key];
        if (isObject(child)) tree = this.#takeChild(value, tree, key, child, depth);
      }
    return tree;
  }

  /** The copy of `value` that has what takes the child's place; `tree`, where nothing does. */
  #takeChild(value: Tree, tree: Tree, key: string | number, child: object, depth: number): Tree {
    const taken = this.#take(child, depth + 1);
    if (taken === child) return tree;
    let copy = tree;
    if (copy === value) this.#remember(value, (copy = thaw(this.#attribute, value)));
    Object.defineProperty(copy, key, { value: taken, writable: true, enumerable: true, configurable: true });
    return copy;
  }

  /** Names come after indices. */
  #checkArray(array: readonly unknown[]): void {
    const last = Object.keys(array).at(-1);
    if (last === undefined || String(Number(last) >>> 0) === last) return;
    const path = [this.#attribute.name];
    const message = `an array with a property ${showText(JSON.stringify(last))} cannot be kept whole in ${showPath(path)}: use an object beside it`;
    throw new HoldfastError('ERR_INVALID', message, { paths: [path] });
  }

  /** One that is frozen, as immer leaves them, or of another realm, is copied as well: its own methods refuse, or lead there. */
  #takeCollection(value: Collection, depth: number): Collection {
    if (this.#whole) return this.#copyCollection(value, depth);
    let same = Object.isExtensible(value) && kindOf(value) !== 'opaque';
    const take = (member: unknown): unknown => {
      const taken = this.#take(member, depth + 1);
      same &&= Object.is(taken, member);
      return taken;
    };
    const taken = types.isMap(value)
      ? Array.from(value, ([key, member]) => [take(key), take(member)])
      : Array.from(value, take);
    if (same) return value;
    return this.#copied(value, types.isMap(value) ? new Map(taken as [unknown, unknown][]) : new Set(taken));
  }

  #copyCollection(value: Collection, depth: number): Collection {
    const copy = this.#copied(value, types.isMap(value) ? new Map<unknown, unknown>() : new Set<unknown>());
    const take = (member: unknown): unknown => this.#take(member, depth + 1);
    for (const [key, member] of value.entries())
      if (copy instanceof Map) copy.set(take(key), take(member));
      else copy.add(take(member));
    return copy;
  }

  #copied(value: Collection, copy: Collection): Collection {
    this.#attribute.own(copy);
    this.#remember(value, copy);
    replaced.set(value, copy);
    return copy;
  }
}

/** What was noted of the change went with that save. */
function savedMeanwhile(name: string): HoldfastError {
  const message = `${showPath([name])}: a getter of what was assigned has saved the session: read its value first`;
  return new HoldfastError('ERR_INVALID', message, { paths: [[name]] });
}

/** One that was assigned twice is found in one place only. */
function isTwiceIn(parent: object, raw: object): boolean {
  const values: unknown[] =
    parent instanceof Map ? [...(parent.values() as Iterable<unknown>)] : Object.values(parent as Tree);
  return values.indexOf(raw) !== values.lastIndexOf(raw);
}

/**
 * What was handed out for an object works on its copy from now on, and the object is the application's alone. False:
 * some was handed out before, as a part of the tree, and cannot.
 */
function follow(attribute: Attribute, copies: ReadonlyMap<object, object>): boolean {
  const nodes: Node[] = [];
  for (const [raw, copy] of copies) {
    const node = nodeOfRaw(raw);
    if (node?.attribute !== attribute || copy === raw) continue;
    if (node.proxy !== undefined && !node.follows) return false;
    nodes.push(node);
  }
  for (const node of nodes) {
    node.raw = copies.get(node.raw)!;
    node.copied = true;
    if (node.proxy === undefined) continue;
    if (node.parent !== undefined) node.parent = copies.get(node.parent) ?? node.parent;
    setNode(node.raw, node);
  }
  return true;
}
