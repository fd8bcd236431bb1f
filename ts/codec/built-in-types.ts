import { types } from 'node:util';
import { HoldfastError } from '../errors.ts';
import { refuse } from './fault.ts';
import { ValueTypes, type ClassOf, type ValueType } from './value-types.ts';

function damaged(name: string, cause?: unknown): never {
  throw new HoldfastError('ERR_CORRUPT', `not an encoded value: what is kept of a ${name} is damaged`, { cause });
}

interface Conversion<T, D> {
  /** Throws for what merely has the prototype. */
  readonly toData: (instance: T) => D;
  readonly fromData: (data: D) => T;
  readonly isSame?: (a: D, b: D) => boolean;
  /** Own properties that can be seen. */
  readonly properties?: (data: D) => number;
}

/** What gives other data again than it was made of is damaged. */
function builtIn<T extends object, D>(
  name: string,
  Class: ClassOf<T>,
  { toData, fromData, isSame = Object.is, properties = () => 0 }: Conversion<T, D>,
): ValueType {
  const dataOf = (instance: object): D => {
    try {
      return toData(instance as T);
    } catch {
      return refuse(`an instance of ${name} by its looks alone (a Proxy, say)`, `store a ${name}`);
    }
  };
  const made = (data: unknown): T => {
    try {
      const instance = fromData(data as D);
      return isSame(toData(instance), data as D) ? instance : damaged(name);
    } catch (cause) {
      return damaged(name, cause);
    }
  };
  return {
    name,
    prototype: Class.prototype as object,
    toData(instance) {
      const data = dataOf(instance);
      if (Object.keys(instance).length > properties(data))
        refuse(`an instance of ${name} with own properties`, 'keep them in an object beside it');
      return data;
    },
    fromData: made,
  };
}

/** What the engine's own getter says, which asks for the real thing. */
function getterOf<T>(prototype: object, key: string): (instance: object) => T {
  const { get } = Object.getOwnPropertyDescriptor(prototype, key) as { get(): T };
  return (instance) => Reflect.apply(get, instance, []) as T;
}

function methodOf<T>(prototype: object, key: string): (instance: object) => T {
  const method = (prototype as Record<string, () => T>)[key]!;
  return (instance) => Reflect.apply(method, instance, []) as T;
}

type Pattern = readonly [source: string, flags: string, lastIndex: unknown];

const sourceOf = getterOf<string>(RegExp.prototype, 'source');
const flagsOf = getterOf<string>(RegExp.prototype, 'flags');

const PATTERN = builtIn<RegExp, Pattern>('RegExp', RegExp, {
  toData: (pattern) => [sourceOf(pattern), flagsOf(pattern), pattern.lastIndex],
  fromData: ([source, flags, lastIndex]) => Object.assign(new RegExp(source, flags), { lastIndex }),
  isSame: (a, b) => Array.isArray(b) && b.length === 3 && a.every((part, i) => Object.is(part, b[i])),
});

function boxed(Class: unknown, type: string): ValueType {
  const { name, prototype } = Class as { readonly name: string; readonly prototype: object };
  return builtIn<object, unknown>(name, Class as ClassOf<object>, {
    toData: methodOf(prototype, 'valueOf'),
    fromData: (data) => (typeof data === type ? (Object(data) as object) : damaged(name)),
    properties: (data) => (typeof data === 'string' ? data.length : 0),
  });
}

const BOXES: readonly ValueType[] = [
  boxed(Boolean, 'boolean'),
  boxed(Number, 'number'),
  boxed(String, 'string'),
  boxed(BigInt, 'bigint'),
];

const ADDRESSES: readonly ValueType[] = [
  builtIn('URL', URL, { toData: getterOf<string>(URL.prototype, 'href'), fromData: (text) => new URL(text) }),
  builtIn('URLSearchParams', URLSearchParams, {
    toData: methodOf<string>(URLSearchParams.prototype, 'toString'),
    fromData: (text) => new URLSearchParams(text),
  }),
];

const TIME_NAMES = [
  ...['Instant', 'Duration', 'PlainDate', 'PlainDateTime', 'PlainMonthDay', 'PlainTime', 'PlainYearMonth'],
  'ZonedDateTime',
];

/** Those of the language's dates and times that this Node has, each as the text that names it. */
function times(): ValueType[] {
  const { Temporal = {} } = globalThis as { Temporal?: Record<string, unknown> };
  return TIME_NAMES.flatMap((name) => {
    const Class = Temporal[name] as (ClassOf<object> & { from(text: string): object }) | undefined;
    if (typeof Class !== 'function') return [];
    const toData = methodOf<string>(Class.prototype as object, 'toString');
    return [builtIn(`Temporal.${name}`, Class, { toData, fromData: (text) => Class.from(text) })];
  });
}

/** Own properties of an error: hidden ones as engines make them, and those that can be seen. */
type ErrorData = readonly [hidden: Record<string, unknown>, shown: Record<string, unknown>];

const HIDDEN: readonly string[] = ['message', 'stack', 'cause', 'errors'];

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

function errorData(instance: object): ErrorData {
  const hidden: Record<string, unknown> = {};
  for (const key of HIDDEN)
    if (Object.getOwnPropertyDescriptor(instance, key)?.enumerable === false)
      hidden[key] = (instance as Record<string, unknown>)[key];
  return [hidden, { ...instance }];
}

/** Makes the own properties of `error` those of `data`, whatever it came with. */
function complete(name: string, error: object, data: unknown): object {
  const [hidden, shown, ...more] = Array.isArray(data) ? (data as unknown[]) : [];
  if (!isPlain(hidden) || !isPlain(shown) || more.length > 0) return damaged(name);
  if (Object.keys(hidden).some((key) => !HIDDEN.includes(key))) return damaged(name);
  for (const key of HIDDEN) Reflect.deleteProperty(error, key);
  const add = (from: Record<string, unknown>, enumerable: boolean): void => {
    for (const key of Object.keys(from))
      Object.defineProperty(error, key, { value: from[key], writable: true, enumerable, configurable: true });
  };
  add(hidden, false);
  add(shown, true);
  return error;
}

function errorType(Class: ErrorConstructor | AggregateErrorConstructor): ValueType {
  const { name, prototype } = Class;
  return {
    name,
    prototype,
    toData: (instance) =>
      types.isNativeError(instance)
        ? errorData(instance)
        : refuse(`an instance of ${name} by its looks alone (a Proxy, say)`, `store an ${name}`),
    fromData: (data) => complete(name, Reflect.construct(Class, [[]]) as object, data),
  };
}

const ERRORS: readonly ValueType[] = [
  ...[Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError],
].map(errorType);

const messageOf = getterOf<string>(DOMException.prototype, 'message');
const nameOf = getterOf<string>(DOMException.prototype, 'name');

const DOM_EXCEPTION: ValueType = {
  name: 'DOMException',
  prototype: DOMException.prototype,
  toData: (instance) => [messageOf(instance), nameOf(instance), errorData(instance)],
  fromData(data) {
    const [message, name, own] = Array.isArray(data) ? (data as unknown[]) : [];
    if (typeof message !== 'string' || typeof name !== 'string') return damaged('DOMException');
    return complete('DOMException', new DOMException(message, name), own);
  },
};

/** Classes of JavaScript and the platform that every definition keeps, under their own names. */
export const BUILT_IN: readonly ValueType[] = [PATTERN, ...BOXES, ...ADDRESSES, ...times(), ...ERRORS, DOM_EXCEPTION];

export const BUILT_IN_TYPES: ValueTypes = new ValueTypes(BUILT_IN);
