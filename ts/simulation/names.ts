/**
 * Ids of a run's sessions: each slot has one that is in use; when it ends, the slot goes on under another. All come
 * from one counter, so that none is given twice.
 */
export class Names {
  readonly #prefix: string;
  readonly #current: string[] = [];
  readonly all: Set<string> = new Set();

  constructor(prefix: string, slots: number) {
    this.#prefix = prefix;
    for (let slot = 0; slot < slots; slot += 1) this.#current.push(this.fresh());
  }

  at(slot: number): string {
    return this.#current[slot] as string;
  }

  fresh(): string {
    const id = `${this.#prefix}${this.all.size}`;
    this.all.add(id);
    return id;
  }

  /** `id` has ended, or is `then` from now on. */
  end(slot: number, id: string, then: string = this.fresh()): void {
    if (this.#current[slot] === id) this.#current[slot] = then;
  }
}
