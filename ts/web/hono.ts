import type { Context, MiddlewareHandler } from 'hono';
import type { Exchange } from './exchange.ts';
import { clientGone } from './exchange.ts';
import type { OnGone } from './health.ts';
import type { RouteOptions, WebOptions } from './options.ts';
import { Web } from './web.ts';
import type { Carrier } from './web.ts';

export type { CookieOptions } from './cookies.ts';
export { flash, flashes, takeFlashes } from './flash.ts';
export type { Flash, Flashing } from './flash.ts';
export type { RotateOptions, RouteOptions, ViewOptions, WebOptions, WebScopeOptions } from './options.ts';
export { hashedId } from './sid.ts';
export type { Present } from './web.ts';

const HONO: Carrier<Context> = {
  what: 'the context',
  key: (c) => (c?.req?.header === undefined ? undefined : c),
  cookies: (c) => c.req.header('cookie'),
};

/** Of a response that is there as a whole once the handlers are done; what it streams comes after. */
class HonoExchange implements Exchange {
  readonly #request: Context['req'];
  sent = false;
  cookie: string | undefined;

  constructor(request: Context['req']) {
    this.#request = request;
  }

  onHead(): void {} // what an eager route makes is saved, and given its cookie, before there is a response

  readonly onGone: OnGone = (run) => {
    const gone = (): void => run(clientGone());
    // Asked for only now, for what serves may have to make it first; where it has none, nobody is told.
    const signal = this.#request.raw.signal as AbortSignal | undefined;
    if (signal?.aborted === true) gone();
    signal?.addEventListener('abort', gone, { once: true });
    return () => signal?.removeEventListener('abort', gone);
  };
}

/** Sessions of an application on Hono: where others take a request this takes the context. */
export class HonoWeb<S extends object, V extends object> extends Web<Context, S, V> {
  constructor(options: WebOptions<Context, S, V>) {
    super(options, HONO);
  }

  /** For the application: before all routes. For a route: says how its requests use their session. It waits for nothing. */
  middleware(route: RouteOptions = {}): MiddlewareHandler {
    this.checkRoute(route);
    return async (c, next) => {
      let exchange: HonoExchange | undefined;
      this.begin(c, () => (exchange = new HonoExchange(c.req)), route);
      await next();
      if (exchange === undefined) return; // it has been here before, for the application
      exchange.sent = true;
      if (exchange.cookie !== undefined) c.header('set-cookie', exchange.cookie, { append: true });
    };
  }

  /** What comes behind it has the session open (`session(c)`); it is saved before the response is sent. */
  eager(mode: 'exclusive' | 'optimistic' = 'exclusive'): MiddlewareHandler {
    this.checkEager(mode);
    return async (c, next) => {
      const eager = await this.load(c, mode, (name, state) => c.set(name, state));
      try {
        await next();
      } catch (error) {
        await eager?.drop(); // Hono lets pass what is thrown and no Error
        throw error;
      }
      if (c.error === undefined) await eager?.end();
      else await eager?.drop();
    };
  }
}

/** The sessions of a Hono application's requests. */
export function holdfast<S extends object, V extends object>(options: WebOptions<Context, S, V>): HonoWeb<S, V> {
  return new HonoWeb(options);
}
