import { describe, expect, it } from 'vitest';
import { ORIGIN } from '../../ts/position.ts';
import { RedisStore } from '../../ts/store/redis.ts';
import { RedisLinkage } from './redis-link.ts';
import { record } from './redis-records.ts';
import { NO_REDIS, RedisServer, command, newClient, newPrefix } from './redis-server.ts';

const CLIENTS = ['redis', 'ioredis'] as const;
/** As Redis 7.2 answers WAITAOF, by its own tests. */
const DISABLED = '-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n';
const SYNCED = '*2\r\n:1\r\n:0\r\n';
const NOT_YET = '*2\r\n:0\r\n:0\r\n';

// The server here is older than WAITAOF: what would answer it stands before it.
describe.skipIf(NO_REDIS !== undefined).each(CLIENTS)(
  `an acknowledgement by the disk of a Redis server, over %s (${NO_REDIS ?? 'of its own'})`,
  (name) => {
    it('is refused before anything is written where the server cannot give it', async () => {
      const server = await RedisServer.start('--appendonly', 'yes');
      const asking = await newClient('redis', server);
      const link = await RedisLinkage.open(server.port);
      const client = await newClient(name, link);
      const store = new RedisStore({ client, prefix: newPrefix(), sweepEveryMs: Infinity, durability: 'fsync' });
      expect(store.can.durability).toEqual(['fsync', 'primary', 'replicas']);
      const refusals: [string | undefined, RegExp][] = [
        [DISABLED, /set appendonly yes there/],
        ["-NOPERM this user has no permissions to run the 'waitaof' command\r\n", /\+waitaof/],
        [undefined, /that takes WAITAOF, of Redis 7\.2/],
      ];
      for (const [answer, message] of refusals) {
        if (answer === undefined) link.answers.delete('WAITAOF');
        else link.answers.set('WAITAOF', answer);
        const refused = { code: 'ERR_INVALID', message: expect.stringMatching(message) as string };
        await expect(store.append('s', record(1))).rejects.toMatchObject(refused);
        await expect(store.ping()).rejects.toMatchObject(refused);
      }
      expect(await command(asking, 'DBSIZE')).toBe(0);
      expect(await store.append('s', record(1, { durability: 'primary' }))).toMatchObject({ appended: true });
      await store.close();
    });

    it('is given when the disk has it, and unknown as long as that is not so', async () => {
      const server = await RedisServer.start('--appendonly', 'yes');
      const link = await RedisLinkage.open(server.port);
      const client = await newClient(name, link);
      const store = new RedisStore({ client, prefix: newPrefix(), sweepEveryMs: Infinity });
      link.answers.set('WAITAOF', SYNCED);
      expect(await store.append('s', record(1, { durability: 'fsync' }))).toMatchObject({ appended: true });
      link.answers.set('WAITAOF', NOT_YET);
      const late = store.append('s', record(2, { durability: 'fsync' }), { timeoutMs: 300 });
      await expect(late).rejects.toMatchObject({
        code: 'ERR_UNAVAILABLE',
        outcome: 'unknown',
        message: expect.stringContaining('its disk') as string,
      });
      link.answers.set('WAITAOF', DISABLED); // set so meanwhile
      await expect(store.append('s', record(2, { durability: 'fsync' }))).rejects.toMatchObject({ outcome: 'unknown' });
      link.answers.set('WAITAOF', SYNCED);
      expect(await store.append('s', record(2, { durability: 'fsync' }))).toMatchObject({ appended: true });
      expect((await store.read('s', { since: ORIGIN })).records.map(String)).toEqual(['r1', 'r2']);
      await store.close();
    });
  },
);
