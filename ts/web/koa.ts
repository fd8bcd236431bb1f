import type { IncomingMessage, ServerResponse } from 'node:http';
import { NodeExchange } from './exchange.ts';
import type { RouteOptions, WebOptions } from './options.ts';
import { Web } from './web.ts';
import type { Carrier } from './web.ts';

export type { CookieOptions } from './cookies.ts';
export { flash, flashes, takeFlashes } from './flash.ts';
export type { Flash, Flashing } from './flash.ts';
export type { RotateOptions, RouteOptions, ViewOptions, WebOptions, WebScopeOptions } from './options.ts';
export { hashedId } from './sid.ts';
export type { Present } from './web.ts';

/** What is used of Koa's context. */
export interface KoaContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

type Middleware<Req> = (ctx: Req, next: () => Promise<unknown>) => Promise<void>;

const KOA: Carrier<KoaContext> = {
  what: 'the context',
  key: (ctx) => ctx?.req,
  cookies: ({ req }) => req.headers.cookie,
};

/** Sessions of an application on Koa: where others take a request this takes the context. */
export class KoaWeb<Req extends KoaContext, S extends object, V extends object> extends Web<Req, S, V> {
  constructor(options: WebOptions<Req, S, V>) {
    super(options, KOA);
  }

  /** For the application: before all routes. For a route: says how its requests use their session. It waits for nothing. */
  middleware(route: RouteOptions = {}): Middleware<Req> {
    this.checkRoute(route);
    return async (ctx, next) => {
      this.#enter(ctx, route);
      await next();
    };
  }

  /** What comes behind it has the session open (`session(ctx)`); it is saved before the response is sent. */
  eager(mode: 'exclusive' | 'optimistic' = 'exclusive'): Middleware<Req> {
    this.checkEager(mode);
    return async (ctx, next) => {
      this.#enter(ctx, {});
      const eager = await this.load(ctx, mode, (name, state) => void Object.assign(ctx, { [name]: state }));
      try {
        await next();
      } catch (error) {
        await eager?.drop();
        throw error;
      }
      await eager?.end();
    };
  }

  #enter(ctx: Req, route: RouteOptions): void {
    this.begin(ctx, () => new NodeExchange(ctx.res, this.cookieName), route);
  }
}

/** The sessions of a Koa application's requests. */
export function holdfast<S extends object, V extends object, Req extends KoaContext = KoaContext>(
  options: WebOptions<Req, S, V>,
): KoaWeb<Req, S, V> {
  return new KoaWeb(options);
}
