import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { expect, it } from 'vitest';
import { MemoryStore } from '../../ts/store/memory.ts';
import { holdfast as onExpress } from '../../ts/web/express.ts';
import { holdfast as onFastify } from '../../ts/web/fastify.ts';
import { holdfast as onHono } from '../../ts/web/hono.ts';
import { holdfast } from '../../ts/web/http.ts';
import { through } from '../store/through.ts';
import { Browser } from './browser.ts';
import { serve } from './serve.ts';
import { SECRET, sessionsIn } from './servers.ts';
import type { Sessions } from './servers.ts';

const secrets = [SECRET];

/** Each save takes a while. */
const slowly = (): Sessions =>
  sessionsIn(
    through(new MemoryStore(), {
      append: (call) => new Promise((resolve) => setTimeout(resolve, 30)).then(call),
    }),
  );

it('what a route does behind the end of its response is no part of it', async () => {
  const sessions = slowly();
  const web = onExpress({ sessions, secrets });
  const app = express();
  app.use(web.middleware());
  app.post('/:then', web.eager(), (req, res, next) => {
    web.session(req).count += 1;
    res.json({ count: web.session(req).count });
    if (req.params.then === 'throw') throw new Error('thrown behind the response');
    if (req.params.then === 'next') return next();
    if (req.params.then === 'write') res.write('more');
    res.end('and more');
    res.statusCode = 418;
    res.setHeader('x-late', 'yes').setHeader('content-length', 3);
    res.removeHeader('content-type');
  });
  const seen: boolean[] = [];
  app.use(((error: Error, _req, res, next) => {
    seen.push(res.headersSent);
    if (res.headersSent) return next(error);
    res.status(500).send(`an error page that is longer than the response: ${error.message}`);
  }) as express.ErrorRequestHandler);
  const { origin } = await serve((req, res) => void app(req, res));
  const browser = new Browser(origin);
  for (const [turn, then] of ['head', 'next', 'write', 'head'].entries()) {
    const { status, text: body, headers } = await browser.post(`/${then}`);
    expect([then, status, body, headers.get('x-late')]).toEqual([then, 200, `{"count":${turn + 1}}`, null]);
    expect(headers.get('content-type')).toMatch('json');
  }
  // As without a session: the response has gone, whoever handles the error sees it, and Express cuts the connection.
  await browser.post('/throw').catch(() => undefined);
  expect(seen).toEqual([true]);
  expect(JSON.parse((await browser.post('/head')).text)).toEqual({ count: 6 });
});

it('a handler that throws behind the end of its response is told when that has gone', async () => {
  const web = holdfast({ sessions: slowly(), secrets });
  const [enter, eager] = [web.middleware(), web.eager()];
  const seen: unknown[] = [];
  const { origin } = await serve(async (req, res) => {
    enter(req, res);
    const handling = eager(req, res, async () => {
      web.session(req).count += 1;
      res.end('as it was');
      throw new Error('thrown behind the response');
    });
    await handling.catch((error: Error) => seen.push(error.message, res.headersSent));
  });
  expect(await new Browser(origin).post('/')).toMatchObject({ status: 200, text: 'as it was' });
  expect(seen).toEqual(['thrown behind the response', true]);
});

it('a handler whose client has gone is told so when it asks for its session', async () => {
  const web = holdfast({ sessions: sessionsIn(new MemoryStore()), secrets });
  const [enter, eager] = [web.middleware(), web.eager()];
  let told: Promise<unknown> = Promise.resolve();
  const { origin } = await serve(async (req, res) => {
    enter(req, res);
    const handling = eager(req, res, async () => {
      web.session(req).count += 1;
      client.abort();
      await new Promise((resolve) => res.once('close', resolve));
      web.session(req).count += 1;
    });
    await (told = handling.catch((error: unknown) => error));
  });
  const client = new AbortController();
  await fetch(origin, { signal: client.signal }).catch(() => undefined);
  expect(await told).toMatchObject({ code: 'ERR_CLOSED', message: expect.stringContaining('client has gone') });
});

it.each(['text', null])('under Hono a handler that throws %j, which is no Error, leaves no lock', async (thrown) => {
  const web = onHono({ sessions: sessionsIn(new MemoryStore()), secrets });
  const app = new Hono();
  app.use(web.middleware());
  app.post('/add', async (c) => c.json(await web.scope(c, (state) => (state.count += 1), { timeoutMs: 1000 })));
  app.post('/throw', web.eager(), (c) => {
    web.session(c).count += 10;
    throw thrown as unknown as Error;
  });
  const begun = await app.request('/add', { method: 'POST' });
  const cookie = begun.headers.get('set-cookie')?.split(';')[0] as string;
  const given = { method: 'POST', headers: { cookie } };
  await expect(app.request('/throw', given)).rejects.toBe(thrown);
  expect(await (await app.request('/add', given)).text()).toBe('2');
});

it('under Fastify an eager route that the plugin does not see is refused, for nothing would roll it back', async () => {
  const sessions = sessionsIn(new MemoryStore());
  const web = onFastify({ sessions, secrets });
  const app = fastify();
  const add = { method: 'POST', url: '/in/add' } as const;
  await app.register(async (inner) => {
    await inner.register(web.plugin());
    await inner.register(web.plugin()); // once more does no harm
    inner.post(add.url, { preHandler: web.eager() }, async (request) => (web.session(request).count += 1));
  });
  app.post('/out', { preHandler: web.eager() }, async (request) => {
    web.session(request).count += 10;
    throw new Error('thrown');
  });
  const begun = await app.inject(add);
  const headers = { cookie: String(begun.headers['set-cookie']).split(';')[0] as string };
  const { statusCode, payload } = await app.inject({ method: 'POST', url: '/out', headers });
  expect([statusCode, JSON.parse(payload)]).toMatchObject([500, { code: 'ERR_INVALID' }]);
  expect(payload).toContain('web.plugin()');
  expect((await app.inject({ ...add, headers })).payload).toBe('2');
  await app.close();
});

it('over HTTP/2 an eager route is saved before its end, and nothing is warned of', async () => {
  const warned: string[] = [];
  const note = (warning: Error): void => void warned.push(warning.message);
  process.on('warning', note);
  const web = holdfast({ sessions: slowly(), secrets });
  const [enter, eager] = [web.middleware(), web.eager()];
  const server = createServer((request, response) => {
    // As Fastify and others have it: close enough to what HTTP/1 has.
    const [req, res] = [request as unknown as IncomingMessage, response as unknown as ServerResponse];
    enter(req, res);
    void eager(req, res, () => res.end(`${(web.session(req).count += 1)}`));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  try {
    let cookie = '';
    for (const count of ['1', '2', '3']) {
      const stream = client.request({ ':method': 'POST', cookie });
      stream.on('response', (headers) => (cookie = headers['set-cookie']?.[0]?.split(';')[0] ?? cookie));
      expect(await text(stream)).toBe(count);
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(warned).toEqual([]);
  } finally {
    process.off('warning', note);
    client.close();
    server.close();
  }
});

it('under Hono a request is asked for its signal only where its session is, and may have none', async () => {
  const web = onHono({ sessions: sessionsIn(new MemoryStore()), secrets });
  const app = new Hono();
  app.use(web.middleware());
  app.get('/', (c) => c.text('nothing'));
  app.post('/', async (c) => c.json(await web.scope(c, (state) => (state.count += 1))));
  let asked = 0;
  const without = (method: string): Request =>
    Object.defineProperty(new Request('http://localhost/', { method }), 'signal', {
      get: () => void (asked += 1),
    });
  expect((await app.request(without('GET'))).status).toBe(200);
  expect(asked).toBe(0);
  expect(await (await app.request(without('POST'))).text()).toBe('1');
});

it('a request whose session has ended since it read it makes no other, whose cookie would undo a login', async () => {
  const web = holdfast({ sessions: sessionsIn(new MemoryStore()), secrets });
  const [enter, eager] = [web.middleware(), web.eager()];
  let beside: () => Promise<unknown> = async () => undefined;
  const { origin } = await serve(async (req, res) => {
    enter(req, res);
    const { count } = await web.read(req);
    if (req.url === '/read') return count;
    if (req.url === '/login') return (await web.regenerate(req, (state) => (state.user = 'ann'))) ?? 'in';
    if (req.url === '/logout') return web.destroy(req);
    await beside();
    if (req.url === '/eager') return eager(req, res, () => res.end(`${(web.session(req).count += 1)}`));
    return web.scope(req, (state) => (state.count += 1));
  });
  const browser = new Browser(origin);
  for (const end of ['/login', '/logout'])
    for (const path of ['/add', '/eager']) {
      beside = async () => undefined;
      await browser.post('/add');
      const other = new Browser(origin, browser.cookies);
      beside = () => browser.post(end);
      expect([end, path, await other.post(path)]).toMatchObject([end, path, { status: 409, cookies: [] }]);
      beside = async () => undefined;
      expect(await other.post(path)).toMatchObject({ status: 200, text: '1', cookies: { length: 1 } }); // it did not see it
    }
});
