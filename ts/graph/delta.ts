import { HoldfastError } from '../errors.ts';
import { EditReader } from './apply.ts';
import { partsBytes, partsOf as spanningParts, spanningOf, wholeBytes, type Marks } from '../codec/spanning.ts';
import { compare } from './compare.ts';
import { comparisonOf, type Comparison } from './comparison.ts';
import type { Edit } from './edit.ts';
import { binaryDiffer, bytesDiffer } from './engine.ts';
import { GRAPH_BINARY, GRAPH_EDITS, GRAPH_LONG, GRAPH_SAME, GRAPH_SHARED, GRAPH_WHOLE } from './format.ts';
import { pack, unpack } from './packed.ts';
import { treeBytes } from './places.ts';
import { Reader } from './reader.ts';
import { SEAL_BYTES, Seen } from './seal.ts';
import { EncodedSide, LiveSide, type Side } from './side.ts';
import { valueCodec, withMarks } from './values.ts';
import { EditWriter } from './write.ts';
import { Writer } from './writer.ts';

const KIND_BITS = 2;
/** What a packed byte stands for at most, and its part in the room of what it makes. */
const UNPACKED = 8;
/** Shorter edits are kept as they are: what might be won is less than the time that it takes to look. */
const SHORT = 48;
/** Of a large state, edits whose values are no longer. */
const SHORT_OF_LARGE = 1_024;
/** A state with more parts is a large one. */
const LARGE = 512;

/** The delta that turns one side into the other: edits, or whatever is shorter where those are long. */
export function makeDelta(base: Side, target: Side): Uint8Array {
  if (base.given === undefined || target.given === undefined) return deltaOfValues(base, target);
  return bytesDiffer()?.diff(base.given, target.given) ?? deltaOfValues(base, target);
}

function deltaOfValues(base: Side, target: Side): Uint8Array {
  const comparison = comparisonOf(base, target);
  return withMarks(comparison.marks, () => deltaOf(comparison));
}

function deltaOf(comparison: Comparison): Uint8Array {
  const { base, target } = comparison;
  const edit = compare(base, target, 0);
  if (edit === undefined) return Uint8Array.of(GRAPH_SAME);
  if (edit.kind === 'set') return shortest(undefined, comparison);
  const edits = new EditWriter();
  edits.edit(edit, base);
  const { delta, valuesBytes } = editsDelta(edits, target, comparison.marks);
  if (delta.length <= SHORT || (valuesBytes <= SHORT_OF_LARGE && isLarge(edit, target))) return delta;
  return shortest(delta, comparison);
}

function isLarge(edit: Edit, target: unknown): boolean {
  const size = edit.kind === 'sequence' ? (edit.source?.length ?? edit.targetKeys?.length ?? 0) : 0;
  return size > LARGE || partsOf(target, LARGE) > LARGE;
}

/** Counts what is in a value, up to about `most`. */
function partsOf(value: unknown, most: number): number {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return 1;
  const parts: Iterable<unknown> = value instanceof Map || value instanceof Set ? value : Object.values(value);
  let count = 1;
  for (const part of parts) {
    count += partsOf(part, most - count);
    if (count > most) break;
  }
  return count;
}

function editsDelta(
  edits: EditWriter,
  target: unknown,
  marks: Marks | undefined,
): { readonly delta: Uint8Array; readonly valuesBytes: number } {
  const steps = edits.bytes.finish();
  const out = new Writer();
  if (marks !== undefined) out.byte(GRAPH_SHARED);
  out.byte(GRAPH_EDITS | (Math.min(steps.length, GRAPH_LONG) << KIND_BITS));
  if (steps.length >= GRAPH_LONG) out.number(steps.length - GRAPH_LONG);
  out.raw(steps);
  const values = edits.values.length === 0 ? new Uint8Array(0) : pack(bytesOf(edits.values, target, marks));
  out.raw(values);
  return { delta: sealed(out, edits.seen), valuesBytes: values.length };
}

const bytesOf = (values: readonly unknown[], target: unknown, marks: Marks | undefined): Uint8Array =>
  marks === undefined ? treeBytes(values, target) : partsBytes(values, marks);

function sealed(out: Writer, seen: Seen): Uint8Array {
  const seal = seen.seal(out.finish(), out.length);
  out.byte(seal & 0xff);
  out.byte(seal >>> 8);
  return out.finish().slice();
}

function shortest(edits: Uint8Array | undefined, { baseBytes, targetBytes }: Comparison): Uint8Array {
  const bytes = pack(targetBytes());
  const binary = binaryDiffer().diff(pack(baseBytes()), bytes);
  const most = Math.min(edits?.length ?? Infinity, bytes.length + 1 + SEAL_BYTES);
  const out = new Writer();
  if (binary.length + 1 < most) {
    out.byte(GRAPH_BINARY);
    out.raw(binary);
    return out.finish().slice();
  }
  if (edits !== undefined && edits.length <= most) return edits;
  out.byte(GRAPH_WHOLE);
  out.raw(bytes);
  return sealed(out, new Seen());
}

/** By how many bytes values may have grown, at most: what deltas brought, and what they copied. */
export interface Growth {
  bytes: number;
}

/**
 * The target: with its canonical bytes where the delta or the base is about those, else what it may have grown by is
 * added to `growth`.
 */
export function applyDelta(base: Side, delta: Uint8Array, limitBytes: number, growth?: Growth): Side {
  const bytes = base.given === undefined ? undefined : bytesDiffer()?.apply(base.given, delta, limitBytes);
  return bytes === undefined ? applyToValue(base, delta, limitBytes, growth) : new EncodedSide(bytes, 'target');
}

function applyToValue(base: Side, delta: Uint8Array, limitBytes: number, growth: Growth | undefined): Side {
  // Bytes that are damaged are refused here, whatever the delta says.
  const { value } = base;
  const reader = new Reader(delta, 0, delta.length);
  const head = reader.byte();
  switch (head) {
    case GRAPH_SAME:
      return delta.length === 1 ? base : reader.corrupt('it goes on behind its end');
    case GRAPH_BINARY:
      return decoded(
        reader,
        base,
        unpack(reader, binaryDiffer().apply(pack(base.bytes()), delta.subarray(1), limitBytes)),
        limitBytes,
      );
    case GRAPH_WHOLE: {
      const bytes = unpack(reader, delta.slice(1, bodyEnd(delta, reader)));
      checkSeal(delta, new Seen(), reader);
      return decoded(reader, base, bytes, limitBytes);
    }
    case GRAPH_SHARED:
      return applyShared(base, delta, limitBytes, true);
    default:
      if ((head & 3) !== GRAPH_EDITS) return reader.corrupt('its kind is unknown');
      if (base.given !== undefined && base.isShared())
        reader.corrupt('it is for a value in which nothing is in several places');
      return new LiveSide(applyEdits(value, delta, limitBytes, true, growth), 'target');
  }
}

/** Where something is in several places before or after: the target shares nothing with the base. As `applyEdits`. */
export function applyShared(base: Side, delta: Uint8Array, limitBytes: number, isChecked: boolean): Side {
  const reader = new Reader(delta, 1, delta.length);
  if ((reader.byte() & 3) !== GRAPH_EDITS) reader.corrupt('its kind is unknown');
  const { tree, marks } = spanningOf(base.bytes());
  const target = withMarks(marks, () => applyEdits(tree, delta, limitBytes, isChecked, undefined, marks));
  return decoded(
    reader,
    base,
    brought(reader, () => wholeBytes({ tree: target, marks })),
    limitBytes,
  );
}

/**
 * `isChecked` false: whatever the seal says, for tests of what stands behind it. `marks`: of a spanning tree; those of
 * what the delta brings are added.
 */
export function applyEdits(
  base: unknown,
  delta: Uint8Array,
  limitBytes: number,
  isChecked: boolean,
  growth?: Growth,
  marks?: Marks,
): unknown {
  const header = new Reader(delta, marks === undefined ? 0 : 1, delta.length);
  const end = bodyEnd(delta, header);
  const short = header.byte() >>> KIND_BITS;
  const length = short < GRAPH_LONG ? short : GRAPH_LONG + header.number();
  const start = header.at;
  if (length > end - start) header.corrupt('it is cut short');
  const values =
    end === start + length
      ? []
      : brought(header, () => valuesOf(unpack(header, delta.subarray(start + length, end)), marks));
  if (!Array.isArray(values)) return header.corrupt('its values are none');
  checkSize(end - start - length, limitBytes);
  const edits = new EditReader(new Reader(delta, start, start + length), values, limitBytes, marks !== undefined);
  const target = edits.whole(base);
  if (growth !== undefined) growth.bytes += edits.taken + UNPACKED * delta.length;
  if (isChecked) checkSeal(delta, edits.seen, header);
  return target;
}

function valuesOf(bytes: Uint8Array, marks: Marks | undefined): unknown {
  if (marks === undefined) return valueCodec().decode(bytes);
  const parts = spanningParts(bytes);
  for (const [container, id] of parts.marks) marks.set(container, id);
  return parts.tree;
}

function bodyEnd(delta: Uint8Array, reader: Reader): number {
  return delta.length > SEAL_BYTES ? delta.length - SEAL_BYTES : reader.corrupt('it is cut short');
}

function checkSeal(delta: Uint8Array, seen: Seen, reader: Reader): void {
  const end = delta.length - SEAL_BYTES;
  if (seen.seal(delta, end) !== (delta[end]! | (delta[end + 1]! << 8)))
    reader.corrupt('its last two bytes are not those of this base and these changes');
}

/**
 * A value whose bytes are checked by reading them. Of a live base, what is shared in it is called as it is written afresh: so
 * it will be when a delta of it is taken, or applied.
 */
function decoded(reader: Reader, base: Side, bytes: Uint8Array, limitBytes: number): Side {
  checkSize(bytes.length, limitBytes);
  const side = new EncodedSide(bytes, 'target');
  const value = brought(reader, () => side.value);
  return base.given === undefined && side.isShared() ? new LiveSide(value, 'target') : side;
}

/** What the delta brings, or makes: where it is no encoding at all, the delta is at fault. */
function brought<T>(reader: Reader, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof HoldfastError && cause.code !== 'ERR_CORRUPT') throw cause;
    return reader.corrupt('what it brings is no encoded value');
  }
}

export function checkSize(bytes: number, limitBytes: number): void {
  if (bytes <= limitBytes) return;
  throw new HoldfastError(
    'ERR_LIMIT',
    `${bytes} bytes are more than limitBytes, ${limitBytes}; raise that where you expect as much`,
  );
}
