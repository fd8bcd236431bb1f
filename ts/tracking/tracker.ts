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
export type { AttributeClass, SaveMode } from './classes.ts';

/** The session's attributes as raw (never proxied) values; decoding happens behind `get`. */
export interface AttributeSlots {
  has(name: string): boolean;
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  delete(name: string): void;
  names(): string[];
  /**
   * Stands for the attribute as long as its value may be shown by the next tracker as it is. Values of another owner are
   * copied before they are shown. Without this method each tracker copies.
   */
  owner?(name: string): object;
}

export interface TrackerOptions {
  readonly slots: AttributeSlots;
  readonly saveMode: SaveMode;
  /** Undefined: not declared, and so not allowed. */
  classOf(name: string): AttributeClass | undefined;
}

/**
 * Shows a session's attributes as one ordinary object and notes which are read and written, at any depth.
 *
 * A save goes `capture` → encode and append → `settle`. What is read or written between the two stays noted for the next
 * save; when a save fails, nothing is lost by not calling `settle`.
 */
export class Tracker {
  readonly state: Record<string, unknown>;
  readonly #options: TrackerOptions;
  readonly #attributes = new Map<string, Attribute>();
  readonly #readSet = new Set<string>();
  readonly #writeSet = new Set<string>();
  readonly #host: Host;
  #closed = false;
  /** Marks are made in generations, so that `settle` takes back only what was captured. */
  #generation = 1;
  #captured: number | undefined;

  constructor(options: TrackerOptions) {
    this.#options = options;
    this.#host = {
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
    return this.#readSet;
  }

  /** Names of the attributes assigned, changed inside or deleted since the last save. Assigning an equal value counts. */
  get writeSet(): ReadonlySet<string> {
    return this.#writeSet;
  }

  /** Names that a save has to encode and compare: by the save mode, in the order of the slots, then those deleted. */
  tracked(): string[] {
    const present = this.#options.slots.names();
    const names = new Set(present);
    const deleted = [...this.#writeSet].filter((name) => !names.has(name));
    return [...present.filter((name) => this.#isTracked(name)), ...deleted];
  }

  /** `tracked`, as the start of a save: what is noted from now on belongs to the next. */
  capture(): string[] {
    this.#captured = this.#generation++;
    for (const attribute of this.#attributes.values()) {
      attribute.reading = attribute.writing = false;
      attribute.exposures?.capture();
    }
    return this.tracked();
  }

  /** After a successful save: forgets the reads and writes that were captured, or all if `capture` was not called. */
  settle(): void {
    const upTo = this.#captured ?? this.#generation++;
    this.#captured = undefined;
    for (const [name, attribute] of this.#attributes) {
      if (attribute.readIn <= upTo) {
        this.#readSet.delete(name);
        attribute.reading = false;
      }
      if (attribute.writtenIn <= upTo) {
        this.#writeSet.delete(name);
        attribute.writing = false;
      }
      attribute.exposures?.settle();
    }
  }

  /**
   * At the end, once a save has encoded everything: puts copies in the place of objects that the application assigned and may
   * still hold. Names of attributes where that was not possible, Dates and bytes that were handed out included: their
   * values must be decoded again.
   */
  detach(): string[] {
    for (const attribute of this.#attributes.values()) attribute.detach();
    return [...this.#attributes.values()].filter(({ aliased }) => aliased).map(({ name }) => name);
  }

  /** From now on every access through `state`, or through anything handed out, throws `ERR_CLOSED`. */
  close(): void {
    this.#closed = true;
    for (const attribute of this.#attributes.values()) attribute.reading = attribute.writing = false;
  }

  #isTracked(name: string): boolean {
    const attributeClass = this.#options.classOf(name);
    if (this.#writeSet.has(name)) return true;
    if (attributeClass === undefined || attributeClass === 'immutable') return false;
    if (this.#options.saveMode === 'all' || this.#attributes.get(name)?.exposures?.changed === true) return true;
    if (!this.#readSet.has(name)) return false;
    return this.#options.saveMode === 'access' || (this.#options.saveMode === 'mutable-access' && attributeClass === 'mutable');
  }

  #markRead(attribute: Attribute): void {
    this.#checkOpen();
    attribute.reading = true;
    attribute.readIn = this.#generation;
    this.#readSet.add(attribute.name);
  }

  #markWritten(attribute: Attribute): void {
    this.#checkOpen();
    attribute.writing = true;
    attribute.writtenIn = this.#generation;
    this.#writeSet.add(attribute.name);
  }

  #checkOpen(): void {
    if (this.#closed) throw new HoldfastError('ERR_CLOSED', 'The session is closed: open it again and use its new state.');
  }

  /** Undefined: not declared. */
  #attribute(name: string): Attribute | undefined {
    const known = this.#attributes.get(name);
    if (known !== undefined) return known;
    const attributeClass = this.#options.classOf(name);
    if (attributeClass === undefined) return undefined;
    const attribute = new Attribute(this.#host, name, attributeClass, this.#options.slots.owner?.(name) ?? {});
    this.#attributes.set(name, attribute);
    return attribute;
  }

  #has(key: string | symbol): key is string {
    this.#checkOpen();
    return typeof key === 'string' && this.#options.slots.has(key) && this.#attribute(key) !== undefined;
  }

  #get(key: string | symbol): unknown {
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
    if (attribute === undefined) {
      throw invalid(`attribute ${JSON.stringify(name)} is not declared: declare it, or allow any name with the option \`undeclared\``, name);
    }
    const immutable = attribute.class === 'immutable';
    if (immutable && this.#options.slots.has(name)) throw invalid(`${formatPath([name])} is immutable and already set: it cannot be set again`, name);
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
    return { get: () => this.#get(key), set: (value: unknown) => void this.#set(key, value), enumerable: true, configurable: true };
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
      set: (target, key, value, receiver) => (receiver === this.state ? this.#set(key, value) : Reflect.set(target, key, value, receiver)),
      has: (_target, key) => this.#has(key) || key in Object.prototype,
      deleteProperty: (_target, key) => this.#delete(key),
      ownKeys: () => this.#names(),
      getOwnPropertyDescriptor: (_target, key) => this.#describe(key),
      defineProperty: (_target, key, descriptor) => this.#define(key, descriptor),
      setPrototypeOf: () => { throw invalid('The state of a session has no other prototype: store plain data'); },
      preventExtensions: () => { throw invalid('The state of a session cannot be frozen'); },
    };
  }
}

/** `name`: of the attribute at fault, if it is one. */
function invalid(message: string, name?: string): HoldfastError {
  return new HoldfastError('ERR_INVALID', `${message}.`, name === undefined ? {} : { paths: [[name]] });
}
