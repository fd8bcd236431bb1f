import { HoldfastError } from '../errors.ts';
import { EditReader } from './apply.ts';
import { compare } from './compare.ts';
import type { Edit } from './edit.ts';
import { binaryDiffer, bytesDiffer } from './engine.ts';
import { GRAPH_BINARY, GRAPH_EDITS, GRAPH_LONG, GRAPH_SAME, GRAPH_WHOLE } from './format.ts';
import { pack, unpack } from './packed.ts';
import { treeBytes, treeOf } from './places.ts';
import { Reader } from './reader.ts';
import { SEAL_BYTES, Seen } from './seal.ts';
import { valueCodec } from './values.ts';
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

/** A value, and its canonical bytes where they are there or wanted. */
export interface Side {
  readonly value: unknown;
  /** The bytes, where these are what was given. */
  readonly given: Uint8Array | undefined;
  bytes(): Uint8Array;
}

export function liveSide(value: unknown, name: string): Side {
  let bytes: Uint8Array | undefined;
  return { value, given: undefined, bytes: () => (bytes ??= new Uint8Array(treeBytes(value, name))) };
}

/** Of bytes that are decoded when their value is asked for. */
export class EncodedSide implements Side {
  readonly given: Uint8Array;
  private readonly name: string;
  private decoded: { readonly value: unknown } | undefined;

  constructor(bytes: Uint8Array, name: string) {
    this.given = bytes;
    this.name = name;
  }

  get value(): unknown {
    this.decoded ??= { value: treeOf(this.given, this.name) };
    return this.decoded.value;
  }

  bytes(): Uint8Array {
    return this.given;
  }
}

/** The delta that turns one side into the other: edits, or whatever is shorter where those are long. */
export function makeDelta(base: Side, target: Side): Uint8Array {
  if (base.given === undefined || target.given === undefined) return deltaOfValues(base, target);
  return bytesDiffer()?.diff(base.given, target.given) ?? deltaOfValues(base, target);
}

function deltaOfValues(base: Side, target: Side): Uint8Array {
  const edit = compare(base.value, target.value, 0);
  if (edit === undefined) return Uint8Array.of(GRAPH_SAME);
  if (edit.kind === 'set') return shortest(undefined, base, target);
  const edits = new EditWriter();
  edits.edit(edit, base.value);
  const { delta, valuesBytes } = editsDelta(edits, target.value);
  if (delta.length <= SHORT || (valuesBytes <= SHORT_OF_LARGE && isLarge(edit, target.value))) return delta;
  return shortest(delta, base, target);
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

function editsDelta(edits: EditWriter, target: unknown): { readonly delta: Uint8Array; readonly valuesBytes: number } {
  const steps = edits.bytes.finish();
  const out = new Writer();
  out.byte(GRAPH_EDITS | (Math.min(steps.length, GRAPH_LONG) << KIND_BITS));
  if (steps.length >= GRAPH_LONG) out.number(steps.length - GRAPH_LONG);
  out.raw(steps);
  const values = edits.values.length === 0 ? new Uint8Array(0) : pack(treeBytes(edits.values, 'target', target));
  out.raw(values);
  return { delta: sealed(out, edits.seen), valuesBytes: values.length };
}

function sealed(out: Writer, seen: Seen): Uint8Array {
  const seal = seen.seal(out.finish(), out.length);
  out.byte(seal & 0xff);
  out.byte(seal >>> 8);
  return out.finish().slice();
}

function shortest(edits: Uint8Array | undefined, base: Side, target: Side): Uint8Array {
  const bytes = pack(target.bytes());
  const binary = binaryDiffer().diff(pack(base.bytes()), bytes);
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
        unpack(reader, binaryDiffer().apply(pack(base.bytes()), delta.subarray(1), limitBytes)),
        limitBytes,
      );
    case GRAPH_WHOLE: {
      const bytes = unpack(reader, delta.slice(1, bodyEnd(delta, reader)));
      checkSeal(delta, new Seen(), reader);
      return decoded(reader, bytes, limitBytes);
    }
    default:
      if ((head & 3) !== GRAPH_EDITS) return reader.corrupt('its kind is unknown');
      return liveSide(applyEdits(value, delta, limitBytes, true, growth), 'target');
  }
}

/** `isChecked` false: whatever the seal says, for tests of what stands behind it. */
export function applyEdits(
  base: unknown,
  delta: Uint8Array,
  limitBytes: number,
  isChecked: boolean,
  growth?: Growth,
): unknown {
  const header = new Reader(delta, 0, delta.length);
  const end = bodyEnd(delta, header);
  const short = header.byte() >>> KIND_BITS;
  const length = short < GRAPH_LONG ? short : GRAPH_LONG + header.number();
  const start = header.at;
  if (length > end - start) header.corrupt('it is cut short');
  const values =
    end === start + length
      ? []
      : brought(header, () => valueCodec().decode(unpack(header, delta.subarray(start + length, end))));
  if (!Array.isArray(values)) return header.corrupt('its values are none');
  checkSize(end - start - length, limitBytes);
  const edits = new EditReader(new Reader(delta, start, start + length), values, limitBytes);
  const target = edits.whole(base);
  if (growth !== undefined) growth.bytes += edits.taken + UNPACKED * delta.length;
  if (isChecked) checkSeal(delta, edits.seen, header);
  return target;
}

function bodyEnd(delta: Uint8Array, reader: Reader): number {
  return delta.length > SEAL_BYTES ? delta.length - SEAL_BYTES : reader.corrupt('it is cut short');
}

function checkSeal(delta: Uint8Array, seen: Seen, reader: Reader): void {
  const end = delta.length - SEAL_BYTES;
  if (seen.seal(delta, end) !== (delta[end]! | (delta[end + 1]! << 8)))
    reader.corrupt('its last two bytes are not those of this base and these changes');
}

/** A value whose bytes are checked by reading them. */
function decoded(reader: Reader, bytes: Uint8Array, limitBytes: number): Side {
  checkSize(bytes.length, limitBytes);
  return { value: brought(reader, () => treeOf(bytes, 'target')), given: bytes, bytes: () => bytes };
}

/** What the delta brings, or makes: where it is no encoding at all, the delta is at fault. */
function brought(reader: Reader, read: () => unknown): unknown {
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
