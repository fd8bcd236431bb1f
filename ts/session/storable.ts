/** What stands in a type in the place of something that no session can keep. The compiler shows it, path and all. */
export interface NotKept<Why extends string> {
  readonly why: Why;
}

/**
 * Classes of the application's own that definitions keep, by any names, so that types which have them compile: `declare
 * module 'holdfast' { interface RegisteredClasses { money: Money } }`.
 */
// oxlint-disable-next-line no-empty-interface -- it is for others to add to
export interface RegisteredClasses {}

type Primitive = string | number | bigint | boolean | null | undefined;
type Kept = Date | ArrayBuffer | ArrayBufferView | RegExp | URL | URLSearchParams;

/** What is handed out as it is. */
export type Leaf = Primitive | Kept | RegisteredClasses[keyof RegisteredClasses];

// As interfaces they are looked into only where that is needed: types that contain themselves come to an end.
interface ArrayOf<E> {
  readonly [index: number]: Storable<E>;
}
interface MapOf<K, V> {
  keys(): Iterable<Storable<K>>;
  values(): Iterable<Storable<V>>;
}
interface SetOf<V> {
  values(): Iterable<Storable<V>>;
}

/** `T` itself, as far as it is data; what is not, is `NotKept` there, written out for the message. */
export type Storable<T> = T extends Leaf
  ? T
  : T extends
        | ((...args: never[]) => unknown)
        | (abstract new (...args: never[]) => unknown)
        | symbol
        | PromiseLike<unknown>
    ? NotKept<'is no data: functions, symbols, promises and instances with methods cannot be kept; store a plain object'>
    : T extends ReadonlyMap<infer K, infer V>
      ? MapOf<K, V>
      : T extends ReadonlySet<infer V>
        ? SetOf<V>
        : T extends readonly never[]
          ? NotKept<'is an empty array, which says nothing of its elements: name the type, as in mutable<{ list: string[] }>(…)'>
          : T extends readonly unknown[]
            ? ArrayOf<T[number]>
            : T extends object
              ? { [K in keyof T]: Storable<T[K]> }
              : T;

/** `Spec` where `T` is data. `defineSession` takes no other. */
export type IfStorable<T, Spec> = [T] extends [Storable<T>] ? Spec : Storable<T>;
