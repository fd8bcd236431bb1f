import { EventEmitter } from 'node:events';
import type { Listener } from '../../observe.ts';
import type { ClosedReport } from '../../session/options.ts';
import { told } from './callback.ts';
import type { Callback } from './callback.ts';
import { DropIn } from './drop-in.ts';
import type { Handed } from './drop-in.ts';
import type { DropInOptions } from './options.ts';

export { connectRedis } from './connect-redis.ts';
export type { ConnectRedisOptions } from './connect-redis.ts';
export type { LegacySession, LegacySessions } from './legacy.ts';
export type { DropInOptions } from './options.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- its type is the application's, which adds to an interface of fastify's
type FastifySession = any;

/**
 * Of a cookie that `get` gave: @fastify/session makes a session of its own from what it was given, and keeps of that only
 * the options of the cookie, symbols too.
 */
const HANDED = Symbol('holdfast.handed');

/**
 * A store of @fastify/session: `app.register(fastifySession, { store: new HoldfastSessionStore({ store }), … })`. See that of
 * express-session.
 */
export class HoldfastSessionStore extends EventEmitter {
  readonly #sessions: DropIn;

  constructor(options: DropInOptions) {
    super();
    this.#sessions = new DropIn(options);
  }

  get(sid: string, callback?: Callback<FastifySession>): Promise<FastifySession> {
    return told(this.#get(sid), callback);
  }

  async #get(sid: string): Promise<object | undefined> {
    const session = await this.#sessions.get(sid);
    const cookie = session?.['cookie'];
    if (session !== undefined && typeof cookie === 'object' && cookie !== null)
      Object.assign(cookie, { [HANDED]: this.#sessions.handedOf(session) });
    return session;
  }

  set(sid: string, session: FastifySession, callback?: Callback<void>): Promise<void> {
    return told(this.#sessions.set(sid, session as object, this.#handedOf(session as object)), callback);
  }

  #handedOf(session: object): Handed | undefined {
    const known = this.#sessions.handedOf(session);
    if (known !== undefined) return known;
    for (const symbol of Object.getOwnPropertySymbols(session)) {
      const options = (session as Record<symbol, Record<symbol, Handed> | null | undefined>)[symbol];
      if (typeof options === 'object' && options?.[HANDED] !== undefined) return options[HANDED];
    }
    return undefined;
  }

  destroy(sid: string, callback?: Callback<void>): Promise<void> {
    return told(this.#sessions.destroy(sid), callback);
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
