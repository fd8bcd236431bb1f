import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newFolder } from '../folders.ts';
import { NO_REDIS, RedisServer } from '../store/redis-server.ts';
import { Browser } from './browser.ts';

const script = fileURLToPath(new URL('server.mjs', import.meta.url));
const running: ChildProcess[] = [];
afterAll(async () => {
  await Promise.all(running.splice(0).map(stop));
});

function stop(child: ChildProcess): Promise<unknown> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  return ended;
}

async function start(store: string): Promise<{ child: ChildProcess; origin: string }> {
  const child = spawn(process.execPath, [script, store], { stdio: ['ignore', 'pipe', 'inherit'] });
  running.push(child);
  const port = await new Promise<string>((resolve, reject) => {
    child.once('close', (code) => reject(new Error(`the server has ended: ${code}`)));
    child.stdout.setEncoding('utf8').once('data', (text: string) => resolve(text.trim()));
  });
  return { child, origin: `http://127.0.0.1:${port}` };
}

interface Shown {
  readonly count: number;
  readonly keys: Readonly<Record<string, boolean>>;
  readonly cart: readonly string[];
  readonly user?: string;
}
const shown = async (browser: Browser): Promise<Shown> => JSON.parse((await browser.ask('/')).text) as Shown;

type Address = () => Promise<string>;

/** One client that asks two server processes in turn. */
async function two(address: Address) {
  const store = await address();
  const servers = await Promise.all([start(store), start(store)]);
  let turn = 0;
  const browser = new Browser(() => servers[(turn += 1) % 2]!.origin);
  await browser.post('/count');
  return { store, servers, browser };
}

const STORES: readonly (readonly [string, Address, string | undefined])[] = [
  ['the embedded store', () => Promise.resolve(newFolder()), undefined],
  ['a Redis server', async () => (await RedisServer.start()).url, NO_REDIS],
];

describe.each(STORES)('two server processes on %s', (_name, address, lacks) => {
  if (lacks !== undefined) return it.skip(lacks, () => undefined);
  let shared: Awaited<ReturnType<typeof two>>;
  beforeAll(async () => {
    shared = await two(address);
  });
  const anyone = async (): Promise<Browser> => {
    let turn = 0;
    const browser = new Browser(() => shared.servers[(turn += 1) % 2]!.origin);
    await browser.post('/count');
    return browser;
  };

  it('have all of 100 increments', async () => {
    const browser = await anyone();
    const asked = Array.from({ length: 99 }, () => browser.post('/count'));
    const given = (await Promise.all(asked)).map(({ text }) => Number(text)).toSorted((a, b) => a - b);
    expect(given).toEqual(Array.from({ length: 99 }, (_, i) => i + 2)); // each once
    expect((await shown(browser)).count).toBe(100);
  });

  it.each(['exclusive', 'optimistic'])('have all of 50 keys that requests put side by side, %s', async (mode) => {
    const browser = await anyone();
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => browser.post(`/put/k${i}?mode=${mode}`)));
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200));
    expect(Object.keys((await shown(browser)).keys)).toHaveLength(50);
  });

  it.each(['exclusive', 'optimistic'])('lose none of two carts’ lines that are added at once, %s', async (mode) => {
    const browser = await anyone();
    for (let turn = 0; turn < 20; turn += 1) {
      const added = await Promise.all(['a', 'b'].map((sku) => browser.post(`/add/${sku}${turn}?mode=${mode}`)));
      expect(added.map(({ status, text }) => [status, text.length > 0])).toEqual(Array(2).fill([200, true]));
    }
    const expected = Array.from({ length: 20 }, (_, i) => [`a${i}`, `b${i}`]).flat();
    expect((await shown(browser)).cart.toSorted()).toEqual(expected.toSorted());
  });

  it.each(['exclusive', 'optimistic'])(
    'keep who has logged out logged out, while a slow request writes, %s',
    async (mode) => {
      const { servers } = shared;
      for (let turn = 0; turn < 20; turn += 1) {
        let at = turn;
        const browser = new Browser(() => servers[(at += 1) % 2]!.origin);
        await browser.post('/login/ann');
        const before = new Browser(servers[0]!.origin, browser.cookies);
        const slow = new Browser(servers[1]!.origin, browser.cookies);
        const writing = slow.post(`/slow?mode=${mode}`);
        await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 30));
        expect(await browser.post('/logout')).toMatchObject({ status: 200, text: 'true' });
        const { status, cookies } = await writing;
        // Saved before the logout, refused after it, or begun after it, as another session of nobody's.
        expect(status === 200 || status === 401).toBe(true);
        if (status === 401) expect(cookies).toEqual([]);
        expect((await shown(before)).user).toBeUndefined();
        expect((await shown(slow)).user).toBeUndefined();
      }
    },
  );

  it('lose nothing that was acknowledged when one is killed under load', async () => {
    const { store, servers, browser } = await two(address);
    let isOver = false;
    let asked = 1;
    const acknowledged: number[] = [];
    const client = async (origin: string): Promise<void> => {
      const one = new Browser(origin, browser.cookies);
      while (!isOver) {
        asked += 1;
        const answer = await one.post('/count').catch(() => undefined);
        if (answer?.status === 200) acknowledged.push(Number(answer.text));
        else return;
      }
    };
    const clients = servers.flatMap(({ origin }) => [client(origin), client(origin), client(origin)]);
    await expect.poll(() => acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(100);
    servers[0]!.child.kill('SIGKILL');
    const atKill = acknowledged.length;
    await expect.poll(() => acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(atKill + 50);
    isOver = true;
    await Promise.all(clients);

    expect(new Set(acknowledged).size).toBe(acknowledged.length); // none was overwritten
    const { origin } = await start(store);
    const { count } = await shown(new Browser(origin, browser.cookies));
    expect(count).toBeGreaterThanOrEqual(Math.max(...acknowledged));
    expect(count - acknowledged.length).toBeGreaterThanOrEqual(1);
    expect(count).toBeLessThanOrEqual(asked);
  }, 90_000);
});
