import type { Conflict } from '../conflict.ts';

type Leaf = string | number | bigint | boolean | null | undefined | Date | ArrayBuffer | ArrayBufferView;

/** `never`: the lists are further inside, and the function says itself what it takes. */
type ItemOf<T> = T extends readonly (infer E)[] ? E : never;

/**
 * What becomes of a part of an attribute that an optimistic use has changed and others have too: `fail` (the save is
 * refused), `mine`, `theirs`, `sum` (of numbers and bigints: both differences are added), `union` (elements of lists are
 * one where their keys are), or a function from the conflict to the value, `ABSENT` for none.
 */
export type MergeOf<T> =
  | 'fail'
  | 'mine'
  | 'theirs'
  | (T extends number | bigint ? 'sum' : T extends Leaf ? never : 'sum')
  | (T extends Leaf ? never : { readonly union: (item: ItemOf<T>) => unknown })
  | ((conflict: Conflict) => unknown);
