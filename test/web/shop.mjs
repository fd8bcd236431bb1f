// A shop on Express and express-session, or on Fastify and @fastify/session, with its sessions in Holdfast: a server for
// the tests, which knows nothing of Holdfast but its store. Prints its port.
// argv: 'express' | 'fastify', address of the store
import { setTimeout as sleep } from 'node:timers/promises';
import { openStore } from 'holdfast';

const [framework, address] = process.argv.slice(2);
const store = openStore(address);
const cookie = { maxAge: 600_000, secure: false };

/** What the routes do; each answers once its session is saved. */
const routes = {
  login: (session) => void (session.user = 'ann'),
  add: (session, { item }) => void (session.cart ??= []).push(item),
  put: (session, { item }) => void (session[item] = true),
  slow: async (session, { item }) => {
    await sleep(40);
    session.slow = item;
  },
  show: ({ user = null, ...session }) => ({ ...session, user }),
};

async function express() {
  const { default: make } = await import('express');
  const { default: session } = await import('express-session');
  const { HoldfastSessionStore } = await import('holdfast/express-session');
  const app = make();
  app.use(
    session({
      store: new HoldfastSessionStore({ store }),
      secret: 's',
      resave: false,
      saveUninitialized: false,
      cookie,
    }),
  );
  for (const [name, run] of Object.entries(routes))
    app.get(`/${name}`, async (req, res) => res.json((await run(req.session, req.query)) ?? {}));
  app.get('/logout', (req, res, next) => req.session.destroy((error) => (error ? next(error) : res.json({}))));
  const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));
}

async function fastify() {
  const { default: make } = await import('fastify');
  const { default: cookies } = await import('@fastify/cookie');
  const { default: session } = await import('@fastify/session');
  const { HoldfastSessionStore } = await import('holdfast/fastify-session');
  const app = make();
  await app.register(cookies);
  await app.register(session, {
    store: new HoldfastSessionStore({ store }),
    secret: 's'.repeat(32),
    saveUninitialized: false,
    rolling: false,
    cookie,
  });
  for (const [name, run] of Object.entries(routes))
    app.get(`/${name}`, async (req) => (await run(req.session, req.query)) ?? {});
  app.get('/logout', async (req) => {
    await req.session.destroy();
    return {};
  });
  console.log(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port);
}

await { express, fastify }[framework]();
