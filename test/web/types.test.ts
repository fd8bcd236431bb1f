import type { IncomingMessage } from 'node:http';
import type { Request, Response } from 'express';
import type { FastifyRequest } from 'fastify';
import type { Context } from 'hono';
import type { Context as KoaContext } from 'koa';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import { expect, it } from 'vitest';
import { defineSession, immutable, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { holdfast as onExpress } from '../../ts/web/express.ts';
import { holdfast as onFastify } from '../../ts/web/fastify.ts';
import { flash, flashes } from '../../ts/web/flash.ts';
import { holdfast as onHono } from '../../ts/web/hono.ts';
import { holdfast as onHttp } from '../../ts/web/http.ts';
import { holdfast as onKoa } from '../../ts/web/koa.ts';

const store = new MemoryStore();
const loose = new SessionRepository({
  store,
  definition: defineSession({ cart: mutable<string[]>(() => []), flash: flashes() }),
});
const strict = new SessionRepository({
  store,
  definition: defineSession({ user: immutable<string>(undefined, { required: true }), n: mutable<number>(() => 0) }),
});
const secrets = ['a secret of at least 32 characters'];

/** Only compiled: the types come from the definition alone. */
export async function views(req: IncomingMessage): Promise<void> {
  const web = onHttp({ sessions: loose, secrets });
  const cart: readonly string[] = (await web.read(req)).cart;
  // @ts-expect-error it is read-only
  (await web.read(req)).cart.push('tea');
  const length: number = await web.scope(req, (state) => state.cart.push(cart[0] ?? 'tea'));
  // @ts-expect-error no such attribute
  await web.scope(req, (state) => state.carts.length + length);
  // @ts-expect-error of that type
  await web.scope(req, (state) => state.cart.push(1), { create: { cart: 1 } });
  web.session(req).cart.push('tea');
  await flash(web, req, 'note', 'saved');

  const needing = onHttp({ sessions: strict, secrets, create: (one) => ({ user: String(one.headers['x-user']) }) });
  const user: string | undefined = (await needing.read(req))?.user;
  // @ts-expect-error without a session there is none
  const sure: string = (await needing.read(req)).user;
  // @ts-expect-error here, too
  needing.session(req).n += 1;
  await needing.scope(req, (state) => (state.n += 1), { create: { user: user ?? sure } });
  // @ts-expect-error it has no messages
  await flash(needing, req, 'note', 'saved');
  // @ts-expect-error the definition requires a user
  onHttp({ sessions: strict, secrets, create: () => ({ n: 1 }) });
}

it('the middleware of each framework is one for its types, with its own requests', async () => {
  const ours = onExpress({ sessions: loose, secrets });
  const app = express();
  app.use(ours.middleware());
  app.post('/add', ours.eager('optimistic'), async (req: Request, res: Response) => {
    res.json(ours.session(req).cart.length);
  });
  app.get('/:id', async (req, res) => void res.json((await ours.read(req)).cart));

  const fast = onFastify({ sessions: loose, secrets });
  const api = fastify();
  await api.register(fast.plugin());
  api.post<{ Body: { sku: string } }>('/add', { preHandler: fast.eager() }, async (request) =>
    fast.session(request).cart.push(request.body.sku),
  );
  api.get('/', async (request: FastifyRequest) => (await fast.read(request)).cart);

  const small = onHono({ sessions: loose, secrets });
  const site = new Hono<{ Variables: { note: string } }>();
  site.use(small.middleware());
  site.get('/', async (c) => c.json((await small.read(c)).cart));
  site.post('/', small.eager(), (c: Context) => c.json(small.session(c).cart.length));

  const ko = onKoa({ sessions: loose, secrets });
  const koa = new Koa();
  koa.use(ko.middleware()).use(ko.eager());
  koa.use(async (ctx: KoaContext) => void (ctx.body = (await ko.read(ctx)).cart));

  expect((await api.inject('/')).json()).toEqual([]);
  expect(await (await site.request('/')).json()).toEqual([]);
});
