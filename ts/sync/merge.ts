import type { Named } from '../codec/ids.ts';
import { ABSENT } from '../conflict.ts';
import type { Conflict } from '../conflict.ts';
import { HoldfastError, nameOf } from '../errors.ts';
import { mergeSides } from '../graph/merge-sides.ts';
import type { MergePolicy } from '../graph/merge.ts';
import { LiveSide } from '../graph/side.ts';
import { withCodec } from '../graph/values.ts';
import type { Image } from '../log/image.ts';
import { showPath } from '../path.ts';
import type { Path } from '../path.ts';
import { valueIn } from '../tracking/tracker.ts';
import type { FrozenPath } from '../tracking/tracker.ts';
import { sameBytes } from './compare.ts';
import type { Tracked } from './compare.ts';
import type { Line } from './line.ts';

/** What a use has made of its base. */
export interface Edited {
  /** Of what it changed the bytes, undefined where it was deleted. All else is the base's. */
  readonly changes: ReadonlyMap<string, Uint8Array | undefined>;
  /** All names, in order; undefined: as in the base. */
  readonly names: readonly string[] | undefined;
  /** Versions of the schemas of what it wrote, where they are newer than the base's. */
  readonly versions: ReadonlyMap<string, number> | undefined;
}

/** What the use began from. */
export interface Base {
  readonly names: readonly string[];
  readonly versions: ReadonlyMap<string, number>;
  bytes(name: string): Uint8Array | undefined;
}

/** How attributes are merged. */
export interface MergeRules {
  /** `given`: set once, so that what is there stays; `dropped`: deleted, whatever became of it. */
  of(name: string): MergePolicy | 'given' | 'dropped';
  /** Its portions that keep their first value; undefined: it has none. */
  frozen(name: string): readonly FrozenPath[] | undefined;
  /** What bytes of that version of the schema mean today; of none: the default, or `ABSENT`. */
  value(name: string, bytes: Uint8Array | undefined, version: number): unknown;
  /** Its value is of a schema that this process does not know. */
  isUnknown(name: string, version: number): boolean;
}

/**
 * Puts what a use has made of `base` on `theirs`, attribute by attribute: what is to be saved there, or all that stands
 * against it. An attribute that only one of the two has changed is not looked into.
 */
export function merge(
  line: Line,
  rules: MergeRules,
  base: Base,
  mine: Edited,
  theirs: Image,
): { readonly tracked: Tracked } | { readonly conflicts: readonly Conflict[] } {
  const merging = new Merging(line, rules, base, theirs);
  for (const [name, bytes] of mine.changes) merging.add(name, bytes);
  const { conflicts } = merging;
  return conflicts.length > 0 ? { conflicts } : { tracked: merging.tracked(mine) };
}

class Merging {
  readonly conflicts: Conflict[] = [];
  readonly #line: Line;
  readonly #rules: MergeRules;
  readonly #base: Base;
  readonly #theirs: Image;
  /** Undefined: deleted. */
  readonly #merged = new Map<string, Uint8Array | undefined>();

  constructor(line: Line, rules: MergeRules, base: Base, theirs: Image) {
    this.#line = line;
    this.#rules = rules;
    this.#base = base;
    this.#theirs = theirs;
  }

  add(name: string, mine: Uint8Array | undefined): void {
    const before = this.#base.bytes(name);
    const theirs = this.#theirs.value(name)?.bytes;
    const policy = this.#rules.of(name);
    if (policy === 'dropped') this.#merged.set(name, undefined);
    else if (policy === 'given' ? theirs === undefined : isSame(before, theirs)) this.#merged.set(name, mine);
    else if (policy !== 'given') this.#merge(name, policy, before, mine, theirs);
  }

  #merge(
    name: string,
    policy: MergePolicy,
    before: Uint8Array | undefined,
    mine: Uint8Array | undefined,
    theirs: Uint8Array | undefined,
  ): void {
    const { codec } = this.#line;
    const version = this.#theirs.directory.versions.get(name) ?? 0;
    const isUnknown = theirs !== undefined && this.#rules.isUnknown(name, version);
    const part: Conflict = {
      path: [name],
      base: this.#rules.value(name, before, this.#base.versions.get(name) ?? 0),
      mine: mine === undefined ? ABSENT : codec.decode(mine, name),
      theirs:
        theirs === undefined
          ? ABSENT
          : isUnknown
            ? codec.decode(theirs, name)
            : this.#rules.value(name, theirs, version),
    };
    if (isUnknown) return void this.conflicts.push(part);
    const side = (value: unknown): LiveSide => new LiveSide(value, name);
    const sides = { base: side(part.base), mine: side(part.mine), theirs: side(part.theirs) };
    const { value, conflicts } = withCodec(codec, () => mergeSides(guarded(policy, name), [name], [], sides));
    const against = conflicts.length > 0 ? conflicts : this.#unfrozen(name, part, value);
    if (against.length > 0) this.conflicts.push(...against);
    else this.#merged.set(name, value === ABSENT ? undefined : codec.encode(value, name));
  }

  /** Portions that keep their first value, which others have given, and that `merged` does not have so. */
  #unfrozen(name: string, { base, mine, theirs }: Conflict, merged: unknown): Conflict[] {
    const at = (value: unknown, path: FrozenPath): unknown => {
      const part = valueIn(value, path);
      return part === undefined ? ABSENT : part;
    };
    const bytesOf = (part: unknown): Uint8Array | undefined =>
      part === ABSENT ? undefined : this.#line.codec.encode(part, name);
    const paths = this.#rules.frozen(name) ?? [];
    return paths
      .filter((path) => at(theirs, path) !== ABSENT && !isSame(bytesOf(at(theirs, path)), bytesOf(at(merged, path))))
      .map((path) => ({ path: [name, ...path], base: at(base, path), mine: at(mine, path), theirs: at(theirs, path) }));
  }

  tracked({ names, versions }: Edited): Tracked {
    const merged = this.#merged;
    const named: Named = { ids: undefined };
    return {
      touched: [...merged.keys()],
      names: this.#names(names, versions !== undefined),
      versions: versions && this.#versions(versions),
      value: (name) => {
        named.ids = undefined;
        return this.#line.codec.decode(merged.get(name)!, name, named);
      },
      named: () => named, // of the value that was asked for last
      splice: (name) => merged.get(name),
    };
  }

  /** As both have put them: theirs, and what is new behind; as the use has arranged them where nobody else has. */
  #names(mine: readonly string[] | undefined, isNeeded: boolean): readonly string[] | undefined {
    const { names } = this.#theirs.directory;
    const merged = this.#merged;
    const isTheirs = mine === undefined || !isSameList(this.#base.names, names);
    const kept = (isTheirs ? names : mine).filter((name) => !merged.has(name) || merged.get(name) !== undefined);
    const known = new Set(kept);
    for (const [name, bytes] of merged) if (bytes !== undefined && !known.has(name)) kept.push(name);
    return isNeeded || !isSameList(kept, names) ? kept : undefined;
  }

  #versions(mine: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
    const versions = new Map(this.#theirs.directory.versions);
    for (const name of this.#merged.keys()) {
      const version = mine.get(name);
      if (version !== undefined) versions.set(name, version);
    }
    return versions;
  }
}

/** What its functions throw is told as the definition's fault, with the place. */
function guarded(policy: MergePolicy, name: string): MergePolicy {
  if (typeof policy === 'function') return (conflict) => attempt(conflict.path, () => policy(conflict));
  if (typeof policy === 'object') return { union: (item) => attempt([name], () => policy.union(item)) };
  return policy;
}

function attempt(path: Path, call: () => unknown): unknown {
  try {
    return call();
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    const why = `the merge policy threw (${nameOf(cause)}, see \`cause\`), so that nothing is saved: let it take whatever the state may hold`;
    throw new HoldfastError('ERR_INVALID', `${showPath(path)}: ${why}`, { paths: [path], cause });
  }
}

export const isSame = (one: Uint8Array | undefined, other: Uint8Array | undefined): boolean =>
  one === other || (one !== undefined && other !== undefined && sameBytes(one, other));

export const isSameList = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((name, index) => name === other[index]);
