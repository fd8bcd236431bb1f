/** Values to canonical bytes and back. Equal values give equal bytes, whatever was encoded before them. */
export interface Codec {
  /**
   * Bytes of `value`; never overwritten by a later call. `name` is the attribute's, used in errors.
   * Throws `HoldfastError` `ERR_INVALID` naming the path (`cart.items[3].total`) for what cannot be kept: functions,
   * symbols, instances of unknown classes, cycles and shared references.
   */
  encode(value: unknown, name: string): Uint8Array;

  /** As `encode`, but the bytes are overwritten by the next call: for who only looks at them. */
  look(value: unknown, name: string): Uint8Array;

  /** A fresh value, sharing no memory with `bytes`. `ERR_CORRUPT` when the bytes are no encoding. */
  decode(bytes: Uint8Array): unknown;
}
