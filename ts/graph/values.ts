import type { Codec } from '../codec/codec.ts';
import { msgpackCodec } from '../codec/msgpack.ts';

/** Of the verb that is running: nothing in between waits, and verbs inside each other are given back what they had. */
let codec: Codec = msgpackCodec;

/** Runs one verb on values that `used` keeps. */
export function withCodec<T>(used: Codec, run: () => T): T {
  const before = codec;
  codec = used;
  try {
    return run();
  } finally {
    codec = before;
  }
}

export const valueCodec = (): Codec => codec;

/** Whether it is an instance of a class that is kept as its data: a part as a whole. */
export const isInstance = (value: object): boolean => codec.types.of(Object.getPrototypeOf(value)) !== undefined;

export const instanceBytes = (instance: object): Uint8Array => codec.encode(instance, 'value');
