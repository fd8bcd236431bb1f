import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../../ts/store/memory.ts';
import { holdfast } from '../../ts/web/http.ts';
import { Wire } from '../store/wire.ts';
import { Browser } from './browser.ts';
import { serve } from './serve.ts';
import { SECRET, sessionsIn } from './servers.ts';

// README: While the primary is away
describe('requests of a process that goes on without its primary', () => {
  it.each(['cut', 'stopped'] as const)('are answered where it has the session, and 503 where not: %s', async (how) => {
    const wire = new Wire(new MemoryStore(), { policy: 'serve-local', failMs: 100 });
    const sessions = sessionsIn(wire.store);
    const lines: string[] = [];
    const one = holdfast({ sessions, secrets: [SECRET], log: (line) => void lines.push(line) });
    const enter = one.middleware();
    const { origin } = await serve(async (req, res) => {
      enter(req, res);
      if (req.url === '/read') return ((await one.read(req)) as { count: number }).count;
      return one.scope(req, (state) => (state.count += 1));
    });
    const [known, unknown] = [new Browser(origin), new Browser(origin)];
    expect((await known.post('/add')).text).toBe('1');
    wire.state = how;
    for (const count of [2, 3, 4]) {
      expect(await known.post('/add')).toMatchObject({ status: 200, text: `${count}` });
      expect((await unknown.post('/add')).status).toBe(503);
      expect(await known.post('/read')).toMatchObject({ status: 200, text: `${count}` });
    }
    wire.state = 'up';
    await expect.poll(async () => (await unknown.post('/add')).status, { timeout: 10_000 }).toBe(200);
    expect((await known.post('/add')).text).toBe('5');
    expect(lines[0]).toMatch(/^holdfast: the store is down/);
    expect(await sessions.close()).toMatchObject({ unstored: [] });
  });
});
