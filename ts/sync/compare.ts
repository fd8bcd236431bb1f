import { BATCH_STRIDE } from '../diff/differ.ts';
import type { Named } from '../codec/ids.ts';
import type { AttributeChange } from '../log/body.ts';
import { encodeDirectory } from '../log/image.ts';
import type { Directory, Image, Known, Value } from '../log/image.ts';
import { ownedBytes } from '../log/owned.ts';
import { checkName } from '../path.ts';
import { VERIFY } from '../portions/portions.ts';
import { xxh3 } from '../xxh3.ts';
import { changeOf } from './differencing.ts';
import type { Changed, Differencing } from './differencing.ts';
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
  /** How it travels; undefined: as the line says. */
  differencing?(name: string): Differencing | undefined;
  /**
   * Its bytes, where they can be had from `base`, the image's, and what was written since; `base` itself if nothing
   * was. Undefined: its value must be encoded. Asked once.
   */
  readonly splice?: ((name: string, base: Uint8Array | undefined) => Uint8Array | undefined) | undefined;
  /** What objects in several places of its value were called last. */
  readonly named?: ((name: string) => Named) | undefined;
  /** What it is encoded as, once this save is made: in memory that is kept. */
  readonly encoded?: ((name: string, bytes: Uint8Array) => void) | undefined;
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

/** What was touched, as it is to be saved: what is written from now on is of no matter to this save. */
export interface Captured {
  /** Undefined: names and order stay. */
  readonly directory: Directory | undefined;
  /** What differs from the image. */
  readonly changed: readonly Changed[];
}

/** Encodes what was touched. Undefined: nothing differs. */
export function capture(line: Line, image: Image, tracked: Tracked): Captured | undefined {
  const directory =
    tracked.names && changedDirectory(image, tracked.names, tracked.versions ?? image.directory.versions);
  const changed = changedOf(line, tracked, touchedNames(image, tracked), (name) => image.value(name));
  return directory === undefined && changed.length === 0 ? undefined : { directory, changed };
}

/** Those of `names` whose bytes are no longer their base's. */
export function changedOf(
  line: Line,
  tracked: Tracked,
  names: readonly string[],
  baseOf: (name: string) => Pick<Value, 'bytes'> | Known | undefined,
): Changed[] {
  const changed: Changed[] = [];
  for (const name of names) {
    const old = baseOf(name);
    const base = old?.bytes;
    const target = encodedFrom(line, tracked, name, base);
    if (target === base) tracked.encoded?.(name, target);
    else if (old === undefined || old.bytes !== undefined || !isKnownAs(line, old, target)) {
      const differencing = tracked.differencing?.(name) ?? line.differencing;
      const isWhole = differencing === 'off';
      const known = old?.bytes === undefined && !isWhole ? old : undefined;
      changed.push({ name, base: isWhole ? undefined : base, known, target, differencing });
    }
  }
  return changed;
}

const hash = new Uint32Array(BATCH_STRIDE);

/** Whether these bytes are, by their length and hash, those that were let go. */
function isKnownAs({ differ }: Line, { length, low, high }: Known, bytes: Uint8Array): boolean {
  if (bytes.length !== length) return false;
  differ.hashBatch([bytes], hash);
  return hash[1] === low && hash[2] === high;
}

/** Whether a base has to be read from the store before these can be compared. */
export const lacksBase = ({ changed }: Captured): boolean =>
  changed.some(({ known }) => known !== undefined && known.signature === undefined);

/** The same, with the bases that the image has by now. */
export function withBases({ directory, changed }: Captured, image: Image): Captured {
  return {
    directory,
    changed: changed.map((one) =>
      one.known === undefined ? one : { ...one, base: image.value(one.name)?.bytes, known: undefined },
    ),
  };
}

/** Compares what differs from the image in one call of the differ, or none. */
export function differenceOf(line: Line, image: Image, { directory, changed }: Captured): Difference {
  const [first] = changed;
  if (directory === undefined && changed.length === 1 && first!.target.length <= TINY_BYTES) return wholeOf(first!);
  return compared(line, image, changed, directory);
}

/** The attribute's bytes; `base` itself where they are the same. */
function encodedFrom(line: Line, tracked: Tracked, name: string, base: Uint8Array | undefined): Uint8Array {
  const spliced = tracked.splice?.(name, base);
  if (spliced !== undefined) {
    if (VERIFY) verify(spliced, line.codec.look(tracked.value(name), name, { ids: tracked.named?.(name).ids }), name);
    return base === undefined || spliced === base || sameBytes(base, spliced) ? (base ?? spliced) : spliced;
  }
  const seen = line.codec.look(tracked.value(name), name, tracked.named?.(name));
  return base !== undefined && sameBytes(base, seen) ? base : new Uint8Array(seen);
}

function verify(spliced: Uint8Array, whole: Uint8Array, name: string): void {
  if (!sameBytes(spliced, whole)) throw new Error(`attribute '${name}': its portions do not give the whole`);
}

/** Up to this length a loop takes less time than a call into the engine. */
const SHORT_BYTES = 64;

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  if (a.length > SHORT_BYTES) return Buffer.compare(a, b) === 0;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

/** No delta is shorter. */
const TINY_BYTES = 4;
const tinyHash = new Uint32Array(2);

/** One number, flag or short text, as most saves are: the call of the differ would take longer than all else here. */
function wholeOf({ name, target }: Changed): Difference {
  xxh3(target, 0, target.length, tinyHash, 0);
  const [low, high] = tinyHash as unknown as [number, number];
  return {
    directory: undefined,
    directoryDelta: NOTHING.directoryDelta,
    changes: [{ name, op: 'put', bytes: target }],
    values: new Map([[name, { bytes: target, low, high }]]),
  };
}

function compared(line: Line, image: Image, changed: readonly Changed[], directory: Directory | undefined): Difference {
  const bases = changed.map(({ base }) => base);
  const targets = changed.map(({ target }) => target);
  if (directory !== undefined) {
    bases.push(image.directory.bytes);
    targets.push(directory.bytes);
  }
  const out = scratchFor(targets);
  const results = new Uint32Array(BATCH_STRIDE * targets.length);
  line.differ.diffBatch(bases, targets, out, results);

  let offset = 0;
  const delta = (index: number): Buffer => out.subarray(offset, (offset += results[BATCH_STRIDE * index] as number));
  const changes = changed.map((one, index) => changeOf(one, delta(index), line.differ, line.limitBytes));
  const directoryDelta = directory === undefined ? NOTHING.directoryDelta : delta(changed.length);
  return { directory, directoryDelta, changes, values: valuesOf(changed, results) };
}

/** As the image is to keep them. */
function valuesOf(changed: readonly Changed[], results: Uint32Array): Map<string, Value> {
  const owned = ownedBytes(changed.map(({ target }) => target));
  return new Map(
    changed.map(({ name }, index) => [
      name,
      {
        bytes: owned[index] as Uint8Array,
        low: results[BATCH_STRIDE * index + 1] as number,
        high: results[BATCH_STRIDE * index + 2] as number,
      },
    ]),
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

const DELTA_OVERHEAD = 16;
/** Larger ones are made for one save alone: a large session is no reason to keep as much memory for good. */
const KEPT_BYTES = 1 << 20;
let scratch = Buffer.allocUnsafeSlow(64 * 1024);

/** The differ's output, reused by the next save: it is copied into the record before anything else runs. */
function scratchFor(targets: readonly Uint8Array[]): Buffer {
  let need = 0;
  for (const target of targets) need += target.length + DELTA_OVERHEAD;
  if (need > KEPT_BYTES) return Buffer.allocUnsafeSlow(need);
  if (need > scratch.length) scratch = Buffer.allocUnsafeSlow(Math.min(2 * need, KEPT_BYTES));
  return scratch;
}
