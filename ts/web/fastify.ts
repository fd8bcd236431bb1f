import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import { HoldfastError } from '../errors.ts';
import type { Eager } from './eager.ts';
import { beforeEnd } from './ending.ts';
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

type Hook = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

const FASTIFY: Carrier<FastifyRequest> = {
  what: 'the request',
  key: (request) => (request?.headers === undefined ? undefined : request.raw),
  cookies: ({ headers }) => headers.cookie,
};

/** Sessions of an application on Fastify 5. */
export class FastifyWeb<S extends object, V extends object> extends Web<FastifyRequest, S, V> {
  readonly #open = new WeakMap<FastifyRequest, Eager<S, V>>();
  /** What requests have that come by the plugin. */
  readonly #mark = Symbol('holdfast');

  constructor(options: WebOptions<FastifyRequest, S, V>) {
    super(options, FASTIFY);
  }

  /** For the application, before its routes: `app.register(web.plugin())`. */
  plugin(): FastifyPluginCallback {
    const plugin: FastifyPluginCallback = (app, _options, done) => {
      if (!app.hasRequestDecorator(this.#mark)) app.decorateRequest(this.#mark, true);
      app.addHook('onRequest', this.middleware());
      app.addHook('onError', async (request) => this.#open.get(request)?.drop());
      app.addHook('onSend', async (request, _reply, payload) => {
        const isWhole =
          payload === undefined || payload === null || typeof payload === 'string' || Buffer.isBuffer(payload);
        if (isWhole) await this.#open.get(request)?.end();
        return payload;
      });
      done();
    };
    // Its hooks are for the routes beside it, not for those inside of it, of which there are none.
    return Object.assign(plugin, { [Symbol.for('skip-override')]: true });
  }

  /** As `onRequest` of a route: says how its requests use their session. It waits for nothing. */
  middleware(route: RouteOptions = {}): Hook {
    this.checkRoute(route);
    return async (request, reply) => {
      this.begin(request, () => new NodeExchange(reply.raw, this.cookieName), route);
    };
  }

  /** As `preHandler` of a route: its handler has the session open (`session(request)`); it is saved before the response's last byte leaves. */
  eager(mode: 'exclusive' | 'optimistic' = 'exclusive'): Hook {
    this.checkEager(mode);
    return async (request, reply) => {
      if (!(this.#mark in request)) throw notRegistered();
      const eager = await this.load(request, mode, (name, state) => void Object.assign(request, { [name]: state }));
      if (eager === undefined) return;
      this.#open.set(request, eager);
      // Of a body that streams, or one that Fastify does not see.
      beforeEnd(reply.raw, () => eager.end()).catch((error: unknown) => {
        request.log.error(error);
        if (!reply.raw.headersSent) reply.raw.writeHead(500).end();
      });
    };
  }
}

const notRegistered = (): HoldfastError =>
  new HoldfastError(
    'ERR_INVALID',
    'eager needs the plugin, whose hooks save and roll back: await app.register(web.plugin()), beside this route or above it',
  );

/** The sessions of a Fastify application's requests. */
export function holdfast<S extends object, V extends object>(
  options: WebOptions<FastifyRequest, S, V>,
): FastifyWeb<S, V> {
  return new FastifyWeb(options);
}
