import { msgpackCodec } from '../codec/msgpack.ts';
import { HoldfastError } from '../errors.ts';
import { showPath, type Path } from '../path.ts';
import { stationary } from './align.ts';
import { Classes } from './classes.ts';
import { compare } from './compare.ts';
import type { Edit, SequenceEdit } from './edit.ts';

/** What tells one element of a list from another; equal keys by value. */
export type KeyOf = (item: unknown) => unknown;

/** Both sides of the list at `path` anew, with elements known by their keys instead of by what they hold. */
export function unionEdits(
  mine: SequenceEdit,
  theirs: SequenceEdit,
  keyOf: KeyOf,
  path: Path,
): readonly [mine: SequenceEdit, theirs: SequenceEdit] {
  const names = new Names(keyOf);
  const base = mine.base as readonly unknown[];
  const ofBase = names.of(base, ['base', ...path]);
  const side = (name: string, target: readonly unknown[]): SequenceEdit =>
    keyed(base, target, ofBase, names.of(target, [name, ...path]));
  return [side('mine', mine.target as readonly unknown[]), side('theirs', theirs.target as readonly unknown[])];
}

/** A number for each key, and for each further time that it comes. */
class Names {
  private readonly classes = new Classes();
  private readonly times = new Map<string, number>();
  private readonly keyOf: KeyOf;

  constructor(keyOf: KeyOf) {
    this.keyOf = keyOf;
  }

  of(list: readonly unknown[], path: Path): readonly number[] {
    const seen = new Map<number, number>();
    return list.map((item, place) => {
      const key = this.keyOf(item);
      checkKey(key, [...path, place]);
      const name = this.classes.of(key, 0);
      const time = seen.get(name) ?? 0;
      seen.set(name, time + 1);
      const whole = `${name} ${time}`;
      if (!this.times.has(whole)) this.times.set(whole, this.times.size);
      return this.times.get(whole)!;
    });
  }
}

/** Keys are compared by value: `ERR_INVALID` for what has none. `path`: of the element, from the side that it is in. */
function checkKey(key: unknown, path: Path): void {
  if (typeof key === 'object' ? key === null : typeof key !== 'function' && typeof key !== 'symbol') return;
  try {
    msgpackCodec.look(key, 'key');
  } catch (cause) {
    if (key instanceof Promise) key.catch(() => undefined); // nobody's to handle any more
    const why = cause instanceof HoldfastError ? cause.message : String(cause);
    const message = `${showPath(path)}: the key that { union } gave for it cannot be compared (${why.replace(/\.$/, '')}): give text, a number or plain data, at once`;
    throw new HoldfastError('ERR_INVALID', message, { paths: [path], cause });
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
