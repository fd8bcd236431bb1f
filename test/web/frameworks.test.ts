import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { MemoryStore } from '../../ts/store/memory.ts';
import { VirtualClock } from '../../ts/testing/index.ts';
import { hashedId } from '../../ts/web/sid.ts';
import { Browser } from './browser.ts';
import { idsOf } from './ids-of.ts';
import { begun, servers, sessionsIn } from './servers.ts';
import type { Options, Running } from './servers.ts';

const NAME = '__Host-session';
const running: Running[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()));
});

const sidOf = (cookie: string | undefined): string => decodeURIComponent(cookie ?? '').split('.')[0] as string;
const idOf = (browser: Browser): string => hashedId(sidOf(browser.cookies.get(NAME)));

const soon = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 20));

/** Sends a request and goes away. */
function abandon(origin: string, path: string, cookie: string, when: () => Promise<unknown> = soon): Promise<void> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(`POST ${path} HTTP/1.1\r\nhost: ${hostname}\r\ncookie: ${cookie}\r\ncontent-length: 0\r\n\r\n`);
      void when().finally(() => socket.destroy());
    });
    socket.once('close', () => resolve()).once('error', reject);
  });
}

describe.each(Object.entries(servers))('on %s', (_name, { start, streams }) => {
  async function begin(options: Options = {}, clock?: VirtualClock) {
    const sessions = sessionsIn(new MemoryStore({ clock }), { clock });
    const server = await start(sessions, options);
    running.push(server);
    return { sessions, server, browser: new Browser(server.origin) };
  }

  it('a session begins with the first write, and its cookie is what the names promise', async () => {
    const { sessions, browser } = await begin();
    expect(await browser.ask('/do/nothing/x')).toMatchObject({ status: 200, text: '"nothing"', cookies: [] });
    expect((await browser.ask('/do/read/x')).cookies).toEqual([]);
    expect((await browser.post('/do/look/x')).cookies).toEqual([]);
    expect(await idsOf(sessions)).toEqual([]);
    expect(JSON.parse((await browser.ask('/do/read/x')).text)).toEqual({ cart: [], count: 0, flash: [] });

    const { cookies, text } = await browser.post('/do/add/tea');
    expect(text).toBe('1');
    expect(cookies).toHaveLength(1);
    const [pair, ...attributes] = (cookies[0] as string).split('; ');
    expect(pair).toMatch(/^__Host-session=[\w-]{24}\.[\w%]+$/);
    expect(attributes).toEqual(['Path=/', 'HttpOnly', 'Secure', 'SameSite=Lax']);

    expect(await browser.post('/do/add/jam')).toMatchObject({ text: '2', cookies: [] });
    expect(JSON.parse((await browser.ask('/do/read/x')).text)).toMatchObject({ cart: ['tea', 'jam'] });
    expect(await idsOf(sessions)).toEqual([idOf(browser)]); // never the cookie's own
  });

  it('a throw saves nothing, and comes to the handler of errors', async () => {
    const { browser, sessions } = await begin();
    expect(await browser.post('/do/add-and-throw/x')).toMatchObject({ status: 418, cookies: [] });
    expect(await idsOf(sessions)).toEqual([]);
    await browser.post('/do/add/tea');
    expect(await browser.post('/do/add-and-throw/jam')).toMatchObject({ status: 418 });
    expect(await browser.post('/eager/eager-throw/jam')).toMatchObject({ status: 418 });
    expect(await browser.post('/do/add/milk')).toMatchObject({ text: '2' }); // and no lock was left
  });

  it('an eager route has the session open, and it is saved at its end', async () => {
    const { browser, sessions } = await begin();
    expect(await browser.post('/eager/eager-look/x')).toMatchObject({ status: 200, text: '0', cookies: [] });
    expect(await browser.post('/eager/eager-throw/x')).toMatchObject({ status: 418, cookies: [] });
    expect(await idsOf(sessions)).toEqual([]);
    expect((await browser.post('/eager/eager-add/tea')).cookies).toHaveLength(1);
    expect(await browser.post('/eager/eager-add/jam')).toMatchObject({ text: '2', cookies: [] });
    expect((await sessions.read(idOf(browser)))?.cart).toEqual(['tea', 'jam']);
    expect(await browser.post('/eager/eager-deadlock/x')).toMatchObject({ status: 500 });
    expect((await browser.post('/eager/eager-deadlock/x')).text).not.toContain('3');
    const before = idOf(browser);
    expect(await browser.post('/eager/eager-login/ann')).toMatchObject({ status: 200, text: '"ann"' });
    expect(idOf(browser)).not.toBe(before);
    expect(await sessions.read(before)).toBeUndefined();
    expect(await sessions.read(idOf(browser))).toMatchObject({ user: 'ann', cart: ['tea', 'jam'] });
    expect(await browser.post('/eager/eager-logout/x')).toMatchObject({ text: 'true' });
    expect(browser.cookies.size).toBe(0);
    expect(await idsOf(sessions)).toEqual([]);
  });

  if (streams)
    it('what is written while the body goes out is saved before its last byte', async () => {
      const { browser, sessions } = await begin();
      for (const turn of ['a', 'b', 'c']) {
        expect(await browser.post(`/eager/stream/${turn}`)).toMatchObject({ status: 200, text: 'first,last' });
        expect((await sessions.read(idOf(browser)))?.cart.slice(-2)).toEqual([`${turn}-first`, `${turn}-last`]);
      }
    });

  it('a login gives a new id and a logout takes it, for good', async () => {
    const { browser, server, sessions } = await begin();
    await browser.post('/do/add/tea');
    const thief = new Browser(server.origin, browser.cookies);
    const before = idOf(browser);
    expect((await browser.post('/do/login/ann')).text).toBe('"ann"');
    expect(idOf(browser)).not.toBe(before);
    expect(JSON.parse((await browser.ask('/do/read/x')).text)).toMatchObject({ user: 'ann', cart: ['tea'] });
    expect(JSON.parse((await thief.ask('/do/read/x')).text)).toEqual({ cart: [], count: 0, flash: [] });
    expect(await sessions.read(before)).toBeUndefined();

    const after = new Browser(server.origin, browser.cookies);
    expect(await browser.post('/do/logout/x')).toMatchObject({ text: 'true' });
    expect(browser.cookies.size).toBe(0);
    expect(JSON.parse((await after.ask('/do/read/x')).text)).toEqual({ cart: [], count: 0, flash: [] });
    expect((await new Browser(server.origin).post('/do/login/bob')).cookies).toHaveLength(1);
  });

  it('an id that was replaced finds the session for a while, and never the new id', async () => {
    const clock = new VirtualClock();
    const { browser, server, sessions } = await begin({ cookie: { maxAgeMs: 1 } }, clock); // renewed at each request
    await browser.post('/do/add/tea');
    const thief = new Browser(server.origin, browser.cookies);
    const before = idOf(browser);
    expect(await browser.post('/do/rotate/x')).toMatchObject({ text: 'true' });
    expect(idOf(browser)).not.toBe(before);

    const seen = [
      await thief.ask('/do/read/x'),
      await thief.post('/do/rotate/x'),
      await thief.post('/do/add/jam'),
      await thief.post('/do/look/x'),
      await thief.post('/eager/eager-add/milk'),
      await thief.post('/do/login/eve'),
      await thief.post('/eager/eager-login/eve'),
    ];
    expect(seen.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 409, 409]);
    expect(seen.flatMap(({ cookies }) => cookies)).toEqual([]);
    expect(seen[1]?.text).toBe('false');
    expect(JSON.stringify(seen.map(({ text }) => text))).not.toContain(sidOf(browser.cookies.get(NAME)));
    expect(await sessions.read(idOf(browser))).toMatchObject({ cart: ['tea', 'jam', 'milk'] });
    expect((await sessions.read(idOf(browser)))?.user).toBeUndefined();

    clock.pass(401);
    expect(JSON.parse((await thief.ask('/do/read/x')).text)).toMatchObject({ cart: [] });
    expect(JSON.parse((await browser.ask('/do/read/x')).text)).toMatchObject({ cart: ['tea', 'jam', 'milk'] });

    const other = new Browser(server.origin, browser.cookies);
    await browser.post('/do/rotate/x');
    expect(JSON.parse((await other.ask('/do/read/x')).text)).toMatchObject({ cart: ['tea', 'jam', 'milk'] });
    await browser.post('/do/login/ann'); // from which on no way leads there, however fresh the rotation
    expect(JSON.parse((await other.ask('/do/read/x')).text)).toMatchObject({ cart: [] });
  });

  it('a request sees what it has written itself, and messages are shown once', async () => {
    const { browser } = await begin();
    expect(await browser.post('/do/then-read/tea')).toMatchObject({ text: '[0,1]' });
    expect(await browser.post('/do/then-read/jam')).toMatchObject({ text: '[1,2]' });
    expect(await browser.ask('/do/flashes/x')).toMatchObject({ text: '[]' });
    await browser.post('/do/flash/saved');
    expect(await browser.ask('/do/flashes/x')).toMatchObject({ text: '[{"kind":"note","text":"saved"}]' });
    expect(await browser.ask('/do/flashes/x')).toMatchObject({ text: '[]' });
  });

  it('clients that go away leave no lock', async () => {
    const { browser, server, sessions } = await begin();
    await browser.post('/do/add/tea');
    const paths = ['/do/slow-add/x', '/eager/eager-slow/x', '/eager/eager-stuck/x', '/do/count/x'];
    for (let turn = 0; turn < 5; turn += 1) {
      const before = begun.stuck;
      const hasBegun = () => expect.poll(() => begun.stuck, { timeout: 10_000 }).toBe(before + 1);
      await abandon(server.origin, '/eager/eager-stuck/x', browser.cookie, async () => hasBegun());
    }
    for (let turn = 0; turn < 25; turn += 1)
      await Promise.all(paths.map((path) => abandon(server.origin, path, browser.cookie)));
    await expect
      .poll(() => sessions.scope(idOf(browser), () => true, { timeoutMs: 1000 }), { timeout: 10_000 })
      .toBe(true);
    const { open } = await sessions.close();
    expect(open).toEqual([]);
  });
});
