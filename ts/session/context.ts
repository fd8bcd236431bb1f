import type { AcquireOptions } from '../lock/member-locks.ts';
import type { KeptBase } from '../sync/base.ts';
import type { Line } from '../sync/line.ts';
import type { AttributeClass, SaveMode } from '../tracking/classes.ts';
import type { FrozenPath } from '../tracking/frozen.ts';
import type { Claimed } from './claimed.ts';
import type { SessionDefinition } from './definition.ts';
import type { Looked } from './looks.ts';
import type { Access } from './options.ts';
import type { Saved } from './saved.ts';
import type { Slots } from './slots.ts';
import type { UnclosedSessions } from './unclosed.ts';

/** What is one session's own. */
export interface SessionParts {
  readonly claimed: Claimed | Looked;
  readonly slots: Slots;
  /** Save it even if it has no attributes. */
  readonly create: boolean;
  /** How it was opened. */
  readonly access: Access;
}

/** What all sessions of a repository share. */
export interface SessionContext {
  readonly line: Line;
  readonly definition: SessionDefinition<object, object>;
  readonly saveMode: SaveMode;
  /** What is kept of an attribute's base between saves; undefined: of all of them the bytes. */
  readonly keptBase: ((name: string) => KeptBase) | undefined;
  readonly tombstoneTtlMs: number;
  /** Takes another id that nothing is under yet, for `changeId`. */
  readonly claimNew: (id: string, options: AcquireOptions, place: string | undefined) => Promise<Claimed>;
  /** Locks a session that a use without a lock has begun with. */
  readonly lock: (
    id: string,
    options: AcquireOptions,
    existing: boolean,
    place: string | undefined,
  ) => Claimed | Promise<Claimed>;
  readonly leaseMs: number;
  readonly unclosed: UnclosedSessions;
  readonly onSaved: ((saved: Saved, id: string) => void) | undefined;
  readonly frozenIn: (name: string) => readonly FrozenPath[] | undefined;
  readonly classOf: (name: string) => AttributeClass | undefined;
}
