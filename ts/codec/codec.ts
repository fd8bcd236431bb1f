import type { Named } from './ids.ts';
import type { ValueTypes } from './value-types.ts';

/**
 * Values to canonical bytes and back. Equal values give equal bytes, whatever was encoded before them, but where `named`
 * tells what objects that are in several places were called before.
 */
export interface Codec {
  /** The classes whose instances are kept. */
  readonly types: ValueTypes;

  /**
   * Bytes of `value`; never overwritten by a later call. `name` is the attribute's, used in errors. `named` is
   * given what they are called now. Throws `HoldfastError` `ERR_INVALID` naming the path (`cart.items[3].total`) for what cannot be
   * kept: functions, symbols, instances of unknown classes.
   */
  encode(value: unknown, name: string, named?: Named): Uint8Array;

  /** As `encode`, but the bytes are overwritten by the next call: for who only looks at them. */
  look(value: unknown, name: string, named?: Named): Uint8Array;

  /**
   * A fresh value, sharing no memory with `bytes`; `named` is told what is in several places. `ERR_CORRUPT` when the
   * bytes are no encoding, `ERR_INVALID` where a class is not known.
   */
  decode(bytes: Uint8Array, name?: string, named?: Named): unknown;
}
