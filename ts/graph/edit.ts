import type { SequenceKind } from './kinds.ts';

/** What makes one value of another: the tree that the differ finds, and that delta, changes and merge are made from. */
export type Edit = SetEdit | TextEdit | BytesEdit | SequenceEdit;

export interface SetEdit {
  readonly kind: 'set';
  readonly value: unknown;
}

/** The characters from `start` to `baseEnd` give way to `inserted`, never in the middle of a surrogate pair. */
export interface TextEdit {
  readonly kind: 'text';
  readonly start: number;
  readonly baseEnd: number;
  readonly inserted: string;
  /** From the removed text's UTF-8 to that of the inserted, where this is the shorter way to say it. */
  readonly delta: Uint8Array | undefined;
}

export interface BytesEdit {
  readonly kind: 'bytes';
  readonly delta: Uint8Array;
}

/** Nothing of it but what it is called may have changed. */
export interface SequenceEdit {
  readonly kind: 'sequence';
  readonly of: SequenceKind;
  readonly base: object;
  readonly target: object;
  readonly baseKeys: readonly unknown[] | undefined;
  readonly targetKeys: readonly unknown[] | undefined;
  /** For each place of the target the one in the base that it comes from, or -1; undefined: all stay in their places. */
  readonly source: Int32Array | undefined;
  /** By place in the base: whether it keeps its place among those that stay; undefined: all do, or are gone. */
  readonly stays: Uint8Array | undefined;
  /** By place in the base: of what stays and is changed in itself. */
  readonly edits: ReadonlyMap<number, Edit>;
}
