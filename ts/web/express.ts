import type { IncomingMessage, ServerResponse } from 'node:http';
import { HoldfastError } from '../errors.ts';
import { NodeWeb } from './node.ts';
import type { RouteOptions, WebOptions } from './options.ts';

export type { CookieOptions } from './cookies.ts';
export { flash, flashes, takeFlashes } from './flash.ts';
export type { Flash, Flashing } from './flash.ts';
export type { RotateOptions, RouteOptions, ViewOptions, WebOptions, WebScopeOptions } from './options.ts';
export { hashedId } from './sid.ts';
export type { Present } from './web.ts';

type Next = (error?: unknown) => void;
type Middleware<Req> = (req: Req, res: ServerResponse, next: Next) => void;
type OnError = (error: unknown, req: IncomingMessage, res: ServerResponse, next: Next) => void;

/** What Express says of the route that has matched; its methods add handlers. */
interface Route {
  readonly methods?: Readonly<Record<string, boolean>>;
}

/** Of the eager sessions of a request, one for each of an application's `holdfast`s. */
const drops = new WeakMap<IncomingMessage, (() => Promise<void>)[]>();
const watched = new WeakMap<Route, Set<string>>();

/** Behind the handlers of an eager route: what one of them has thrown passes here, on its way to the application's own. */
const onError: OnError = (error, req, _res, next) => {
  void Promise.all((drops.get(req) ?? []).map((drop) => drop())).then(() => next(error));
};

/** Once for each method of a route. */
function watch(route: Route, asked: string): void {
  const told = asked.toLowerCase();
  const method = told === 'head' && route.methods?.['head'] !== true ? 'get' : told;
  const methods = watched.get(route) ?? new Set();
  watched.set(route, methods);
  if (methods.has(method)) return;
  methods.add(method);
  (route as Readonly<Record<string, (handler: OnError) => unknown>>)[method]?.(onError);
}

/** Sessions of an application on Express 4 or 5. */
export class ExpressWeb<Req extends IncomingMessage, S extends object, V extends object> extends NodeWeb<Req, S, V> {
  /** For the application: before all routes. For a route: says how its requests use their session. It waits for nothing. */
  middleware(route: RouteOptions = {}): Middleware<Req> {
    this.checkRoute(route);
    return (req, res, next) => {
      this.enter(req, res, route);
      next();
    };
  }

  /** For a route: its handlers have the session open (`session(req)`); it is saved before the response's last byte leaves. */
  eager(mode: 'exclusive' | 'optimistic' = 'exclusive'): Middleware<Req> {
    this.checkEager(mode);
    return (req, res, next) => {
      const { route } = req as { readonly route?: Route };
      if (route === undefined) return next(notARoute());
      watch(route, req.method ?? '');
      const handle = (drop: () => Promise<void>): void => {
        drops.set(req, [...(drops.get(req) ?? []), drop]);
        next();
      };
      this.around(mode, req, res, handle).catch(next);
    };
  }
}

const notARoute = (): HoldfastError =>
  new HoldfastError(
    'ERR_INVALID',
    "eager is for a route, whose handlers' errors it sees: app.post(path, web.eager(), handler)",
  );

/** The sessions of an Express application's requests. */
export function holdfast<S extends object, V extends object, Req extends IncomingMessage = IncomingMessage>(
  options: WebOptions<Req, S, V>,
): ExpressWeb<Req, S, V> {
  return new ExpressWeb(options);
}
