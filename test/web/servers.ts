import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, ServerResponse, Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { serve } from '@hono/node-server';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import type { SessionDefinition } from '../../ts/session/definition.ts';
import type { RepositoryOptions } from '../../ts/session/options.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import type { Store } from '../../ts/store/store.ts';
import { holdfast as onExpress } from '../../ts/web/express.ts';
import { holdfast as onFastify } from '../../ts/web/fastify.ts';
import { flash, flashes, takeFlashes } from '../../ts/web/flash.ts';
import type { Flash } from '../../ts/web/flash.ts';
import { holdfast as onHono } from '../../ts/web/hono.ts';
import { holdfast as onHttp } from '../../ts/web/http.ts';
import { holdfast as onKoa } from '../../ts/web/koa.ts';
import type { RouteOptions, WebOptions } from '../../ts/web/options.ts';
import type { Web } from '../../ts/web/web.ts';

const express4: typeof express = createRequire(import.meta.url)('express4') as typeof express; // it has no types by this name

export const SECRET = 'a secret of at least 32 characters';

export interface State {
  user?: string;
  cart: string[];
  count: number;
  flash: Flash[];
}
export type Values = Partial<State>;
const definition: SessionDefinition<State, Values> = defineSession({
  user: mutable<string>(),
  cart: mutable<string[]>(() => []),
  count: mutable<number>(() => 0),
  flash: flashes(),
});
export type Sessions = SessionRepository<State, Values>;

export const sessionsIn = (
  store: Store,
  options: Omit<RepositoryOptions<State, Values>, 'store' | 'definition'> = {},
): Sessions => new SessionRepository({ store, definition, ...options });

/** Of one kind of server, but for what is the framework's own. */
export type Options = Omit<WebOptions<never, State, Values>, 'sessions' | 'idFrom' | 'create'> & {
  /** Of the route `/again/:what`. */
  readonly route?: RouteOptions;
};

export interface Running {
  readonly origin: string;
  close(): Promise<void>;
}

/** What routes do, the same under each framework: by its name, `/do/NAME/x`; with the session open, `/eager/NAME/x`. */
export function actions<Req>(
  web: Web<Req, State, Values>,
): Record<string, (req: Req, given: string) => Promise<unknown>> {
  const add = (given: string) => (state: State) => state.cart.push(given);
  return {
    nothing: async () => 'nothing',
    read: async (req) => web.read(req),
    add: async (req, given) => web.scope(req, add(given)),
    count: async (req) => web.scope(req, (state) => (state.count += 1)),
    'count-merged': async (req) => web.scope(req, (state) => (state.count += 1), { mode: 'optimistic', retry: 100 }),
    look: async (req) => web.scope(req, (state) => state.cart.length),
    'add-and-throw': async (req, given) =>
      web.scope(req, (state) => {
        add(given)(state);
        throw Object.assign(new Error('thrown'), { status: 418, statusCode: 418, expose: true });
      }),
    'slow-add': async (req, given) =>
      web.scope(req, async (state) => {
        await new Promise((resolve) => setTimeout(resolve, 60));
        return add(given)(state);
      }),
    login: async (req, given) => web.regenerate(req, (state) => (state.user = given)),
    logout: async (req) => web.destroy(req),
    rotate: async (req) => web.rotateId(req, { graceMs: 400 }),
    'then-read': async (req, given) => {
      const before = (await web.read(req)).cart.length;
      await web.scope(req, add(given));
      return [before, (await web.read(req)).cart.length];
    },
    flash: async (req, given) => flash(web, req, 'note', given),
    flashes: async (req) => takeFlashes(web, req),
    'eager-add': async (req, given) => web.session(req).cart.push(given),
    'eager-look': async (req) => web.session(req).cart.length,
    'eager-throw': async (req, given) => {
      web.session(req).cart.push(given);
      throw Object.assign(new Error('thrown'), { status: 418, statusCode: 418, expose: true });
    },
    'eager-deadlock': async (req, given) => web.scope(req, add(given)),
    'eager-logout': async (req) => web.destroy(req),
    'eager-login': async (req, given) => web.regenerate(req, (state) => (state.user = given)),
    'eager-slow': async (req, given) => {
      web.session(req).cart.push(given);
      await new Promise((resolve) => setTimeout(resolve, 60));
    },
    'eager-stuck': async (req, given) => {
      web.session(req).cart.push(given);
      begun.stuck += 1;
      return new Promise(() => undefined);
    },
  };
}

/** A body that writes to the session while it goes out. */
function streamed<Req>(web: Web<Req, State, Values>, req: Req, given: string): Readable {
  const state = web.session(req);
  state.cart.push(`${given}-first`);
  return Readable.from(
    (async function* () {
      yield 'first,';
      await new Promise((resolve) => setTimeout(resolve, 20));
      state.cart.push(`${given}-last`);
      yield 'last';
    })(),
  );
}

const jsonOf = (value: unknown): string => JSON.stringify(value ?? null);

/** How often handlers have begun that never end. */
export const begun: { stuck: number } = { stuck: 0 };

type Start = (sessions: Sessions, options?: Options) => Promise<Running>;

async function listening(server: Server): Promise<Running> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

const common = (sessions: Sessions, { route: _route, ...options }: Options) => ({
  secrets: [SECRET],
  ...options,
  sessions,
});

const http: Start = async (sessions, options = {}) => {
  const web = onHttp<State, Values>(common(sessions, options));
  const does = actions(web);
  const enter = web.middleware();
  const enterAgain = web.middleware(options.route);
  const eager = web.eager('exclusive');
  const handle = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const [, kind, what, given = ''] = (req.url ?? '').split('/');
    if (kind === 'again') enterAgain(req, res);
    const answer = async (): Promise<void> => {
      if (what === 'stream') return void streamed(web, req, given).pipe(res);
      res.setHeader('content-type', 'application/json').end(jsonOf(await does[what ?? '']?.(req, given)));
    };
    await (kind === 'eager' ? eager(req, res, answer) : answer());
  };
  return listening(
    createServer((req, res) => {
      enter(req, res);
      handle(req, res).catch((error: { status?: number; message: string }) => {
        res.statusCode = error.status ?? 500;
        res.end(error.message);
      });
    }),
  );
};

const expressBy =
  (make: typeof express): Start =>
  async (sessions, options = {}) => {
    const web = onExpress<State, Values>(common(sessions, options));
    const does = actions(web);
    const app = make();
    const handle: express.RequestHandler<{ what: string; given: string }> = (req, res, next) => {
      const { what, given } = req.params;
      if (what === 'stream') return void streamed(web, req, given).pipe(res);
      does[what]?.(req, given).then((value) => res.type('json').send(jsonOf(value)), next);
    };
    app.use(web.middleware());
    app.get('/do/:what/:given', handle);
    app.post('/do/:what/:given', handle);
    app.post('/again/:what/:given', web.middleware(options.route), handle);
    app.post('/eager/:what/:given', web.eager('exclusive'), web.eager('optimistic'), handle); // the first is the one
    app.use('/everywhere', web.eager(), (_req, res) => res.end());
    app.get('/options', web.eager(), handle);
    app.use(((error: { status?: number; message: string }, _req, res, _next) => {
      res.status(error.status ?? 500).send(error.message);
    }) as express.ErrorRequestHandler);
    return listening(createServer(app));
  };

const fastifyServer: Start = async (sessions, options = {}) => {
  const web = onFastify<State, Values>(common(sessions, options));
  const does = actions(web);
  const app = fastify({ forceCloseConnections: true });
  await app.register(web.plugin());
  type Params = { Params: { what: string; given: string } };
  const handle = async (what: string, given: string, request: Parameters<typeof web.read>[0]): Promise<unknown> =>
    what === 'stream' ? streamed(web, request, given) : jsonOf(await does[what]?.(request, given));
  for (const method of ['GET', 'POST'] as const)
    app.route<Params>({
      method,
      url: '/do/:what/:given',
      handler: (request) => handle(request.params.what, request.params.given, request),
    });
  app.post<Params>('/again/:what/:given', { onRequest: web.middleware(options.route) }, (request) =>
    handle(request.params.what, request.params.given, request),
  );
  app.post<Params>('/eager/:what/:given', { preHandler: web.eager('exclusive') }, (request) =>
    handle(request.params.what, request.params.given, request),
  );
  const origin = await app.listen({ host: '127.0.0.1', port: 0 });
  return { origin, close: async () => app.close() };
};

const hono: Start = async (sessions, options = {}) => {
  const web = onHono<State, Values>(common(sessions, options));
  const does = actions(web);
  const app = new Hono();
  app.use(web.middleware());
  app.use('/again/*', web.middleware(options.route));
  app.use('/eager/*', web.eager('exclusive'));
  app.all('/:kind/:what/:given', async (c) => {
    const { what, given } = c.req.param();
    return c.body(jsonOf(await does[what]?.(c, given)));
  });
  app.onError((error, c) => c.text(error.message, ((error as { status?: number }).status ?? 500) as 500));
  return new Promise((resolve) => {
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
      resolve({
        origin: `http://127.0.0.1:${port}`,
        close: () =>
          new Promise((closed) => {
            (server as Server).closeAllConnections();
            server.close(() => closed());
          }),
      }),
    );
  });
};

const koa: Start = async (sessions, options = {}) => {
  const web = onKoa<State, Values>(common(sessions, options));
  const does = actions(web);
  const app = new Koa();
  const eager = web.eager('exclusive');
  const again = web.middleware(options.route);
  app.silent = true;
  app.use(web.middleware());
  app.use((ctx, next) => (ctx.path.startsWith('/eager/') ? eager(ctx, next) : next()));
  app.use((ctx, next) => (ctx.path.startsWith('/again/') ? again(ctx, next) : next()));
  app.use(async (ctx) => {
    const [, , what = '', given = ''] = ctx.path.split('/');
    ctx.body = jsonOf(await does[what]?.(ctx, given));
  });
  return listening(createServer(app.callback() as RequestListener));
};

/** `streams`: the state may be written to while the body goes out, as the session is open until its end. */
export const servers: Readonly<Record<string, { readonly start: Start; readonly streams: boolean }>> = {
  'node:http': { start: http, streams: true },
  'Express 5': { start: expressBy(express), streams: true },
  'Express 4': { start: expressBy(express4), streams: true },
  Fastify: { start: fastifyServer, streams: true },
  Hono: { start: hono, streams: false },
  Koa: { start: koa, streams: false },
};
