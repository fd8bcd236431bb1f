import { createClient } from 'redis';
import { describe, expect, it } from 'vitest';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { RedisStore } from '../../ts/store/redis.ts';
import type { NodeRedisClient } from '../../ts/store/redis.ts';
import type { OutageOptions } from '../../ts/store/store.ts';
import { answered, record, sleep } from './redis-records.ts';
import { NO_REDIS, RedisServer, newClient, newPrefix } from './redis-server.ts';

const CLIENTS = ['redis', 'ioredis'] as const;
const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always'];
const LOCAL = { policy: 'serve-local', failMs: 100 } as const;
const definition = defineSession({ n: mutable(() => 0) });
const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe.skipIf(NO_REDIS !== undefined).each(CLIENTS)(
  `uses of a Redis server that is away, over %s (${NO_REDIS ?? 'of its own'})`,
  (name) => {
    async function open(server: RedisServer, outage: OutageOptions): Promise<RedisStore> {
      return new RedisStore({
        client: await newClient(name, server),
        prefix: newPrefix(),
        sweepEveryMs: Infinity,
        outage,
      });
    }

    it('go on where they may, through its end and its silence, and lose nothing', async () => {
      const server = await RedisServer.start(...DURABLE);
      const store = await open(server, LOCAL);
      const sessions = new SessionRepository({ store, definition, lock: { leaseMs: 300 } });
      await sessions.scope('s', (state) => void (state.n = 0), { create: {} });
      let expected = 0;
      const troubles = [
        { begin: () => server.kill(), end: () => server.start() },
        { begin: () => server.signal('SIGSTOP'), end: () => server.signal('SIGCONT') },
      ];
      for (const { begin, end } of troubles) {
        await begin();
        const settled: Promise<void>[] = [];
        for (const until = Date.now() + 700; Date.now() < until; await sleep(20)) {
          const session = await sessions.open('s');
          session.state.n += 1;
          const saved = await session.saveAndClose();
          expect(saved.stored).toBe(false);
          settled.push(saved.settled);
          expected += 1;
        }
        await end();
        await Promise.all(settled);
        expect(await sessions.read('s')).toEqual({ n: expected });
        // As before: stored at once.
        const session = await sessions.open('s');
        session.state.n = expected += 1;
        expect((await session.saveAndClose({ durable: true })).stored).toBe(true);
      }
      expect(await sessions.close()).toMatchObject({ unstored: [], unsettled: [] });
      await store.close();
    });

    it('fail within the time that each names, with the outcome that holds', async () => {
      const server = await RedisServer.start();
      const store = await open(server, { failMs: 15_000 });
      const sessions = new SessionRepository({ store, definition, storeTimeoutMs: 20_000 });
      const session = await sessions.create({ n: 1 }, { id: 's' });
      await session.save();
      await server.kill();
      await sleep(50); // the client has noticed
      const begun = Date.now();
      session.state.n = 2;
      const failing = { code: 'ERR_UNAVAILABLE', outcome: 'none' };
      expect(await failureOf(session.save({ outage: { failMs: 100 } }))).toMatchObject(failing);
      expect(await failureOf(store.read('s', { since: { revision: 0, nonce: 0 } }, { failMs: 100 }))).toMatchObject(
        failing,
      );
      expect(await failureOf(sessions.scope('t', () => 1, { outage: { failMs: 100 } }))).toMatchObject(failing);
      expect(Date.now() - begun).toBeLessThan(10_000);
      await server.start();
      await answered(store);
      expect((await session.save()).stored).toBe(true);
      await sessions.close();
      await store.close();
    });
  },
);

describe.skipIf(NO_REDIS !== undefined)(`a client that has enough to do (${NO_REDIS ?? 'of its own'})`, () => {
  it('says so of each call that it does not send', async () => {
    const server = await RedisServer.start();
    const client = createClient({ socket: { port: server.port, host: '127.0.0.1' }, commandsQueueMaxLength: 20 });
    client.on('error', () => undefined);
    await client.connect();
    const used: NodeRedisClient = client;
    const store = new RedisStore({ client: used, prefix: newPrefix(), buckets: 1, sweepEveryMs: Infinity });
    await store.ping();
    const calls = Array.from({ length: 200 }, (_, index) => failureOf(store.append(`s${index}`, record(1))));
    const failures = (await Promise.all(calls)).filter((failure) => failure !== undefined);
    expect(failures.length).toBeGreaterThan(0);
    expect(failures.length).toBeLessThan(200);
    for (const failure of failures) expect(failure).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'none' });
    const { ids } = await store.list({ limit: 1000 });
    expect(ids.length).toBe(200 - failures.length);
    await store.close();
    client.destroy();
  });
});
