/** A place in a session's log. Two writers that both reach a revision differ in the nonce. */
export interface Position {
  /** Counts the session's records from 1. 0: before the first. */
  readonly revision: number;
  /** 48 random bits, drawn by the writer of the record. */
  readonly nonce: number;
}

/** Before the first record: the parent of a session's first one, and `since` for a caller that has nothing. */
export const ORIGIN: Position = { revision: 0, nonce: 0 };

export const samePosition = (a: Position, b: Position): boolean => a.revision === b.revision && a.nonce === b.nonce;
