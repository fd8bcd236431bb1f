import type { Differ } from '../diff/differ.ts';
import { loadDiffer } from '../diff/engine.ts';
import { loadBytesDiffer } from './native.ts';
import type { BytesDiffer } from './native.ts';

let present: Differ | undefined;

/** The differ of long texts, of bytes and of wholes. */
export const binaryDiffer = (): Differ => (present ??= loadDiffer());

let native: { readonly differ: BytesDiffer | undefined } | undefined;

/** Of canonical bytes; undefined: only values are differed here. */
export function bytesDiffer(): BytesDiffer | undefined {
  if (binaryDiffer().engine !== 'native') return undefined;
  return (native ??= { differ: loadBytesDiffer() }).differ;
}

/** Has `run` use this one: both give the same bytes, and who has chosen an engine gets no other. */
export function withDiffer<T>(differ: Differ, run: () => T): T {
  const before = present;
  present = differ;
  try {
    return run();
  } finally {
    present = before;
  }
}
