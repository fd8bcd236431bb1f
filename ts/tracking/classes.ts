/**
 * How an attribute changes. `mutable`: at any time, also inside. `immutable`: set once while absent, read-only from
 * then on. `unclassified`: as `mutable`, but a mere reading does not count in `mutable-access`.
 */
export type AttributeClass = 'mutable' | 'immutable' | 'unclassified';

/**
 * Which attributes a save encodes and compares: those written; also the mutable ones that were read; all that were read
 * or written; all. In every mode an immutable attribute counts only when it was newly set.
 */
export type SaveMode = 'write' | 'mutable-access' | 'access' | 'all';
