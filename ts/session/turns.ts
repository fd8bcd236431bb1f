/** A call is about to return: what it calls back meanwhile (a listener of events) may make another, which waits. */
const BEGINNING: Promise<void> = Promise.resolve();

/** Calls that run one after the other, each at once where none is under way. */
export class Turns {
  /** The last call that was made; undefined: all have come to an end. */
  #last: Promise<void> | undefined;

  take<T>(run: () => Promise<T>): Promise<T> {
    const before = this.#last;
    if (before === BEGINNING) return BEGINNING.then(() => this.take(run));
    this.#last = BEGINNING;
    const result = before === undefined ? run() : before.then(run);
    const done = (): void => {
      if (this.#last === last) this.#last = undefined;
    };
    const last = result.then(done, done);
    this.#last = last;
    return result;
  }

  /** Undefined: none is under way. */
  get last(): Promise<void> | undefined {
    return this.#last;
  }
}
