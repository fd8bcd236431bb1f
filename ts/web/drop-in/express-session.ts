import { Store } from 'express-session';
import type { Session, SessionData } from 'express-session';
import type { Listener } from '../../observe.ts';
import type { ClosedReport } from '../../session/options.ts';
import { told } from './callback.ts';
import type { Callback } from './callback.ts';
import { DropIn } from './drop-in.ts';
import type { DropInOptions } from './options.ts';

export { connectRedis } from './connect-redis.ts';
export type { ConnectRedisOptions } from './connect-redis.ts';
export type { LegacySession, LegacySessions } from './legacy.ts';
export type { DropInOptions } from './options.ts';

type Request = Parameters<Store['createSession']>[0];

/**
 * A store of express-session: `session({ store: new HoldfastSessionStore({ store }) })`. Requests of one session that run
 * at once are merged, and one that was destroyed stays so. Every method calls back, or gives a promise without a callback.
 */
export class HoldfastSessionStore extends Store {
  readonly #sessions: DropIn;

  constructor(options: DropInOptions) {
    super();
    this.#sessions = new DropIn(options);
  }

  /** What `get` gave becomes the session of a request. */
  override createSession(request: Request, data: SessionData): Session & SessionData {
    const session = super.createSession(request, data);
    this.#sessions.hand(session, this.#sessions.handedOf(data));
    return session;
  }

  override get(
    sid: string,
    callback?: Callback<SessionData | null | undefined>,
  ): Promise<SessionData | null | undefined> {
    return told(this.#sessions.get(sid) as Promise<SessionData | null | undefined>, callback);
  }

  override set(sid: string, session: SessionData, callback?: Callback<void>): Promise<void> {
    return told(this.#sessions.set(sid, session), callback);
  }

  override touch(sid: string, session: SessionData, callback?: Callback<void>): Promise<void> {
    return told(this.#sessions.touch(sid, session), callback);
  }

  override destroy(sid: string, callback?: Callback<void>): Promise<void> {
    return told(this.#sessions.destroy(sid), callback);
  }

  /** By their ids in the store, which are hashes of the cookies' ids. */
  override all(callback?: Callback<Record<string, SessionData>>): Promise<Record<string, SessionData>> {
    return told(
      this.#sessions.all() as Promise<Record<string, unknown>> as Promise<Record<string, SessionData>>,
      callback,
    );
  }

  override length(callback?: Callback<number>): Promise<number> {
    return told(this.#sessions.length(), callback);
  }

  override clear(callback?: Callback<void>): Promise<void> {
    return told(this.#sessions.clear(), callback);
  }

  /** All that happens, conflicts too; gives a function that ends it. See `SessionRepository.observe`. */
  observe(listener: Listener): () => void {
    return this.#sessions.observe(listener);
  }

  /** Begins nothing new and waits for what is under way. The store that it was made with is the caller's to close. */
  close(): Promise<ClosedReport> {
    return this.#sessions.close();
  }
}
