import { inspect } from 'node:util';
import { HoldfastError } from '../errors.ts';
import { showPath, showText } from '../path.ts';
import { isObject } from './kinds.ts';
import { NODE, STATE } from './nodes.ts';
import { plain } from './plain.ts';
import type { AttributeSlots, Tracker } from './tracker.ts';

/** What every state is a Proxy of; `console.log` looks at it, with the state as `this`. */
const TARGET: Record<PropertyKey, unknown> = {
  [inspect.custom](this: object) {
    return plain(this);
  },
};

/** A session's attributes as one ordinary object, over what `tracker` notes. */
export function stateOf(tracker: Tracker): Record<string, unknown> {
  const handler = new StateHandler(tracker);
  return (handler.state = new Proxy<Record<string, unknown>>(TARGET, handler));
}

/** The traps. One object a session: a scope's fixed cost is made of such things. */
class StateHandler implements ProxyHandler<Record<string, unknown>> {
  state: Record<string, unknown> = TARGET;
  readonly #tracker: Tracker;
  readonly #slots: AttributeSlots;

  constructor(tracker: Tracker) {
    this.#tracker = tracker;
    this.#slots = tracker.slots;
  }

  #has(key: string | symbol): key is string {
    this.#tracker.checkOpen();
    return typeof key === 'string' && this.#slots.has(key) && this.#tracker.attribute(key) !== undefined;
  }

  has(_target: object, key: string | symbol): boolean {
    return this.#has(key) || key in Object.prototype;
  }

  get(_target: object, key: string | symbol): unknown {
    if (key === NODE) return STATE;
    if (key === 'then' && this.#tracker.isClosed()) return undefined; // see Attribute.isAwaited
    // What every object has: also keeps `await`, JSON and inspection from taking an attribute for a hook.
    if (!this.#has(key)) return Reflect.get(Object.prototype, key, this.state);
    const attribute = this.#tracker.attribute(key)!;
    attribute.noteRead();
    const value = this.#slots.get(key);
    return isObject(value) ? attribute.reach(value, attribute, key) : value;
  }

  set(target: object, key: string | symbol, value: unknown, receiver: unknown): boolean {
    return receiver === this.state ? this.#set(key, value) : Reflect.set(target, key, value, receiver);
  }

  #set(key: string | symbol, value: unknown): boolean {
    this.#tracker.checkOpen();
    if (typeof key === 'symbol') throw namedBySymbol(key);
    this.#tracker.put(this.#tracker.take(key, value));
    return true;
  }

  deleteProperty(_target: object, key: string | symbol): boolean {
    if (!this.#has(key)) return true;
    const attribute = this.#tracker.attribute(key)!;
    attribute.checkAssignable();
    if (attribute.class === 'immutable') throw invalid(`${showPath([key])} is immutable: it cannot be deleted`, key);
    attribute.frozen?.checkRemoval(attribute, key);
    this.#tracker.markWritten(attribute);
    attribute.changes.incomplete ??= 'it was deleted';
    this.#slots.delete(key);
    return true;
  }

  ownKeys(): string[] {
    this.#tracker.checkOpen();
    return this.#slots.names().filter((name) => this.#tracker.attribute(name) !== undefined);
  }

  /** An accessor: listing the names of attributes must not decode and read them all. */
  getOwnPropertyDescriptor(target: object, key: string | symbol): PropertyDescriptor | undefined {
    if (!this.#has(key)) return undefined;
    return {
      get: () => this.get(target, key),
      set: (value: unknown) => void this.#set(key, value),
      enumerable: true,
      configurable: true,
    };
  }

  defineProperty(_target: object, key: string | symbol, descriptor: PropertyDescriptor): boolean {
    const flags = { writable: this.#has(key), enumerable: this.#has(key), configurable: this.#has(key), ...descriptor };
    if (!('value' in descriptor) || !flags.writable || !flags.enumerable || !flags.configurable) {
      throw invalid(
        `attribute ${showText(JSON.stringify(String(key)))} is an ordinary property: assign a value`,
        String(key),
      );
    }
    return this.#set(key, descriptor.value);
  }

  setPrototypeOf(): never {
    throw invalid('the state of a session has no other prototype: store plain data');
  }

  preventExtensions(): never {
    throw invalid('the state of a session cannot be frozen');
  }
}

export function namedBySymbol(symbol: symbol): HoldfastError {
  return invalid(
    `attribute ${showText(String(symbol))} has a symbol for its name, which cannot be stored: name it by text`,
  );
}

export function notDeclared(name: string): HoldfastError {
  return invalid(
    `attribute ${showText(JSON.stringify(name))} is not declared: declare it, or allow any name with the option \`undeclared\``,
    name,
  );
}

/** `name`: of the attribute at fault, if it is one. */
export function invalid(message: string, name?: string): HoldfastError {
  return new HoldfastError('ERR_INVALID', message, name === undefined ? {} : { paths: [[name]] });
}
