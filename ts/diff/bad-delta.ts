import { HoldfastError } from '../errors.ts';

/** What is wrong with a delta, at which of its bytes. */

export function corrupt(message: string): HoldfastError {
  return new HoldfastError('ERR_CORRUPT', message);
}

export const truncated = (offset: number): HoldfastError =>
  corrupt(`the delta ends inside the field at byte ${offset}`);
export const trailing = (offset: number): HoldfastError => corrupt(`the delta goes on after its end at byte ${offset}`);
export const outOfBase = (offset: number): HoldfastError =>
  corrupt(`the delta reaches beyond its base at byte ${offset}`);
export const malformed = (offset: number): HoldfastError =>
  corrupt(`the delta's number at byte ${offset} is malformed`);
export const foreign = (offset: number): HoldfastError =>
  corrupt(`the delta is damaged or was made against another base (check at byte ${offset})`);
export const reserved = (header: number): HoldfastError =>
  corrupt(`the delta's header 0x${header.toString(16).padStart(2, '0')} is unknown`);

/** What to throw for a target that outgrows the limit at this byte of the delta. */
export type Refusal = (offset: number, limit: number) => HoldfastError;

export const overLimit: Refusal = (offset, limit) =>
  new HoldfastError('ERR_LIMIT', `the target is longer than the limit of ${limit} bytes (delta, byte ${offset})`);

/** One that cannot be applied where its base lies. */
export const notInPlace: Refusal = (offset) =>
  new HoldfastError(
    'ERR_INVALID',
    `the delta moves bytes, changes the length or comes from a signature (delta, byte ${offset}): use apply instead`,
  );
