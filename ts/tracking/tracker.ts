import { inspect } from 'node:util';
import { HoldfastError } from '../errors.ts';
import { formatPath } from '../path.ts';
import { Attribute, type Host } from './attribute.ts';
import type { AttributeClass, SaveMode } from './classes.ts';
import { isObject } from './kinds.ts';
import { NODE, STATE } from './nodes.ts';
import { plain } from './plain.ts';

export { unwrap } from './nodes.ts';
export { plain } from './plain.ts';
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
  owner?(name: string): object;
  /**
   * Why the attribute can be read only, as the end of a sentence that begins with its path; undefined: it can be
   * changed.
   */
  readOnly?(name: string): string | undefined;
}

export interface TrackerOptions {
  readonly slots: AttributeSlots;
  readonly saveMode: SaveMode;
  /** Undefined: not declared, and so not allowed. */
  classOf(name: string): AttributeClass | undefined;
}

/** The state as it is when a save begins. What is read or written from then on belongs to the next. */
export interface Capture {
  /** Names that the save has to encode and compare, by the save mode; those that are deleted included. */
  readonly touched: readonly string[];
  /** The last generation of marks that it covers. */
  readonly upTo: number;
}

/**
 * Shows a session's attributes as one ordinary object and notes which are read and written, at any depth.
 *
 * A save goes `capture` → encode and append → `settle`; when it fails, nothing is lost by not calling `settle`. What
 * both cost follows what was touched, not how many attributes there are (but in the save mode `all`).
 */
export class Tracker {
  readonly state: Record<string, unknown>;
  readonly #options: TrackerOptions;
  readonly #attributes = new Map<string, Attribute>();
  /** Read, written, or with opaque values in the application's hands; in the order in which that began. */
  readonly #touched = new Set<Attribute>();
  readonly #host: Host;
  #closed = false;
  /** Marks are made in generations, so that `settle` takes back only what was captured. */
  #generation = 1;

  constructor(options: TrackerOptions) {
    this.#options = options;
    this.#host = {
      isClosed: () => this.#closed,
      markRead: (attribute) => this.#markRead(attribute),
      markWritten: (attribute) => this.#markWritten(attribute),
      rootOf: (name) => options.slots.get(name),
      replaceRoot: (name, value) => options.slots.set(name, value),
    };
    // What `console.log` prints: it looks at a Proxy's target.
    const target: Record<PropertyKey, unknown> = { [inspect.custom]: () => plain(this.state) };
    this.state = new Proxy<Record<string, unknown>>(target, this.#handler());
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
    return [...new Set([...this.#options.slots.names().filter(isCompared), ...names])];
  }

  /** `tracked`, as the start of a save. */
  capture(): Capture {
    for (const attribute of this.#touched) {
      attribute.reading = attribute.writing = false;
      attribute.exposures?.capture();
    }
    return { touched: this.tracked(), upTo: this.#generation++ };
  }

  /** After a successful save: forgets the reads and writes that it captured. */
  settle({ upTo }: Capture): void {
    for (const attribute of this.#touched) {
      if (attribute.readIn <= upTo) attribute.readIn = 0;
      if (attribute.writtenIn <= upTo) attribute.writtenIn = 0;
      attribute.exposures?.settle();
      if (attribute.readIn === 0 && attribute.writtenIn === 0 && attribute.exposures === undefined)
        this.#touched.delete(attribute);
    }
  }

  /**
   * At the end, once a save has encoded everything: puts copies in the place of objects that the application assigned
   * and may still hold. Names of attributes where that was not possible, Dates and bytes that were handed out included:
   * their values must be decoded again.
   */
  detach(): string[] {
    for (const attribute of this.#attributes.values()) attribute.detach();
    return [...this.#attributes.values()].filter(({ aliased }) => aliased).map(({ name }) => name);
  }

  /** From now on every access through `state`, or through anything handed out, throws `ERR_CLOSED`. */
  close(): void {
    this.#closed = true;
    for (const attribute of this.#touched) attribute.reading = attribute.writing = false;
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

  #markRead(attribute: Attribute): void {
    this.#checkOpen();
    attribute.reading = true;
    attribute.readIn = this.#generation;
    this.#touched.add(attribute);
  }

  #markWritten(attribute: Attribute): void {
    this.#checkOpen();
    attribute.writing = true;
    attribute.writtenIn = this.#generation;
    this.#touched.add(attribute);
  }

  #checkOpen(): void {
    if (this.#closed)
      throw new HoldfastError('ERR_CLOSED', 'The session is closed: open it again and use its new state.');
  }

  /** Undefined: not declared. */
  #attribute(name: string): Attribute | undefined {
    const known = this.#attributes.get(name);
    if (known !== undefined) return known;
    const attributeClass = this.#options.classOf(name);
    if (attributeClass === undefined) return undefined;
    const attribute = new Attribute(
      this.#host,
      name,
      attributeClass,
      this.#options.slots.owner?.(name) ?? {},
      this.#options.slots.readOnly?.(name),
    );
    this.#attributes.set(name, attribute);
    return attribute;
  }

  #has(key: string | symbol): key is string {
    this.#checkOpen();
    return typeof key === 'string' && this.#options.slots.has(key) && this.#attribute(key) !== undefined;
  }

  #get(key: string | symbol): unknown {
    if (key === 'then' && this.#closed) return undefined; // see Attribute.isAwaited
    // What every object has: also keeps `await`, JSON and inspection from taking an attribute for a hook.
    if (!this.#has(key)) return Reflect.get(Object.prototype, key, this.state);
    const attribute = this.#attributes.get(key)!;
    attribute.noteRead();
    const value = this.#options.slots.get(key);
    return isObject(value) ? attribute.reach(value, attribute, key) : value;
  }

  #set(key: string | symbol, value: unknown): boolean {
    this.#checkOpen();
    const name = String(key);
    const attribute = typeof key === 'string' ? this.#attribute(key) : undefined;
    if (attribute === undefined) throw notDeclared(name);
    attribute.checkAssignable();
    const immutable = attribute.class === 'immutable';
    if (immutable && this.#options.slots.has(name))
      throw invalid(`${formatPath([name])} is immutable and already set: it cannot be set again`, name);
    // A copy, so that whoever still holds the value cannot change it.
    const adopted = attribute.adopt(immutable ? plain(value) : value);
    this.#markWritten(attribute);
    // The mark is for the root only: what lies inside stays read-only.
    if (immutable) attribute.writing = false;
    this.#options.slots.set(name, adopted);
    return true;
  }

  #delete(key: string | symbol): boolean {
    if (!this.#has(key)) return true;
    const attribute = this.#attributes.get(key)!;
    attribute.checkAssignable();
    if (attribute.class === 'immutable') throw invalid(`${formatPath([key])} is immutable: it cannot be deleted`, key);
    this.#markWritten(attribute);
    this.#options.slots.delete(key);
    return true;
  }

  #names(): string[] {
    this.#checkOpen();
    return this.#options.slots.names().filter((name) => this.#attribute(name) !== undefined);
  }

  /** An accessor: listing the names of attributes must not decode and read them all. */
  #describe(key: string | symbol): PropertyDescriptor | undefined {
    if (!this.#has(key)) return undefined;
    return {
      get: () => this.#get(key),
      set: (value: unknown) => void this.#set(key, value),
      enumerable: true,
      configurable: true,
    };
  }

  #define(key: string | symbol, descriptor: PropertyDescriptor): boolean {
    const flags = { writable: this.#has(key), enumerable: this.#has(key), configurable: this.#has(key), ...descriptor };
    if (!('value' in descriptor) || !flags.writable || !flags.enumerable || !flags.configurable) {
      throw invalid(`attribute ${JSON.stringify(String(key))} is an ordinary property: assign a value`, String(key));
    }
    return this.#set(key, descriptor.value);
  }

  #handler(): ProxyHandler<Record<string, unknown>> {
    return {
      get: (_target, key) => (key === NODE ? STATE : this.#get(key)),
      set: (target, key, value, receiver) =>
        receiver === this.state ? this.#set(key, value) : Reflect.set(target, key, value, receiver),
      has: (_target, key) => this.#has(key) || key in Object.prototype,
      deleteProperty: (_target, key) => this.#delete(key),
      ownKeys: () => this.#names(),
      getOwnPropertyDescriptor: (_target, key) => this.#describe(key),
      defineProperty: (_target, key, descriptor) => this.#define(key, descriptor),
      setPrototypeOf: () => {
        throw invalid('The state of a session has no other prototype: store plain data');
      },
      preventExtensions: () => {
        throw invalid('The state of a session cannot be frozen');
      },
    };
  }
}

export function notDeclared(name: string): HoldfastError {
  return invalid(
    `attribute ${JSON.stringify(name)} is not declared: declare it, or allow any name with the option \`undeclared\``,
    name,
  );
}

/** `name`: of the attribute at fault, if it is one. */
function invalid(message: string, name?: string): HoldfastError {
  return new HoldfastError('ERR_INVALID', `${message}.`, name === undefined ? {} : { paths: [[name]] });
}
