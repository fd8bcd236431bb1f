import type { Chunk } from './chunks.ts';

/** Which implementation runs. Both read and write the same bytes. */
export type Engine = 'native' | 'js';

/** Words that `diffBatch` and `hashBatch` write per entry of `results`. */
export const BATCH_STRIDE = 3;

export interface SignatureOptions {
  /**
   * Bytes per chunk: a power of two from 64 to 65536; 512 unless given. An edit costs the chunks that it touches; a
   * signature has 12 bytes per chunk.
   */
  readonly chunkBytes?: number | undefined;
}

export interface ChunksOptions {
  /** Bytes of the average chunk: a power of two from 256 to 1048576; 8192 unless given. */
  readonly averageBytes?: number | undefined;
}

/**
 * Bytes in, bytes out: the differ knows nothing of sessions. Format: `crates/delta/FORMAT.md`.
 *
 * All inputs are at most 2^31 - 1 bytes. Every method throws `HoldfastError`: `ERR_CORRUPT` for a delta that is damaged
 * or was made against another base, `ERR_LIMIT` for a size over a limit, `ERR_INVALID` for a wrong argument. On an
 * error nothing has changed, except that `out` and `results` may hold rubbish.
 */
export interface Differ {
  readonly engine: Engine;

  /** A new delta that turns `base` into `target`; 1 byte when they are equal; at most `target.length + 16` bytes. */
  diff(base: Uint8Array, target: Uint8Array): Uint8Array;

  /** As `diff`, written to the start of `out`; returns the bytes written. `ERR_LIMIT` when `out` is too small. */
  diffInto(base: Uint8Array, target: Uint8Array, out: Uint8Array): number;

  /** The target. `limitBytes` bounds its length and is checked before anything is allocated. */
  apply(base: Uint8Array, delta: Uint8Array, limitBytes: number): Uint8Array;

  /**
   * As `apply`, written to the start of `out`, whose length is the limit; returns the bytes written. `out` must not
   * overlap the others, and may hold rubbish after an error.
   */
  applyInto(base: Uint8Array, delta: Uint8Array, out: Uint8Array): number;

  /**
   * Turns `bytes`, the base, into the target where it lies; returns the bytes written, 0 where nothing differs. Takes
   * only a delta whose target has the base's length and whose copies all stay in place (every splice of equal lengths,
   * and most edits of fixed-width fields); `ERR_INVALID` for any other: use `apply`. The delta is checked whole before
   * the first byte is written, and the work grows with the delta and what it writes, not with the base.
   */
  applyInPlace(bytes: Uint8Array, delta: Uint8Array): number;

  /** Hashes of the base's chunks, to diff against where the base is not kept: 2.4 % of its bytes, plus 20. */
  signature(base: Uint8Array, options?: SignatureOptions): Uint8Array;

  /**
   * A new delta that turns the base of `signature` into `target`, at most `target.length + 48` bytes; `apply` takes it,
   * checks the whole base before and the whole target after. `ERR_CORRUPT` for a signature that is damaged or of
   * another version.
   */
  diffSignature(signature: Uint8Array, target: Uint8Array): Uint8Array;

  /**
   * The content-defined chunks of `bytes`, in order and without gaps: a quarter of the average long at least (except
   * the last), eight times it at most. An edit changes the chunks around it only, so equal hashes show what two byte
   * strings share.
   */
  chunks(bytes: Uint8Array, options?: ChunksOptions): Chunk[];

  /** Applies several deltas in turn; as `apply` of each, but intermediate states need not be built. */
  applyChain(base: Uint8Array, deltas: readonly Uint8Array[], limitBytes: number): Uint8Array;

  /**
   * One save in one call. For each i: diffs `bases[i]` against `targets[i]`, writes the deltas end to end into `out`,
   * and `results[3i]` = length of the delta (0: equal, or no base), `results[3i+1]`, `results[3i+2]` = low and high
   * half of the target's XXH3-64 (written unless equal). A missing base means that the target travels whole: only its
   * hash is wanted. Returns the bytes written to `out`, which must hold the sum over targets with a base of (length +
   * 16).
   */
  diffBatch(
    bases: readonly (Uint8Array | undefined)[],
    targets: readonly Uint8Array[],
    out: Uint8Array,
    results: Uint32Array,
  ): number;

  /** XXH3-64 (seed 0) of each value: `results[3i+1]` low half, `results[3i+2]` high half. */
  hashBatch(values: readonly Uint8Array[], results: Uint32Array): void;
}
