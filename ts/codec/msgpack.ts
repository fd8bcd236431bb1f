import { HoldfastError } from '../errors.ts';
import { BUILT_IN, BUILT_IN_TYPES } from './built-in-types.ts';
import type { Codec } from './codec.ts';
import { Decoder } from './decoder.ts';
import { Encoder } from './encoder.ts';
import { refusal } from './fault.ts';
import type { Named } from './ids.ts';
import { ValueTypes, type ValueType } from './value-types.ts';

const encoder = new Encoder();
const decoder = new Decoder();
/** Calls under way: a getter inside a value, `toData` and `fromData` may come here too. */
let encoding = 0;
let decoding = 0;

/** Canonical MessagePack; the bytes are drawn in `format.ts`. */
function codecWith(types: ValueTypes): Codec {
  const look = (value: unknown, name: string, named?: Named): Uint8Array => {
    encoding += 1;
    try {
      return (encoding === 1 ? encoder : new Encoder()).encode(value, types, named);
    } catch (cause) {
      throw refusal(cause, name);
    } finally {
      encoding -= 1;
    }
  };
  return {
    types,
    look,
    encode: (value, name, named) => new Uint8Array(look(value, name, named)),
    decode(bytes, name, named) {
      if (!(bytes instanceof Uint8Array)) throw new HoldfastError('ERR_INVALID', 'decode takes a Uint8Array');
      decoding += 1;
      try {
        const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        return (decoding === 1 ? decoder : new Decoder()).decode(source, types, named);
      } catch (cause) {
        throw unread(cause, name);
      } finally {
        decoding -= 1;
      }
    },
  };
}

function unread(cause: unknown, name: string | undefined): HoldfastError {
  if (!(cause instanceof HoldfastError)) {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new HoldfastError('ERR_CORRUPT', `not an encoded value: ${why}`, { cause });
  }
  if (cause.code !== 'ERR_INVALID' || name === undefined) return cause;
  return new HoldfastError('ERR_INVALID', `${name}: ${cause.message}`, { paths: [[name]], cause: cause.cause });
}

/** Of values of JavaScript's and the platform's own classes alone. */
export const msgpackCodec: Codec = codecWith(BUILT_IN_TYPES);

/** Of these classes as well. */
export function codecOf(types: readonly ValueType[]): Codec {
  return types.length === 0 ? msgpackCodec : codecWith(new ValueTypes(BUILT_IN, types));
}
