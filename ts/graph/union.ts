import { HoldfastError } from '../errors.ts';
import { showPath, type Path } from '../path.ts';
import { stationary } from './align.ts';
import { Classes } from './classes.ts';
import { compare } from './compare.ts';
import type { Edit, SequenceEdit } from './edit.ts';
import { valueCodec } from './values.ts';

/** What tells one element of a list from another; equal keys by value. */
export type KeyOf = (item: unknown) => unknown;

/**
 * Both sides of the list at `path` anew, with elements known by their keys instead of by what they hold. Messages have
 * `root` in front of the path.
 */
export function unionEdits(
  mine: SequenceEdit,
  theirs: SequenceEdit,
  keyOf: KeyOf,
  path: Path,
  root: Path,
): readonly [mine: SequenceEdit, theirs: SequenceEdit] {
  const names = new Names(keyOf, path, root);
  const base = mine.base as readonly unknown[];
  const ofBase = names.of(base, 'base');
  const side = (name: string, target: readonly unknown[]): SequenceEdit =>
    keyed(base, target, ofBase, names.of(target, name));
  return [side('mine', mine.target as readonly unknown[]), side('theirs', theirs.target as readonly unknown[])];
}

/** A number for each key, and for each further time that it comes. */
class Names {
  private readonly classes = new Classes();
  private readonly times = new Map<string, number>();
  private readonly keyOf: KeyOf;

  private readonly path: Path;
  private readonly root: Path;

  constructor(keyOf: KeyOf, path: Path, root: Path) {
    this.keyOf = keyOf;
    this.path = path;
    this.root = root;
  }

  /** `side`: whose list it is. */
  of(list: readonly unknown[], side: string): readonly number[] {
    const seen = new Map<number, number>();
    return list.map((item, place) => {
      const key = this.keyOf(item);
      this.check(key, [...this.path, place], side);
      const name = this.classes.of(key, 0);
      const time = seen.get(name) ?? 0;
      seen.set(name, time + 1);
      const whole = `${name} ${time}`;
      if (!this.times.has(whole)) this.times.set(whole, this.times.size);
      return this.times.get(whole)!;
    });
  }

  /** Keys are compared by value: `ERR_INVALID` for what has none. */
  private check(key: unknown, path: Path, side: string): void {
    if (typeof key === 'object' ? key === null : typeof key !== 'function' && typeof key !== 'symbol') return;
    try {
      valueCodec().look(key, 'key');
    } catch (cause) {
      if (key instanceof Promise) key.catch(() => undefined); // nobody's to handle any more
      const why = cause instanceof HoldfastError ? cause.message : String(cause);
      const message = `${showPath([...this.root, ...path])} (${side}): the key that { union } gave for it cannot be compared (${why.replace(/\.$/, '')}): give text, a number or plain data, at once`;
      throw new HoldfastError('ERR_INVALID', message, { paths: [path], cause });
    }
  }
}

function keyed(
  base: readonly unknown[],
  target: readonly unknown[],
  baseNames: readonly number[],
  targetNames: readonly number[],
): SequenceEdit {
  const places = new Map(baseNames.map((name, place) => [name, place]));
  const source = Int32Array.from(targetNames, (name) => places.get(name) ?? -1);
  const edits = new Map<number, Edit>();
  source.forEach((place, at) => {
    const edit = place < 0 ? undefined : compare(base[place], target[at], 0);
    if (edit !== undefined) edits.set(place, edit);
  });
  return {
    kind: 'sequence',
    of: 'list',
    base,
    target,
    baseKeys: baseNames,
    targetKeys: targetNames,
    source,
    stays: stationary(source, base.length),
    edits,
  };
}
