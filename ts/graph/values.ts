import type { Codec } from '../codec/codec.ts';
import { msgpackCodec } from '../codec/msgpack.ts';
import { Token, type Marks } from '../codec/spanning.ts';

/** Of the verb that is running: nothing in between waits, and verbs inside each other are given back what they had. */
let codec: Codec = msgpackCodec;

/** Runs one verb on values that `used` keeps; in a class's own functions another may run within. */
export function withCodec<T>(used: Codec, run: () => T): T {
  const before = codec;
  codec = used;
  try {
    return withMarks(undefined, run);
  } finally {
    codec = before;
  }
}

export const valueCodec = (): Codec => codec;

let marks: Marks | undefined;

/**
 * Compares or makes spanning trees (`codec/spanning.ts`), whose containers are called so. Outside of it, and with `undefined`, it
 * does not count what they are called, and references are all alike.
 */
export function withMarks<T>(used: Marks | undefined, run: () => T): T {
  const before = marks;
  marks = used;
  try {
    return run();
  } finally {
    marks = before;
  }
}

/** What it is called, of what is in several places; undefined: it is in one. */
export const markOf = (container: object): number | undefined => marks?.get(container);

export function setMark(container: object, id: number | undefined): void {
  if (id !== undefined) marks?.set(container, id);
}

/** Whether two containers that may be equal in all else are called otherwise. */
export const isRenamed = (a: object, b: object): boolean => marks !== undefined && marks.get(a) !== marks.get(b);

/** Whether it is an instance of a class that is kept as its data, or stands for something: a part as a whole. */
export const isInstance = (value: object): boolean =>
  value instanceof Token || codec.types.of(Object.getPrototypeOf(value)) !== undefined;

const ALIKE = new Uint8Array(0);

export function instanceBytes(instance: object): Uint8Array {
  if (!(instance instanceof Token)) return codec.encode(instance, 'value');
  return marks === undefined && instance.id >= 0 ? ALIKE : instance.bytes;
}
