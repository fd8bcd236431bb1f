import { randomFillSync } from 'node:crypto';

/** Chance, injected: the simulation brings its own. */
export interface Entropy {
  /** Fills all of `bytes` with random ones. */
  fill(bytes: Uint8Array): void;
}

export const systemEntropy: Entropy = { fill: (bytes) => void randomFillSync(bytes) };

const NONCE_BYTES = 6;
const ID_BYTES = 18;

/**
 * Nonces and session ids of one repository. Nonces are drawn from a pool: one call for random bytes serves hundreds of
 * records.
 */
export class Draws {
  readonly #entropy: Entropy;
  readonly #pool = Buffer.alloc(256 * NONCE_BYTES);
  #used: number = this.#pool.length;

  constructor(entropy: Entropy) {
    this.#entropy = entropy;
  }

  /** 48 random bits. */
  nonce(): number {
    if (this.#used === this.#pool.length) {
      this.#entropy.fill(this.#pool);
      this.#used = 0;
    }
    this.#used += NONCE_BYTES;
    return this.#pool.readUIntLE(this.#used - NONCE_BYTES, NONCE_BYTES);
  }

  /** A session id of 144 random bits, in 24 characters of base64url. */
  id(): string {
    const bytes = Buffer.alloc(ID_BYTES);
    this.#entropy.fill(bytes);
    return bytes.toString('base64url');
  }
}
