import { isSharedArrayBuffer, isUint8Array } from 'node:util/types';
import { HoldfastError } from '../errors.ts';
import { checkOptions, describe, flag, type Rule, type Rules } from '../options.ts';
import { BATCH_STRIDE, type ChunksOptions, type SignatureOptions } from './differ.ts';
import {
  CDC_BITS,
  CDC_BITS_MAX,
  CDC_BITS_MIN,
  CHUNK_BITS,
  CHUNK_BITS_MAX,
  CHUNK_BITS_MIN,
  MAX_LEN,
  MAX_OVERHEAD,
} from './format.ts';

function invalid(message: string): HoldfastError {
  return new HoldfastError('ERR_INVALID', message);
}

/** The native call is for what the cheap look cannot tell: memory of another realm. */
const isShared = (memory: ArrayBufferLike): boolean => !(memory instanceof ArrayBuffer) && isSharedArrayBuffer(memory);

/** Whether the memory has been transferred, or shrunk to less than where the array lies: it looks like an empty one. */
function isGone(value: Uint8Array): boolean {
  try {
    Uint8Array.prototype.at.call(value, 0);
    return false;
  } catch {
    return true;
  }
}

function shapeFault(value: Uint8Array): string | undefined {
  if (!(value instanceof Uint8Array) && !isUint8Array(value)) return `must be a Uint8Array, not ${describe(value)}`;
  if (value.length > MAX_LEN) return `is ${value.length} bytes long: more than ${MAX_LEN}`;
  if (value.length === 0 && isGone(value))
    return 'is memory that was transferred elsewhere (a detached ArrayBuffer): pass a copy before that';
  return undefined;
}

/** What is wrong with it as input or output; undefined: nothing. */
function faultOf(value: Uint8Array): string | undefined {
  const fault = shapeFault(value);
  if (fault !== undefined || !isShared(value.buffer)) return fault;
  return 'is memory that other threads may write to (a SharedArrayBuffer): pass a copy of it';
}

/**
 * Throws `ERR_INVALID` unless `value` is a `Uint8Array` of at most 2^31 - 1 bytes that only this thread can write to:
 * what is read twice must not differ. One whose memory is gone is not taken for an empty one.
 */
export function checkBytes(value: Uint8Array, name: string): void {
  const fault = faultOf(value);
  if (fault !== undefined) throw invalid(`${name} ${fault}`);
}

/** As `checkBytes`, without asking who else can write to it: `value.buffer` takes longer than all else here. */
export function checkShape(value: Uint8Array, name: string): void {
  const fault = shapeFault(value);
  if (fault !== undefined) throw invalid(`${name} ${fault}`);
}

/** The limit, cut to what the format can hold. */
export function checkLimit(limitBytes: number): number {
  if (!Number.isInteger(limitBytes) || limitBytes < 0)
    throw invalid(`limitBytes must be a whole number of bytes, not ${describe(limitBytes)}`);
  return Math.min(limitBytes, MAX_LEN);
}

const powerOfTwo =
  (leastBits: number, mostBits: number): Rule =>
  (name, value) => {
    const bits = typeof value === 'number' ? Math.log2(value) : NaN;
    if (Number.isInteger(bits) && bits >= leastBits && bits <= mostBits) return;
    throw invalid(`${name} must be a power of two from ${2 ** leastBits} to ${2 ** mostBits}, not ${describe(value)}`);
  };

const SIGNATURE_RULES: Rules = { chunkBytes: powerOfTwo(CHUNK_BITS_MIN, CHUNK_BITS_MAX) };
const CHUNKS_RULES: Rules = { averageBytes: powerOfTwo(CDC_BITS_MIN, CDC_BITS_MAX) };
const VCDIFF_RULES: Rules = { checksum: flag };

/** The binary logarithm of a signature's chunk. */
export function checkChunk(options: SignatureOptions | undefined): number {
  if (options !== undefined) checkOptions('signature', options, SIGNATURE_RULES);
  return Math.log2(options?.chunkBytes ?? 2 ** CHUNK_BITS);
}

/** The binary logarithm of the average content-defined chunk. */
export function checkAverage(options: ChunksOptions | undefined): number {
  if (options !== undefined) checkOptions('chunks', options, CHUNKS_RULES);
  return Math.log2(options?.averageBytes ?? 2 ** CDC_BITS);
}

/** Whether a VCDIFF is to have checksums. */
export function checkVcdiff(options: { readonly checksum?: boolean | undefined } | undefined): boolean {
  if (options !== undefined) checkOptions('toVcdiff', options, VCDIFF_RULES);
  return options?.checksum ?? false;
}

function copyList<T extends Uint8Array | undefined>(
  list: readonly T[],
  name: string,
  optional: boolean,
  fault: (value: Uint8Array) => string | undefined,
): T[] {
  if (!Array.isArray(list)) throw invalid(`${name} must be an array, not ${describe(list)}`);
  const copy: T[] = [];
  for (let i = 0; i < list.length; i++) {
    const item = list[i] as T;
    const found = item === undefined && optional ? undefined : fault(item as Uint8Array);
    if (found !== undefined) throw invalid(`${name}[${i}] ${found}`);
    copy.push(item);
  }
  return copy;
}

/** A plain copy of a list, each element checked as by `checkBytes`; holes only where `optional`. */
export function checkList<T extends Uint8Array | undefined>(list: readonly T[], name: string, optional = false): T[] {
  return copyList(list, name, optional, faultOf);
}

/** As `checkList`, each element as by `checkShape`. */
export function checkShapes<T extends Uint8Array | undefined>(list: readonly T[], name: string, optional = false): T[] {
  return copyList(list, name, optional, shapeFault);
}

/** Throws unless `results` has room for `count` entries. */
export function checkResults(results: Uint32Array, count: number): void {
  if (!(results instanceof Uint32Array)) throw invalid(`results must be a Uint32Array, not ${describe(results)}`);
  if (isShared(results.buffer)) throw invalid('results must be memory of this thread alone');
  if (results.length < BATCH_STRIDE * count)
    throw invalid(`results must hold ${BATCH_STRIDE * count} words, not ${results.length}`);
}

/** Throws unless the lists fit each other and `out` has room for every delta. */
export function checkBatch(
  bases: readonly (Uint8Array | undefined)[],
  targets: readonly Uint8Array[],
  out: Uint8Array,
): void {
  if (bases.length !== targets.length) throw invalid(`${bases.length} bases do not go with ${targets.length} targets`);
  let needed = 0;
  for (let i = 0; i < targets.length; i++) if (bases[i] !== undefined) needed += targets[i]!.length + MAX_OVERHEAD;
  if (out.length < needed) throw new HoldfastError('ERR_LIMIT', `out must hold ${needed} bytes, not ${out.length}`);
}

/** Throws `ERR_INVALID` where an output shares memory with an input. */
export function checkApart(out: Uint8Array | Uint32Array, input: Uint8Array | Uint32Array): void {
  if (out.buffer !== input.buffer || out.byteLength === 0 || input.byteLength === 0) return;
  if (out.byteOffset < input.byteOffset + input.byteLength && input.byteOffset < out.byteOffset + out.byteLength) {
    throw invalid('the output overlaps an input: pass memory of its own');
  }
}
