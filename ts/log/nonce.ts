import { randomBytes } from 'node:crypto';

const NONCE_BYTES = 6;
let pool = Buffer.alloc(0);

/** 48 random bits. Drawn from a pool: one call for random bytes serves a thousand records. */
export function drawNonce(): number {
  if (pool.length < NONCE_BYTES) pool = randomBytes(1000 * NONCE_BYTES);
  const nonce = pool.readUIntLE(0, NONCE_BYTES);
  pool = pool.subarray(NONCE_BYTES);
  return nonce;
}
