import type { IncomingMessage, ServerResponse } from 'node:http';
import { NodeWeb } from './node.ts';
import type { RouteOptions, WebOptions } from './options.ts';

export type { CookieOptions } from './cookies.ts';
export { flash, flashes, takeFlashes } from './flash.ts';
export type { Flash, Flashing } from './flash.ts';
export type { RotateOptions, RouteOptions, ViewOptions, WebOptions, WebScopeOptions } from './options.ts';
export { hashedId } from './sid.ts';
export type { Present } from './web.ts';

/** Sessions of a server on node:http. */
export class HttpWeb<Req extends IncomingMessage, S extends object, V extends object> extends NodeWeb<Req, S, V> {
  /** To be called with each request and its response before anything else; it waits for nothing. */
  middleware(route: RouteOptions = {}): (req: Req, res: ServerResponse, next?: () => void) => void {
    this.checkRoute(route);
    return (req, res, next) => {
      this.enter(req, res, route);
      next?.();
    };
  }

  /**
   * Calls `handler` with the session open (`session(req)`), and saves before the response's last byte leaves. Rejects as
   * the handler does, of which nothing is saved then, and where the session cannot be had or saved: the response is
   * the caller's to end.
   */
  eager(
    mode: 'exclusive' | 'optimistic' = 'exclusive',
  ): (req: Req, res: ServerResponse, handler: () => unknown) => Promise<void> {
    this.checkEager(mode);
    return (req, res, handler) => this.around(mode, req, res, handler);
  }
}

/** The sessions of a web server's requests. */
export function holdfast<S extends object, V extends object, Req extends IncomingMessage = IncomingMessage>(
  options: WebOptions<Req, S, V>,
): HttpWeb<Req, S, V> {
  return new HttpWeb(options);
}
