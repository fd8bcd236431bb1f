/**
 * Fencing token of a session: epoch × 2^32 + count, a safe integer. One compare of two tokens fences a former holder of
 * the lock and a member of a former world alike. A session's token is never below the floor of its store's epoch, also
 * where nothing is written.
 */
export type Token = number;

const COUNTS = 2 ** 32;
/** Epochs lie below this: tokens then stay exact in every client's double, also doubled by a zigzag. */
export const EPOCHS: number = 2 ** 20;

/** The store raises tokens by itself: one that comes from outside must leave room below the end. */
const ROOM = 2 ** 24;

/** Whether a caller may bring it. */
export const isToken = (value: unknown): value is Token =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < EPOCHS * COUNTS - ROOM;

/** The lowest token of an epoch. */
export const floorOf = (epoch: number): Token => epoch * COUNTS;
export const epochOf = (token: Token): number => Math.floor(token / COUNTS);
