import { describe, expect, it } from 'vitest';
import { ORIGIN } from '../../ts/position.ts';
import { RedisStore } from '../../ts/store/redis.ts';
import type { RedisStoreOptions } from '../../ts/store/redis.ts';
import type { Hint } from '../../ts/store/store.ts';
import { answered, record, sleep } from './redis-records.ts';
import { NO_REDIS, RedisServer, command, newClient, newPrefix } from './redis-server.ts';

const CLIENTS = ['redis', 'ioredis'] as const;
/** Bounds of calls that are not to be what ends them. */
const AMPLE = { timeoutMs: 20_000 };

async function open(
  server: RedisServer,
  name: (typeof CLIENTS)[number],
  more: Partial<RedisStoreOptions> = {},
): Promise<RedisStore> {
  const client = await newClient(name, server);
  return new RedisStore({ client, prefix: newPrefix(), sweepEveryMs: Infinity, ...more });
}

describe.skipIf(NO_REDIS !== undefined).each(CLIENTS)(
  `a Redis server in trouble, over %s (${NO_REDIS ?? 'of its own'})`,
  (name) => {
    it('is not there: nothing was sent, and it is again when it is back', async () => {
      const server = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'always');
      const store = await open(server, name);
      const hints: Hint[] = [];
      await store.join((hint) => void hints.push(hint));
      expect(await store.append('s', record(1))).toMatchObject({ appended: true });
      await server.kill();
      await sleep(50);
      const begun = Date.now();
      await expect(store.append('s', record(2), AMPLE)).rejects.toMatchObject({
        code: 'ERR_UNAVAILABLE',
        outcome: 'none',
        message: expect.stringMatching(
          /no connection to 127\.0\.0\.1:\d+\/0 within 250 ms \(.*ECONNREFUSED.*nothing was sent/,
        ) as string,
      });
      expect(Date.now() - begun).toBeLessThan(5000);
      await server.start();
      await answered(store);
      expect(await store.append('s', record(2))).toMatchObject({ appended: true });
      expect((await store.read('s', { since: ORIGIN })).records.map(String)).toEqual(['r1', 'r2']);
      for (const end = Date.now() + 5000; hints.length === 0 && Date.now() < end;) await sleep(10);
      expect(hints[0]).toEqual({ kind: 'resync' });
      await store.close();
    });

    it('stops: a call is unknown at its bound, and may happen after it', async () => {
      const server = await RedisServer.start();
      const store = await open(server, name);
      await store.append('s', record(1));
      server.signal('SIGSTOP');
      const writing = store.append('s', record(2), { timeoutMs: 200 });
      const reading = store.read('s', { since: ORIGIN }, { timeoutMs: 200 });
      await expect(writing).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'unknown' });
      await expect(reading).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'none' });
      await sleep(2800);
      server.signal('SIGCONT');
      await answered(store);
      expect((await store.read('s', { since: ORIGIN })).records.map(String)).toEqual(['r1', 'r2']);
      expect(await store.append('s', record(2))).toMatchObject({ appended: true }); // offered again
      await store.close();
    });

    it('ends with a call under way: its outcome is unknown, and the process goes on', async () => {
      const server = await RedisServer.start();
      const store = await open(server, name, { outage: { failMs: 100 } });
      await answered(store);
      await store.append('s', record(1));
      server.signal('SIGSTOP');
      const writing = expect(store.append('s', record(2), AMPLE)).rejects.toMatchObject({
        code: 'ERR_UNAVAILABLE',
        outcome: 'unknown',
      });
      await sleep(50);
      await server.kill();
      await writing;
      await store.close();
    });

    it('forgets its scripts: they are sent again', async () => {
      const server = await RedisServer.start();
      const client = await newClient(name, server);
      const store = new RedisStore({ client, prefix: newPrefix(), sweepEveryMs: Infinity });
      await store.append('s', record(1));
      await command(client, 'SCRIPT', 'FLUSH');
      expect(await store.append('s', record(2))).toMatchObject({ appended: true });
      await store.close();
    });

    it('is gone for good: whoever joins is told so, and the store can be closed', async () => {
      const server = await RedisServer.start();
      const store = await open(server, name);
      await store.ping();
      server.signal('SIGSTOP');
      await expect(store.join(() => undefined, { timeoutMs: 300 })).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE' });
      await server.kill();
      const joining = store.join(() => undefined, { timeoutMs: 1000 });
      await expect(joining).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'none' });
      await store.close();
    });

    it('has no memory left: nothing is written by half, and reads go on', async () => {
      const server = await RedisServer.start();
      const client = await newClient(name, server);
      const store = new RedisStore({ client, prefix: newPrefix(), sweepEveryMs: Infinity });
      const { member } = await store.join(() => undefined);
      await store.append('s', record(1));
      const lock = { member, ticket: 1, leaseMs: 60_000, wait: true, since: ORIGIN };
      const grant = await store.lock('s', lock);
      const token = grant.granted ? grant.token : 0;
      await command(client, 'CONFIG', 'SET', 'maxmemory', '1');
      const full = { code: 'ERR_UNAVAILABLE', outcome: 'none', message: expect.stringMatching(/OOM/) as string };
      await expect(store.append('s', record(2, { under: token }))).rejects.toMatchObject(full);
      await expect(store.append('t', record(1))).rejects.toMatchObject(full);
      await expect(store.lock('s', { ...lock, ticket: 2 })).rejects.toMatchObject(full);
      expect((await store.read('s', { since: ORIGIN })).records.map(String)).toEqual(['r1']);
      expect((await store.inspect('s')).head?.token).toBe(token);
      await command(client, 'CONFIG', 'SET', 'maxmemory', '0');
      expect(await store.append('s', record(2, { under: token }))).toMatchObject({ appended: true });
      await store.close();
    });

    it('has forgotten all: what was written is gone, and nobody takes it for there', async () => {
      const server = await RedisServer.start();
      const client = await newClient(name, server);
      const store = new RedisStore({ client, prefix: newPrefix(), sweepEveryMs: Infinity });
      await store.append('s', record(1, { under: 5 }));
      await store.promote(3);
      await command(client, 'FLUSHALL');
      expect(await store.append('s', record(2, { under: 4 * 2 ** 32 }))).toMatchObject({
        appended: false,
        why: 'conflict',
        tail: { head: undefined },
      });
      expect(await store.ping()).toEqual({ epoch: 0 }); // lower than one that was joined under: join again
      expect(await store.append('s', record(1))).toMatchObject({ appended: true });
      await store.close();
    });
  },
);
