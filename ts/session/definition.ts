import { HoldfastError } from '../errors.ts';
import type { AttributeClass } from '../tracking/classes.ts';

/** What an attribute is: the type of its values, its class, and what it is before it is first written. */
export interface AttributeSpec<T, C extends AttributeClass, D extends boolean> {
  readonly class: C;
  /** Makes the value of an attribute that was never written; a fresh one each time. */
  readonly initial: (() => T) | undefined;
  /** Carries the types only. */
  readonly type?: [T, D];
}

// oxlint-disable-next-line no-explicit-any -- the one place where the values' type does not matter
type AnySpec = AttributeSpec<any, AttributeClass, boolean>;

interface Builder<C extends AttributeClass> {
  <T>(): AttributeSpec<T, C, false>;
  <T>(initial: () => T): AttributeSpec<T, C, true>;
}

const builder =
  <C extends AttributeClass>(attributeClass: C): Builder<C> =>
  <T, D extends boolean>(initial?: () => T): AttributeSpec<T, C, D> => ({ class: attributeClass, initial });

/** Compared whenever the save mode has it so; changed in place or assigned at will. */
export const mutable: Builder<'mutable'> = builder('mutable');
/** Set once; read-only from then on, never compared and never sent again. */
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
      : T extends Date | ArrayBufferView | ArrayBuffer
        ? T
        : T extends object
          ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
          : T;

type ValueOf<S> = S extends AttributeSpec<infer T, AttributeClass, boolean> ? T : never;
type NamesOf<A, C extends AttributeClass, D extends boolean> = {
  [K in keyof A]: A[K] extends AttributeSpec<infer _T, infer SC, infer SD> ? (SC extends C ? (SD extends D ? K : never) : never) : never;
}[keyof A];
type Flat<T> = { [K in keyof T]: T[K] };

export type Attributes = Readonly<Record<string, AnySpec>>;

/** The state of a session as the application sees it: one property per attribute. */
export type StateOf<A extends Attributes> = Flat<
  { [K in NamesOf<A, 'mutable' | 'unclassified', true>]: ValueOf<A[K]> } & {
    [K in NamesOf<A, 'mutable' | 'unclassified', false>]?: ValueOf<A[K]>;
  } & { readonly [K in NamesOf<A, 'immutable', true>]: DeepReadonly<ValueOf<A[K]>> } & {
    readonly [K in NamesOf<A, 'immutable', false>]?: DeepReadonly<ValueOf<A[K]>>;
  }
>;

/** First values for attributes, immutable ones too. */
export type ValuesOf<A extends Attributes> = { [K in keyof A]?: ValueOf<A[K]> };

export interface SessionDefinition<S extends object, V extends object> {
  readonly attributes: Attributes;
  /** For attributes that are not declared; undefined: they are refused. */
  readonly undeclared: AnySpec | undefined;
  /** Carries the types only. */
  readonly types?: [S, V];
}

/** The state's type behind a definition: `type Shop = SessionState<typeof shop>`. */
export type SessionState<Def> = Def extends SessionDefinition<infer S, infer _V> ? S : never;

/**
 * Declares what sessions hold:
 *
 *     const shop = defineSession({ user: immutable<string>(), cart: mutable<Item[]>(() => []), theme: unclassified(() => 'light') });
 *
 * `undeclared` allows attributes of other names as well, all of one type and class.
 */
export function defineSession<const A extends Attributes>(attributes: A): SessionDefinition<StateOf<A>, ValuesOf<A>>;
export function defineSession<const A extends Attributes, U, C extends AttributeClass, D extends boolean>(
  attributes: A,
  options: { readonly undeclared: AttributeSpec<U, C, D> },
): SessionDefinition<StateOf<A> & Record<string, U>, ValuesOf<A> & Record<string, U>>;
export function defineSession(attributes: Attributes, options: { readonly undeclared?: AnySpec } = {}): SessionDefinition<object, object> {
  if (typeof attributes !== 'object' || attributes === null) throw new HoldfastError('ERR_INVALID', 'defineSession takes an object of attributes');
  for (const [name, spec] of Object.entries(attributes)) {
    if (typeof spec !== 'object' || spec === null || (spec.initial !== undefined && typeof spec.initial !== 'function') || !['mutable', 'immutable', 'unclassified'].includes(spec.class)) {
      throw new HoldfastError('ERR_INVALID', `attribute '${name}' must be declared with mutable(), immutable() or unclassified(); a default is given as a function, e.g. mutable(() => [])`, { paths: [[name]] });
    }
  }
  return { attributes, undeclared: options.undeclared };
}

export function classOf(definition: SessionDefinition<object, object>, name: string): AttributeClass | undefined {
  return specOf(definition, name)?.class;
}

export function specOf(definition: SessionDefinition<object, object>, name: string): AnySpec | undefined {
  return Object.hasOwn(definition.attributes, name) ? definition.attributes[name] : definition.undeclared;
}
