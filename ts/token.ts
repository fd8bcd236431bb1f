/**
 * Fencing token of a session: epoch × 2^32 + count, a safe integer. One compare of two tokens fences a former holder of the lock and
 * a member of a former world alike. A session's token is never below the floor of its store's epoch, also where nothing is written.
 */
export type Token = number;

const COUNTS = 2 ** 32;
/** Epochs lie below this: tokens then stay exact in every client's double, also doubled by a zigzag. */
export const EPOCHS: number = 2 ** 20;

/** The lowest token of an epoch. */
export const floorOf = (epoch: number): Token => epoch * COUNTS;
export const epochOf = (token: Token): number => Math.floor(token / COUNTS);
