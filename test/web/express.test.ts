import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { expect, it } from 'vitest';
import { MemoryStore } from '../../ts/store/memory.ts';
import { holdfast } from '../../ts/web/express.ts';
import { Browser } from './browser.ts';
import { SECRET, servers, sessionsIn } from './servers.ts';

it.each(['Express 5', 'Express 4'])('an eager route of %s is a route as it was before', async (name) => {
  const server = await servers[name]!.start(sessionsIn(new MemoryStore()));
  const browser = new Browser(server.origin);
  try {
    await browser.post('/eager/eager-add/tea');
    expect(await browser.ask('/options', { method: 'OPTIONS' })).toMatchObject({
      status: 200,
      text: expect.stringMatching(/^GET, ?HEAD$/),
    });
    expect((await browser.ask('/eager/eager-add/tea')).status).toBe(404); // it is for POST
    expect((await browser.ask('/eager/eager-look/x', { method: 'OPTIONS' })).text).toBe('POST');
    expect(await browser.ask('/everywhere')).toMatchObject({
      status: 500,
      text: expect.stringContaining('is for a route'),
    });
  } finally {
    await server.close();
  }
});

it('two of them in one application have a session each, and both are let go when a handler throws', async () => {
  const stores = [sessionsIn(new MemoryStore()), sessionsIn(new MemoryStore())] as const;
  const [a, b] = stores.map((sessions, place) =>
    holdfast({ sessions, secrets: [SECRET], cookie: { name: `__Host-${place}` }, attach: `session${place}` }),
  ) as [ReturnType<typeof one>, ReturnType<typeof one>];
  const app = express();
  app.post('/:how', a.eager(), b.eager(), (req, res) => {
    a.session(req).cart.push('a');
    b.session(req).cart.push('b');
    if (req.params.how === 'throw') throw new Error('thrown');
    res.json([(req as unknown as { session0: unknown }).session0, b.session(req).cart]);
  });
  app.use(((error: Error, _req, res, _next) => void res.status(500).end(error.message)) as express.ErrorRequestHandler);
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const browser = new Browser(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await browser.post('/add');
    expect([...browser.cookies.keys()].toSorted()).toEqual(['__Host-0', '__Host-1']);
    expect(await browser.post('/throw')).toMatchObject({ status: 500, text: 'thrown' });
    expect(JSON.parse((await browser.post('/add')).text)).toMatchObject([{ cart: ['a', 'a'] }, ['b', 'b']]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

const one = (sessions: ReturnType<typeof sessionsIn>) => holdfast({ sessions, secrets: [SECRET] });
