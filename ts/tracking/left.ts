import type { Host } from './attribute-terms.ts';
import type { Attribute } from './attribute.ts';

/** So many are looked through at least, for those that nobody uses any more. */
const FEW = 64;

/**
 * Attributes that were deleted, once that is saved: there may be ever others. Each is kept for as long as somebody has a
 * part of it in hand, which may be assigned again.
 */
export class LeftAttributes {
  readonly #left = new Map<string, WeakRef<Attribute>>();
  #most: number = FEW;

  add(attribute: Attribute): void {
    this.#left.set(attribute.name, new WeakRef(attribute));
    if (this.#left.size < this.#most) return;
    for (const [name, one] of this.#left) if (one.deref() === undefined) this.#left.delete(name);
    this.#most = 2 * this.#left.size + FEW;
  }

  take(name: string): Attribute | undefined {
    const attribute = this.#left.get(name)?.deref();
    this.#left.delete(name);
    return attribute;
  }

  end(host: Host): void {
    for (const one of this.#left.values()) one.deref()?.end(host);
    this.#left.clear();
  }
}
