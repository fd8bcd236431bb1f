import { Redis } from 'ioredis';
import { createSentinel } from 'redis';
import { describe, expect, it } from 'vitest';
import { ORIGIN } from '../../ts/position.ts';
import { RedisStore } from '../../ts/store/redis.ts';
import type { RedisClient } from '../../ts/store/redis.ts';
import type { Hint } from '../../ts/store/store.ts';
import { answered, offered, record, sleep, until } from './redis-records.ts';
import { NO_REDIS, RedisServer, command, ended, newClient } from './redis-server.ts';
import type { ClientName } from './redis-server.ts';
import { storm } from './redis-storm.ts';

const CLIENTS = ['redis', 'ioredis'] as const;
const AT_LENGTH = process.env['HOLDFAST_FAIL_OVERS'] !== undefined;
const NAME = 'sessions';
const DOWN_MS = 300;

/** A primary and a replica, watched by a Sentinel. */
class Watched {
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  readonly sentinel: RedisServer;

  private constructor(primary: RedisServer, replica: RedisServer, sentinel: RedisServer) {
    this.primary = primary;
    this.replica = replica;
    this.sentinel = sentinel;
  }

  static async start(): Promise<Watched> {
    const primary = await RedisServer.start('--repl-diskless-sync-delay', '0');
    const replica = await RedisServer.start('--replicaof', '127.0.0.1', String(primary.port));
    const sentinel = await RedisServer.start(
      '--sentinel',
      `sentinel monitor ${NAME} 127.0.0.1 ${primary.port} 1`,
      `sentinel down-after-milliseconds ${NAME} ${DOWN_MS}`,
      `sentinel failover-timeout ${NAME} 2000`,
    );
    const watched = new Watched(primary, replica, sentinel);
    await watched.#until(async (asking) => {
      const known = await command(asking, 'SENTINEL', 'REPLICAS', NAME);
      const link = String(await command(await newClient('redis', replica), 'INFO', 'replication'));
      return (known as unknown[]).length === 1 && link.includes('link_status:up');
    });
    return watched;
  }

  async #until(condition: (asking: RedisClient) => Promise<boolean>): Promise<void> {
    const asking = await newClient('redis', this.sentinel);
    await until(() => condition(asking));
  }

  /** As its user makes it. */
  async client(name: ClientName, more: { readonly failoverDetector?: boolean } = {}): Promise<RedisClient> {
    const sentinels = [{ host: '127.0.0.1', port: this.sentinel.port }];
    if (name === 'ioredis') {
      const soon = { sentinelRetryStrategy: () => 50, retryStrategy: () => 20 };
      const client = new Redis({ sentinels, name: NAME, ...soon, ...more });
      client.on('error', () => undefined);
      ended(() => client.disconnect());
      await new Promise((resolve) => client.on('ready', resolve));
      return client;
    }
    const client = createSentinel({ name: NAME, sentinelRootNodes: sentinels, scanInterval: 200 });
    client.on('error', () => undefined);
    ended(() => (client.isOpen ? client.destroy().catch(() => undefined) : undefined));
    await client.connect();
    return client;
  }

  async end(): Promise<void> {
    await Promise.all([this.primary, this.replica, this.sentinel].map((server) => server.kill()));
  }
}

describe.skipIf(NO_REDIS !== undefined)(`Redis servers behind Sentinels (${NO_REDIS ?? 'of its own'})`, () => {
  it.each(CLIENTS)('are gone on with when the replica is the primary, over %s', async (name) => {
    const watched = await Watched.start();
    const store = new RedisStore({ client: await watched.client(name), sweepEveryMs: Infinity });
    const hints: Hint[] = [];
    const { member } = await store.join((hint) => void hints.push(hint));
    await store.append('s', record(1, { durability: { replicas: 1 } }), { timeoutMs: 20_000 });
    await watched.primary.kill();
    await answered(store);
    expect((await store.read('s', { since: ORIGIN })).records.map(String)).toEqual(['r1']);
    expect(await offered(store, 's', record(2))).toMatchObject({ appended: true });
    await expect(
      store.append('s', record(3, { durability: { replicas: 1 } }), { timeoutMs: 300 }),
    ).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'unknown' });
    // It hears on the new primary, and was told that it may have missed something.
    await until(() => hints.some(({ kind }) => kind === 'resync'));
    const lock = { leaseMs: 60_000, wait: true, ticket: 1, since: ORIGIN };
    await store.lock('t', { ...lock, member });
    await until(async () => {
      await store.lock('t', { ...lock, member: 'other' });
      return hints.some(({ kind }) => kind === 'recall');
    });
    await store.close();
    await watched.end();
  });

  it('lose nothing in silence while processes save', async () => {
    const watched = await Watched.start();
    const clients = await Promise.all([...CLIENTS, ...CLIENTS].map((name) => watched.client(name)));
    const trouble = (): Promise<void> => watched.primary.kill();
    const found = await storm({ clients, own: 3, trouble });
    expect([found.silent, found.findings]).toEqual([[], []]);
    await watched.end();
  });

  // Else the old primary is written to until the Sentinels find it so, and end its connections: for ten seconds or more.
  it.each(AT_LENGTH ? [true, false] : [true])(
    'change places by hand, and what the old primary still acknowledges is brought to the new one (the client is told: %s)',
    async (failoverDetector) => {
      const watched = await Watched.start();
      const client = await watched.client('ioredis', { failoverDetector });
      const store = new RedisStore({ client, sweepEveryMs: Infinity });
      const there = new RedisStore({ client: await newClient('redis', watched.replica), sweepEveryMs: Infinity });
      await store.append('s', record(1));
      await command(await newClient('redis', watched.sentinel), 'SENTINEL', 'FAILOVER', NAME);
      const end = Date.now() + 40_000;
      let revision = 2;
      const kept = async (): Promise<number> => {
        const tail = await there.read('s', { since: ORIGIN }).catch(() => undefined); // not yet the primary
        return tail?.head?.position.revision ?? 0;
      };
      for (; revision < 10 || (await kept()) < revision - 1; await sleep(20)) {
        expect(Date.now()).toBeLessThan(end);
        const appended = revision < 10 ? await store.append('s', record(revision)).catch(() => undefined) : undefined;
        if (appended?.appended === true) revision += 1;
      }
      await Promise.all([store.close(), there.close()]);
      await watched.end();
    },
    60_000,
  );
});
