import { createHash, randomBytes } from 'node:crypto';

/** 144 bits, so that none is found by guessing. */
const SID_BYTES = 18;

/** What a client is given to show: it opens the session. */
export function newSid(): string {
  return randomBytes(SID_BYTES).toString('base64url');
}

/** The id under which the session of `sid` is stored: who reads the store, or a log, cannot make a cookie of it. */
export function hashedId(sid: string): string {
  return createHash('sha256').update(sid).digest('base64url');
}
