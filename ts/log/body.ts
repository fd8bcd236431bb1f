import { isUtf8 } from 'node:buffer';
import { ByteReader, ByteWriter, VARINT_MAX } from './bytes.ts';
import type { Directory, Image, Staged } from './image.ts';

/** How a delta record changes one attribute. */
export const ATTRIBUTE_OPS = { put: 0, binary: 1, graph: 2 } as const;
const OPS = Object.keys(ATTRIBUTE_OPS) as (keyof typeof ATTRIBUTE_OPS)[];

/** A changed attribute: its whole bytes (`put`), or a delta against what was before: its bytes, or its parts. */
export interface AttributeChange {
  readonly name: string;
  readonly op: keyof typeof ATTRIBUTE_OPS;
  readonly bytes: Uint8Array;
}

/** The body of a delta record: attributes by their index in the directory that results. */
export interface DeltaBody {
  /** Against the directory before; empty: it stays as it is. */
  readonly directoryDelta: Uint8Array;
  readonly changes: readonly {
    readonly index: number;
    readonly op: keyof typeof ATTRIBUTE_OPS;
    readonly bytes: Uint8Array;
  }[];
}

export function encodeDeltaBody(
  directory: Directory,
  directoryDelta: Uint8Array,
  changes: readonly AttributeChange[],
): Uint8Array {
  const indexOf = indexer(directory, changes.length);
  return writeDeltaBody({
    directoryDelta,
    changes: changes.map(({ name, op, bytes }) => ({ index: indexOf(name), op, bytes })),
  });
}

export function writeDeltaBody({ directoryDelta, changes }: DeltaBody): Buffer {
  let capacity = VARINT_MAX + directoryDelta.length;
  for (const change of changes) capacity += 2 * VARINT_MAX + change.bytes.length;
  const out = new ByteWriter(capacity);
  out.varint(directoryDelta.length);
  out.raw(directoryDelta);
  for (const { index, op, bytes } of changes) {
    out.varint(index);
    out.varint(bytes.length * 4 + ATTRIBUTE_OPS[op]);
    out.raw(bytes);
  }
  return out.finish();
}

/** For few changes a search is cheaper than a map of all names. */
function indexer({ names }: Directory, changes: number): (name: string) => number {
  if (changes < 8) return (name) => names.indexOf(name);
  const indices = new Map(names.map((name, index) => [name, index]));
  return (name) => indices.get(name) as number;
}

/** `fail` must throw. */
export function decodeDeltaBody(body: Uint8Array, fail: (what: string) => never): DeltaBody {
  const reader = new ByteReader(body, fail);
  const directoryDelta = reader.raw(reader.varint());
  const changes: DeltaBody['changes'][number][] = [];
  while (!reader.done) {
    const index = reader.varint();
    const tag = reader.varint();
    changes.push({ index, op: attributeOp(tag % 4, fail), bytes: reader.raw(Math.floor(tag / 4)) });
  }
  return { directoryDelta, changes };
}

export function attributeOp(value: number, fail: (what: string) => never): keyof typeof ATTRIBUTE_OPS {
  return OPS[value] ?? fail(`unknown operation ${value}`);
}

/** The whole of what `image` will be, all of which must be there as bytes: directory, then the values in its order. */
export function encodeSnapshotBody(image: Image, staged: Staged): Uint8Array {
  const directory = staged.directory ?? image.directory;
  const values = directory.names.map((name) => (staged.values.get(name) ?? image.value(name))?.bytes as Uint8Array);
  let capacity = VARINT_MAX + directory.bytes.length;
  for (const bytes of values) capacity += VARINT_MAX + bytes.length;
  const out = new ByteWriter(capacity);
  out.varint(directory.bytes.length);
  out.raw(directory.bytes);
  for (const bytes of values) {
    out.varint(bytes.length);
    out.raw(bytes);
  }
  return out.finish();
}

export interface SnapshotBody {
  readonly directory: Uint8Array;
  /** In the directory's order; not counted against it yet. */
  readonly values: readonly Uint8Array[];
}

/** `fail` must throw. */
export function decodeSnapshotBody(body: Uint8Array, fail: (what: string) => never): SnapshotBody {
  const reader = new ByteReader(body, fail);
  const directory = reader.raw(reader.varint());
  const values: Uint8Array[] = [];
  while (!reader.done) values.push(reader.raw(reader.varint()));
  return { directory, values };
}

/** The id that a session lives on under, and until when (wall clock, whole ms) that is told. */
export interface Alias {
  readonly id: string;
  readonly until: number;
}

export function encodeAliasBody({ id, until }: Alias): Uint8Array {
  const bytes = Buffer.from(id);
  const out = new ByteWriter(6 + bytes.length);
  out.uint48(until);
  out.raw(bytes);
  return out.finish();
}

/** `fail` must throw. */
export function decodeAliasBody(body: Uint8Array, fail: (what: string) => never): Alias {
  const reader = new ByteReader(body, fail);
  const until = reader.uint48();
  const id = reader.raw(body.length - 6);
  if (id.length === 0 || !isUtf8(id)) fail('an alias without an id');
  return { until, id: id.toString() };
}
