import { HoldfastError } from '../errors.ts';
import {
  checkOptions,
  count,
  flag,
  func,
  listOf,
  nested,
  oneOf,
  positive,
  text,
  timeout,
  withMethods,
} from '../options.ts';
import type { Rule, Rules } from '../options.ts';
import type { SessionRepository } from '../session/repository.ts';
import { COOKIE_RULES, SECRET } from './cookies.ts';
import type { CookieOptions } from './cookies.ts';

/** How the requests of a route use their session. */
export interface RouteOptions {
  /** Of `scope`: see `AccessMode`. Default `exclusive`. */
  readonly mode?: 'exclusive' | 'optimistic' | undefined;
  /**
   * What `read` does while the store does not answer. `fail`: rejects with `ERR_UNAVAILABLE`, which is answered with 503.
   * `anonymous`: as if there were no session; no cookie is given or taken. What writes always fails. Default `fail`.
   */
  readonly whenDown?: 'fail' | 'anonymous' | undefined;
}

export interface WebOptions<Req, S extends object, V extends object> extends RouteOptions {
  readonly sessions: SessionRepository<S, V>;
  /** Sign the cookie: the first does, each is accepted. At least 32 characters each. Needed without `idFrom`. */
  readonly secrets?: readonly string[] | undefined;
  readonly cookie?: CookieOptions | undefined;
  /**
   * What the client shows in place of a cookie, as a header or a token; undefined: nothing. What it is to show is
   * `issued(req)`. Default: the cookie.
   */
  readonly idFrom?: ((req: Req) => string | undefined) | undefined;
  /** First values of a session that a scope is to make; undefined: it makes none. Default: none but the defaults. */
  readonly create?: ((req: Req) => V | undefined | Promise<V | undefined>) | undefined;
  /** The store is taken as down when it has not answered for so long. Default 250. */
  readonly downAfterMs?: number | undefined;
  /** The name by which a request of an eager route has the state as well. Default: none. */
  readonly attach?: string | undefined;
  /** Is told when the store is down, and when it is back. Default: a line on stderr. */
  readonly log?: ((line: string) => void) | undefined;
}

/** Of one `read`. */
export interface ViewOptions {
  /** Asks the store again: for requests that last, as those of event streams and sockets. Default false. */
  readonly fresh?: boolean | undefined;
}

/** Of one `scope`. */
export interface WebScopeOptions<V extends object> {
  /** Default: the route's. */
  readonly mode?: 'exclusive' | 'optimistic' | undefined;
  /** As of `SessionRepository.scope`. */
  readonly retry?: number | undefined;
  readonly timeoutMs?: number | undefined;
  readonly holdMs?: number | undefined;
  /** First values of the session, if there is none: it is then made whatever the scope does. */
  readonly create?: V | undefined;
}

export interface RotateOptions {
  /** For so long the old id leads to the session: for requests on their way. At most 60000. Default 10000. */
  readonly graceMs?: number | undefined;
}

/** Of a scope, and of an eager route. */
export const WRITING_MODE: Rule = oneOf('exclusive', 'optimistic');
export const VIEW_RULES: Rules = { fresh: flag };
export const ROUTE_RULES: Rules = { mode: WRITING_MODE, whenDown: oneOf('fail', 'anonymous') };
export const WEB_SCOPE_RULES: Rules = {
  mode: WRITING_MODE,
  retry: count(0),
  timeoutMs: timeout,
  holdMs: positive,
  create: undefined,
};
export const WEB_RULES: Rules = {
  ...ROUTE_RULES,
  sessions: withMethods('a SessionRepository', 'open', 'scope', 'read', 'delete', 'initial'),
  secrets: listOf(SECRET),
  cookie: nested(COOKIE_RULES),
  idFrom: func,
  create: func,
  downAfterMs: positive,
  attach: text,
  log: func,
};

/** `ERR_INVALID` for whatever cannot work. */
export function checkWeb<Req, S extends object, V extends object>(options: WebOptions<Req, S, V>): void {
  checkOptions('holdfast', options, WEB_RULES);
  const { sessions, secrets = [], cookie, idFrom } = options;
  const refuse = (why: string): never => {
    throw new HoldfastError('ERR_INVALID', `holdfast: ${why}`);
  };
  if (sessions === undefined) refuse('`sessions` is needed: a SessionRepository');
  if (idFrom === undefined && secrets.length === 0)
    refuse('`secrets` is needed, a list of texts that sign the cookie: [process.env.SECRET, …]');
  if (idFrom !== undefined && (cookie !== undefined || secrets.length > 0))
    refuse('`idFrom` stands in the place of the cookie: leave `cookie` and `secrets` out');
}
