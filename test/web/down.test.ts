import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Store } from '../../ts/store/store.ts';
import { Browser } from './browser.ts';
import { SECRET, servers, sessionsIn } from './servers.ts';
import { holdfast } from '../../ts/web/http.ts';
import { serve } from './serve.ts';

/** A store that answers, says that it cannot be reached, or hangs. */
function moody(behind: Store) {
  let mood: 'well' | 'refuses' | 'hangs' = 'well';
  const hanging: (() => void)[] = [];
  const store = new Proxy(behind, {
    get(target, name) {
      const found = target[name as keyof Store] as unknown;
      if (typeof found !== 'function' || name === 'close') return found;
      return (...given: unknown[]) => {
        const call = (): unknown => (found as (...args: unknown[]) => unknown).apply(target, given);
        if (mood === 'well') return call();
        if (mood === 'refuses') return Promise.reject(new HoldfastError('ERR_UNAVAILABLE', 'cannot be reached'));
        return new Promise((resolve) => hanging.push(() => resolve(call())));
      };
    },
  });
  const turn = (to: typeof mood): void => {
    mood = to;
    for (const go of hanging.splice(0)) go();
  };
  return { store, turn };
}

describe.each(Object.entries(servers))('on %s', (_name, { start }) => {
  it.each(['refuses', 'hangs'] as const)('a store that %s is answered with 503, or by nobody known', async (how) => {
    const { store, turn } = moody(new MemoryStore());
    const lines: string[] = [];
    const sessions = sessionsIn(store);
    const server = await start(sessions, {
      log: (line) => void lines.push(line),
      route: { whenDown: 'anonymous' },
      cookie: { maxAgeMs: 1 }, // renewed with each answer that has the session
    });
    try {
      const browser = new Browser(server.origin);
      await browser.post('/do/add/tea');
      expect((await browser.ask('/do/read/x')).cookies).toHaveLength(1);
      turn(how);
      const paths = ['/do/read/x', '/do/add/x', '/do/logout/x', '/do/login/x', '/eager/eager-add/x', '/again/add/x'];
      for (const path of paths) {
        const { status, cookies } = await browser.post(path);
        expect([path, status, cookies]).toEqual([path, 503, []]);
      }
      expect(await browser.post('/again/read/x')).toMatchObject({ status: 200, cookies: [] });
      expect(JSON.parse((await browser.post('/again/read/x')).text)).toMatchObject({ cart: [] });
      expect((await browser.ask('/do/nothing/x')).status).toBe(200);
      expect(lines).toEqual([expect.stringMatching(/^holdfast: the store is down \(.+\)$/)]);
      turn('well');
      await expect.poll(async () => (await browser.ask('/do/read/x')).status, { timeout: 10_000 }).toBe(200);
      expect(JSON.parse((await browser.ask('/do/read/x')).text).cart).toContain('tea');
      expect(lines).toEqual([expect.stringContaining('is down'), 'holdfast: the store is back']);
    } finally {
      turn('well');
      await server.close();
    }
  });
});

it('a wait for a lock is none for the store, and a save that hangs is told as of unknown outcome', async () => {
  const { store, turn } = moody(new MemoryStore());
  const sessions = sessionsIn(store);
  const one = holdfast({ sessions, secrets: [SECRET], log: () => undefined });
  const enter = one.middleware();
  const outcomes: unknown[] = [];
  const { origin } = await serve(async (req, res) => {
    enter(req, res);
    const count = one.scope(req, async (state) => {
      if (req.url === '/slow') await new Promise((resolve) => setTimeout(resolve, 700));
      if (req.url === '/hang') turn('hangs');
      return (state.count += 1);
    });
    return count.catch((error: HoldfastError) => {
      outcomes.push([error.code, error.outcome]);
      throw error;
    });
  });
  const browser = new Browser(origin);
  await browser.post('/');
  const slow = browser.post('/slow');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect((await Promise.all([slow, browser.post('/')])).map(({ text }) => text)).toEqual(['2', '3']);
  expect((await browser.post('/hang')).status).toBe(503);
  turn('well');
  expect(outcomes).toEqual([['ERR_UNAVAILABLE', 'unknown']]);
  await expect.poll(async () => (await browser.post('/')).text, { timeout: 10_000 }).toBe('5'); // it was stored after all
});

it('what a use throws is its own, as of another store of the application', async () => {
  const lines: string[] = [];
  const one = holdfast({
    sessions: sessionsIn(new MemoryStore()),
    secrets: [SECRET],
    log: (line) => void lines.push(line),
  });
  const enter = one.middleware();
  const { origin } = await serve(async (req, res) => {
    enter(req, res);
    return one.scope(req, () => {
      throw new HoldfastError(req.url === '/none' ? 'ERR_NOT_FOUND' : 'ERR_UNAVAILABLE', 'of another');
    });
  });
  expect(await new Browser(origin).post('/')).toMatchObject({ status: 500, text: 'ERR_UNAVAILABLE' });
  expect(await new Browser(origin).post('/none')).toMatchObject({ status: 500, text: 'ERR_NOT_FOUND' });
  expect(lines).toEqual([]);
});
