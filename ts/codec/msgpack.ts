import { HoldfastError } from '../errors.ts';
import type { Codec } from './codec.ts';
import { Decoder } from './decoder.ts';
import { Encoder } from './encoder.ts';

/** Taken while in use: a getter inside a value may encode another. */
let spare: Encoder | undefined = new Encoder();

/** Canonical MessagePack; the bytes are drawn in `format.ts`. */
export const msgpackCodec: Codec = {
  encode(value: unknown, path: string): Uint8Array {
    const encoder = spare ?? new Encoder();
    spare = undefined;
    try {
      return encoder.encode(value, path);
    } finally {
      spare = encoder;
    }
  },

  decode(bytes: Uint8Array): unknown {
    if (!(bytes instanceof Uint8Array)) throw new HoldfastError('ERR_INVALID', 'decode takes a Uint8Array.');
    return new Decoder(bytes).decode();
  },
};
