import type { Differ } from '../diff/differ.ts';
import { BATCH_STRIDE } from '../diff/differ.ts';
import { HoldfastError } from '../errors.ts';
import { decodeDeltaBody, decodeSnapshotBody } from '../log/body.ts';
import type { AttributeChange } from '../log/body.ts';
import { Image, decodeDirectory } from '../log/image.ts';
import type { Directory, Value } from '../log/image.ts';
import { ownedBytes } from '../log/owned.ts';
import { corrupt, overLimit, yields } from '../log/record.ts';
import type { LogRecord } from '../log/record.ts';
import { restructured } from './differencing.ts';

/** Bytes that an attribute starts from, and the deltas that follow: applied together at the end. */
interface Chain {
  base: Uint8Array;
  readonly deltas: Pick<AttributeChange, 'op' | 'bytes'>[];
}

/** Deltas of one kind that follow each other. */
interface Run {
  readonly op: AttributeChange['op'];
  readonly deltas: Uint8Array[];
}

function runsOf(deltas: Chain['deltas']): Run[] {
  const runs: Run[] = [];
  for (const { op, bytes } of deltas) {
    const last = runs.at(-1);
    if (last?.op === op) last.deltas.push(bytes);
    else runs.push({ op, deltas: [bytes] });
  }
  return runs;
}

/** Targets up to this length are made in memory that is used again. */
const SCRATCH_BYTES = 1 << 20;
let scratch: Buffer | undefined;

/**
 * Takes records one after the other, and yields the image after the last. It applies each attribute's deltas in one go,
 * and checks the digest once, at the end. Every error is an `ERR_CORRUPT` that names session and revision.
 */
export class Replay {
  readonly #id: string;
  readonly #differ: Differ;
  readonly #limitBytes: number;
  #image: Image;
  #directory: Directory;
  #touched = new Map<string, Chain>();
  #last: LogRecord | undefined;

  constructor(id: string, image: Image, differ: Differ, limitBytes: number) {
    this.#id = id;
    this.#image = image;
    this.#directory = image.directory;
    this.#differ = differ;
    this.#limitBytes = limitBytes;
  }

  add(record: LogRecord): void {
    const fail = (what: string): never => {
      throw corrupt(this.#id, record.revision, what);
    };
    if (record.kind === 'snapshot') this.#addSnapshot(record, fail);
    else if (record.kind === 'delta') this.#addDelta(record, fail);
    else fail(`the session has ended here (${record.kind})`);
    this.#last = record;
  }

  /**
   * The names of the attributes that changed, or `all` where names came or went; the image passed in has become the
   * result.
   */
  finish(): ReadonlySet<string> | 'all' {
    const last = this.#last;
    if (last === undefined) return new Set();
    const values = this.#values(last.revision);
    const directory =
      this.#directory === this.#image.directory
        ? undefined
        : { ...this.#directory, bytes: new Uint8Array(this.#directory.bytes) };
    const staged = this.#image.stage(directory, values);
    if (staged.byteLength > this.#limitBytes) throw overLimit(this.#id, last.revision, this.#limitBytes);
    if (!yields(last, staged.digest))
      throw corrupt(this.#id, last.revision, 'the records do not add up to the state that was saved (digest)');
    this.#image.accept(staged, { revision: last.revision, nonce: last.nonce });
    return directory === undefined ? new Set(values.keys()) : 'all';
  }

  #addSnapshot(record: LogRecord, fail: (what: string) => never): void {
    const body = decodeSnapshotBody(record.body, fail);
    this.#directory = decodeDirectory(body.directory, fail);
    if (body.values.length !== this.#directory.names.length)
      fail(`${this.#directory.names.length} attributes are named, ${body.values.length} have values`);
    this.#touched = new Map(
      this.#directory.names.map((name, index) => [name, { base: body.values[index] as Uint8Array, deltas: [] }]),
    );
  }

  #addDelta(record: LogRecord, fail: (what: string) => never): void {
    const body = decodeDeltaBody(record.body, fail);
    if (body.directoryDelta.length > 0) this.#changeDirectory(record.revision, body.directoryDelta, fail);
    for (const { index, op, bytes } of body.changes) {
      const name = this.#directory.names[index] ?? fail(`there is no attribute ${index}`);
      if (op === 'put') this.#touched.set(name, { base: bytes, deltas: [] });
      else this.#chain(name, fail).deltas.push({ op, bytes });
    }
  }

  #changeDirectory(revision: number, delta: Uint8Array, fail: (what: string) => never): void {
    const bytes = this.#guard(revision, () => this.#differ.apply(this.#directory.bytes, delta, this.#limitBytes));
    this.#directory = decodeDirectory(bytes, fail);
    const present = new Set(this.#directory.names);
    for (const name of this.#touched.keys()) if (!present.has(name)) this.#touched.delete(name);
  }

  #chain(name: string, fail: (what: string) => never): Chain {
    let chain = this.#touched.get(name);
    if (chain === undefined) {
      const base = this.#image.value(name)?.bytes ?? fail(`a delta for attribute '${name}', which has no value`);
      this.#touched.set(name, (chain = { base, deltas: [] }));
    }
    return chain;
  }

  #values(revision: number): Map<string, Value> {
    const names = [...this.#touched.keys()];
    const applied = this.#guard(revision, () =>
      names.map((name) => {
        const { base, deltas } = this.#touched.get(name) as Chain;
        let bytes = base;
        for (const run of runsOf(deltas)) bytes = this.#afterRun(bytes, run);
        return bytes;
      }),
    );
    const bytes = ownedBytes(applied);
    for (const name of this.#directory.names) {
      if (!this.#touched.has(name) && this.#image.value(name) === undefined)
        throw corrupt(this.#id, revision, `attribute '${name}' has no value`);
    }
    const hashes = new Uint32Array(BATCH_STRIDE * bytes.length);
    this.#differ.hashBatch(bytes, hashes);
    return new Map(
      names.map((name, index) => [
        name,
        {
          bytes: bytes[index] as Uint8Array,
          low: hashes[BATCH_STRIDE * index + 1] as number,
          high: hashes[BATCH_STRIDE * index + 2] as number,
        },
      ]),
    );
  }

  #afterRun(base: Uint8Array, { op, deltas }: Run): Uint8Array {
    if (op === 'graph') return restructured(base, deltas, this.#differ, this.#limitBytes);
    const [first] = deltas as [Uint8Array];
    return deltas.length > 1 ? this.#differ.applyChain(base, deltas, this.#limitBytes) : this.#applied(base, first);
  }

  /** By way of memory that is used again, where that is enough: the image keeps a copy that is no longer than it needs. */
  #applied(base: Uint8Array, delta: Uint8Array): Uint8Array {
    const room = Math.min(base.length + delta.length, this.#limitBytes);
    if (room <= SCRATCH_BYTES) {
      try {
        scratch ??= Buffer.allocUnsafeSlow(SCRATCH_BYTES);
        const out = scratch.subarray(0, room);
        return new Uint8Array(out.subarray(0, this.#differ.applyInto(base, delta, out)));
      } catch (error) {
        if (!(error instanceof HoldfastError) || error.code !== 'ERR_LIMIT') throw error;
      }
    }
    return this.#differ.apply(base, delta, this.#limitBytes);
  }

  #guard<T>(revision: number, run: () => T): T {
    try {
      return run();
    } catch (cause) {
      if (cause instanceof HoldfastError && cause.code === 'ERR_LIMIT') {
        throw overLimit(this.#id, revision, this.#limitBytes, cause);
      }
      throw corrupt(this.#id, revision, cause instanceof Error ? cause.message : String(cause), cause);
    }
  }
}
