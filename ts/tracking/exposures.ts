import { types } from 'node:util';

/**
 * Opaque values that were handed out. They are handed out as they are, since the methods of Date, Buffer and the like
 * refuse a Proxy, and so change unseen.
 *
 * A Date is remembered with its time: reading `createdAt` must not cost an encoding of the whole attribute at every
 * save. For bytes a fingerprint costs what the comparison costs, and copying them costs more; so once bytes are out,
 * the attribute is encoded and compared at every save.
 */
export class Exposures {
  #always = false;
  /** Weak, or a long session that replaces its dates would keep them all. */
  #dates: WeakRef<Date>[] = [];
  #bytes: WeakRef<object>[] = [];
  /** What is known of a Date leads to what holds it, and must not keep that: so it stands under the Date. */
  readonly #known: WeakMap<object, Exposed | undefined> = new WeakMap();
  #sweepAt = 64;

  /** `value` was found in `parent` under `key`; undefined: in a Set, or as a key. */
  add(value: object, parent: object | undefined, key: unknown): void {
    if (this.#known.has(value)) return;
    const isDate = types.isDate(value);
    this.#known.set(value, isDate ? { parent, key, saved: value.getTime(), captured: undefined } : undefined);
    if (isDate) this.#dates.push(new WeakRef(value));
    else {
      this.#always = true;
      this.#bytes.push(new WeakRef(value));
    }
    if (this.#dates.length + this.#bytes.length > this.#sweepAt) this.#sweep();
  }

  /** What was handed out and is still there. */
  *values(): Iterable<object> {
    for (const [date] of this.#eachDate()) yield date;
    for (const bytes of this.#bytes) {
      const value = bytes.deref();
      if (value !== undefined) yield value;
    }
  }

  *#eachDate(): Iterable<[Date, Exposed]> {
    for (const ref of this.#dates) {
      const date = ref.deref();
      if (date !== undefined) yield [date, this.#known.get(date)!];
    }
  }

  /** What held them has a copy in its place. */
  follow(copies: ReadonlyMap<object, object>): void {
    for (const [, exposed] of this.#eachDate())
      if (exposed.parent !== undefined) exposed.parent = copies.get(exposed.parent) ?? exposed.parent;
  }

  /**
   * At the end: `exchange` puts a copy in the place of each Date, if it is still there. False: the application goes on
   * holding parts of the value.
   */
  leave(exchange: (parent: object, key: unknown, date: Date) => void): boolean {
    const dates = [...this.#eachDate()];
    if (this.#always || dates.some(([, { parent }]) => parent === undefined)) return false;
    for (const [date, { parent, key }] of dates) exchange(parent!, key, date);
    return true;
  }

  /** Whether one may have changed since the last save. */
  get changed(): boolean {
    if (this.#always) return true;
    for (const [date, { saved }] of this.#eachDate()) if (!Object.is(date.getTime(), saved)) return true;
    return false;
  }

  /** Now is what a save encodes. */
  capture(): void {
    for (const [date, exposed] of this.#eachDate()) exposed.captured = date.getTime();
  }

  /** What was captured has been saved. What was handed out since is compared with what it was then. */
  settle(): void {
    for (const [, exposed] of this.#eachDate()) {
      exposed.saved = exposed.captured ?? exposed.saved;
      exposed.captured = undefined;
    }
  }

  /** What nobody holds any more is part of no state. */
  #sweep(): void {
    this.#dates = this.#dates.filter((date) => date.deref() !== undefined);
    this.#bytes = this.#bytes.filter((bytes) => bytes.deref() !== undefined);
    this.#sweepAt = Math.max(64, 2 * (this.#dates.length + this.#bytes.length));
  }
}

interface Exposed {
  /** What it was found in; undefined: a Set, or a Map whose key it is. */
  parent: object | undefined;
  readonly key: unknown;
  saved: number;
  captured: number | undefined;
}
