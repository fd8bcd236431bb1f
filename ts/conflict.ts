import type { Path } from './path.ts';

/** Stands for what is not there, where there may be any value. */
export const ABSENT: unique symbol = Symbol('holdfast.ABSENT');

/** A part that both sides have changed, be it alike. Its values are `ABSENT` where it is not there. */
export interface Conflict {
  /** In lists by the index in the base. */
  readonly path: Path;
  readonly base: unknown;
  readonly mine: unknown;
  readonly theirs: unknown;
}
