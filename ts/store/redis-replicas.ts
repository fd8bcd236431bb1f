import { HoldfastError } from '../errors.ts';
import type { Deadline } from './deadline.ts';
import type { RedisLink, RedisQueue } from './redis-client.ts';

/** Of one question to the server: who comes while it is asked waits for the next. */
const LONGEST_MS = 250;

/**
 * Waits until replicas have what was written. By a connection of its own, which the waiting blocks; and what counts is
 * all that was written before the last command of that connection: so that it begins with one.
 */
export class RedisReplicas {
  readonly #link: RedisLink;
  #queue: RedisQueue | undefined;
  #asking: Promise<number> | undefined;
  #next: Promise<number> | undefined;
  #isEnding = false;

  constructor(link: RedisLink) {
    this.#link = link;
  }

  /** Resolves when so many have all that was acknowledged before this call; `ERR_UNAVAILABLE`, outcome `unknown`, else. */
  async have(count: number, deadline: Deadline): Promise<void> {
    for (let found = 0; found < count;) {
      try {
        found = await deadline.bound(this.#ask(count));
      } catch (cause) {
        throw tooFew(count, cause);
      }
      if (found < count && this.#isEnding) throw tooFew(count);
    }
  }

  /** Who waits is told after one more answer: the end is not put off for replicas that do not come. */
  endSoon(): void {
    this.#isEnding = true;
  }

  close(): void {
    this.#queue?.end();
  }

  /** How many have what was written before this call. */
  #ask(count: number): Promise<number> {
    this.#next ??= (this.#asking ?? Promise.resolve(0)).then(
      () => this.#begin(count),
      () => this.#begin(count),
    );
    return this.#next;
  }

  #begin(count: number): Promise<number> {
    const queue = (this.#queue ??= this.#link.queue());
    this.#next = undefined;
    const asking = queue
      .send(['PING'])
      .then(() => queue.send(['WAIT', String(count), String(LONGEST_MS)]))
      .then(Number);
    this.#asking = asking.finally(() => (this.#asking = undefined));
    this.#asking.catch(() => undefined); // who asked learns of it
    return asking;
  }
}

/** It is in the primary, and not where durability asks for it, or nobody can tell. */
export const tooFew = (count: number, cause?: unknown): HoldfastError =>
  new HoldfastError(
    'ERR_UNAVAILABLE',
    `Redis: the primary has it, and ${count} of its replicas were to have it too, but did not say so in time: offer the identical call again, or see to the replicas`,
    { cause, outcome: 'unknown' },
  );
