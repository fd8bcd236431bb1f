import { Unpackr } from 'msgpackr/index-no-eval';
import { HoldfastError } from '../errors.ts';
import type { Codec } from './codec.ts';
import { Encoder } from './encoder.ts';
import { refusal } from './fault.ts';
import { OPTIONS } from './format.ts';
import './readers.ts';
import { scan } from './scan.ts';

const unpackr = new Unpackr({ ...OPTIONS });
const encoder = new Encoder();
/** Calls under way: a getter inside a value may encode another. */
let running = 0;

/** Nor are decoded bytes that are more than this. */
const KEPT_READ_BYTES = 1_048_576;
const NIL = Buffer.from([0xc0]);

function look(value: unknown, name: string): Uint8Array {
  running += 1;
  try {
    return (running === 1 ? encoder : new Encoder()).encode(value);
  } catch (cause) {
    throw refusal(cause, value, name);
  } finally {
    running -= 1;
  }
}

/** Canonical MessagePack; the bytes are drawn in `format.ts`. */
export const msgpackCodec: Codec = {
  encode(value: unknown, name: string): Uint8Array {
    return new Uint8Array(look(value, name));
  },

  look,

  decode(bytes: Uint8Array): unknown {
    if (!(bytes instanceof Uint8Array)) throw new HoldfastError('ERR_INVALID', 'decode takes a Uint8Array.');
    try {
      // A view of its own, because msgpackr notes things on it; a Buffer, so that `bin` comes back as one.
      const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      scan(source);
      return unpackr.decode(source);
    } catch (cause) {
      if (cause instanceof HoldfastError) throw cause;
      throw new HoldfastError(
        'ERR_CORRUPT',
        `Not an encoded value: ${cause instanceof Error ? cause.message : String(cause)}.`,
        { cause },
      );
    } finally {
      // msgpackr keeps a view of what it read last.
      if (bytes.length > KEPT_READ_BYTES) unpackr.decode(NIL);
    }
  },
};
