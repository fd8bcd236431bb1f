import { stationary } from './align.ts';
import { Classes } from './classes.ts';
import { compare } from './compare.ts';
import type { Edit, SequenceEdit } from './edit.ts';

/** What tells one element of a list from another; equal keys by value. */
export type KeyOf = (item: unknown) => unknown;

/** Both sides of a list anew, with elements known by their keys instead of by what they hold. */
export function unionEdits(
  mine: SequenceEdit,
  theirs: SequenceEdit,
  keyOf: KeyOf,
): readonly [mine: SequenceEdit, theirs: SequenceEdit] {
  const names = new Names(keyOf);
  const base = mine.base as readonly unknown[];
  const baseNames = names.of(base);
  return [
    keyed(base, mine.target as readonly unknown[], baseNames, names),
    keyed(base, theirs.target as readonly unknown[], baseNames, names),
  ];
}

/** A number for each key, and for each further time that it comes. */
class Names {
  private readonly classes = new Classes();
  private readonly times = new Map<string, number>();
  private readonly keyOf: KeyOf;

  constructor(keyOf: KeyOf) {
    this.keyOf = keyOf;
  }

  of(list: readonly unknown[]): readonly number[] {
    const seen = new Map<number, number>();
    return list.map((item) => {
      const name = this.classes.of(this.keyOf(item), 0);
      const time = seen.get(name) ?? 0;
      seen.set(name, time + 1);
      const whole = `${name} ${time}`;
      if (!this.times.has(whole)) this.times.set(whole, this.times.size);
      return this.times.get(whole)!;
    });
  }
}

function keyed(
  base: readonly unknown[],
  target: readonly unknown[],
  baseNames: readonly number[],
  names: Names,
): SequenceEdit {
  const places = new Map(baseNames.map((name, place) => [name, place]));
  const targetNames = names.of(target);
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
