const ROOM = 1024;

/**
 * How many questions were begun to which no answer was taken in, by the remainder of their tickets. Shared by a thread
 * and whoever asks it.
 */
export type Begun = Int32Array;

export const newBegun = (): Begun => new Int32Array(new SharedArrayBuffer(4 * ROOM));

export function count(begun: Begun, ticket: number, change: 1 | -1): void {
  Atomics.add(begun, ticket % ROOM, change);
}

/** Also true where another question has the same remainder. */
export const isBegun = (begun: Begun, ticket: number): boolean => Atomics.load(begun, ticket % ROOM) > 0;
