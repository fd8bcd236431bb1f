/**
 * Binary deltas: what turns one byte string, the base, into another, the target. The format is drawn in
 * `crates/delta/FORMAT.md`. All inputs are `Uint8Array`s of at most 2^31 - 1 bytes, on memory of this thread alone: a
 * `SharedArrayBuffer`'s is refused, and so is memory that was transferred elsewhere.
 */
import type { Chunk } from './diff/chunks.ts';
import type { ChunksOptions, Differ, Engine, SignatureOptions } from './diff/differ.ts';
import { checkBytes, checkLimit, checkVcdiff } from './diff/arguments.ts';
import { loadDiffer } from './diff/engine.ts';
import { readVcdiff } from './diff/vcdiff-reader.ts';
import { writeVcdiff } from './diff/vcdiff-writer.ts';

export type { Chunk } from './diff/chunks.ts';
export type { ChunksOptions, Engine, SignatureOptions } from './diff/differ.ts';
export { HoldfastError, type ErrorCode } from './errors.ts';

const differ: Differ = loadDiffer();

/** Which implementation runs: `native`, or `js`, slower, where that is not built. `HOLDFAST_ENGINE` forces one. */
export const engine: Engine = differ.engine;

/**
 * A new delta that turns `base` into `target`: 1 byte when they are equal, at most `target.length + 16` bytes.
 * The same input gives the same delta on every machine.
 *
 * @throws HoldfastError `ERR_INVALID` for an argument that is no `Uint8Array`, too long, or shared.
 */
export function diff(base: Uint8Array, target: Uint8Array): Uint8Array {
  return differ.diff(base, target);
}

/**
 * As `diff`, written to the start of `out`; returns the bytes written. `target.length + 16` bytes always suffice.
 *
 * @throws HoldfastError `ERR_LIMIT` when `out` is too small (it may then hold rubbish); `ERR_INVALID` for an argument
 * that is no `Uint8Array` or too long, or when `out` overlaps an input.
 */
export function diffInto(base: Uint8Array, target: Uint8Array, out: Uint8Array): number {
  return differ.diffInto(base, target, out);
}

/**
 * The target, as a new array. A delta that is damaged or was made against another base is refused with a probability of
 * at least 255 in 256; compare a digest of the target where that is not enough.
 *
 * @param limitBytes The longest target to accept, checked before anything is allocated.
 * @throws HoldfastError `ERR_CORRUPT` for a bad delta or a foreign base; `ERR_LIMIT` for a target over the limit;
 * `ERR_INVALID` for a wrong argument.
 */
export function apply(base: Uint8Array, delta: Uint8Array, limitBytes: number): Uint8Array {
  return differ.apply(base, delta, limitBytes);
}

/**
 * As `apply`, written to the start of `out`, whose length is the limit: no memory is made, so that a target that is
 * looked at once costs little more than a copy of it.
 *
 * @returns The bytes written.
 * @throws HoldfastError As `apply`, `out` perhaps holding rubbish then; `ERR_INVALID` also where `out` overlaps the base
 * or the delta.
 */
export function applyInto(base: Uint8Array, delta: Uint8Array, out: Uint8Array): number {
  return differ.applyInto(base, delta, out);
}

/**
 * Turns `bytes`, the base, into the target where it lies. Takes only a delta whose target has the base's length and
 * whose copies all stay in place: fields that change without growing. The delta is checked whole before the first byte
 * is written; the work grows with the delta and what it writes, not with the base. On an error `bytes` are as they
 * were.
 *
 * @returns The bytes written; 0 where base and target are equal.
 * @throws HoldfastError `ERR_INVALID` for a delta that moves bytes or changes the length (use `apply`), for an argument
 * that is no `Uint8Array`, or when the two overlap; `ERR_CORRUPT` as `apply`.
 */
export function applyInPlace(bytes: Uint8Array, delta: Uint8Array): number {
  return differ.applyInPlace(bytes, delta);
}

/**
 * Hashes of the base's chunks, to diff against where the base itself is not kept: 12 bytes per chunk of 512 (or
 * `options.chunkBytes`, a power of two from 64 to 65536) and 20 more. The same base gives the same signature on every
 * machine.
 *
 * @throws HoldfastError `ERR_INVALID` for a wrong argument.
 */
export function signature(base: Uint8Array, options?: SignatureOptions): Uint8Array {
  return differ.signature(base, options);
}

/**
 * A new delta that turns the base of `signature` into `target`, for `apply`: at most `target.length + 48` bytes. An
 * edit costs the chunks that it touches, wherever the rest has moved. The delta names the hashes (XXH3-64: against
 * accidents, not attackers) of the whole base and of the whole target, and `apply` checks both.
 *
 * @throws HoldfastError `ERR_CORRUPT` for a signature that is damaged or of another version; `ERR_INVALID` for a wrong
 * argument.
 */
export function diffSignature(signatureBytes: Uint8Array, target: Uint8Array): Uint8Array {
  return differ.diffSignature(signatureBytes, target);
}

/**
 * The content-defined chunks of `bytes`, in order and without gaps, after FastCDC (Xia et al. 2016, 2020):
 * `options.averageBytes` (a power of two from 256 to 1048576; 8192 unless given) long on average, a quarter of it at
 * least (except the last), eight times it at most. An edit changes the chunks around it only, so equal hashes show what
 * two byte strings share, wherever it lies.
 *
 * @throws HoldfastError `ERR_INVALID` for a wrong argument.
 */
export function chunks(bytes: Uint8Array, options?: ChunksOptions): Chunk[] {
  return differ.chunks(bytes, options);
}

export interface VcdiffOptions {
  /**
   * Whether each window carries the Adler-32 of its target, as xdelta3's do; other decoders may refuse it. Off unless
   * given.
   */
  readonly checksum?: boolean | undefined;
}

/**
 * A delta as VCDIFF (RFC 3284), for other decoders: version 0, the default code table, no secondary compression,
 * windows of at most 8 MB, each with the whole base as its source.
 *
 * @param limitBytes The longest target to accept: the delta is applied to check it.
 * @throws HoldfastError as `apply`; `ERR_INVALID` also for an option that there is not.
 */
export function toVcdiff(base: Uint8Array, delta: Uint8Array, limitBytes: number, options?: VcdiffOptions): Uint8Array {
  const hasChecksum = checkVcdiff(options);
  return writeVcdiff(base, delta, differ.apply(base, delta, limitBytes), hasChecksum);
}

/**
 * The delta, as `diff` makes it, to the target that a VCDIFF (RFC 3284) makes of `base`. Takes version 0 with the
 * default code table and no secondary compression (xdelta3's `-S none`), with or without xdelta3's checksums and
 * application header. A VCDIFF without checksums does not know its base: one made for another base goes unnoticed if
 * its copies fit.
 *
 * @param limitBytes The longest target to accept, checked before its memory is allocated.
 * @throws HoldfastError `ERR_CORRUPT` for a VCDIFF that is damaged or uses what is not supported; `ERR_LIMIT` for a
 * target over the limit; `ERR_INVALID` for a wrong argument.
 */
export function fromVcdiff(base: Uint8Array, vcdiff: Uint8Array, limitBytes: number): Uint8Array {
  checkBytes(base, 'base');
  checkBytes(vcdiff, 'vcdiff');
  return differ.diff(base, readVcdiff(base, vcdiff, checkLimit(limitBytes)));
}
