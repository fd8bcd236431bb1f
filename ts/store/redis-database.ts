import { HoldfastError } from '../errors.ts';

/** The part of a client of `ioredis` that selects a database. */
interface Selecting {
  callBuffer(command: string, ...args: string[]): Promise<unknown>;
}

/** Database 0 is there, and is where a connection begins. */
const FIRST = 0;

/**
 * That a connection of `ioredis` is in the database that it was made for: where the server has none of that number, the
 * client says nothing, and goes on in the first.
 */
export class RedisDatabase {
  readonly #client: Selecting;
  readonly #number: number;
  readonly #place: string;
  #selecting: Promise<unknown> | undefined;

  constructor(client: Selecting, number: number, place: string) {
    this.#client = client;
    this.#number = number;
    this.#place = place;
  }

  /** The connection is another. */
  forget(): void {
    this.#selecting = undefined;
  }

  /** Undefined: it is the one in which a connection begins. Rejects with `ERR_UNAVAILABLE`: there is none. */
  selected(): Promise<unknown> | undefined {
    if (this.#number === FIRST) return undefined;
    this.#selecting ??= this.#client.callBuffer('SELECT', String(this.#number)).catch((cause: unknown) => {
      this.forget();
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new HoldfastError(
        'ERR_UNAVAILABLE',
        `Redis: the server of ${this.#place} does not give database ${this.#number} (${message}); nothing was sent: name another, or see to the server's \`databases\``,
        { cause, outcome: 'none' },
      );
    });
    return this.#selecting;
  }
}
