import { HoldfastError } from '../errors.ts';
import type { Position } from '../position.ts';
import type { Token } from '../token.ts';
import type { Hold, Keeper, Waiter } from './hold.ts';

/** What it needs of the lock that is kept. */
interface Kept {
  /** It is another's. */
  lose(): void;
  /** It is kept no more. */
  letGo(): void;
  /** Goes on with what has come up. */
  next(): void;
}

/** A lock that is kept for what waits for the store. */
export class Keeping implements Keeper {
  readonly #lock: Kept;
  /** Asks for it anew. */
  waiter: Waiter | undefined;
  #hold: Hold | undefined;
  #hasEnded = false;

  constructor(lock: Kept) {
    this.#lock = lock;
  }

  again(since: () => Position): Promise<Token> {
    if (this.#hasEnded) return Promise.reject(ended());
    void this.#hold?.end('lost');
    this.#hold = undefined;
    this.#lock.lose();
    return new Promise((resolve, reject) => {
      this.waiter = {
        since,
        tryOnly: false,
        holdMs: undefined,
        existing: false,
        underWay: true,
        terms: undefined,
        grant: (hold) => {
          this.waiter = undefined;
          this.#hold = hold;
          resolve(hold.token);
        },
        fail: (error) => {
          this.waiter = undefined;
          reject(error as Error);
        },
      };
      this.#lock.next();
    });
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#lock.letGo();
    this.waiter?.fail(ended());
    void this.#hold?.end('keep');
    this.#lock.next();
  }
}

const ended = (): HoldfastError => new HoldfastError('ERR_CLOSED', 'the lock is not kept any more');
