import { types } from 'node:util';

const { getTime } = Date.prototype;
/** Of one that is the application's: a method of its own is not asked. */
const timeOf = (date: Date): number => getTime.call(date);

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
  #dates: ExposedDate[] = [];
  #bytes: WeakRef<object>[] = [];
  #known: WeakSet<object> = new WeakSet();
  #sweepAt = 64;

  /** `value` was found in `parent` under `key`; undefined: in a Set, or as a key. */
  add(value: object, parent: object | undefined, key: unknown): void {
    if (this.#known.has(value)) return;
    this.#known.add(value);
    if (types.isDate(value)) {
      const holder = parent && new WeakRef(parent);
      this.#dates.push({ date: new WeakRef(value), parent: holder, key, saved: timeOf(value), captured: undefined });
    } else {
      this.#always = true;
      this.#bytes.push(new WeakRef(value));
    }
    if (this.#dates.length + this.#bytes.length > this.#sweepAt) this.#sweep();
  }

  /** What was handed out and is still there. */
  *values(): Iterable<object> {
    for (const { date } of this.#dates) {
      const value = date.deref();
      if (value !== undefined) yield value;
    }
    for (const bytes of this.#bytes) {
      const value = bytes.deref();
      if (value !== undefined) yield value;
    }
  }

  /** What held them has a copy in its place. */
  follow(copies: ReadonlyMap<object, object>): void {
    for (const exposed of this.#dates) {
      const parent = exposed.parent?.deref();
      const copy = parent && copies.get(parent);
      if (copy !== undefined) exposed.parent = new WeakRef(copy);
    }
  }

  /**
   * At the end: `exchange` puts a copy in the place of each Date, if it is still there. False: the application goes on
   * holding parts of the value.
   */
  leave(exchange: (parent: object, key: unknown, date: Date) => void): boolean {
    if (this.#always || this.#dates.some(({ parent }) => parent === undefined)) return false;
    for (const { date, parent, key } of this.#dates) {
      const [value, holder] = [date.deref(), parent?.deref()];
      if (value !== undefined && holder !== undefined) exchange(holder, key, value);
    }
    return true;
  }

  /** Whether one may have changed since the last save. */
  get changed(): boolean {
    return (
      this.#always ||
      this.#dates.some(({ date, saved }) => {
        const value = date.deref();
        return value !== undefined && !Object.is(timeOf(value), saved);
      })
    );
  }

  /** Now is what a save encodes. */
  capture(): void {
    for (const exposed of this.#dates) {
      const value = exposed.date.deref();
      exposed.captured = value && timeOf(value);
    }
  }

  /** What was captured has been saved. What was handed out since is compared with what it was then. */
  settle(): void {
    for (const exposed of this.#dates) {
      exposed.saved = exposed.captured ?? exposed.saved;
      exposed.captured = undefined;
    }
  }

  /** What nobody holds any more is part of no state. */
  #sweep(): void {
    this.#dates = this.#dates.filter(({ date }) => date.deref() !== undefined);
    this.#bytes = this.#bytes.filter((bytes) => bytes.deref() !== undefined);
    this.#sweepAt = Math.max(64, 2 * (this.#dates.length + this.#bytes.length));
  }
}

interface ExposedDate {
  /** Weak, as what holds it, or a long session that replaces its dates would keep them all. */
  readonly date: WeakRef<Date>;
  /** Undefined: a Set, or a Map whose key it is. */
  parent: WeakRef<object> | undefined;
  readonly key: unknown;
  saved: number;
  captured: number | undefined;
}
