/** What a history can show to be wrong. */
export type FindingKind =
  /** What was acknowledged, or seen by somebody, is not there at the end. */
  | 'acknowledged and missing'
  /** What was refused, or rejected as not done, is there. */
  | 'failed and present'
  /** One record or key is there twice, or two records have one parent or one position. */
  | 'doubled'
  /** A record that nobody wrote, that does not follow its parent, or that was read back otherwise than written. */
  | 'broken chain'
  /** A call or use misses what was acknowledged before it began. */
  | 'stale read'
  /** What came later stands before, or a list that was seen is not the beginning of the list. */
  | 'wrong order'
  /** A session lives after its end, or after its expiry without a snapshot that begins it anew. */
  | 'resurrected session'
  /** Two members were granted a lock for times that certainly overlap. */
  | 'lock held by two'
  /** A call was accepted under a token lower than one that was reached before it began. */
  | 'old token accepted'
  /** A grant's token had been reached before by another. */
  | 'token granted twice'
  /** A session has ended and nobody asked for it. */
  | 'destroyed by nobody'
  /** Head, token or epoch are lower than somebody saw them before. */
  | 'head went back'
  /** A session was expired before its time. */
  | 'expired too early'
  /** A session was served after its time. */
  | 'served though expired';

export interface Finding {
  readonly kind: FindingKind;
  /** The session, or the store where it is about the whole. */
  readonly id: string;
  readonly detail: string;
  /** Indices of the marks that show it. */
  readonly marks: readonly number[];
}

export interface Counts {
  marks: number;
  calls: number;
  /** Calls that never returned, or whose outcome was unknown. */
  unknown: number;
  /** Records, once each, of all stores. */
  acknowledged: number;
  /** Answers that refused an append or an image. */
  refused: number;
  /** Calls that rejected and certainly did nothing. */
  failed: number;
  grants: number;
  uses: number;
  /** Keys whose save was acknowledged. */
  kept: number;
}

export class Findings {
  readonly list: Finding[] = [];
  readonly #said = new Set<string>();

  say(kind: FindingKind, id: string, detail: string, marks: readonly (number | undefined)[]): void {
    this.list.push({ kind, id, detail, marks: marks.filter((mark) => mark !== undefined) });
  }

  /** For what every later mark would show again. */
  sayOnce(kind: FindingKind, id: string, detail: string, marks: readonly (number | undefined)[]): void {
    const said = `${kind}\n${id}\n${detail}`;
    if (this.#said.has(said)) return;
    this.#said.add(said);
    this.say(kind, id, detail, marks);
  }
}
