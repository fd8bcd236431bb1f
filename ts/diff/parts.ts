import { Sequences, plan } from './apply.ts';
import { bodyLength } from './check.ts';
import { OPS_TAIL, SAME, SIGNED, SIGNED_CHECK, SIGNED_HEADER, WHOLE } from './format.ts';

/** Takes a delta's parts in the order of the target. None is empty. */
export interface Parts {
  copy(source: number, length: number): void;
  add(bytes: Uint8Array): void;
  run(byte: number, length: number): void;
}

/** Hands each part of a delta on, after a check as by `plan`, which throws. */
export function eachPart(base: Uint8Array, delta: Uint8Array, limit: number, parts: Parts): void {
  const { edit } = plan(base, delta, limit);
  const copy = (source: number, length: number): void => {
    if (length > 0) parts.copy(source, length);
  };
  if (delta[0] === SAME) copy(0, base.length);
  else if (delta[0] === WHOLE) {
    if (bodyLength(delta.length) > 1) parts.add(delta.subarray(1, bodyLength(delta.length)));
  } else if (edit !== undefined) {
    copy(0, edit.start);
    if (edit.added.length > 0) parts.add(edit.added);
    copy(edit.start + edit.removed, base.length - edit.start - edit.removed);
  } else eachSequence(base, delta, copy, parts);
}

function eachSequence(base: Uint8Array, delta: Uint8Array, copy: Parts['copy'], parts: Parts): void {
  const isSigned = delta[0] === SIGNED;
  const end = isSigned ? delta.length - SIGNED_CHECK : bodyLength(delta.length);
  const sequences = new Sequences(delta, isSigned ? SIGNED_HEADER : 1, end, base.length);
  while (sequences.next()) {
    const { added, addedAt } = sequences;
    copy(sequences.source, sequences.copied);
    if (added === 0) continue;
    if (sequences.isRun) parts.run(addedAt, added);
    else parts.add(delta.subarray(addedAt, addedAt + added));
  }
  if (!isSigned && (delta[0]! & OPS_TAIL) !== 0) copy(sequences.expected, base.length - sequences.expected);
}
