import type { Named } from '../codec/ids.ts';
import type { ValueTypes } from '../codec/value-types.ts';
import type { Attribute } from './attribute.ts';
import type { ChangeSet } from './change-set.ts';
import type { FrozenPath } from './frozen.ts';

/** What an attribute needs of its tracker. */
export interface Host {
  isClosed(): boolean;
  /** The first read, or write, since marks were last taken. Throws when closed. */
  markRead(attribute: Attribute): void;
  markWritten(attribute: Attribute): void;
  rootOf(name: string): unknown;
  /** Whether it may be given any value, as none was saved. */
  isFree(name: string): boolean;
  replaceRoot(name: string, value: unknown): void;
}

/** How an attribute was declared. */
export interface AttributeTerms {
  /** Why it can be read only, as the end of a sentence that begins with its path; undefined: it can be changed. */
  readonly readOnly?: string | undefined;
  /** Its portions that keep their first value. */
  readonly frozen?: readonly FrozenPath[] | undefined;
  /** Of a frozen portion: the way to it. */
  readonly inside?: FrozenPath | undefined;
}

/** Stands for an attribute from one tracker to the next, and knows what it was encoded as last. */
export interface Owner extends Named {
  /** Classes whose instances are kept. */
  readonly types: ValueTypes;
  /**
   * The bytes of `root`, which were `base` before what `changes` tells, if any; `base` itself where nothing has changed.
   * Undefined: they are not known, and it must be encoded whole.
   */
  splice(base: Uint8Array, root: unknown, changes: ChangeSet | undefined): Uint8Array | undefined;
  /** The value that was encoded as `base`, before any change that was noted since; undefined: not known. */
  valueOf(base: Uint8Array): unknown;
  /** Why `splice` would not try; undefined: it would. */
  wholeBecause(base: Uint8Array, root: unknown, changes: ChangeSet | undefined): string | undefined;
  /** It is not known any more. */
  forget(): void;
}
