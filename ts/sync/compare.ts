import { BATCH_STRIDE } from '../diff/differ.ts';
import type { AttributeChange } from '../log/body.ts';
import { encodeDirectory } from '../log/image.ts';
import type { Directory, Image, Value } from '../log/image.ts';
import { ownedBytes } from '../log/owned.ts';
import { checkName } from '../path.ts';
import type { Line } from './line.ts';

/** What the session hands over to be saved. */
export interface Tracked {
  /** Names of attributes that may have changed. One that is no longer among `names` has been deleted. */
  readonly touched: readonly string[];
  /** All names, in order; undefined: as in the image. */
  readonly names: readonly string[] | undefined;
  /** Versions of the attributes' schemas, looked at where `names` are given; undefined: as in the image. */
  readonly versions?: ReadonlyMap<string, number> | undefined;
  /** The raw value of a touched attribute. */
  value(name: string): unknown;
}

/** How the session differs from the image. */
export interface Difference {
  /** Undefined: names and order stay. */
  readonly directory: Directory | undefined;
  readonly directoryDelta: Uint8Array;
  readonly changes: readonly AttributeChange[];
  readonly values: ReadonlyMap<string, Value>;
}

export const NOTHING: Difference = {
  directory: undefined,
  directoryDelta: new Uint8Array(0),
  changes: [],
  values: new Map(),
};

/** Encodes what was touched and compares it with the image, in one call of the differ. Undefined: nothing differs. */
export function compare(line: Line, image: Image, tracked: Tracked): Difference | undefined {
  const names = touchedNames(image, tracked);
  const targets = names.map((name) => line.codec.encode(tracked.value(name), name));
  const bases = names.map((name, index) => baseFor(line, image, name, targets[index] as Uint8Array));
  const directory =
    tracked.names && changedDirectory(image, tracked.names, tracked.versions ?? image.directory.versions);
  if (names.length === 0 && directory === undefined) return undefined;

  const out = scratchFor(targets, directory);
  const results = new Uint32Array(BATCH_STRIDE * (names.length + 1));
  if (directory === undefined) line.differ.diffBatch(bases, targets, out, results);
  else line.differ.diffBatch([...bases, image.directory.bytes], [...targets, directory.bytes], out, results);

  const changes: AttributeChange[] = [];
  const changed: number[] = [];
  let offset = 0;
  names.forEach((name, index) => {
    const target = targets[index] as Uint8Array;
    const length = results[BATCH_STRIDE * index] as number;
    const delta = out.subarray(offset, (offset += length));
    if (bases[index] !== undefined && length === 0) return; // equal
    changes.push(
      length === 0 || length > target.length
        ? { name, op: 'put', bytes: target }
        : { name, op: 'binary', bytes: delta },
    );
    changed.push(index);
  });
  if (changed.length === 0 && directory === undefined) return undefined;
  const directoryDelta =
    directory === undefined
      ? NOTHING.directoryDelta
      : out.subarray(offset, offset + (results[BATCH_STRIDE * names.length] as number));
  return { directory, directoryDelta, changes, values: valuesOf(changed, names, targets, results) };
}

/** The values at these indices, as the image is to keep them. */
function valuesOf(
  changed: readonly number[],
  names: readonly string[],
  targets: readonly Uint8Array[],
  results: Uint32Array,
): Map<string, Value> {
  const owned = ownedBytes(changed.map((index) => targets[index] as Uint8Array));
  const halves = (index: number): Omit<Value, 'bytes'> => ({
    low: results[BATCH_STRIDE * index + 1] as number,
    high: results[BATCH_STRIDE * index + 2] as number,
  });
  return new Map(
    changed.map((index, i) => [names[index] as string, { bytes: owned[i] as Uint8Array, ...halves(index) }]),
  );
}

/** Touched and still there. */
function touchedNames(image: Image, tracked: Tracked): string[] {
  if (tracked.names === undefined) return tracked.touched.filter((name) => image.value(name) !== undefined);
  const present = new Set(tracked.names);
  return tracked.touched.filter((name) => present.has(name));
}

function changedDirectory(
  image: Image,
  names: readonly string[],
  versions: ReadonlyMap<string, number>,
): Directory | undefined {
  const old = image.directory;
  const isSame = (name: string, index: number): boolean =>
    name === old.names[index] && versions.get(name) === old.versions.get(name);
  if (names.length === old.names.length && names.every(isSame)) return undefined;
  names.forEach(checkName);
  return encodeDirectory(names, versions);
}

/** Undefined where the value is to travel whole. */
function baseFor(line: Line, image: Image, name: string, target: Uint8Array): Uint8Array | undefined {
  const base = image.value(name)?.bytes;
  if (line.differencing === 'binary' || base === undefined) return base;
  return Buffer.compare(base, target) === 0 ? base : undefined;
}

const DELTA_OVERHEAD = 16;
/** Larger ones are made for one save alone: a large session is no reason to keep as much memory for good. */
const KEPT_BYTES = 1 << 20;
let scratch = Buffer.allocUnsafeSlow(64 * 1024);

/** The differ's output, reused by the next save: it is copied into the record before anything else runs. */
function scratchFor(targets: readonly Uint8Array[], directory: Directory | undefined): Buffer {
  let need = directory === undefined ? 0 : directory.bytes.length + DELTA_OVERHEAD;
  for (const target of targets) need += target.length + DELTA_OVERHEAD;
  if (need > KEPT_BYTES) return Buffer.allocUnsafeSlow(need);
  if (need > scratch.length) scratch = Buffer.allocUnsafeSlow(Math.min(2 * need, KEPT_BYTES));
  return scratch;
}
