import { Encoder } from '../codec/encoder.ts';
import type { ValueTypes } from '../codec/value-types.ts';

const LONGEST = 32;
const MOST_KEYS = 4_096;

/** Keys as they are encoded, to be looked for in bytes. Names of properties, which come again and again, are kept. */
export class EncodedKeys {
  private readonly encoder = new Encoder();
  private readonly known = new Map<unknown, Uint8Array>();

  /** Valid until the next call. */
  of(key: unknown, types: ValueTypes): Uint8Array {
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const encoded = this.encoder.encode(key, types);
    if (typeof key === 'string' && key.length <= LONGEST) {
      if (this.known.size === MOST_KEYS) this.known.clear();
      this.known.set(key, new Uint8Array(encoded));
    }
    return encoded;
  }
}
