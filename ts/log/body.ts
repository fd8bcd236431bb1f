import { ByteReader, ByteWriter, VARINT_MAX } from './bytes.ts';
import type { Directory, Image, Staged } from './image.ts';

/** How a delta record changes one attribute. The value 2 is kept for structural operations. */
export const ATTRIBUTE_OPS = { put: 0, binary: 1 } as const;

/** A changed attribute: its whole bytes (`put`), or a delta against the bytes before. */
export interface AttributeChange {
  readonly name: string;
  readonly op: keyof typeof ATTRIBUTE_OPS;
  readonly bytes: Uint8Array;
}

/** The body of a delta record as read: attributes by their index in the directory that results. */
export interface DeltaBody {
  /** Against the directory before; empty: names and order stay. */
  readonly directoryDelta: Uint8Array;
  readonly changes: readonly { readonly index: number; readonly op: keyof typeof ATTRIBUTE_OPS; readonly bytes: Uint8Array }[];
}

export function encodeDeltaBody(directory: Directory, directoryDelta: Uint8Array, changes: readonly AttributeChange[]): Uint8Array {
  let capacity = VARINT_MAX + directoryDelta.length;
  for (const change of changes) capacity += 2 * VARINT_MAX + change.bytes.length;
  const out = new ByteWriter(capacity);
  out.varint(directoryDelta.length);
  out.raw(directoryDelta);
  const indexOf = indexer(directory, changes.length);
  for (const { name, op, bytes } of changes) {
    out.varint(indexOf(name));
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
    const op = tag % 4 === ATTRIBUTE_OPS.put ? 'put' : tag % 4 === ATTRIBUTE_OPS.binary ? 'binary' : fail(`unknown operation ${tag % 4}`);
    changes.push({ index, op, bytes: reader.raw(Math.floor(tag / 4)) });
  }
  return { directoryDelta, changes };
}

/** The whole of what `image` will be: directory, then the values in its order. */
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
