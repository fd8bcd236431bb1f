import { randomFillSync } from 'node:crypto';

const NONCE_BYTES = 6;
const pool = Buffer.allocUnsafeSlow(1000 * NONCE_BYTES);
let used = pool.length;

/** 48 random bits. Drawn from a pool: one call for random bytes serves a thousand records. */
export function drawNonce(): number {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += NONCE_BYTES;
  return pool.readUIntLE(used - NONCE_BYTES, NONCE_BYTES);
}
