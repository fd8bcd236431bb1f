/** The store that sessions are taken over from. It must be able to delete: what it kept could come back otherwise. */
export interface LegacySessions {
  /** Undefined: it has none. `leftMs` undefined: it never expires. */
  find(sid: string): Promise<LegacySession | undefined>;
  /** Harmless where there is none. */
  delete(sid: string): Promise<unknown>;
}

export interface LegacySession {
  readonly session: object;
  readonly leftMs: number | undefined;
}
