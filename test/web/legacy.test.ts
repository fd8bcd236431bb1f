import { RedisStore as ConnectRedis } from 'connect-redis';
import type { SessionData } from 'express-session';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterEach, describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../ts/errors.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { HoldfastSessionStore, connectRedis } from '../../ts/web/drop-in/express-session.ts';
import type { ConnectRedisOptions } from '../../ts/web/drop-in/express-session.ts';
import { NO_REDIS, RedisServer, newClient } from '../store/redis-server.ts';

type Values = SessionData & Record<string, unknown>;

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** What connect-redis asks of a server, and what was asked. */
class Keys {
  readonly kept = new Map<string, string>();
  readonly calls: string[] = [];
  leftMs = 60_000;
  /** What a deletion is refused with. */
  refusal: Error | undefined;
  /** Answers to GET are held back until this has come. */
  slow: Promise<void> = Promise.resolve();

  async get(key: string): Promise<string | null> {
    this.calls.push(`get ${key}`);
    const found = this.kept.get(key) ?? null;
    await this.slow;
    return found;
  }

  async pTTL(): Promise<number> {
    return this.leftMs;
  }

  async del(key: string): Promise<number> {
    if (!key.includes('holdfast-')) this.calls.push(`del ${key}`);
    if (this.refusal !== undefined) throw this.refusal;
    return this.kept.delete(key) ? 1 : 0;
  }
}

function setUp(keys = new Keys(), store = new MemoryStore(), more: { storeTimeoutMs?: number } = {}) {
  const open = (): HoldfastSessionStore => {
    const sessions = new HoldfastSessionStore({ store, legacy: connectRedis({ client: keys }), ...more });
    closing.push(() => sessions.close());
    return sessions;
  };
  keys.kept.set('sess:old', JSON.stringify({ cookie: { originalMaxAge: 60_000, expires: new Date(0) }, user: 'ann' }));
  return { keys, sessions: open(), other: open() };
}

const error = async (work: Promise<unknown>): Promise<HoldfastError> =>
  work.then(
    () => expect.unreachable('it went well'),
    (thrown: unknown) => thrown as HoldfastError,
  );

describe('a session of connect-redis', () => {
  it('is taken over when it is first asked for, and is nowhere else then', async () => {
    const { keys, sessions, other } = setUp();
    const [one, two] = (await Promise.all([sessions.get('old'), sessions.get('old')])) as [Values, Values];
    expect([one['user'], two['user']]).toEqual(['ann', 'ann']);
    expect(keys.calls).toEqual(['get sess:old', 'del sess:old']);
    expect(keys.kept.size).toBe(0);
    await sessions.set('old', Object.assign(one, { seen: 1 }));
    expect(await other.get('old')).toMatchObject({ user: 'ann', seen: 1 });
    expect(keys.calls).toHaveLength(2);
  });

  it('lives as long as its key would have, which touches have moved alone', async () => {
    const { sessions } = setUp();
    const { cookie } = (await sessions.get('old')) as Values;
    expect(Math.abs(Number(cookie.expires) - Date.now() - 60_000)).toBeLessThan(5000);
  });

  it('without a time lives as its cookie says', async () => {
    const { keys, sessions } = setUp();
    keys.leftMs = -1;
    const expires = new Date(Date.now() + 30_000);
    keys.kept.set('sess:old', JSON.stringify({ cookie: { originalMaxAge: 60_000, expires }, user: 'ann' }));
    expect(((await sessions.get('old')) as Values).cookie.expires).toEqual(expires);
    keys.kept.set('sess:older', JSON.stringify({ cookie: { originalMaxAge: null, expires: null }, user: 'bob' }));
    expect(await sessions.get('older')).toMatchObject({ user: 'bob', cookie: { expires: null } });
  });

  it('is asked for once where there is none', async () => {
    const { keys, sessions } = setUp();
    for (let n = 0; n < 3; n += 1) expect(await sessions.get('unknown')).toBeUndefined();
    expect(keys.calls).toEqual(['get sess:unknown']);
  });

  it('is deleted there before destroy answers, and does not come back by who has just read it there', async () => {
    const { keys, sessions, other } = setUp();
    let go = (): void => undefined;
    keys.slow = new Promise((resolve) => (go = resolve));
    const taking = other.get('old');
    while (keys.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await sessions.destroy('old');
    expect(keys.kept.size).toBe(0);
    go();
    expect(await taking).toBeUndefined();
    expect(await sessions.get('old')).toBeUndefined();
  });

  it('is deleted there as well where another takes its id', async () => {
    const { keys, sessions } = setUp();
    await sessions.set('old', { user: 'bob' } as unknown as Values);
    expect([keys.kept.size, await sessions.get('old')]).toEqual([0, { user: 'bob' }]);
  });

  it('that cannot be read is damage, and stays', async () => {
    const { keys, sessions } = setUp();
    keys.kept.set('sess:old', '{');
    expect((await error(sessions.get('old'))).code).toBe('ERR_CORRUPT');
    expect(keys.kept.size).toBe(1);
  });
});

describe('a legacy store', () => {
  it.each([
    ['cannot be written to', Object.assign(new Error('READONLY You can’t write'), {}), 'ERR_INVALID', /may delete/],
    ['cannot be reached', Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), 'ERR_UNAVAILABLE', /reached/],
  ])('that %s is refused, before anything is taken over', async (_, refusal, code, message) => {
    const { keys, sessions } = setUp();
    keys.refusal = refusal;
    const refused = await error(sessions.get('old'));
    expect([refused.code, refused.cause]).toEqual([code, refusal]);
    expect(refused.message).toMatch(message);
    expect(keys.calls).toEqual([]);
    keys.refusal = undefined;
    expect(await sessions.get('old')).toMatchObject({ user: 'ann' });
  });

  it('that does not answer holds nobody up', async () => {
    const keys = new Keys();
    keys.slow = new Promise(() => undefined);
    const { sessions } = setUp(keys, undefined, { storeTimeoutMs: 50 });
    expect(await error(sessions.get('old'))).toMatchObject({ code: 'ERR_UNAVAILABLE' });
  });

  it('is not forgotten by clear, which would leave what it has', async () => {
    const { sessions } = setUp();
    expect((await error(sessions.clear())).code).toBe('ERR_INVALID');
  });

  it.each([
    ['no client', {}, /needs `client`/],
    ['a client of something else', { client: { get: () => 0, del: () => 0 } }, /client of redis or ioredis/],
  ])('is refused at once with %s', (_, options, message) => {
    expect(() => connectRedis(options as unknown as ConnectRedisOptions)).toThrow(message);
  });
});

describe.skipIf(NO_REDIS !== undefined)(`on a Redis server${NO_REDIS === undefined ? '' : ` (${NO_REDIS})`}`, () => {
  it.each(['redis', 'ioredis'] as const)('what connect-redis has stored is found by a client of %s', async (name) => {
    const server = await RedisServer.start();
    const theirs = createClient({ url: server.url });
    await theirs.connect();
    closing.push(() => theirs.destroy());
    const before = new ConnectRedis({ client: theirs, prefix: 'shop:' });
    const cookie = { originalMaxAge: 60_000, expires: new Date(Date.now() + 60_000) };
    await before.set('old', { cookie, user: 'ann' } as unknown as Values);

    const client = name === 'redis' ? theirs : new Redis(server.port, '127.0.0.1');
    closing.push(() => client instanceof Redis && client.disconnect());
    const legacy = connectRedis({ client, prefix: 'shop:' });
    const sessions = new HoldfastSessionStore({ store: new MemoryStore(), legacy });
    closing.push(() => sessions.close());
    const found = (await sessions.get('old')) as Values;
    expect(found['user']).toBe('ann');
    expect(Math.abs(Number(found.cookie.expires) - Number(cookie.expires))).toBeLessThan(5000);
    expect(await before.get('old')).toBeNull();
  });

  it('a replica is refused: nothing can be deleted there', async () => {
    const server = await RedisServer.start();
    const replica = await RedisServer.start('--replicaof', '127.0.0.1', String(server.port));
    const client = (await newClient('redis', replica)) as unknown as ConnectRedisOptions['client'];
    const sessions = new HoldfastSessionStore({ store: new MemoryStore(), legacy: connectRedis({ client }) });
    closing.push(() => sessions.close());
    const refused = await error(sessions.get('old'));
    expect([refused.code, (refused.cause as Error).message]).toEqual([
      'ERR_INVALID',
      expect.stringMatching(/READONLY/),
    ]);
  });
});
