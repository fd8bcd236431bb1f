import { HoldfastError } from '../errors.ts';
import { checkOptions, describe } from '../options.ts';
import type { DeepReadonly } from '../session/definition.ts';
import type { SessionRepository } from '../session/repository.ts';
import { CHANGE_ID_RULES, checkMode } from '../session/rules.ts';
import type { Session } from '../session/session.ts';
import { checkUse } from '../session/use.ts';
import { Cookies } from './cookies.ts';
import type { Ticket } from './cookies.ts';
import { Eager } from './eager.ts';
import type { Exchange } from './exchange.ts';
import { Health } from './health.ts';
import { ROUTE_RULES, VIEW_RULES, WEB_SCOPE_RULES, WRITING_MODE, checkWeb } from './options.ts';
import type { RotateOptions, RouteOptions, ViewOptions, WebOptions, WebScopeOptions } from './options.ts';
import { hashedId, newSid } from './sid.ts';
import { Uses } from './uses.ts';
import type { FirstValues } from './uses.ts';
import { Visit } from './visit.ts';

/** `T`, and undefined where a session cannot be without values that somebody gives it. */
export type Present<T, V> = Record<never, never> extends V ? T : T | undefined;

/** What a framework calls a request. */
export interface Carrier<Req> {
  /** How it is called, in messages. */
  readonly what: string;
  /** One object for each request; undefined: it is none. */
  key(req: Req | undefined): object | undefined;
  /** The header `cookie`. */
  cookies(req: Req): string | undefined;
}

type Use<S, R> = (state: S) => R | Promise<R>;

const DOWN_AFTER_MS = 250;
/** Asked for to see whether the store answers: no session has it. */
const NO_SESSION = 'is the store there?';
const ROTATED_FOR_MS = 10_000;

/** The sessions of requests: what each framework's plug-in has. */
export class Web<Req, S extends object, V extends object> {
  readonly #sessions: SessionRepository<S, V>;
  readonly #options: WebOptions<Req, S, V>;
  readonly #carrier: Carrier<Req>;
  readonly #cookies: Cookies | undefined;
  readonly #uses: Uses<S, V>;
  readonly #visits = new WeakMap<object, Visit<Session<S, V>>>();
  readonly #needsValues: boolean;

  constructor(options: WebOptions<Req, S, V>, carrier: Carrier<Req>) {
    checkWeb(options);
    const { sessions, secrets = [], cookie = {}, idFrom, downAfterMs = DOWN_AFTER_MS } = options;
    this.#sessions = sessions;
    this.#options = options;
    this.#carrier = carrier;
    this.#cookies = idFrom === undefined ? new Cookies(secrets, cookie) : undefined;
    const log = options.log ?? console.error;
    this.#uses = new Uses(sessions, new Health(() => sessions.read(NO_SESSION), downAfterMs, log));
    this.#needsValues = Object.values(sessions.definition.attributes).some(({ required }) => required);
  }

  /**
   * The state as last saved, read-only, without a lock; attributes are decoded when they are looked at, Dates and bytes
   * copied. Without a session the initial values, or undefined where the definition requires some. A request reads once,
   * and again after what it has written.
   */
  async read(req: Req, options: ViewOptions = {}): Promise<Present<DeepReadonly<S>, V>> {
    checkOptions('read', options, VIEW_RULES);
    const visit = this.#visitOf(req);
    if (options.fresh === true) visit.view = undefined;
    visit.view ??= this.#look(visit);
    const view = await visit.view;
    return (view?.state ?? (this.#needsValues ? undefined : this.#sessions.initial())) as Present<DeepReadonly<S>, V>;
  }

  async #look(visit: Visit<Session<S, V>>): Promise<{ readonly state: unknown } | undefined> {
    const { id } = visit;
    try {
      const view = id === undefined ? undefined : await this.#uses.look(visit, id);
      if (view !== undefined) visit.renew();
      return view;
    } catch (error) {
      visit.view = undefined; // the next read asks again
      const isDown = error instanceof HoldfastError && error.code === 'ERR_UNAVAILABLE';
      if (isDown && this.#routeOf(visit).whenDown === 'anonymous') return undefined;
      throw error;
    }
  }

  /**
   * The one place of writing: runs `use`, and has saved what it changed when this resolves. A session is made if there is
   * none and `use` wrote something, and the client is given its cookie. If `use` throws nothing of it is saved. A client
   * that goes away ends the wait for the lock, and no use that has begun.
   */
  async scope<R>(req: Req, use: Use<S, R>, options: WebScopeOptions<V> = {}): Promise<R> {
    checkUse(use);
    checkOptions('scope', options, WEB_SCOPE_RULES);
    const visit = this.#visitOf(req);
    if (visit.eager !== undefined) throw isOpen('scope');
    const given = { ...options, mode: options.mode ?? this.#routeOf(visit).mode };
    checkMode('scope', given);
    return this.#changing(visit, async (id) => {
      const changed =
        id && (await this.#uses.change(visit, id, given, (session, run) => run(() => use(session.state))));
      if (!changed) {
        visit.checkNotEnded('scope');
        return this.#uses.make(visit, given, this.#firstValues(req), use);
      }
      visit.renew();
      return changed.result;
    });
  }

  /** Ends the session for good: what runs elsewhere cannot bring it back. False: there was none. */
  async destroy(req: Req): Promise<boolean> {
    const visit = this.#visitOf(req);
    return this.#changing(visit, async (id) => {
      const opened = openedOf(visit);
      let was = opened !== undefined && opened.made === undefined;
      if (opened !== undefined) await this.#uses.run(() => (was ? opened.session.delete() : opened.session.close()));
      else if (id !== undefined) was = await this.#uses.destroy(visit, id);
      visit.forget();
      return was;
    });
  }

  /**
   * For a login, and whenever rights change: the session goes on under a new id, the old one is refused at once, and then
   * `use` runs, as in `scope`. `ERR_CONFLICT` for a request that shows an id that was replaced a moment ago: whoever sent
   * it must not learn the new one.
   */
  async regenerate<R = void>(req: Req, use?: Use<S, R>, options: WebScopeOptions<V> = {}): Promise<R> {
    const run = use ?? ((): R => undefined as R);
    checkUse(run);
    checkOptions('regenerate', options, WEB_SCOPE_RULES);
    const visit = this.#visitOf(req);
    visit.checkUnsent('regenerate');
    return this.#changing(visit, async (id) => {
      const opened = openedOf(visit);
      if (opened !== undefined) {
        if (opened.made === undefined) await this.#uses.run(() => rename(visit, opened.session, 'regenerate', 0));
        return run(opened.session.state);
      }
      const given = { ...options, mode: 'exclusive' as const };
      const changed =
        id &&
        (await this.#uses.change(visit, id, given, async (session, guarded) => {
          await rename(visit, session, 'regenerate', 0);
          return guarded(() => run(session.state));
        }));
      return changed ? changed.result : this.#uses.make(visit, given, this.#firstValues(req), run);
    });
  }

  /**
   * A new id now and then, as a precaution: requests on their way with the old one find the session for `graceMs`, and
   * are never told the new one. False: there is no session, or this request is one of those.
   */
  async rotateId(req: Req, options: RotateOptions = {}): Promise<boolean> {
    checkOptions('rotateId', options, { graceMs: CHANGE_ID_RULES['graceMs'] });
    const visit = this.#visitOf(req);
    if (visit.eager !== undefined) throw isOpen('rotateId');
    visit.checkUnsent('rotateId');
    const { graceMs = ROTATED_FOR_MS } = options;
    return this.#changing(visit, async (id) => {
      const changed =
        id &&
        (await this.#uses.change(visit, id, {}, async (session) => {
          if (!visit.isLate) await rename(visit, session, 'rotateId', graceMs);
          return !visit.isLate;
        }));
      return changed ? changed.result : false;
    });
  }

  /** Of an eager route: the state, saved when the handler has ended. Undefined as that of `read` is. */
  session(req: Req): Present<S, V> {
    const { eager, wasEager } = this.#visitOf(req);
    if (eager === undefined && wasEager)
      throw new HoldfastError(
        'ERR_CLOSED',
        'session: the response has ended, or its client has gone: what comes after has no session open; use scope()',
      );
    if (eager === undefined)
      throw new HoldfastError('ERR_INVALID', 'session: this route is not eager: put eager() before it, or use scope()');
    return (eager === 'none' ? undefined : eager.session.state) as Present<S, V>;
  }

  /** The id that this request was given, where it made a session or a new id: what `idFrom` is to find in later ones. */
  issued(req: Req): string | undefined {
    return this.#visitOf(req).issued;
  }

  /** Of the cookie. */
  protected get cookieName(): string {
    return this.#cookies?.name ?? '';
  }

  protected checkRoute(route: RouteOptions): RouteOptions {
    checkOptions('middleware', route, ROUTE_RULES);
    return route;
  }

  /** A request has come; again for one that is known: `route` is added to what is said of it. */
  protected begin(req: Req, exchange: () => Exchange, route: RouteOptions): void {
    const key = this.#keyOf(req);
    const known = this.#visits.get(key);
    if (known === undefined) this.#visits.set(key, this.#visit(req, exchange(), route));
    else {
      known.route = { ...known.route, ...route };
      known.exchange ??= exchange();
    }
  }

  protected checkEager(mode: unknown): void {
    WRITING_MODE('eager: mode', mode);
  }

  /**
   * Opens the session for an eager route; undefined: it is open, or there is none and none can be. `attach` is to put the
   * state where the option of that name says.
   */
  protected async load(
    req: Req,
    mode: 'exclusive' | 'optimistic',
    attach: (name: string, state: unknown) => void,
  ): Promise<Eager<S, V> | undefined> {
    const visit = this.#visitOf(req);
    if (visit.eager !== undefined) return undefined;
    return this.#changing(visit, async () => {
      const firstValues = this.#firstValues(req);
      const opened = await this.#uses.open(visit, mode, firstValues);
      visit.eager = opened ?? 'none';
      const eager = opened && new Eager(this.#uses, visit, opened);
      try {
        const name = this.#options.attach;
        if (name !== undefined) attach(name, opened?.session.state);
      } catch (error) {
        await eager?.drop();
        throw error;
      }
      return eager;
    });
  }

  #visit(req: Req, exchange: Exchange | undefined, route: RouteOptions): Visit<Session<S, V>> {
    const shown = (): Ticket | undefined => {
      const { idFrom } = this.#options;
      if (idFrom === undefined) return this.#cookies?.read(this.#carrier.cookies(req));
      const sid: unknown = idFrom(req);
      if (sid === undefined) return undefined;
      if (typeof sid === 'string') return { sid, isWorn: false };
      throw new HoldfastError('ERR_INVALID', `idFrom must give text or undefined, at once, not ${describe(sid)}`);
    };
    return new Visit(shown, this.#cookies, exchange, route);
  }

  #visitOf(req: Req): Visit<Session<S, V>> {
    const key = this.#keyOf(req);
    let visit = this.#visits.get(key);
    if (visit === undefined) this.#visits.set(key, (visit = this.#visit(req, undefined, {})));
    return visit;
  }

  #keyOf(req: Req): object {
    const { key, what } = this.#carrier;
    const found = key(req);
    if (found !== undefined) return found;
    throw new HoldfastError(
      'ERR_INVALID',
      `the sessions of requests are asked for with ${what}, not with ${describe(req)}`,
    );
  }

  #routeOf(visit: Visit<Session<S, V>>): RouteOptions {
    return { ...this.#options, ...visit.route };
  }

  /** What is read later in the request sees it. */
  async #changing<R>(visit: Visit<Session<S, V>>, change: (id: string | undefined) => Promise<R>): Promise<R> {
    try {
      return await change(visit.id);
    } finally {
      visit.view = undefined;
    }
  }

  #firstValues(req: Req): FirstValues<V> {
    return async (given) => given ?? (await this.#options.create?.(req)) ?? (this.#needsValues ? undefined : ({} as V));
  }
}

const openedOf = <T>({ eager }: Visit<T>): Exclude<Visit<T>['eager'], 'none'> => (eager === 'none' ? undefined : eager);

/** The client has the new id before the session does, so that it is never without. */
async function rename<S extends object, V extends object>(
  visit: Visit<Session<S, V>>,
  session: Session<S, V>,
  what: string,
  graceMs: number,
): Promise<void> {
  if (visit.isLate)
    throw new HoldfastError(
      'ERR_CONFLICT',
      `${what}: the session of this request has got another id a moment ago: the client is to send it again, with its new cookie`,
    );
  const sid = newSid();
  const takeBack = visit.give(what, sid);
  try {
    await session.changeId(hashedId(sid), { graceMs });
  } catch (error) {
    takeBack();
    throw error;
  }
}

const isOpen = (what: string): HoldfastError =>
  new HoldfastError('ERR_DEADLOCK', `${what}: this route is eager and has the session open: use \`session(req)\``);
