import type { Differ } from '../diff/differ.ts';
import { loadDiffer } from '../diff/engine.ts';

let present: Differ | undefined;

/** The differ of long texts, of bytes and of wholes. */
export const binaryDiffer = (): Differ => (present ??= loadDiffer());

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
