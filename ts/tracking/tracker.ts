import { BUILT_IN_TYPES } from '../codec/built-in-types.ts';
import type { Ids } from '../codec/ids.ts';
import type { ValueTypes } from '../codec/value-types.ts';
import { HoldfastError, shortId } from '../errors.ts';
import { showPath } from '../path.ts';
import { Attribute } from './attribute.ts';
import type { Host, Owner } from './attribute-terms.ts';
import type { AttributeClass, SaveMode } from './classes.ts';
import { ASSIGNED } from './change-set.ts';
import type { FrozenPath } from './frozen.ts';
import { LeftAttributes } from './left.ts';
import { outlookOf, type Outlook } from './outlook.ts';
import { plainFor } from './plain.ts';
import { invalid, notDeclared, stateOf } from './state.ts';

export { isKnownTree } from './assignment.ts';
export { valueIn } from './frozen.ts';
export type { FrozenPath } from './frozen.ts';
export { isAlsoOutside, isShared } from './identities.ts';
export { isObject } from './kinds.ts';
export { unwrap } from './nodes.ts';
export { plain, plainFor } from './plain.ts';
export { withoutState } from './result.ts';
export type { AttributeClass, SaveMode } from './classes.ts';

/** The session's attributes as raw (never proxied) values; decoding happens behind `get`. */
export interface AttributeSlots {
  has(name: string): boolean;
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  delete(name: string): void;
  names(): string[];
  /**
   * Stands for the attribute as long as its value may be shown by the next tracker as it is. Values of another owner
   * are copied before they are shown. Without this method each tracker copies.
   */
  owner?(name: string): Owner;
  /**
   * Why the attribute can be read only, as the end of a sentence that begins with its path; undefined: it can be
   * changed.
   */
  readOnly?(name: string): string | undefined;
  /** Whether it has a value that was saved. */
  isSaved?(name: string): boolean;
  /** It was deleted, and that is saved: `owner` is nobody's any more, until `takeBack` says that it is used again. */
  gone?(name: string): void;
  takeBack?(name: string, owner: Owner): void;
}

/** Knows nothing. */
class Nobody implements Owner {
  readonly types: ValueTypes = BUILT_IN_TYPES;
  ids: Ids | undefined;

  splice(): undefined {
    return undefined;
  }

  valueOf(): undefined {
    return undefined;
  }

  wholeBecause(): string {
    return 'its bytes are not kept';
  }

  forget(): void {}
}

/** Of parts that are over: they hold nothing of the session but its id. */
class Over implements Host {
  readonly #session: string;
  /** The end of a sentence that begins with the session. */
  why: string;

  constructor(session: string, why: string) {
    this.#session = session;
    this.why = why;
  }

  isClosed(): true {
    return true;
  }

  refuse(): never {
    const session = this.#session;
    throw new HoldfastError('ERR_CLOSED', `session '${shortId(session)}'${this.why}`, { session });
  }

  markRead(): never {
    return this.refuse();
  }

  markWritten(): never {
    return this.refuse();
  }

  rootOf(): undefined {}

  isFree(): false {
    return false;
  }

  replaceRoot(): void {}
}

const ENDED =
  ' has ended, with its scope or by close(): await in the scope what it starts, or open it again and use its new state';
const MERGED = ': this part of its state was merged with what others have saved: read it again, from the state';

export interface TrackerOptions {
  readonly saveMode: SaveMode;
  /** Undefined: not declared, and so not allowed. */
  classOf(name: string): AttributeClass | undefined;
  /** Its portions that keep their first value; undefined: it has none. */
  frozenIn?(name: string): readonly FrozenPath[] | undefined;
}

/** The state as it is when a save begins. What is read or written from then on belongs to the next. */
export interface Capture {
  /** Names that the save has to encode and compare, by the save mode; those that are deleted included. */
  readonly touched: readonly string[];
  /** The last generation of marks that it covers. */
  readonly upTo: number;
}

/** A value on its way into an attribute. */
export interface Taken {
  readonly attribute: Attribute;
  /** As it was given. */
  readonly value: unknown;
  /** As it is to stand in the tree. */
  readonly adopted: unknown;
}

/**
 * Shows a session's attributes as one ordinary object and notes which are read and written, at any depth.
 *
 * A save goes `capture` → encode and append → `settle`; when it fails, nothing is lost by not calling `settle`. What
 * both cost follows what was touched, not how many attributes there are (but in the save mode `all`).
 */
export class Tracker implements Host {
  readonly state: Record<string, unknown>;
  readonly slots: AttributeSlots;
  readonly #options: TrackerOptions;
  readonly #attributes = new Map<string, Attribute>();
  /** Read, written, or with Dates or bytes in the application's hands; in the order in which that began. */
  readonly #touched = new Set<Attribute>();
  #left: LeftAttributes | undefined;
  /** Undefined: it is open. */
  #ended: Over | undefined;
  /** Marks are made in generations, so that `settle` takes back only what was captured. */
  #generation = 1;

  constructor(slots: AttributeSlots, options: TrackerOptions) {
    this.slots = slots;
    this.#options = options;
    this.state = stateOf(this);
  }

  /** Names of the attributes read since the last save, at any depth. */
  get readSet(): ReadonlySet<string> {
    return new Set([...this.#touched].filter(({ readIn }) => readIn > 0).map(({ name }) => name));
  }

  /**
   * Names of the attributes assigned, changed inside or deleted since the last save. Assigning an equal value counts.
   */
  get writeSet(): ReadonlySet<string> {
    return new Set([...this.#touched].filter(({ writtenIn }) => writtenIn > 0).map(({ name }) => name));
  }

  /** Names that a save has to encode and compare, by the save mode. */
  tracked(): string[] {
    const names: string[] = [];
    for (const attribute of this.#touched) if (this.#isTracked(attribute)) names.push(attribute.name);
    return this.#options.saveMode === 'all' ? this.#withAll(names) : names;
  }

  #withAll(names: readonly string[]): string[] {
    const isCompared = (name: string): boolean => !['immutable', undefined].includes(this.#options.classOf(name));
    return [...new Set([...this.slots.names().filter(isCompared), ...names])];
  }

  /** `tracked`, as the start of a save. Throws where bytes that are read-only were changed. */
  capture(): Capture {
    for (const attribute of this.#touched) attribute.checkLent();
    for (const attribute of this.#touched) {
      attribute.reading = attribute.writing = false;
      attribute.exposures?.capture();
    }
    return { touched: this.tracked(), upTo: this.#generation++ };
  }

  /** Of one that was captured: see `Attribute.splice`. Undefined also where nothing was handed out of it. */
  splice(name: string, base: Uint8Array | undefined, ends: boolean): Uint8Array | undefined {
    return this.#attributes.get(name)?.splice(base, ends);
  }

  /** What a save would do with one that is tracked: see `Outlook`. Undefined: nothing was handed out of it. */
  outlook(name: string, base: Uint8Array | undefined): Outlook | undefined {
    const attribute = this.#attributes.get(name);
    return attribute && outlookOf(attribute, base);
  }

  /** After a successful save: forgets the reads and writes that it captured. */
  settle({ upTo }: Capture): void {
    for (const attribute of this.#touched) {
      if (attribute.readIn <= upTo) attribute.readIn = 0;
      if (attribute.writtenIn <= upTo) attribute.writtenIn = 0;
      attribute.exposures?.settle();
      const { readIn, writtenIn, exposures, hasLent } = attribute;
      if (readIn > 0 || writtenIn > 0 || exposures !== undefined || hasLent) continue;
      this.#touched.delete(attribute);
      if (!this.slots.has(attribute.name)) this.#leave(attribute);
    }
  }

  #leave(attribute: Attribute): void {
    this.#attributes.delete(attribute.name);
    (this.#left ??= new LeftAttributes()).add(attribute);
    this.slots.gone?.(attribute.name);
  }

  /**
   * At the end, once a save has encoded everything: puts copies in the place of objects that the application assigned
   * and may still hold, and of Dates that were handed out. Names of attributes where that was not possible, those of
   * which bytes were handed out included: their values must be decoded again.
   */
  detach(): string[] {
    const aliased: string[] = [];
    for (const attribute of this.#attributes.values()) if (!attribute.detach()) aliased.push(attribute.name);
    return aliased;
  }

  /**
   * From now on every access through `state`, or through anything handed out, throws `ERR_CLOSED`, which names the
   * session. `why`: what has ended it, where that was not the caller, as the end of a sentence that begins with it.
   */
  close(session: string, why?: string): void {
    this.#ended ??= new Over(session, ENDED);
    if (why !== undefined) this.#ended.why = ` ${why}`;
    for (const attribute of this.#attributes.values()) attribute.end(this.#ended);
    this.#left?.end(this.#ended);
  }

  /** Whether something in the attribute was written, or may have been changed, since the last save. */
  isWritten(name: string): boolean {
    const attribute = this.#attributes.get(name);
    return attribute !== undefined && (attribute.writtenIn > 0 || attribute.exposures?.changed === true);
  }

  /** The attribute has another value: what was handed out of the one before says so when it is used. */
  renew(name: string, session: string): void {
    const attribute = this.#attributes.get(name);
    if (attribute === undefined) return;
    attribute.end(new Over(session, MERGED));
    this.#attributes.delete(name);
    this.#touched.delete(attribute);
  }

  #isTracked({ class: attributeClass, readIn, writtenIn, exposures }: Attribute): boolean {
    if (writtenIn > 0) return true;
    if (attributeClass === 'immutable') return false;
    if (exposures?.changed === true) return true;
    if (readIn === 0) return false;
    return (
      this.#options.saveMode === 'access' ||
      (this.#options.saveMode === 'mutable-access' && attributeClass === 'mutable')
    );
  }

  markRead(attribute: Attribute): void {
    this.checkOpen();
    attribute.reading = true;
    attribute.readIn = this.#generation;
    this.#touched.add(attribute);
  }

  markWritten(attribute: Attribute): void {
    this.checkOpen();
    attribute.writing = true;
    attribute.writtenIn = this.#generation;
    this.#touched.add(attribute);
  }

  rootOf(name: string): unknown {
    return this.slots.get(name);
  }

  isFree(name: string): boolean {
    return this.slots.isSaved?.(name) !== true;
  }

  replaceRoot(name: string, value: unknown): void {
    this.slots.set(name, value);
  }

  isClosed(): boolean {
    return this.#ended !== undefined;
  }

  checkOpen(): void {
    this.#ended?.refuse();
  }

  /** Gives attributes their values, and deletes those that are `gone`: all of it, or, where it throws, nothing. */
  assign(values: ReadonlyMap<string, unknown>, gone: readonly string[]): void {
    this.checkOpen();
    const taken = Array.from(values, ([name, value]) => this.take(name, value));
    for (const name of gone) {
      const attribute = this.attribute(name);
      attribute?.frozen?.checkRemoval(attribute, name);
    }
    for (const name of gone) delete this.state[name];
    for (const one of taken) this.put(one);
  }

  /** What the attribute is to be given: throws where it cannot be, and changes nothing yet. */
  take(name: string, value: unknown): Taken {
    const attribute = this.attribute(name);
    if (attribute === undefined) throw notDeclared(name);
    attribute.checkAssignable();
    if (attribute.class !== 'immutable')
      return { attribute, value, adopted: attribute.assigned(attribute, name, value) };
    if (this.slots.has(name))
      throw invalid(`${showPath([name])} is immutable and already set: it cannot be set again`, name);
    // A copy, so that whoever still holds the value cannot change it.
    return { attribute, value, adopted: attribute.adopt(plainFor(attribute, value)) };
  }

  put({ attribute, value, adopted }: Taken): void {
    const { name } = attribute;
    this.markWritten(attribute);
    // The mark is for the root only: what lies inside stays read-only.
    if (attribute.class === 'immutable') attribute.writing = false;
    // The very part of the state that is there already is no change.
    if (value === adopted || this.slots.get(name) !== adopted) attribute.changes.incomplete ??= ASSIGNED;
    this.slots.set(name, adopted);
  }

  /** Undefined: not declared. */
  attribute(name: string): Attribute | undefined {
    const known = this.#attributes.get(name);
    if (known !== undefined) return known;
    const attributeClass = this.#options.classOf(name);
    if (attributeClass === undefined) return undefined;
    const attribute = this.#takeBack(name) ?? this.#begin(name, attributeClass);
    this.#attributes.set(name, attribute);
    return attribute;
  }

  #begin(name: string, attributeClass: AttributeClass): Attribute {
    const { slots } = this;
    return new Attribute(this, name, attributeClass, slots.owner?.(name) ?? new Nobody(), {
      readOnly: slots.readOnly?.(name),
      frozen: this.#options.frozenIn?.(name),
    });
  }

  #takeBack(name: string): Attribute | undefined {
    const attribute = this.#left?.take(name);
    if (attribute !== undefined) this.slots.takeBack?.(name, attribute.owner);
    return attribute;
  }
}
