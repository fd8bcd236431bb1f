import { beforeAll, describe, expect, it } from 'vitest';
import { ORIGIN } from '../../ts/position.ts';
import { RedisStore } from '../../ts/store/redis.ts';
import type { RedisClient } from '../../ts/store/redis.ts';
import { VirtualClock, storeSuite } from '../../ts/testing/index.ts';
import { differ } from './differential.ts';
import { record } from './redis-records.ts';
import { NO_REDIS, RedisServer, newClient, newPrefix } from './redis-server.ts';
import type { ClientName } from './redis-server.ts';
import { REDIS_SKIPS } from './redis-skips.ts';

const HOUR_MS = 3_600_000;
const SEEDS = Number(process.env['HOLDFAST_SEEDS'] ?? 2);

let server: RedisServer;

beforeAll(async () => {
  if (NO_REDIS === undefined) server = await RedisServer.start();
});

const PAIRS: readonly (readonly [ClientName, ClientName])[] = [
  ['redis', 'redis'],
  ['ioredis', 'ioredis'],
];

describe.skipIf(NO_REDIS !== undefined)(`a Redis server (${NO_REDIS ?? 'of its own'})`, () => {
  for (const names of PAIRS) {
    let clients: RedisClient[];
    beforeAll(async () => {
      clients = await Promise.all(names.map((name) => newClient(name, server)));
    });

    storeSuite(
      { describe, it },
      {
        name: `RedisStore over ${names.join(' and ')}`,
        async open() {
          const clock = new VirtualClock();
          const prefix = newPrefix();
          const [one, two] = clients.map(
            (client) => new RedisStore({ client, prefix, clock, sweepEveryMs: Infinity }),
          ) as [RedisStore, RedisStore];
          return {
            one,
            two,
            pass: (ms) => clock.pass(ms),
            cleanUp: async () => void (await Promise.all([one.close(), two.close()])),
          };
        },
        skips: REDIS_SKIPS,
      },
    );
  }

  it.each(['redis', 'ioredis'] as const)(
    'answers random calls as the model of the contract, over %s',
    async (name) => {
      const client = await newClient(name, server);
      for (let seed = 1; seed <= SEEDS; seed += 1) {
        // One bucket: the model has one mark for what was swept.
        const place = { client, prefix: newPrefix(), buckets: 1, sweepEveryMs: Infinity };
        await differ((clock) => new RedisStore({ ...place, clock }), seed, 2500, { jumps: false });
      }
    },
    600_000,
  );

  it.each(['append', 'touch', 'lock', 'sweep'] as const)(
    'voids the look of a clock that was ahead by its next %s',
    async (use) => {
      const clock = new VirtualClock();
      const client = await newClient('redis', server);
      const store = new RedisStore({ client, prefix: newPrefix(), clock, sweepEveryMs: Infinity });
      const graceMs = 5000;
      const sweep = async (): Promise<number> => (await store.sweep({ limit: 10, graceMs })).swept;
      await store.append('s', record(1, { expiry: { idleMs: HOUR_MS } }));
      clock.pass(HOUR_MS + 100);
      expect(await sweep()).toBe(0); // the first look
      clock.pass(-HOUR_MS); // the server's clock is set back
      if (use === 'append') await store.append('s', record(2));
      if (use === 'sweep') await sweep(); // sees that it was wrong
      if (use === 'touch') await store.touch('s', { token: 0 });
      if (use === 'lock') await store.lock('s', { member: 'm', ticket: 1, leaseMs: 100, wait: false, since: ORIGIN });
      clock.pass(2 * HOUR_MS);
      expect(await sweep()).toBe(0); // looked at anew
      clock.pass(graceMs + 100);
      expect(await sweep()).toBe(1);
      await store.close();
    },
  );

  it('takes no lease of a clock that was ahead for longer than one', async () => {
    const clock = new VirtualClock();
    const client = await newClient('redis', server);
    const store = new RedisStore({ client, prefix: newPrefix(), clock, sweepEveryMs: Infinity });
    const ask = (member: string): ReturnType<typeof store.lock> =>
      store.lock('s', { member, ticket: 1, leaseMs: 1000, wait: true, since: ORIGIN });
    expect(await ask('a')).toMatchObject({ granted: true });
    clock.pass(-HOUR_MS);
    expect(await ask('b')).toMatchObject({ granted: false });
    clock.pass(300);
    expect(await ask('b')).toMatchObject({ granted: true });
    await store.close();
  });
});
