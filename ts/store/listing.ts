import { HoldfastError } from '../errors.ts';
import type { Page } from './store.ts';

/**
 * Ids in the order in which they came, page by page: what stays all through is on some page, at a cost that follows the
 * page.
 */
export class Listing {
  readonly #places = new Map<string, number>();
  /** By place, which only grows; undefined: has left. */
  #ids: (string | undefined)[] = [];
  /** Place of `#ids[0]`; those before it have left. */
  #start = 0;

  get size(): number {
    return this.#places.size;
  }

  add(id: string): void {
    if (this.#places.has(id)) return;
    this.#places.set(id, this.#start + this.#ids.length);
    this.#ids.push(id);
  }

  delete(id: string): void {
    const place = this.#places.get(id);
    if (place === undefined) return;
    this.#places.delete(id);
    this.#ids[place - this.#start] = undefined;
    if (this.#ids.length > 64 && this.#ids.length > 2 * this.#places.size) this.#close();
  }

  page(cursor: string | undefined, limit: number): Page {
    const after = cursor === undefined ? 0 : Number(cursor);
    if (!Number.isSafeInteger(after))
      throw new HoldfastError('ERR_INVALID', 'the cursor is none that this store gave out: begin without one');
    const ids: string[] = [];
    for (let place = Math.max(after, this.#start); place < this.#start + this.#ids.length; place += 1) {
      const id = this.#ids[place - this.#start];
      if (id === undefined) continue;
      if (ids.length === limit) return { ids, cursor: String(place) };
      ids.push(id);
    }
    return { ids };
  }

  /** Closes the gaps: who stays gets a new place behind all that were given, and so may be listed twice. */
  #close(): void {
    this.#start += this.#ids.length;
    this.#ids = [...this.#places.keys()];
    this.#ids.forEach((id, index) => this.#places.set(id as string, this.#start + index));
  }
}
