import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Cluster, Redis } from 'ioredis';
import { createClient, createCluster, createSentinel } from 'redis';
import { beforeAll, describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../ts/errors.ts';
import { ORIGIN } from '../../ts/position.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { openStore } from '../../ts/store/open.ts';
import { RedisStore } from '../../ts/store/redis.ts';
import type { IoredisClient, RedisClient, RedisStoreOptions } from '../../ts/store/redis.ts';
import type { Tail } from '../../ts/store/store.ts';
import { VirtualClock } from '../../ts/testing/index.ts';
import { newFolder } from '../folders.ts';
import { differ } from './differential.ts';
import { record } from './redis-records.ts';
import { NO_REDIS, RedisServer, command, newClient, newPrefix } from './redis-server.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const CLIENTS = ['redis', 'ioredis'] as const;
const DAY_MS = 86_400_000;
/** Long enough that it is not told whole. */
const ID = 'session-that-is-damaged';

const IMAGE = {
  records: [{ position: { revision: 7, nonce: 7 }, kind: 'snapshot', bytes: Buffer.from('healed') }],
  createdAt: 1,
  expiry: {},
  token: 0,
} as const;

/** Makes something else of a field of a session's head. */
const alter =
  (change: string) =>
  (client: RedisClient, key: string): Promise<unknown> => {
    const lua = `local h = cmsgpack.unpack(redis.call('LINDEX', KEYS[1], 0)) ${change} return redis.call('LSET', KEYS[1], 0, cmsgpack.pack(h))`;
    return command(client, 'EVAL', lua, '1', key);
  };

const HARMS: readonly (readonly [string, RegExp, (client: RedisClient, key: string) => Promise<unknown>])[] = [
  [
    'another kind of value',
    /another kind of value/,
    async (client, key) => {
      await command(client, 'DEL', key);
      await command(client, 'SET', key, 'x');
    },
  ],
  ['a head that is none', /\(head\)/, (client, key) => command(client, 'LSET', key, '0', 'no head')],
  ['a newer format', /format 2 where 1 is read/, alter('h.v = 2')],
  ['a head whose token is text', /head, t/, alter("h.t = 'x'")],
  ['a head whose snapshot comes later', /head, first/, alter('h.s = 9')],
  ['a head whose lock is none', /head, lock/, alter('h.h = { 5 }')],
  ['a head whose queue is none', /head, queue/, alter("h.q = { { 'm', 1, 2 } }")],
  [
    'a record too few',
    /a record is missing/,
    async (client, key) => {
      await command(client, 'RPOP', key);
      await command(client, 'RPOP', key);
    },
  ],
  ['a record that is cut', /record 3/, (client, key) => command(client, 'LSET', key, '-1', 'cut')],
];

describe.skipIf(NO_REDIS !== undefined)(`what lies on a Redis server (${NO_REDIS ?? 'of its own'})`, () => {
  let server: RedisServer;
  let client: RedisClient;
  beforeAll(async () => {
    server = await RedisServer.start();
    client = await newClient('redis', server);
  });
  const place = (more: Partial<RedisStoreOptions> = {}): RedisStore =>
    new RedisStore({ client, prefix: newPrefix(), sweepEveryMs: Infinity, ...more });
  const keyOf = async (prefix: string): Promise<string> => {
    const keys = (await command(client, 'KEYS', `${prefix}{*}${ID}`)) as string[];
    return String(keys[0]);
  };

  it.each(HARMS)('%s for a session is named, others go on, and an image heals it', async (_, what, harm) => {
    const prefix = newPrefix();
    const store = place({ prefix });
    for (const id of [ID, 'other']) {
      await store.append(id, record(1));
      await store.append(id, record(2, { kind: 'snapshot' }));
      await store.append(id, record(3));
    }
    await harm(client, await keyOf(prefix));
    const calls = [
      () => store.read(ID, { since: ORIGIN }),
      () => store.append(ID, record(4)),
      () => store.touch(ID, { token: 0 }),
      () => store.inspect(ID),
      () => store.lock(ID, { member: 'm', ticket: 1, leaseMs: 100, wait: true, since: ORIGIN }),
      () => store.unlock(ID, { token: 1 }),
      () => store.replace(ID, IMAGE, { revision: 3, nonce: 3 }),
    ];
    for (const call of calls) {
      const error = await call().then(
        () => undefined,
        (thrown: HoldfastError) => thrown,
      );
      expect(error, String(call)).toMatchObject({ code: 'ERR_CORRUPT', session: ID });
      expect(error?.message).toMatch(what);
      expect(error?.message).toMatch(new RegExp(`${prefix}\\{\\w+\\}session-…`));
      expect(error?.message).not.toContain(ID);
    }
    expect(await store.append('other', record(4))).toMatchObject({ appended: true });
    expect((await store.list({ limit: 10 })).ids.toSorted()).toEqual(['other', ID]); // whoever reads it learns of it
    expect(await store.sweep({ limit: 10, graceMs: 0 })).toEqual({ swept: 0 });
    expect(await store.replace(ID, IMAGE, undefined)).toMatchObject({ appended: true });
    expect((await store.read(ID, { since: ORIGIN })).records.map(String)).toEqual(['healed']);
    await store.close();
  });

  it('of another kind in the place of a bucket is named', async () => {
    const prefix = newPrefix();
    const store = place({ prefix, buckets: 1 });
    await store.ping();
    await command(client, 'SET', `${prefix}{0}`, 'x');
    await expect(store.append('s', record(1))).rejects.toMatchObject({
      code: 'ERR_CORRUPT',
      message: expect.stringMatching(/another kind of value is under its key/) as string,
    });
    await store.close();
  });

  it('is in as many buckets as it was begun with', async () => {
    const prefix = newPrefix();
    const store = place({ prefix, buckets: 16 });
    await store.append('s', record(1));
    const other = place({ prefix });
    await expect(other.append('s', record(2))).rejects.toMatchObject({
      code: 'ERR_INVALID',
      message: expect.stringMatching(/lies in 16 buckets, not 1024: give the option buckets: 16/) as string,
    });
    await command(client, 'HSET', `${prefix}@`, 'format', '2');
    await expect(place({ prefix, buckets: 16 }).ping()).rejects.toMatchObject({
      code: 'ERR_INVALID',
      message: expect.stringMatching(/has format 2, where 1 is read/) as string,
    });
    await Promise.all([store.close(), other.close()]);
  });

  it('is reached by a client of one of two packages', () => {
    const base = { on: () => 0, off: () => 0, duplicate: () => 0 };
    for (const [wrong, what] of [
      [{ ...base }, /package `redis`/],
      [{}, /methods on, off, duplicate/],
      [undefined, /client/],
      [new Redis({ lazyConnect: true, keyPrefix: 'x:' }), /keyPrefix/],
      [new Cluster([], { lazyConnect: true, keyPrefix: 'x:' }), /keyPrefix/],
      [createCluster({ rootNodes: [], keyPrefix: 'x:' }), /keyPrefix/],
      [createClient({ keyPrefix: 'x:' }), /keyPrefix/],
      [createSentinel({ name: 's', sentinelRootNodes: [], keyPrefix: 'x:' }), /keyPrefix/],
    ] as const)
      expect(() => new RedisStore({ client: wrong as never })).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID', message: expect.stringMatching(what) as string }),
      );
  });

  it('says of an address that the server refuses what is wrong with it, and does not wait', async () => {
    const { host } = new URL(server.url);
    for (const [address, why] of [
      [`redis://nobody:secret@${host}`, 'WRONGPASS'],
      [`redis://${host}/99`, 'ERR DB index'],
    ]) {
      const begun = Date.now();
      await expect(openStore(address!)).rejects.toMatchObject({
        code: 'ERR_UNAVAILABLE',
        outcome: 'none',
        message: expect.stringMatching(
          new RegExp(`\\(${why}.*\\); nothing was sent: see to user, password and database of the address`),
        ) as string,
      });
      expect(Date.now() - begun).toBeLessThan(4500); // a server that is not there is given 5 s
    }
  });

  it('must not be evicted but by what has a time to live', async () => {
    const evicting = await RedisServer.start('--maxmemory-policy', 'allkeys-lru', '--maxmemory', '100mb');
    const owner = await newClient('redis', evicting);
    const store = place({ client: owner });
    await expect(store.append('s', record(1))).rejects.toMatchObject({
      code: 'ERR_INVALID',
      message: expect.stringMatching(/allkeys-lru.*noeviction/) as string,
    });
    expect(await command(owner, 'KEYS', '*}*')).toEqual([]);
    await command(owner, 'CONFIG', 'SET', 'maxmemory-policy', 'volatile-lru');
    expect(await store.append('s', record(1))).toMatchObject({ appended: true });
    await store.close();
  });

  it('is there as the README shows', () => {
    const code = /^```js\n([\s\S]*?)^```/m.exec(readme)?.[1] as string;
    expect(code).toContain("from 'holdfast/redis'");
    const ran = spawnSync(
      process.execPath,
      ['--input-type=module', '-e', code.replace('redis://127.0.0.1:6379', server.url)],
      { cwd: fileURLToPath(new URL('../..', import.meta.url)), timeout: 20_000, encoding: 'utf8' },
    );
    expect([ran.stdout, ran.status], ran.stderr).toEqual(['1\n', 0]);
  });

  it.each(CLIENTS)('is all within the rights that the README shows, over %s', async (name) => {
    const rights = /^ACL SETUSER sessions (.+)$/m.exec(readme)?.[1]?.split(' ') ?? [];
    const prefix = newPrefix();
    const own = rights.map((right) => right.replace('hf', prefix));
    await command(client, 'ACL', 'SETUSER', 'sessions', 'reset', ...own);
    const password = own.find((right) => right.startsWith('>'))?.slice(1);
    const login = await newClient(name, server, { username: 'sessions', ...(password !== undefined && { password }) });
    const tally = await differ((clock) => place({ client: login, prefix, buckets: 1, clock }), 3, 700, {
      jumps: false,
    });
    expect(tally.get('append yes')).toBeGreaterThan(50);
  });

  it('lives on while its session may, and goes by itself long after that', async () => {
    const prefix = newPrefix();
    const store = place({ prefix });
    const ttlOf = async (): Promise<number> => Number(await command(client, 'PTTL', await keyOf(prefix)));
    await store.append(ID, record(1));
    expect(await ttlOf()).toBe(-1);
    await store.append(ID, record(2, { expiry: { idleMs: 2 * DAY_MS } }));
    expect(await ttlOf()).toBeGreaterThan(3.9 * DAY_MS);
    expect(await ttlOf()).toBeLessThanOrEqual(4 * DAY_MS);
    await store.append(ID, record(3, { expiry: { idleMs: 3.6 * DAY_MS } }));
    expect(await ttlOf()).toBeGreaterThan(7 * DAY_MS);
    await store.append(ID, record(4, { expiry: {} }));
    expect(await ttlOf()).toBe(-1);
    await store.close();
  });

  it('is handed over though no message arrives', async () => {
    const prefix = newPrefix();
    const clients = await Promise.all(CLIENTS.map((name) => newClient(name, server)));
    const stores = clients.map((one) => place({ client: one, prefix }));
    const definition = defineSession({ n: mutable(() => 0) });
    const repositories = stores.map((store) => new SessionRepository({ store, definition, lock: { leaseMs: 200 } }));
    const kill = (): void => void command(client, 'CLIENT', 'KILL', 'TYPE', 'PUBSUB').catch(() => undefined);
    const killing = setInterval(kill, 5);
    const add = async (sessions: (typeof repositories)[number]): Promise<void> => {
      for (let i = 0; i < 10; i += 1) await sessions.scope(ID, (state) => void (state.n += 1), { create: {} });
    };
    try {
      await Promise.all(repositories.map(add));
      expect((await repositories[0]?.read(ID))?.n).toBe(20);
    } finally {
      clearInterval(killing);
      await Promise.all(repositories.map((sessions) => sessions.close()));
      await Promise.all(stores.map((store) => store.close()));
    }
  }, 60_000);

  it('leaves nothing behind, be it swept or evicted', async () => {
    const clock = new VirtualClock();
    const prefix = newPrefix();
    const store = place({ prefix, clock });
    for (const id of [ID, 'evicted', 'stays']) await store.append(id, record(1, { expiry: { idleMs: 1000 } }));
    await store.append('stays', record(2, { expiry: {} }));
    const [key] = (await command(client, 'KEYS', `${prefix}{*}evicted`)) as string[];
    await command(client, 'DEL', key as string);
    expect((await store.list({ limit: 10 })).ids.toSorted()).toEqual([ID, 'stays']);
    clock.pass(1000);
    for (const swept of [0, 1]) expect(await store.sweep({ limit: 10, graceMs: 0 })).toEqual({ swept });
    expect(await command(client, 'KEYS', `${prefix}@{*}`)).toHaveLength(1); // the ids of one bucket
    expect((await command(client, 'KEYS', `${prefix}{*}?*`)) as string[]).toEqual([expect.stringMatching(/stays$/)]);
    await store.close();
  });

  it('backs up folders and other servers, and is backed up by them, in any mix', async () => {
    const stores = [place(), place(), await openStore(newFolder())];
    const definition = defineSession({ list: mutable<number[]>(() => []) });
    for (const [number, primary] of stores.entries()) {
      const backups = stores.filter((store) => store !== primary);
      const sessions = new SessionRepository({
        store: primary,
        definition,
        backups: backups.map((store) => ({ store })),
        ttlMs: DAY_MS,
      });
      const id = `of ${number}`;
      for (let i = 0; i < 40; i += 1) await sessions.scope(id, (state) => void state.list.push(i), { create: {} });
      expect(await sessions.verifyBackups(id)).toEqual(['equal', 'equal']);
      const [kept, ...copies] = await Promise.all(
        [primary, ...backups].map((store) => store.read(id, { since: ORIGIN })),
      );
      const bytes = (tail: Tail | undefined): Buffer[] | undefined => tail?.records.map((one) => Buffer.from(one));
      for (const copy of copies) {
        expect(bytes(copy)).toEqual(bytes(kept));
        expect(copy.head?.position).toEqual({ revision: 40, nonce: kept?.head?.position.nonce });
      }
      for (const backup of [0, 1]) expect(await sessions.backups.restore(id, backup)).toBe(true);
      expect(await sessions.scope(id, ({ list }) => list.push(40))).toBe(41);
      expect(await sessions.verifyBackups(id)).toEqual(['equal', 'equal']);
      await sessions.close();
    }
    await Promise.all(stores.map((store) => store.close()));
  });

  it('is listened to by whoever joins while the connection for that is being made', async () => {
    const client = (await newClient('ioredis', server)) as IoredisClient;
    const store = new RedisStore({ client, prefix: newPrefix() });
    const duplicate = client.duplicate.bind(client);
    const joins: Promise<unknown>[] = [];
    client.duplicate = (options) => {
      const made = duplicate(options);
      // ioredis says who it is, then asks whether the server is ready; meanwhile it sends what may be subscribed to.
      Object.assign(made, { client: () => delay(50) });
      made.on('connect', () => void joins.push(store.join(() => undefined)));
      return made;
    };
    await store.join(() => undefined);
    expect(joins).not.toHaveLength(0);
    await Promise.all(joins);
    await store.close();
  });

  it('is opened by its URL, and closed with the store', async () => {
    const store = await openStore(`${server.url}/3?prefix=${newPrefix()}`);
    expect(store.address).toMatch(/^redis:\/\/127\.0\.0\.1:\d+\/3\/t\d+$/);
    expect(await store.append('s', record(1))).toMatchObject({ appended: true });
    await store.close();
    const gone = await RedisServer.start();
    await gone.kill();
    await expect(openStore(gone.url)).rejects.toMatchObject({
      code: 'ERR_UNAVAILABLE',
      outcome: 'none',
      message: expect.stringContaining('ECONNREFUSED') as string,
    });
  });
});
