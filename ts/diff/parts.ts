import { bodyLength } from './check.ts';
import { readCode } from './coded.ts';
import { OPS_TAIL, SAME, SIGNED, SIGNED_CHECK, SIGNED_HEADER, WHOLE } from './format.ts';
import { plan } from './plan.ts';
import { Sequences } from './sequences.ts';

/** Takes a delta's parts in the order of the target. None is empty. */
export interface Parts {
  /** From the base. */
  copy(source: number, length: number): void;
  /** From the target so far, perhaps over what it makes. */
  repeat(source: number, length: number): void;
  add(bytes: Uint8Array): void;
  run(byte: number, length: number): void;
}

/** Hands each part of a delta on, after a check as by `plan`, which throws. */
export function eachPart(base: Uint8Array, delta: Uint8Array, limit: number, parts: Parts): void {
  const { codeAt, edit, length: made } = plan(base, delta, limit);
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
  } else if (codeAt === undefined) eachSequence(base, delta, copy, parts);
  else eachCoded(base, delta, codeAt, made, parts);
}

function eachSequence(base: Uint8Array, delta: Uint8Array, copy: Parts['copy'], parts: Parts): void {
  const isSigned = delta[0] === SIGNED;
  const end = isSigned ? delta.length - SIGNED_CHECK : bodyLength(delta.length);
  const sequences = new Sequences(delta, isSigned ? SIGNED_HEADER : 1, end, base.length);
  while (sequences.next()) {
    const { added, addedAt } = sequences;
    if (sequences.isOwn) parts.repeat(sequences.source, sequences.copied);
    else copy(sequences.source, sequences.copied);
    if (added === 0) continue;
    if (sequences.isRun) parts.run(addedAt, added);
    else parts.add(delta.subarray(addedAt, addedAt + added));
  }
  if (!isSigned && (delta[0]! & OPS_TAIL) !== 0) copy(sequences.expected, base.length - sequences.expected);
}

function eachCoded(base: Uint8Array, delta: Uint8Array, start: number, length: number, parts: Parts): void {
  let added: number[] = [];
  const flush = (): void => {
    if (added.length > 0) parts.add(Uint8Array.from(added));
    added = [];
  };
  readCode(base.length, delta, start, bodyLength(delta.length), length, {
    literal: (byte) => {
      added.push(byte);
    },
    copy: (source, copied) => {
      flush();
      parts.copy(source, copied);
    },
    repeat: (source, copied) => {
      flush();
      parts.repeat(source, copied);
    },
  });
  flush();
}
