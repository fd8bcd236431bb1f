export { ABSENT } from './conflict.ts';
export type { Conflict } from './conflict.ts';
export { HoldfastError, shortId } from './errors.ts';
export type { ErrorCode, ErrorDetails, Outcome } from './errors.ts';
export { formatPath, parsePath } from './path.ts';
export type { CollectionStep, Path, PathStep } from './path.ts';
export { defineSession, immutable, mutable, unclassified } from './session/definition.ts';
export type {
  Attributes,
  AttributeOptions,
  AttributeSpec,
  AttributesState,
  AttributesValues,
  CopiedState,
  CopyOf,
  DeepReadonly,
  DefinitionOptions,
  Migrate,
  Presence,
  RepositoryOf,
  SessionDefinition,
  SessionOf,
  StateOf,
  ValuesOf,
  WithUndeclared,
} from './session/definition.ts';
export { valueType } from './codec/value-types.ts';
export type { ClassOf, ValueType, ValueTypeFunctions } from './codec/value-types.ts';
export type { MergePolicy } from './graph/merge.ts';
export type { FrozenOf } from './session/frozen-paths.ts';
export type { MergeOf } from './session/policy.ts';
export type { NotKept, RegisteredClasses, Storable } from './session/storable.ts';
export { SessionRepository } from './session/repository.ts';
export type {
  Access,
  AccessMode,
  ChangeIdOptions,
  CloseOptions,
  ClosedReport,
  CreateOptions,
  ReadOptions,
  SaveOptions,
  Unstored,
  RepositoryOptions,
  ScopeOptions,
  UseOptions,
} from './session/options.ts';
export type { Change } from './graph/changes.ts';
export type { AttributeExplanation, Explanation } from './session/explanation.ts';
export type { OnSaved, Saved } from './session/saved.ts';
export type { Session } from './session/session.ts';
export type { BackupVerdict } from './session/verification.ts';
export type { LockOptions } from './lock/context.ts';
export type { AcquireOptions } from './lock/member-locks.ts';
export type { BackupOptions } from './backup/backup.ts';
export type { Backups } from './backup/backups.ts';
export type { AttributeClass, SaveMode } from './tracking/classes.ts';
export { plain } from './tracking/tracker.ts';
export { MemoryStore } from './store/memory.ts';
export type { MemoryStoreOptions } from './store/memory.ts';
export { openStore } from './store/open.ts';
export type { OpenOptions } from './store/open.ts';
export type { Acquire, Grant, LockOwner, LockView } from './store/lock.ts';
export type {
  Append,
  Appended,
  CallOptions,
  Capabilities,
  Durability,
  Expiry,
  Head,
  HeadState,
  Hint,
  ImageRecord,
  ListQuery,
  LockReply,
  LockRequest,
  Membership,
  OutageOptions,
  Page,
  ReadRequest,
  RecordKind,
  SessionImage,
  Store,
  SweepRequest,
  Tail,
  Touch,
  Touched,
} from './store/store.ts';
export { epochOf, floorOf } from './token.ts';
export type { Token } from './token.ts';
export type { Position } from './position.ts';
export type { Engine } from './diff/differ.ts';
export type { Clock } from './clock.ts';
export type { Entropy } from './entropy.ts';
export type {
  BackupCaughtUpEvent,
  BackupErrorEvent,
  BackupLagEvent,
  ClockJumpEvent,
  ConflictEvent,
  DamageEvent,
  EngineEvent,
  EventType,
  ExpiredEvent,
  GrantEvent,
  AutosaveErrorEvent,
  HoldfastEvent,
  Listener,
  LockLostEvent,
  Place,
  RecallEvent,
  RepairedEvent,
  SentEvent,
  SettledEvent,
  SupersededEvent,
  UnclosedEvent,
  UnsettledEvent,
  WaitEvent,
} from './observe.ts';
