// A server of sessions, one of several processes on one store; prints its port.
// argv: the store's address
import { writeSync } from 'node:fs';
import express from 'express';
import { SessionRepository, defineSession, mutable, openStore } from 'holdfast';
import { holdfast } from 'holdfast/express';

const store = await openStore(process.argv[2]);
const definition = defineSession({
  count: mutable(() => 0),
  keys: mutable(() => ({})),
  cart: mutable(() => []),
  user: mutable(),
});
const sessions = new SessionRepository({ store, definition });
// The machine of the tests may be busy: what is judged here is not how soon it answers.
const web = holdfast({ sessions, secrets: ['a secret of at least 32 characters'], downAfterMs: 20_000 });
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const app = express();
app.use(web.middleware());
app.get('/', async (req, res) => res.json(await web.read(req)));
app.post('/count', async (req, res) => res.json(await web.scope(req, (state) => (state.count += 1))));
app.post('/put/:key', async (req, res) =>
  res.json(
    await web.scope(
      req,
      async (state) => {
        await wait(5);
        state.keys[req.params.key] = true;
        return true;
      },
      { mode: req.query.mode },
    ),
  ),
);
app.post('/add/:sku', async (req, res) =>
  res.json(
    await web.scope(
      req,
      async (state) => {
        await wait(5);
        return state.cart.push(req.params.sku);
      },
      { mode: req.query.mode, retry: req.query.mode === 'optimistic' ? 20 : 0 },
    ),
  ),
);
app.post('/login/:user', async (req, res) =>
  res.json(await web.regenerate(req, (state) => (state.user = req.params.user))),
);
app.post('/slow', async (req, res) =>
  res.json(
    await web.scope(
      req,
      async (state) => {
        state.cart.push('slow');
        await wait(60);
        return true;
      },
      { mode: req.query.mode },
    ),
  ),
);
app.post('/logout', async (req, res) => res.json(await web.destroy(req)));
app.use((error, _req, res, _next) => res.status(error.status ?? 500).send(error.code ?? error.message));

const server = app.listen(0, '127.0.0.1', () => writeSync(1, `${server.address().port}\n`));
