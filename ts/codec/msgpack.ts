import { Packr, RESET_BUFFER_MODE, Unpackr } from 'msgpackr/index-no-eval';
import { HoldfastError } from '../errors.ts';
import type { Codec } from './codec.ts';
import { SCRATCH_LIMIT } from './format.ts';
import { Fault, prepare, refusal } from './prepare.ts';
import { scan } from './scan.ts';

const FIRST_BYTES = 8_192;
/** A scratch area larger than this is not kept between calls. */
const KEPT_BYTES = 16 * 1_048_576;
/** Nor are decoded bytes that are more than this. */
const KEPT_READ_BYTES = 1_048_576;
const NIL = Buffer.from([0xc0]);

/**
 * Fixed: with records or shared structures the bytes would depend on what was encoded before, with float32 numbers
 * would change.
 */
const OPTIONS = {
  useRecords: false,
  variableMapSize: true,
  moreTypes: true,
  useToJSON: false,
  structuredClone: false,
  bundleStrings: false,
  useFloat32: 0,
  copyBuffers: true,
} as const;

const packr = new Packr({ ...OPTIONS });
const unpackr = new Unpackr({ ...OPTIONS });
/** Calls under way: a getter inside a value may encode another. */
let running = 0;

/** Canonical MessagePack by `msgpackr`; the bytes are drawn in `format.ts`. */
export const msgpackCodec: Codec = {
  encode(value: unknown, name: string): Uint8Array {
    const prepared = prepare(value, name);
    let scratch = SCRATCH_LIMIT;
    running++;
    try {
      const bytes = packr.encode(prepared, RESET_BUFFER_MODE);
      scratch = bytes.buffer.byteLength;
      if (scratch > SCRATCH_LIMIT)
        throw new Fault('is too large to encode: split the attribute', { code: 'ERR_LIMIT' });
      return new Uint8Array(bytes);
    } catch (cause) {
      throw refusal(cause, value, name);
    } finally {
      running--;
      if (running === 0 && scratch > KEPT_BYTES) packr.useBuffer(Buffer.allocUnsafeSlow(FIRST_BYTES));
    }
  },

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
