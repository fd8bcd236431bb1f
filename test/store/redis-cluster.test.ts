import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../ts/store/open.ts';
import { ORIGIN } from '../../ts/position.ts';
import { slotOf } from '../../ts/store/redis-slot.ts';
import { RedisStore } from '../../ts/store/redis.ts';
import type { RedisClient, RedisStoreOptions } from '../../ts/store/redis.ts';
import type { Hint } from '../../ts/store/store.ts';
import { VirtualClock, storeSuite } from '../../ts/testing/index.ts';
import { RedisCluster } from './redis-cluster.ts';
import { record, sleep, until } from './redis-records.ts';
import { NO_REDIS, newPrefix } from './redis-server.ts';
import type { RedisServer } from './redis-server.ts';
import { storm } from './redis-storm.ts';
import { REDIS_SKIPS } from './redis-skips.ts';

const CLIENTS = ['redis', 'ioredis'] as const;
const FAIL_OVERS = Number(process.env['HOLDFAST_FAIL_OVERS'] ?? 1);
const IDS = Array.from({ length: 60 }, (_, index) => `session-${index}`);

let cluster: RedisCluster;
beforeAll(async () => {
  if (NO_REDIS === undefined) cluster = await RedisCluster.start();
}, 60_000);

describe.skipIf(NO_REDIS !== undefined).each(CLIENTS)(
  `a Redis Cluster, over %s (${NO_REDIS ?? 'of its own'})`,
  (name) => {
    let client: RedisClient;
    beforeAll(async () => {
      client = await cluster.client(name);
    });
    const open = (more: Partial<RedisStoreOptions> = {}): RedisStore =>
      new RedisStore({ client, prefix: newPrefix(), sweepEveryMs: Infinity, ...more });

    storeSuite(
      { describe, it },
      {
        name: `RedisStore in a Cluster over ${name}`,
        async open() {
          const clock = new VirtualClock();
          const place = { client, prefix: newPrefix(), clock, buckets: 16, sweepEveryMs: Infinity };
          const [one, two] = [new RedisStore(place), new RedisStore(place)];
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

    it('has sessions on each server, lists and sweeps them all', async () => {
      const prefix = newPrefix();
      const clock = new VirtualClock();
      const store = open({ prefix, clock });
      await Promise.all(IDS.map((id) => store.append(id, record(1, { expiry: { idleMs: 1000 }, terms: ['t'] }))));
      for (const index of [0, 1, 2])
        expect(await cluster.ask(index, 'KEYS', `${prefix}{*}session*`)).not.toHaveLength(0);
      const found: string[] = [];
      for (let cursor: string | undefined; ;) {
        const page = await store.list({ limit: 7, term: 't', ...(cursor !== undefined && { cursor }) });
        found.push(...page.ids);
        cursor = page.cursor;
        if (cursor === undefined) break;
      }
      expect(found.toSorted()).toEqual(IDS.toSorted());
      clock.pass(1000);
      expect(await store.sweep({ limit: 1000, graceMs: 0 })).toEqual({ swept: 0 });
      expect(await store.sweep({ limit: 1000, graceMs: 0 })).toEqual({ swept: IDS.length });
      await store.close();
    });

    it('is asked by slots as it counts them itself', async () => {
      const keys = [
        '',
        'hf@',
        'hf{}s',
        'hf{ä}',
        'hf{x',
        '{}{a}',
        ...Array.from({ length: 50 }, (_, n) => `hf{${n.toString(36)}}é`),
      ];
      for (const key of keys)
        expect([key, slotOf(key)]).toEqual([key, await cluster.ask(0, 'CLUSTER', 'KEYSLOT', key)]);
      expect(slotOf('123456789')).toBe(0x31c3); // as the specification has it
    });

    it('is written to while its slots move to another server', async () => {
      const prefix = newPrefix();
      const store = open({ prefix, buckets: 1 });
      await store.append('s', record(1));
      const key = `${prefix}{0}`;
      const from = await cluster.ownerOf(key);
      const to = (from + 1) % 3;
      const slot = String(await cluster.ask(from, 'CLUSTER', 'KEYSLOT', key));
      const [source, target] = (await Promise.all(
        [from, to].map((index) => cluster.ask(index, 'CLUSTER', 'MYID')),
      )) as [string, string];
      await cluster.ask(to, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', source);
      await cluster.ask(from, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', target);
      const { port } = cluster.servers[to]!;
      const keys = (await cluster.ask(from, 'CLUSTER', 'GETKEYSINSLOT', slot, '100')) as string[];
      await cluster.ask(from, 'MIGRATE', '127.0.0.1', String(port), '', '0', '5000', 'KEYS', ...keys.map(String));
      const writing = store.append('s', record(2)); // by ASK, when all of its keys are there
      await sleep(100);
      for (const index of [to, from]) await cluster.ask(index, 'CLUSTER', 'SETSLOT', slot, 'NODE', target);
      expect(await writing).toMatchObject({ appended: true });
      expect(await store.append('s', record(3))).toMatchObject({ appended: true }); // by MOVED
      expect((await store.read('s', { since: ORIGIN })).records.map(String)).toEqual(['r1', 'r2', 'r3']);
      expect(await cluster.ownerOf(key)).toBe(to);
      await store.close();
    });

    it('hears on each server what was published on another, and of another server when its own is gone', async () => {
      const prefix = newPrefix();
      const stores = [open({ prefix }), open({ prefix, client: await cluster.client(name) })] as const;
      const hints: Hint[] = [];
      const [{ member }, other] = await Promise.all([
        stores[0].join((hint) => void hints.push(hint)),
        stores[1].join(() => undefined),
      ]);
      const recalled = async (ids: readonly string[]): Promise<void> => {
        // Who hears nothing is asked again, as a member does that waits.
        const unheard = (): string[] => ids.filter((id) => !hints.some((hint) => 'id' in hint && hint.id === id));
        for (const end = Date.now() + 10_000; unheard().length > 0; await sleep(50)) {
          expect(Date.now()).toBeLessThan(end);
          for (const id of unheard()) await recall(stores, id, member, other.member);
        }
      };
      await recalled(IDS.slice(0, 12));
      await cluster.killSubscribers();
      await until(() => hints.some(({ kind }) => kind === 'resync'));
      await recalled(IDS.slice(12, 24));
      await Promise.all(stores.map((store) => store.close()));
    });

    it('is not written to where one of its servers evicts any key', async () => {
      const prefix = newPrefix();
      const store = open({ prefix });
      await cluster.ask(1, 'CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
      const all = await Promise.allSettled(IDS.map((id) => store.append(id, record(1))));
      await cluster.ask(1, 'CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
      const refused = all.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
      expect(refused).not.toHaveLength(0);
      expect(refused).not.toHaveLength(IDS.length);
      for (const one of refused) expect(one).toMatchObject({ code: 'ERR_INVALID' });
      expect(String((refused[0] as Error).message)).toContain(`:${cluster.servers[1]?.port} evicts any key`);
      await store.close();
    });

    it('is used within the rights that the README shows', async () => {
      const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
      const [rights, more] = [/^ACL SETUSER sessions (.+)$/m, /in a Cluster `([^`]+)`/].map(
        (shown) => shown.exec(readme)?.[1] as string,
      ) as [string, string];
      const prefix = newPrefix();
      const own = `${rights} ${more}`.split(' ').map((right) => right.replace('hf', prefix));
      for (const index of cluster.servers.keys())
        await cluster.ask(index, 'ACL', 'SETUSER', 'sessions', 'reset', ...own);
      const password = own.find((right) => right.startsWith('>'))?.slice(1) as string;
      const login = await cluster.client(name, { username: 'sessions', password });
      const store = open({ client: login, prefix, durability: { replicas: 1 } });
      await store.join(() => undefined);
      await Promise.all(IDS.map((id) => store.append(id, record(1))));
      expect((await store.list({ limit: 1000 })).ids).toHaveLength(IDS.length);
      await store.close();
    });

    it('has what replicas acknowledge, on each server', async () => {
      const store = open({ durability: { replicas: 1 } });
      await Promise.all(IDS.map((id) => store.append(id, record(1))));
      await expect(
        store.append('s', record(1, { durability: { replicas: 2 } }), { timeoutMs: 300 }),
      ).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'unknown' });
      await store.close();
    });

    it('goes on when a primary makes way for its replica', async () => {
      const store = open();
      for (let revision = 1; revision <= 3; revision += 1) {
        await Promise.all(IDS.map((id) => store.append(id, record(revision))));
        if (revision === 2) await cluster.ask((await replicas())[0] as number, 'CLUSTER', 'FAILOVER');
        await sleep(50);
      }
      for (const id of IDS) expect((await store.read(id, { since: ORIGIN })).head?.position.revision).toBe(3);
      await store.close();
      await cluster.whole(1);
    });
  },
);

describe.skipIf(NO_REDIS !== undefined)(`a Redis Cluster by its URL (${NO_REDIS ?? 'of its own'})`, () => {
  it('is opened by a primary, and by a replica', async () => {
    const prefix = newPrefix();
    for (const { url } of [cluster.servers[0], cluster.servers[5]] as RedisServer[]) {
      const store = await openStore(`${url}?cluster=true&prefix=${prefix}`);
      await store.join(() => undefined);
      await Promise.all(IDS.map((id) => store.append(id, record(1))));
      await store.close();
    }
  });

  it('is named where a client of one server is told that others have the sessions', async () => {
    const prefix = newPrefix();
    const other = cluster.servers[((await cluster.ownerOf(`${prefix}@`)) + 1) % 6];
    const store = await openStore(`${other?.url}?prefix=${prefix}`).catch((error: unknown) => error);
    expect(store).toMatchObject({ code: 'ERR_INVALID', message: expect.stringMatching(/cluster=true/) as string });
  });
});

// Alone on servers of its own: a primary is killed, and its replica takes its place.
describe.skipIf(NO_REDIS !== undefined)(`a Redis Cluster that loses a primary (${NO_REDIS ?? 'of its own'})`, () => {
  it(
    `loses nothing in silence while processes save, ${FAIL_OVERS} times`,
    async () => {
      for (let index = 0; index < FAIL_OVERS; index += 1) {
        const own = await RedisCluster.start();
        const clients = await Promise.all([...CLIENTS, ...CLIENTS].map((name) => own.client(name)));
        const trouble = (): Promise<void> => (own.servers[index % 3] as RedisServer).kill();
        const found = await storm({ clients, own: 8, before: 60 + 17 * (index % 20), trouble });
        expect([found.silent, found.findings], `round ${index}`).toEqual([[], []]);
        await own.whole(0);
        if (process.env['HOLDFAST_TABLE'] !== undefined) console.info(found);
        await own.end();
      }
    },
    60_000 + 30_000 * FAIL_OVERS,
  );
});

async function replicas(): Promise<readonly number[]> {
  const roles = await Promise.all(
    cluster.servers.map(async (_, index) => (await cluster.ask(index, 'ROLE')) as unknown[]),
  );
  return roles.flatMap(([role], index) => (String(role) === 'slave' ? [index] : []));
}

/** The one has the lock, and the other asks for it. */
async function recall(
  [one, two]: readonly [RedisStore, RedisStore],
  id: string,
  holder: string,
  asking: string,
): Promise<void> {
  const lock = { ticket: 1, leaseMs: 60_000, wait: true, since: ORIGIN };
  await one.lock(id, { ...lock, member: holder });
  await two.lock(id, { ...lock, member: asking });
}
