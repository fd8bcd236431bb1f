import { notInPlace } from './bad-delta.ts';
import { put } from './bytes.ts';
import { bodyLength } from './check.ts';
import { readCode } from './coded.ts';
import { SAME, SIGNED, WHOLE } from './format.ts';
import { plan } from './plan.ts';
import { Sequences } from './sequences.ts';

/**
 * Turns `bytes`, the base, into the target where it lies, or throws before anything is written; how many bytes were
 * written.
 */
export function applyInPlace(bytes: Uint8Array, delta: Uint8Array): number {
  if (delta[0] === SIGNED) throw notInPlace(0, bytes.length);
  const made = plan(bytes, delta, bytes.length, notInPlace);
  if (made.length !== bytes.length) throw notInPlace(0, bytes.length);
  if (delta[0] === SAME) return 0;
  if (made.edit !== undefined) {
    bytes.set(made.edit.added, made.edit.start);
    return made.edit.added.length;
  }
  if (delta[0] === WHOLE) {
    made.fill(bytes, bytes);
    return bytes.length;
  }
  const end = bodyLength(delta.length);
  if (made.codeAt !== undefined) return applyCode(bytes, delta, made.codeAt, end);
  checkUnmoved(delta, end, bytes.length);
  return writeAdded(delta, end, bytes);
}

/**
 * Refuses an ops body with a copy that does not land where it came from. A tail lands there because the lengths are
 * equal.
 */
function checkUnmoved(delta: Uint8Array, end: number, length: number): void {
  const sequences = new Sequences(delta, 1, end, length);
  let at = 0;
  let offset = 1;
  while (sequences.next()) {
    if (sequences.copied > 0 && (sequences.isOwn || sequences.source !== at)) throw notInPlace(offset, length);
    at = sequences.made;
    offset = sequences.reader.at;
  }
}

/** Writes what an unmoved ops body adds; how many bytes that were. */
function writeAdded(delta: Uint8Array, end: number, bytes: Uint8Array): number {
  const sequences = new Sequences(delta, 1, end, bytes.length);
  let at = 0;
  let written = 0;
  while (sequences.next()) {
    at += sequences.copied;
    if (sequences.isRun) bytes.fill(sequences.addedAt, at, at + sequences.added);
    else put(delta, sequences.addedAt, sequences.added, bytes, at);
    at += sequences.added;
    written += sequences.added;
  }
  return written;
}

/** The code once to check it, and once to write what is new; how many bytes that were. */
function applyCode(bytes: Uint8Array, delta: Uint8Array, start: number, end: number): number {
  const { length } = bytes;
  let written = 0;
  for (const isChecked of [false, true]) {
    let at = 0;
    readCode(length, delta, start, end, length, {
      literal: (byte) => {
        if (isChecked) bytes[at] = byte;
        at++;
        written++;
      },
      copy: (source, copied) => {
        if (source !== at) throw notInPlace(0, length);
        at += copied;
      },
      repeat: () => {
        throw notInPlace(0, length);
      },
    });
  }
  return written / 2;
}
