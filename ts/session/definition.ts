import type { Codec } from '../codec/codec.ts';
import { HoldfastError } from '../errors.ts';
import { codecOf } from '../codec/msgpack.ts';
import type { ValueType } from '../codec/value-types.ts';
import { mergePolicy } from '../graph/merge.ts';
import type { MergePolicy } from '../graph/merge.ts';
import { checkOptions, count, describe, flag, func, listOf, oneOf, text, withMethods } from '../options.ts';
import type { Rules } from '../options.ts';
import { checkName } from '../path.ts';
import { KEPT_BASES } from '../sync/base.ts';
import type { KeptBase } from '../sync/base.ts';
import { DIFFERENCING } from '../sync/differencing.ts';
import type { Differencing } from '../sync/differencing.ts';
import type { AttributeClass } from '../tracking/classes.ts';
import { namedBySymbol } from '../tracking/state.ts';
import type { FrozenPath } from '../tracking/frozen.ts';
import { NO_FROZEN, frozenPaths, namesTo, type FrozenOf } from './frozen-paths.ts';
import type { MergeOf } from './policy.ts';
import type { SessionRepository } from './repository.ts';
import type { Session } from './session.ts';
import type { IfStorable, Leaf } from './storable.ts';

/** `default`: an absent attribute is shown as one. `required`: a session cannot be created without it. */
export type Presence = 'default' | 'optional' | 'required';

/** What an attribute is: the type of its values, its class, and what it is before it is first written. */
export interface AttributeSpec<T, C extends AttributeClass, P extends Presence> {
  readonly class: C;
  /**
   * Makes the value of an attribute that was never written; a fresh one each time. An immutable one is given it at
   * creation, for good.
   */
  readonly initial: (() => T) | undefined;
  readonly required: boolean;
  /** Of its schema; 0: none. */
  readonly version: number;
  readonly migrate: Migrate<T> | undefined;
  readonly differencing: Differencing | undefined;
  readonly base: KeptBase | undefined;
  /** Undefined: none. */
  readonly frozen: readonly FrozenPath[] | undefined;
  /** Of what both an optimistic use and others have changed. */
  readonly merge: MergePolicy;
  /** Carries the types only. */
  readonly type?: [T, P];
}

type AnySpec = AttributeSpec<unknown, AttributeClass, Presence>;

/**
 * Makes a value of the present schema from one of version `from`, 0 where none was given; `old` is the caller's to
 * change.
 */
export type Migrate<T> = (old: unknown, from: number) => T;

export interface AttributeOptions<T> {
  /** Of the schema of its values, from 1 on. A stored value of a newer one is read-only, and stays as it is. */
  readonly version?: number | undefined;
  /**
   * Called when a value of an older version is read; the result is stored when the attribute is next written. Without
   * it older values are taken as they are.
   */
  readonly migrate?: Migrate<T> | undefined;
  /** A session cannot be created without it. Not together with a default. */
  readonly required?: boolean | undefined;
  /** How changes of it travel. Default: as the repository's option of this name says. */
  readonly differencing?: Differencing | undefined;
  /** What is kept of its bytes between saves. Default: as the repository's option of this name says. */
  readonly base?: KeptBase | undefined;
  /**
   * Portions of it that keep their first value: the names that lead to them, as text (`'plan.limits'`) or one by one,
   * through plain objects; lists and Maps only as a whole. What is absent may still be given. A write to one is
   * `ERR_INVALID`, and so is to assign the attribute, or what holds them, without them. Not of an immutable attribute,
   * which keeps all of its value.
   */
  readonly frozen?: readonly FrozenOf<T>[] | undefined;
  /**
   * What becomes of parts that an optimistic use has changed and others meanwhile too. Default `'fail'`: its save is
   * refused.
   */
  readonly merge?: MergeOf<T> | undefined;
}

/** What is set once has nothing to be merged, and is frozen as a whole. */
type OptionsOf<C extends AttributeClass, T> = C extends 'immutable'
  ? Omit<AttributeOptions<T>, 'merge' | 'frozen'>
  : AttributeOptions<T>;

/** `() => []` says nothing of the elements. */
type Filled<T> = [T] extends [readonly never[]] ? unknown[] : T;

/** `T` names the type of the values: needed where the default does not show it, as in `mutable<string[]>(() => [])`. */
interface Builder<C extends AttributeClass> {
  <T>(): IfStorable<T, AttributeSpec<T, C, 'optional'>>;
  <T>(
    initial: () => T,
    options?: Omit<OptionsOf<C, T>, 'required'>,
  ): IfStorable<Filled<T>, AttributeSpec<Filled<T>, C, 'default'>>;
  <T>(
    initial: undefined,
    options: OptionsOf<C, T> & { readonly required: true },
  ): IfStorable<T, AttributeSpec<T, C, 'required'>>;
  <T>(initial: undefined, options: OptionsOf<C, T>): IfStorable<T, AttributeSpec<T, C, 'optional'>>;
}

const RULES: Rules = {
  version: count(1),
  migrate: func,
  required: flag,
  differencing: oneOf(...DIFFERENCING),
  base: oneOf(...KEPT_BASES),
  frozen: NO_FROZEN,
};

function builder<C extends AttributeClass>(attributeClass: C): Builder<C> {
  const build = (
    initial?: () => unknown,
    options: AttributeOptions<unknown> = {},
  ): AttributeSpec<unknown, C, Presence> => {
    const what = `${attributeClass}(initial, options)`;
    if (initial !== undefined && typeof initial !== 'function') {
      throw new HoldfastError('ERR_INVALID', `${what} takes a default as a function, e.g. ${attributeClass}(() => [])`);
    }
    checkOptions(
      what,
      options,
      attributeClass === 'immutable' ? RULES : { ...RULES, merge: mergePolicy, frozen: listOf(namesTo) },
    );
    const { version = 0, migrate, required = false, merge = 'fail', differencing, base } = options;
    const frozen = options.frozen && frozenPaths(options.frozen);
    if (required && initial !== undefined)
      throw new HoldfastError(
        'ERR_INVALID',
        `${what}: an attribute with a default is never absent, and so not required`,
      );
    if (migrate !== undefined && version === 0)
      throw new HoldfastError('ERR_INVALID', `${what}: migrate needs a version, the one that it leads to`);
    return {
      class: attributeClass,
      initial,
      required,
      version,
      migrate,
      merge: merge as MergePolicy,
      differencing,
      base,
      frozen,
    };
  };
  return build as Builder<C>;
}

/** Compared whenever the save mode has it so; changed in place or assigned at will. */
export const mutable: Builder<'mutable'> = builder('mutable');
/**
 * Set once; read-only from then on, never compared and never sent again. A default is made once, when a session is
 * created without the attribute, and saved with it. A session that is older than the attribute has nothing saved: there
 * the default is made anew at each opening. Dates and bytes in it are handed out as copies: a Date's setters throw, and a
 * change of bytes in place makes the next save an error.
 */
export const immutable: Builder<'immutable'> = builder('immutable');
/** Tracked only when written. */
export const unclassified: Builder<'unclassified'> = builder('unclassified');

/** Nested read-only view, as values of immutable attributes are handed out. */
export type DeepReadonly<T> = T extends (...args: never[]) => unknown
  ? T
  : T extends ReadonlyMap<infer K, infer V>
    ? ReadonlyMap<DeepReadonly<K>, DeepReadonly<V>>
    : T extends ReadonlySet<infer V>
      ? ReadonlySet<DeepReadonly<V>>
      : T extends Leaf
        ? T
        : T extends object
          ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
          : T;

type ValueOf<S> = S extends AttributeSpec<infer T, AttributeClass, Presence> ? T : never;
type NamesOf<A, C extends AttributeClass, P extends Presence> = {
  [K in keyof A]: A[K] extends AttributeSpec<infer _T, infer SC, infer SP>
    ? SC extends C
      ? SP extends P
        ? K
        : never
      : never
    : never;
}[keyof A];
/** Written out, for hovers and messages. */
type Flat<T> = { [K in keyof T]: T[K] } & {};

export type Attributes = Readonly<Record<string, AnySpec>>;

/** The state that attributes make: one property each. */
export type AttributesState<A extends Attributes> = Flat<
  { [K in NamesOf<A, 'mutable' | 'unclassified', 'default' | 'required'>]: ValueOf<A[K]> } & {
    [K in NamesOf<A, 'mutable' | 'unclassified', 'optional'>]?: ValueOf<A[K]>;
  } & { readonly [K in NamesOf<A, 'immutable', 'default' | 'required'>]: DeepReadonly<ValueOf<A[K]>> } & {
    readonly [K in NamesOf<A, 'immutable', 'optional'>]?: DeepReadonly<ValueOf<A[K]>>;
  }
>;

/** First values for attributes, immutable ones too. */
export type AttributesValues<A extends Attributes> = Flat<
  { [K in NamesOf<A, AttributeClass, 'required'>]: ValueOf<A[K]> } & {
    [K in NamesOf<A, AttributeClass, 'default' | 'optional'>]?: ValueOf<A[K]>;
  }
>;

/**
 * A state as values of the caller's own, as `read` gives them: what is read-only in a session can be changed in a copy.
 * With the types of the first values, so that what is declared as read-only stays so.
 */
export type CopiedState<S, V> = {
  -readonly [K in keyof S]: K extends keyof V ? Required<V>[K] | Extract<S[K], undefined> : S[K];
} & {};

/** Attributes of any name beside the declared ones. TypeScript wants their type to cover those as well. */
export type WithUndeclared<T, U> = Flat<T & { [name: string]: U | T[keyof T] }>;

export interface SessionDefinition<S extends object, V extends object> {
  readonly attributes: Attributes;
  /** For attributes that are not declared; undefined: they are refused. */
  readonly undeclared: AnySpec | undefined;
  /** Deleted by the next save of a session that has them. */
  readonly drop: ReadonlySet<string>;
  /** Of its values, instances of the classes that it names included. */
  readonly codec: Codec;
  /** Carries the types only. */
  readonly types?: [S, V];
}

/** The state behind a definition, as the application sees it: `type Shop = StateOf<typeof shop>`. */
export type StateOf<Def> = Def extends SessionDefinition<infer S, infer _V> ? S : never;
/** The state as `read` gives it: a copy, in which nothing is read-only that the definition's types do not say so of. */
export type CopyOf<Def> = Def extends SessionDefinition<infer S, infer V> ? CopiedState<S, V> : never;
/** First values of a session of this definition, as `create` takes them. */
export type ValuesOf<Def> = Def extends SessionDefinition<infer _S, infer V> ? V : never;
/** A repository of this definition's sessions: what a class or function of the application's own takes. */
export type RepositoryOf<Def> = Def extends SessionDefinition<infer S, infer V> ? SessionRepository<S, V> : never;
/** An open session of this definition. */
export type SessionOf<Def> = Def extends SessionDefinition<infer S, infer V> ? Session<S, V> : never;

export interface DefinitionOptions {
  /**
   * Names of attributes that there are no more: deleted from a session by its next save. What is neither declared nor
   * named here is kept, and not seen.
   */
  readonly drop?: readonly string[] | undefined;
  /** Classes whose instances are kept beside JavaScript's and the platform's own: what `valueType` gives. */
  readonly types?: readonly ValueType[] | undefined;
}

/**
 * Declares what sessions hold:
 *
 *     const shop = defineSession({
 *       user: immutable<string>(),
 *       cart: mutable<Item[]>(() => []),
 *       theme: unclassified(() => 'light'),
 *     });
 *
 * `undeclared` allows attributes of other names as well, all of one type and class.
 */
export function defineSession<const A extends Attributes>(
  attributes: A,
  options?: DefinitionOptions,
): SessionDefinition<AttributesState<A>, AttributesValues<A>>;
export function defineSession<const A extends Attributes, U, C extends AttributeClass, P extends Presence>(
  attributes: A,
  options: DefinitionOptions & { readonly undeclared: AttributeSpec<U, C, P> },
): SessionDefinition<WithUndeclared<AttributesState<A>, U>, WithUndeclared<AttributesValues<A>, U>>;
export function defineSession(
  attributes: Attributes,
  options: DefinitionOptions & { readonly undeclared?: AnySpec | undefined } = {},
): SessionDefinition<object, object> {
  checkAttributes(attributes);
  const kept = listOf(withMethods('what valueType gives,', 'toData', 'fromData'));
  checkOptions('defineSession', options, { undeclared: undefined, drop: listOf(text), types: kept });
  const { undeclared, drop = [], types = [] } = options;
  if (undeclared !== undefined && !isSpec(undeclared)) throw undeclarable('undeclared', []);
  if (undeclared?.required === true)
    throw new HoldfastError(
      'ERR_INVALID',
      'undeclared cannot be required: no name says which attributes a session needs; declare those',
    );
  for (const name of drop) {
    if (Object.hasOwn(attributes, name))
      throw new HoldfastError('ERR_INVALID', `attribute '${name}' is declared, and so cannot be dropped`, {
        paths: [[name]],
      });
  }
  return { attributes, undeclared, drop: new Set(drop), codec: codecOf(types) };
}

function checkAttributes(attributes: Attributes): void {
  if (!isPlainObject(attributes)) {
    throw new HoldfastError(
      'ERR_INVALID',
      `defineSession takes a plain object of attributes, each by its name, such as { cart: mutable(() => []) }, not ${describe(attributes)}`,
    );
  }
  const symbol = symbolsOf(attributes)[0];
  if (symbol !== undefined) throw namedBySymbol(symbol);
  for (const [name, spec] of Object.entries(attributes)) {
    checkName(name);
    if (!isSpec(spec)) throw undeclarable(`attribute '${name}'`, [[name]]);
  }
}

/** As `{}` and imported modules are. What a Map holds, or another class inherits, would not be seen. */
function isPlainObject(value: unknown): boolean {
  try {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    const prototype: unknown = Object.getPrototypeOf(value);
    return prototype === null || Object.getPrototypeOf(prototype) === null;
  } catch {
    return false; // a Proxy that was revoked, or throws
  }
}

export const symbolsOf = (value: object): symbol[] =>
  Object.getOwnPropertySymbols(value).filter((symbol) => Object.prototype.propertyIsEnumerable.call(value, symbol));

const isSpec = (spec: unknown): spec is AnySpec =>
  typeof spec === 'object' &&
  spec !== null &&
  ['mutable', 'immutable', 'unclassified'].includes((spec as AnySpec).class);

function undeclarable(what: string, paths: readonly [string][]): HoldfastError {
  return new HoldfastError('ERR_INVALID', `${what} must be declared with mutable(), immutable() or unclassified()`, {
    paths,
  });
}

export function classOf(definition: SessionDefinition<object, object>, name: string): AttributeClass | undefined {
  return specOf(definition, name)?.class;
}

/** Undefined: not part of the state, though a session may have it. */
export function specOf(
  { attributes, undeclared, drop }: SessionDefinition<object, object>,
  name: string,
): AnySpec | undefined {
  if (Object.hasOwn(attributes, name)) return attributes[name];
  return drop.has(name) ? undefined : undeclared;
}

/** By attribute what is kept of its base; undefined: of all the bytes. */
export function keptBaseOf(
  definition: SessionDefinition<object, object>,
  base: KeptBase = 'bytes',
): ((name: string) => KeptBase) | undefined {
  const specs = [...Object.values(definition.attributes), definition.undeclared];
  if (specs.every((spec) => (spec?.base ?? base) === 'bytes')) return undefined;
  return (name) => specOf(definition, name)?.base ?? base;
}
