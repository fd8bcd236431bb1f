import { Redis } from 'ioredis';
import { beforeAll, describe, expect, it } from 'vitest';
import { RedisStore } from '../../ts/store/redis.ts';
import type { IoredisClient, RedisClient } from '../../ts/store/redis.ts';
import { record } from './redis-records.ts';
import { NO_REDIS, RedisServer, command, newClient, newPrefix } from './redis-server.ts';

describe.skipIf(NO_REDIS !== undefined)(`what a Redis server does not give (${NO_REDIS ?? 'of its own'})`, () => {
  let server: RedisServer;
  let client: RedisClient;
  beforeAll(async () => {
    server = await RedisServer.start('--databases', '4');
    client = await newClient('redis', server);
  });

  it('is a database that it lacks: ioredis would go on in the first', async () => {
    for (const [db, has] of [
      [3, true],
      [99, false],
    ] as const) {
      const own = new Redis({ port: server.port, host: '127.0.0.1', db });
      own.on('error', () => undefined);
      const prefix = newPrefix();
      const store = new RedisStore({ client: own as unknown as IoredisClient, prefix, sweepEveryMs: Infinity });
      const told = {
        code: 'ERR_UNAVAILABLE',
        outcome: 'none',
        message: expect.stringContaining('database 99') as string,
      };
      if (has) await expect(store.append('s', record(1))).resolves.toMatchObject({ appended: true });
      else await expect(store.append('s', record(1))).rejects.toMatchObject(told);
      if (!has) await expect(store.ping()).rejects.toMatchObject(told);
      await store.close();
      own.disconnect();
      expect(await command(client, 'KEYS', `${prefix}*`)).toEqual([]);
    }
  });

  it('is replicas: who closes does not wait for them', async () => {
    const store = new RedisStore({
      client,
      prefix: newPrefix(),
      sweepEveryMs: Infinity,
      durability: { replicas: 1 },
    });
    await command(client, 'CONFIG', 'RESETSTAT');
    const appending = store.append('s', record(1));
    const failed = expect(appending).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'unknown' });
    await store.close();
    await failed;
    const asked = Number(
      /^cmdstat_wait:calls=(\d+)/m.exec(String(await command(client, 'INFO', 'commandstats')))?.[1] ?? 0,
    );
    expect(asked).toBeLessThan(3);
  });
});
