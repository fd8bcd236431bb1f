import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { defineSession, immutable, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { VirtualClock } from '../../ts/testing/index.ts';
import { holdfast } from '../../ts/web/http.ts';
import { hashedId } from '../../ts/web/sid.ts';
import { through } from '../store/through.ts';
import { Browser } from './browser.ts';
import { idsOf } from './ids-of.ts';
import { serve } from './serve.ts';

const secrets = ['a secret of at least 32 characters'];
const definition = defineSession({
  cart: mutable<string[]>(() => []),
  at: mutable<Date>(() => new Date(5)),
  bytes: mutable<Uint8Array>(() => Uint8Array.of(1, 2)),
  n: mutable<number>(() => 0, { merge: 'sum' }),
});
const empty = defineSession({ note: mutable<string | null>(() => 'none') });
const strict = defineSession({ user: immutable<string>(undefined, { required: true }), n: mutable<number>(() => 0) });

/** Counts the calls to a store, by their names. */
function counted() {
  const calls: string[] = [];
  const note = <T>(name: string, call: () => T): T => (calls.push(name), call());
  const store = through(new MemoryStore(), {
    read: (call) => note('read', call),
    append: (call) => note('append', call),
    replace: (call) => note('replace', call),
    lock: (call) => note('lock', call),
    touch: (call) => note('touch', call),
  });
  return { store, take: () => calls.splice(0).toSorted() };
}

describe('a request', () => {
  it('that does not touch its session asks nothing, one that reads asks once, without a lock', async () => {
    const { store, take } = counted();
    const sessions = new SessionRepository({ store, definition });
    const web = holdfast({ sessions, secrets });
    const enter = web.middleware();
    const { origin } = await serve(async (req, res) => {
      enter(req, res);
      if (req.url === '/add') return web.scope(req, (state) => state.cart.push('tea'));
      if (req.url === '/read') return [(await web.read(req)).cart, (await web.read(req)).cart];
      return 'nothing';
    });
    const browser = new Browser(origin);
    expect((await browser.ask('/read')).text).toBe('[[],[]]');
    expect(take()).toEqual([]); // it shows no id
    await browser.post('/add');
    expect(take()).toContain('append');
    await browser.ask('/');
    expect(take()).toEqual([]);
    expect((await browser.ask('/read')).text).toBe('[["tea"],["tea"]]');
    expect(take()).toEqual(['read']);
  });

  it('sees a view that it cannot change', async () => {
    const web = holdfast({ sessions: new SessionRepository({ store: new MemoryStore(), definition }), secrets });
    const enter = web.middleware();
    const refused: unknown[] = [];
    const { origin } = await serve(async (req, res) => {
      enter(req, res);
      if (req.method === 'POST')
        return web.scope(req, (state) => {
          state.bytes = Uint8Array.of(1, 2);
          return (state.n += 1);
        });
      const view = await web.read(req);
      for (const write of [
        () => ((view as { n: number }).n = 2),
        () => (view.cart as string[]).push('tea'),
        () => view.at.setTime(9),
      ]) {
        try {
          refused.push(write());
        } catch (error) {
          refused.push((error as HoldfastError).code);
        }
      }
      const bytes = [...view.bytes];
      view.bytes[0] = 9; // its own copy
      return [view.n, bytes, view.at.getTime()];
    });
    const browser = new Browser(origin);
    expect((await browser.ask('/')).text).toBe('[0,[1,2],5]'); // without a session
    await browser.post('/');
    expect((await browser.ask('/')).text).toBe('[1,[1,2],5]');
    expect((await browser.ask('/')).text).toBe('[1,[1,2],5]');
    expect(refused).toEqual(Array(9).fill('ERR_INVALID'));
  });

  it('makes no session under an id that a client has chosen', async () => {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition });
    const web = holdfast({ sessions, idFrom: (req: IncomingMessage) => req.headers.authorization });
    const { origin } = await serve(async (req) => {
      const length = await web.scope(req, (state) => state.cart.push('tea'));
      return [length, web.issued(req)];
    });
    const browser = new Browser(origin);
    const first = await browser.post('/', { headers: { authorization: 'mine' } });
    const [length, issued] = JSON.parse(first.text) as [number, string];
    expect([length, first.cookies]).toEqual([1, []]);
    expect(issued).toMatch(/^[\w-]{24}$/);
    expect(await idsOf(sessions)).toEqual([hashedId(issued)]);
    const again = await browser.post('/', { headers: { authorization: issued } });
    expect(JSON.parse(again.text)).toEqual([2, null]);
    const other = await browser.post('/', { headers: { authorization: hashedId(issued) } }); // as the store shows it
    expect(JSON.parse(other.text)).toEqual([1, expect.not.stringContaining(issued)]);
  });

  it('whose headers have gone makes no session', async () => {
    const { store, take } = counted();
    const sessions = new SessionRepository({ store, definition });
    const web = holdfast({ sessions, secrets });
    const enter = web.middleware();
    let isSaved = true;
    const { origin } = await serve(async (req, res) => {
      if (req.url !== '/unseen') enter(req, res);
      if (req.url === '/late') res.write('sent');
      if (req.url === '/regenerate') res.write('sent');
      if (req.url === '/regenerate') return web.regenerate(req, (state) => void (state.n += 1));
      return web.scope(req, (state) => {
        if (req.url === '/meanwhile') res.write('sent');
        return isSaved ? (state.n += 1) : state.n;
      });
    });
    const browser = new Browser(origin);
    expect((await browser.ask('/late')).text).toBe('sent,ERR_INVALID');
    expect((await browser.ask('/meanwhile')).text).toBe('sent,ERR_INVALID');
    expect((await browser.ask('/regenerate')).text).toBe('sent,ERR_INVALID');
    expect(await browser.ask('/unseen')).toMatchObject({ status: 500, text: 'ERR_INVALID' });
    expect(take().filter((name) => name === 'append' || name === 'replace')).toEqual([]);
    isSaved = false;
    expect((await browser.ask('/late')).text).toBe('sent0'); // it makes none
    isSaved = true;
    await browser.ask('/');
    expect((await browser.ask('/late')).text).toBe('sent2'); // it has one
    expect((await browser.ask('/unseen')).text).toBe('3');
  });

  it('makes one session of scopes that begin side by side, and none of one inside another', async () => {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition });
    const web = holdfast({ sessions, secrets });
    const enter = web.middleware();
    const { origin } = await serve(async (req, res) => {
      enter(req, res);
      const add = () => web.scope(req, async (state) => (await Promise.resolve(), (state.n += 1)));
      if (req.url === '/inside') return web.scope(req, async (state) => [(state.n += 1), await add()]);
      return (await Promise.all([add(), add(), add()])).toSorted();
    });
    const browser = new Browser(origin);
    expect((await browser.ask('/')).text).toBe('[1,2,3]');
    expect((await browser.ask('/')).text).toBe('[4,5,6]');
    expect(await idsOf(sessions)).toHaveLength(1);
    expect(await new Browser(origin).ask('/inside')).toMatchObject({ text: 'ERR_DEADLOCK', cookies: [] });
    expect(await idsOf(sessions)).toHaveLength(1);
  });

  it('may have many scopes at once, and gives new ids where `idFrom` has the old ones', async () => {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition });
    const web = holdfast({ sessions, idFrom: (req: IncomingMessage) => req.headers.authorization });
    const enter = web.middleware();
    const { origin } = await serve(async (req, res) => {
      enter(req, res);
      if (req.url === '/login') return web.regenerate(req, () => web.issued(req));
      await Promise.all(Array.from({ length: 20 }, () => web.scope(req, (state) => (state.n += 1))));
      return web.issued(req) ?? (await web.read(req)).n;
    });
    const warnings: string[] = [];
    const note = (warning: Error): void => void warnings.push(warning.name);
    process.on('warning', note);
    try {
      const browser = new Browser(origin);
      const first = JSON.parse((await browser.post('/')).text) as string;
      expect((await browser.post('/', { headers: { authorization: first } })).text).toBe('40');
      const second = JSON.parse((await browser.post('/login', { headers: { authorization: first } })).text) as string;
      expect(await idsOf(sessions)).toEqual([hashedId(second)]);
      expect((await browser.post('/', { headers: { authorization: second } })).text).toBe('60');
      expect(warnings).toEqual([]);
    } finally {
      process.off('warning', note);
    }
  });

  it('merges where its route or the call says so', async () => {
    const web = holdfast({ sessions: new SessionRepository({ store: new MemoryStore(), definition }), secrets });
    const enter = web.middleware();
    const optimistic = web.middleware({ mode: 'optimistic' });
    let inside = 0;
    let most = 0;
    const { origin } = await serve(async (req, res) => {
      enter(req, res);
      const isMerged = req.url === '/merged';
      if (isMerged) optimistic(req, res);
      return web.scope(req, async (state) => {
        most = Math.max(most, (inside += 1));
        // Those that are merged wait until both are here, the others for as long as another would need to come.
        do await new Promise((resolve) => setTimeout(resolve, 20));
        while (isMerged && most < 2);
        inside -= 1;
        return (state.n += 1);
      });
    });
    const browser = new Browser(origin);
    await browser.post('/');
    await Promise.all([browser.post('/'), browser.post('/'), browser.post('/')]);
    expect(most).toBe(1);
    await Promise.all([browser.post('/merged'), browser.post('/merged')]);
    expect(most).toBe(2);
    expect((await browser.post('/')).text).toBe('7');
  });

  it('that only listens holds nothing, and reads what others have written', async () => {
    const web = holdfast({ sessions: new SessionRepository({ store: new MemoryStore(), definition }), secrets });
    const enter = web.middleware();
    const { origin, port } = await serve(async (req, res) => {
      enter(req, res);
      if (req.url === '/add') return web.scope(req, (state) => (state.n += 1));
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      const tell = async (): Promise<void> => void res.write(`data: ${(await web.read(req, { fresh: true })).n}\n\n`);
      await tell();
      const timer = setInterval(() => void tell(), 10);
      res.once('close', () => clearInterval(timer));
      return undefined;
    });
    const browser = new Browser(origin);
    await browser.post('/add');
    const told: string[] = [];
    const listener = request({ port, path: '/listen', headers: { cookie: browser.cookie } }, (res) => {
      res.setEncoding('utf8').on('data', (text: string) => told.push(...text.trim().split('\n\n')));
    }).end();
    await expect.poll(() => told, { timeout: 10_000 }).toContain('data: 1');
    expect((await browser.post('/add', { signal: AbortSignal.timeout(1000) })).text).toBe('2');
    await expect.poll(() => told, { timeout: 10_000 }).toContain('data: 2');
    listener.destroy();
  });
});

it('a socket that is upgraded reads and writes its session, and begins none', async () => {
  const web = holdfast({ sessions: new SessionRepository({ store: new MemoryStore(), definition }), secrets });
  const enter = web.middleware();
  const { origin, port, server } = await serve((req, res) => {
    enter(req, res);
    return web.scope(req, (state) => (state.n += 1));
  });
  server.on('upgrade', (req, socket) => {
    const tell = (text: unknown) =>
      socket.end(
        `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\nx-told: ${String(text)}\r\n\r\n`,
      );
    web.scope(req, (state) => (state.n += 1)).then(tell, (error: HoldfastError) => tell(error.code));
  });
  const upgraded = (cookie: string): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const headers = { connection: 'upgrade', upgrade: 'x', cookie };
      const asking = request({ port, headers }).once('error', reject).end();
      asking.once('upgrade', (res, socket) => (socket.destroy(), resolve(res.headers['x-told'])));
    });
  const browser = new Browser(origin);
  await browser.post('/');
  expect(await upgraded(browser.cookie)).toBe('2');
  expect((await browser.post('/')).text).toBe('3');
  expect(await upgraded('')).toBe('ERR_INVALID'); // nobody could be given its cookie
});

describe('a session whose definition requires values', () => {
  it('is made at the login, and is undefined before', async () => {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition: strict });
    const web = holdfast({ sessions, secrets });
    const enter = web.middleware();
    const { origin } = await serve(async (req, res) => {
      enter(req, res);
      if (req.url === '/login') return web.regenerate(req, (state) => state.user, { create: { user: 'ann' } });
      if (req.url === '/add') return web.scope(req, (state) => (state.n += 1));
      return [(await web.read(req))?.user];
    });
    const browser = new Browser(origin);
    expect((await browser.ask('/')).text).toBe('[null]');
    expect(await browser.post('/add')).toMatchObject({ status: 401, text: 'ERR_NOT_FOUND', cookies: [] });
    expect(await browser.post('/login')).toMatchObject({ text: '"ann"' });
    expect((await browser.ask('/')).text).toBe('["ann"]');
    expect((await browser.post('/add')).text).toBe('1');
  });

  it('is made by any scope that writes, where the options give the values', async () => {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition: strict });
    const web = holdfast({ sessions, secrets, create: async (req) => ({ user: String(req.headers['x-user']) }) });
    const enter = web.middleware();
    const eager = web.eager();
    const { origin } = await serve(async (req, res) => {
      enter(req, res);
      if (req.url === '/eager')
        return eager(req, res, () => res.end(`${web.session(req)?.user} ${((web.session(req) ?? { n: 0 }).n += 1)}`));
      return web.scope(req, (state) => (req.method === 'POST' ? (state.n += 1) : state.user));
    });
    const browser = new Browser(origin);
    expect(await browser.ask('/', { headers: { 'x-user': 'ann' } })).toMatchObject({ text: '"ann"', cookies: [] });
    expect(await browser.post('/', { headers: { 'x-user': 'ann' } })).toMatchObject({ text: '1' });
    expect(await browser.ask('/', { headers: { 'x-user': 'eve' } })).toMatchObject({ text: '"ann"' });
    expect(await browser.ask('/eager', { headers: { 'x-user': 'eve' } })).toMatchObject({ text: 'ann 2' });
    expect(await new Browser(origin).ask('/eager', { headers: { 'x-user': 'eve' } })).toMatchObject({ text: 'eve 1' });
  });
});

it('first values of null are values', async () => {
  const sessions = new SessionRepository({ store: new MemoryStore(), definition: empty });
  const web = holdfast({ sessions, secrets, create: () => ({ note: null }) });
  const enter = web.middleware();
  const { origin } = await serve(async (req, res) => {
    enter(req, res);
    return web.scope(req, (state) => (req.method === 'POST' ? (state.note = 'it') : [state.note]));
  });
  expect(await new Browser(origin).ask('/')).toMatchObject({ text: '[null]', cookies: [] });
  expect((await new Browser(origin).post('/')).cookies).toHaveLength(1);
});

describe('expiry', () => {
  it('goes by the last use, of which many count as one, and by the age', async () => {
    const clock = new VirtualClock();
    const { store, take } = counted();
    const within = new MemoryStore({ clock });
    const sessions = new SessionRepository({
      store: through(within, { touch: (call, ...given) => store.touch(...given).then(call, call) }),
      definition,
      ttlMs: 100_000,
      maxAgeMs: 500_000,
      clock,
    });
    const web = holdfast({ sessions, secrets });
    const enter = web.middleware();
    const { origin } = await serve(async (req, res) => {
      enter(req, res);
      return req.method === 'POST' ? web.scope(req, (state) => (state.n += 1)) : (await web.read(req)).n;
    });
    const browser = new Browser(origin);
    await browser.post('/');
    take();
    for (let turn = 0; turn < 10; turn += 1) await browser.ask('/');
    expect(take()).toEqual([]);
    for (let turn = 0; turn < 6; turn += 1) {
      clock.pass(70_000);
      expect((await browser.ask('/')).text).toBe('1');
    }
    expect(take()).toEqual(Array(6).fill('touch'));
    clock.pass(70_000);
    expect((await browser.ask('/')).text).toBe('1'); // 490 s old
    clock.pass(20_000);
    expect((await browser.ask('/')).text).toBe('0'); // though it was used
    const before = browser.cookie;
    expect((await browser.post('/')).text).toBe('1');
    expect(browser.cookie).not.toBe(before);
    clock.pass(100_001);
    expect((await browser.ask('/')).text).toBe('0');
  });
});
