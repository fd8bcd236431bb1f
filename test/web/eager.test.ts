import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Store } from '../../ts/store/store.ts';
import { holdfast } from '../../ts/web/http.ts';
import { through } from '../store/through.ts';
import { Browser } from './browser.ts';
import { idsOf } from './ids-of.ts';
import { serve } from './serve.ts';

const secrets = ['a secret of at least 32 characters'];
const definition = defineSession({ n: mutable<number>(() => 0) });

describe('an eager route', () => {
  const eagerly = async (store: Store = new MemoryStore()) => {
    const sessions = new SessionRepository({ store, definition });
    const web = holdfast({ sessions, secrets, attach: 'session' });
    const enter = web.middleware();
    const eager = web.eager();
    const { origin } = await serve(async (req, res) => {
      enter(req, res);
      await eager(req, res, async () => {
        const state = web.session(req);
        (req as unknown as { session: typeof state }).session.n += 1;
        const body = `${state.n}`;
        res.setHeader('x-two', 'set');
        if (req.url === '/head') res.writeHead(200, { 'content-length': body.length, 'set-cookie': ['a=1', 'b=2'] });
        if (req.url === '/flat') res.writeHead(200, ['set-cookie', 'a=1', 'x-two', 'written', 'set-cookie', 'b=2']);
        if (req.url === '/long') res.setHeader('content-length', body.length).setHeader('etag', 'it');
        if (req.url !== '/') {
          res.write(body);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        res.end(req.url === '/' ? body : '');
      });
    });
    return { sessions, browser: new Browser(origin) };
  };

  it('gives its cookie with headers that are written by hand', async () => {
    for (const path of ['/head', '/flat', '/long', '/']) {
      const { browser, sessions } = await eagerly();
      const { text, headers } = await browser.ask(path);
      expect([text, headers.get('x-two')]).toEqual(['1', path === '/flat' ? 'written' : 'set']);
      expect([...browser.cookies.keys()]).toEqual(
        path === '/head' || path === '/flat' ? ['a', 'b', '__Host-session'] : ['__Host-session'],
      );
      expect((await browser.ask(path)).text).toBe('2'); // saved before the client had all of the first
      expect(await idsOf(sessions)).toHaveLength(1);
    }
  });

  it('has saved before the client has the last byte, also where it knows which that is', async () => {
    const store = through(new MemoryStore(), {
      append: (call) => new Promise((resolve) => setTimeout(resolve, 30)).then(call),
    });
    const { browser, sessions } = await eagerly(store);
    for (const [turn, path] of ['/', '/long', '/head', '/flat', '/other'].entries()) {
      expect((await browser.ask(path)).text).toBe(`${turn + 1}`);
      expect((await sessions.read((await idsOf(sessions))[0] as string))?.n).toBe(turn + 1);
    }
  });

  it('that cannot save tells the handler of errors, or cuts the connection', async () => {
    let isBroken = false;
    const store = through(new MemoryStore(), {
      append: (call) => (isBroken ? Promise.reject(new HoldfastError('ERR_LIMIT', 'too large')) : call()),
    });
    const { browser } = await eagerly(store);
    await browser.ask('/');
    isBroken = true;
    const { status, text, headers } = await browser.ask('/');
    expect([status, text, headers.get('etag')]).toEqual([500, 'ERR_LIMIT', null]);
    await expect(browser.ask('/long')).resolves.toMatchObject({ status: 500, text: 'ERR_LIMIT' });
    await expect(browser.ask('/head')).rejects.toThrow();
    isBroken = false;
    expect((await browser.ask('/')).text).toBe('2');
  });
});

it('a request that cannot take the state is refused, and holds no lock', async () => {
  const sessions = new SessionRepository({ store: new MemoryStore(), definition });
  const web = holdfast({ sessions, secrets, attach: 'session' });
  const enter = web.middleware();
  const eager = web.eager();
  const { origin } = await serve(async (req, res) => {
    enter(req, res);
    if (req.url === '/eager') {
      Object.defineProperty(req, 'session', { value: 'another’s' });
      return eager(req, res, () => res.end());
    }
    return web.scope(req, (state) => (state.n += 1), { timeoutMs: 1000 });
  });
  const browser = new Browser(origin);
  await browser.post('/');
  expect((await browser.post('/eager')).status).toBe(500);
  expect((await browser.post('/')).text).toBe('2');
});
