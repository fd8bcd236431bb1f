import { HoldfastError } from '../errors.ts';
import type { ScopeOptions } from '../session/options.ts';
import type { SessionRepository } from '../session/repository.ts';
import type { Session } from '../session/session.ts';
import { withoutState } from '../tracking/tracker.ts';
import type { Health, Watch } from './health.ts';
import type { WebScopeOptions } from './options.ts';
import { hashedId } from './sid.ts';
import { withStatus } from './status.ts';
import type { Opened, Visit } from './visit.ts';
import { isWritten } from './written.ts';

/** What a use of an open session does; it calls `run` to do what is the application's. */
export type Work<S extends object, V extends object, R> = (session: Session<S, V>, run: Watch['use']) => R | Promise<R>;

/** First values of a session that a request is to have; undefined: it is to have none. */
export type FirstValues<V> = (given: V | undefined) => Promise<V | undefined>;

/** Uses of requests' sessions, those that there are and those that begin. */
export class Uses<S extends object, V extends object> {
  readonly #sessions: SessionRepository<S, V>;
  readonly #health: Health;

  constructor(sessions: SessionRepository<S, V>, health: Health) {
    this.#sessions = sessions;
    this.#health = health;
  }

  /** To be read only; undefined: there is no such session. */
  async look(visit: Visit<Session<S, V>>, id: string): Promise<{ readonly state: unknown } | undefined> {
    return orNone(id, async () => {
      const session = await this.#health.run(undefined, () => this.#sessions.open(id, { mode: 'read' }));
      visit.found(session.id, id);
      return session;
    });
  }

  /** Undefined: there is no such session, and nothing was run. */
  async change<R>(
    visit: Visit<Session<S, V>>,
    id: string,
    { create: _create, ...options }: WebScopeOptions<V>,
    work: Work<S, V, R>,
  ): Promise<{ readonly result: R } | undefined> {
    let hasBegun = false;
    const changing = (watch: Watch): Promise<R> =>
      this.#sessions.scope(
        id,
        (_state, session) => {
          hasBegun = true;
          visit.found(session.id, id);
          return work(session, watch.use);
        },
        { ...options, signal: watch.signal } as ScopeOptions<V>, // judged by `checkMode`
      );
    return orNone(
      id,
      async () => ({ result: await this.#health.run(visit.exchange?.onGone, changing) }),
      () => !hasBegun,
    );
  }

  /**
   * For who has no session: if `use` writes something there is one after it, of an id that no client has chosen. Scopes
   * of one request that begin side by side make one session.
   */
  async make<R>(
    visit: Visit<Session<S, V>>,
    { create, timeoutMs, holdMs }: WebScopeOptions<V>,
    firstValues: FirstValues<V>,
    use: (state: S) => R | Promise<R>,
  ): Promise<R> {
    const values = await firstValues(create);
    if (values === undefined) throw noValues();
    const sid = visit.fresh();
    let takeBack: (() => void) | undefined;
    const making = (watch: Watch): Promise<R> =>
      this.#sessions.scope(
        hashedId(sid),
        async (state, session) => {
          const result = await watch.use(() => use(state));
          if (session.isNew && create === undefined && !isWritten(this.#sessions.definition, session, values)) {
            const copied = withoutState(result);
            await session.close();
            return copied;
          }
          if (session.isNew) takeBack = visit.give('scope', sid); // before anything is stored
          return result;
        },
        { create: values, timeoutMs, holdMs, signal: watch.signal },
      );
    try {
      return await this.#health.run(visit.exchange?.onGone, making);
    } catch (error) {
      takeBack?.();
      throw error;
    }
  }

  /** False: there was none. */
  destroy(visit: Visit<Session<S, V>>, id: string): Promise<boolean> {
    return this.#health.run(visit.exchange?.onGone, ({ signal }) => this.#sessions.delete(id, { signal }));
  }

  /** To be closed by the caller. Undefined: there is none, and none can be. */
  async open(
    visit: Visit<Session<S, V>>,
    mode: 'exclusive' | 'optimistic',
    firstValues: FirstValues<V>,
  ): Promise<Opened<Session<S, V>> | undefined> {
    const { id } = visit;
    const session = id === undefined ? undefined : await orNone(id, () => this.#opened(visit, id, { mode }));
    if (session !== undefined) {
      visit.found(session.id, id as string);
      return { session, made: undefined };
    }
    visit.checkNotEnded('eager');
    const values = await firstValues(undefined);
    if (values === undefined) return undefined;
    const sid = visit.fresh();
    const made = await this.#opened(visit, hashedId(sid), { mode: 'exclusive', create: values });
    return { session: made, made: { sid, isWritten: () => isWritten(this.#sessions.definition, made, values) } };
  }

  #opened(
    visit: Visit<Session<S, V>>,
    id: string,
    options: { readonly mode: 'exclusive' | 'optimistic'; readonly create?: V },
  ): Promise<Session<S, V>> {
    return this.#health.run(visit.exchange?.onGone, async ({ signal }) => {
      const session = await this.#sessions.open(id, { ...options, signal });
      if (!signal.aborted) return session;
      await session.close();
      throw signal.reason;
    });
  }

  /** What is asked of a session that is open: it may be stored whatever becomes of the wait. */
  run<R>(ask: () => Promise<R>): Promise<R> {
    return this.#health.run(undefined, async ({ use }) => {
      await use(() => undefined);
      return ask();
    });
  }
}

/** Undefined for the error that says that `id` has no session, unless what was run may have thrown it. */
async function orNone<T>(
  id: string,
  run: () => Promise<T>,
  isTold: () => boolean = () => true,
): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    const isNone = error instanceof HoldfastError && error.code === 'ERR_NOT_FOUND' && error.session === id;
    if (isNone && isTold()) return undefined;
    throw error;
  }
}

const noValues = (): HoldfastError =>
  withStatus(
    new HoldfastError(
      'ERR_NOT_FOUND',
      'this request has no session, and the definition requires values of one: send the client to the login, or give them by `create`',
    ),
  );
