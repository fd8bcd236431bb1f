import { HoldfastError, nameOf } from '../errors.ts';
import { describe } from '../options.ts';
import { Fault } from './fault.ts';

/** How instances of a class are kept: see `valueType`. */
export interface ValueType {
  /** In the stored bytes, for good. */
  readonly name: string;
  readonly prototype: object;
  toData(instance: object): unknown;
  fromData(data: unknown): object;
}

export interface ValueTypeFunctions<T, D> {
  /** What an instance is made of, which sessions keep. Called whenever one is saved. */
  readonly toData: (instance: T) => D;
  /** A new instance of the data, which is of its own. */
  readonly fromData: (data: D) => T;
}

/** A class whose instances, but not those of subclasses, are kept under `name`. */
export type ClassOf<T> = abstract new (...args: never[]) => T;

const TypedArray: unknown = Object.getPrototypeOf(Uint8Array);

/** What is kept in a form of its own, or never. */
const OWN_FORMS: ReadonlySet<unknown> = new Set<unknown>([
  ...[Object, Array, Map, Set, Date, Buffer, ArrayBuffer, DataView, SharedArrayBuffer, Function, Promise],
  TypedArray,
]);

/**
 * Has instances of a class kept: `defineSession({ … }, { types: [valueType('Money', Money, { toData, fromData })] })`.
 * They are saved as the data that `toData` makes, under `name`, and made again from it by `fromData`.
 *
 * @throws HoldfastError `ERR_INVALID` for wrong arguments.
 */
export function valueType<T extends object, D>(
  name: string,
  Class: ClassOf<T>,
  functions: ValueTypeFunctions<T, D>,
): ValueType {
  if (typeof name !== 'string' || name === '')
    refuse(`its name must be text, not ${name === '' ? 'empty' : describe(name)}`);
  if (typeof Class !== 'function' || typeof Class.prototype !== 'object' || Class.prototype === null)
    refuse(`'${name}' needs a class, not ${describe(Class)}`);
  const { toData, fromData } = (functions ?? {}) as Partial<ValueTypeFunctions<T, D>>;
  if (typeof toData !== 'function' || typeof fromData !== 'function')
    refuse(`'${name}' needs { toData, fromData }, two functions`);
  const prototype = Class.prototype as object;
  if (OWN_FORMS.has(Class) || Object.getPrototypeOf(Class) === TypedArray)
    refuse(`'${name}': ${Class.name} is kept as it is`);
  return Object.freeze({
    name,
    prototype,
    toData: (instance: object) => dataOf(name, () => toData(instance as T)),
    fromData: (data: unknown) => made(name, prototype, data, fromData as (data: unknown) => unknown),
  });
}

function refuse(why: string): never {
  throw new HoldfastError('ERR_INVALID', `valueType: ${why}`);
}

function dataOf(name: string, toData: () => unknown): unknown {
  try {
    return toData();
  } catch (cause) {
    // Of its range errors one alone is not its own: the stack is used up.
    if (cause instanceof HoldfastError || isStackUsedUp(cause)) throw cause;
    throw new Fault(
      `could not be read, as toData of the value type '${name}' threw (${nameOf(cause)}, see \`cause\`): let it take every instance of the class`,
      { cause },
    );
  }
}

const isStackUsedUp = (cause: unknown): boolean => cause instanceof RangeError && cause.message.includes('call stack');

/** What would not be written as it was read is refused. */
function made(name: string, prototype: object, data: unknown, fromData: (data: unknown) => unknown): object {
  let instance: unknown;
  try {
    instance = fromData(data);
  } catch (cause) {
    const why = `fromData of the value type '${name}' threw (${cause instanceof Error ? cause.name : 'no error'}, see \`cause\`): let it take what was stored under this name, also long ago`;
    throw new HoldfastError('ERR_INVALID', why, { cause });
  }
  if (typeof instance === 'object' && instance !== null && Object.getPrototypeOf(instance) === prototype)
    return instance;
  const why = `fromData of the value type '${name}' returned ${describe(instance)}: it must return a new instance of the class itself`;
  throw new HoldfastError('ERR_INVALID', why);
}

/** The classes whose instances a definition keeps: the built-in ones, and those that it names. */
export class ValueTypes {
  readonly #byPrototype = new Map<unknown, ValueType>();
  readonly #byName = new Map<string, ValueType>();

  /** @throws HoldfastError `ERR_INVALID` where a name or class is there twice, or is built in. */
  constructor(builtIn: Iterable<ValueType>, more: Iterable<ValueType> = []) {
    for (const type of builtIn) this.#add(type);
    for (const type of more) {
      if (this.#byName.has(type.name)) refuse(`the name '${type.name}' is taken; give it another`);
      if (this.#byPrototype.has(type.prototype))
        refuse(`the class of '${type.name}' is kept as '${this.#byPrototype.get(type.prototype)!.name}' already`);
      this.#add(type);
    }
  }

  #add(type: ValueType): void {
    this.#byName.set(type.name, type);
    this.#byPrototype.set(type.prototype, type);
  }

  /** Undefined: instances are not kept. */
  of(prototype: unknown): ValueType | undefined {
    return this.#byPrototype.get(prototype);
  }

  /** @throws HoldfastError `ERR_INVALID` where the class is not known here. */
  instanceOf(name: string, data: unknown): object {
    const type = this.#byName.get(name);
    if (type !== undefined) return type.fromData(data);
    const text = name.length > 64 ? `${name.slice(0, 64)}…` : name;
    throw new HoldfastError(
      'ERR_INVALID',
      `a value of the class ${JSON.stringify(text)} is kept there, which is not known here: name it, types: [valueType(${JSON.stringify(text)}, …)]`,
    );
  }

  /** Another instance of the same data; `instance` itself where its class is not kept. */
  copy(instance: object, copyData: (data: unknown) => unknown): object {
    const type = this.of(Object.getPrototypeOf(instance));
    return type === undefined ? instance : type.fromData(copyData(type.toData(instance)));
  }
}
