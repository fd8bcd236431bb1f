import type { Codec } from '../codec/codec.ts';
import type { Named } from '../codec/ids.ts';
import type { Differ } from '../diff/differ.ts';
import { changesOf } from '../graph/changes.ts';
import type { Change } from '../graph/changes.ts';
import { compare } from '../graph/compare.ts';
import { comparisonOf } from '../graph/comparison.ts';
import { withDiffer } from '../graph/engine.ts';
import { changesIn } from '../graph/references.ts';
import { EncodedSide } from '../graph/side.ts';
import { withCodec } from '../graph/values.ts';
import type { Image, Staged } from '../log/image.ts';
import type { Line } from './line.ts';

/** Stands for the value of an attribute that has not changed. */
const SAME = true;
/** Above the attributes: these may be as deep as the codec goes. */
const TOP_DEPTH = -1;

/** What a save has changed, to be read from the bytes before and after it: these must stay as they are. */
export class Told {
  readonly #codec: Codec;
  readonly #differ: Differ;
  readonly #namesBefore: readonly string[];
  readonly #namesAfter: readonly string[];
  readonly #before: ReadonlyMap<string, Uint8Array>;
  readonly #after: Staged['values'];
  /** Of these the bytes before are not here. */
  readonly #unknown: readonly string[];

  /** Before `image` has accepted `staged`. `changed`: what is written by it, or gone. */
  constructor(
    { codec, differ }: Pick<Line, 'codec' | 'differ'>,
    image: Image,
    { directory, values }: Staged,
    changed: readonly string[],
  ) {
    this.#codec = codec;
    this.#differ = differ;
    this.#namesBefore = image.directory.names;
    this.#namesAfter = (directory ?? image.directory).names;
    const before = new Map<string, Uint8Array>();
    const unknown: string[] = [];
    for (const name of changed) {
      const value = image.value(name);
      if (value?.bytes !== undefined) before.set(name, value.bytes);
      else if (value !== undefined) unknown.push(name);
    }
    this.#before = before;
    this.#unknown = unknown;
    this.#after = values;
  }

  /**
   * Each path begins with the attribute's name: of the order of these nothing is told. Values are the caller's. One of
   * which the bytes before were let go is told as a whole.
   */
  changes(): Change[] {
    const [had, has] = [new Set(this.#namesBefore), new Set(this.#namesAfter)];
    const names = [...had].filter((name) => has.has(name)).concat([...has].filter((name) => !had.has(name)));
    const shared = new Set<string>();
    const before = this.#stateOf(this.#namesBefore, (name) => this.#before.get(name), shared);
    const after = this.#stateOf(names, (name) => this.#after.get(name)?.bytes, shared);
    const wholes = this.#unknown.filter((name) => has.has(name));
    const told = wholes.map((name): Change => ({ op: 'set', path: [name], value: after[name] }));
    const graphs = [...shared].filter((name) => had.has(name) && has.has(name) && !wholes.includes(name));
    for (const name of [...wholes, ...graphs]) before[name] = after[name] = SAME;
    return withCodec(this.#codec, () =>
      withDiffer(this.#differ, () => [
        ...changesOf(compare(before, after, TOP_DEPTH)),
        ...graphs.flatMap((name) => this.#changesIn(name)),
        ...told,
      ]),
    );
  }

  /** Of one in which something was or is in several places. */
  #changesIn(name: string): Change[] {
    const before = new EncodedSide(this.#before.get(name)!, name);
    const after = new EncodedSide(this.#after.get(name)!.bytes, name);
    return changesIn(comparisonOf(before, after)).map((change) => {
      const path = [name, ...change.path];
      return change.op === 'reference' ? { ...change, path, to: [name, ...change.to] } : { ...change, path };
    });
  }

  /** Adds to `shared` the names of those in which something is in several places. */
  #stateOf(
    names: readonly string[],
    bytesOf: (name: string) => Uint8Array | undefined,
    shared: Set<string>,
  ): Record<string, unknown> {
    const state = Object.create(null) as Record<string, unknown>;
    for (const name of names) {
      const bytes = bytesOf(name);
      const named: Named = { ids: undefined };
      state[name] = bytes === undefined ? SAME : this.#codec.decode(bytes, name, named);
      if (named.ids !== undefined) shared.add(name);
    }
    return state;
  }
}
