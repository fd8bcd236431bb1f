import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { beforeAll, describe, expect, it } from 'vitest';
import { ORIGIN } from '../../ts/position.ts';
import { RedisStore } from '../../ts/store/redis.ts';
import type { NodeRedisClient, RedisClient, RedisStoreOptions } from '../../ts/store/redis.ts';
import { scriptsOf } from '../../ts/store/redis-scripts.ts';
import type { Hint } from '../../ts/store/store.ts';
import { newFolder } from '../folders.ts';
import { differ } from './differential.ts';
import { RedisLinkage } from './redis-link.ts';
import { answered, offered, record } from './redis-records.ts';
import { NO_REDIS, RedisServer, command, ended, freePort, newClient, newPrefix } from './redis-server.ts';

const CLIENTS = ['redis', 'ioredis'] as const;
const NO_OPENSSL =
  spawnSync('openssl', ['version'], { timeout: 10_000 }).status === 0 ? undefined : 'openssl is not installed';
const IDS = Array.from({ length: 200 }, (_, index) => `session-${index}`);

const on = (client: RedisClient, more: Partial<RedisStoreOptions> = {}): RedisStore =>
  new RedisStore({ client, prefix: newPrefix(), sweepEveryMs: Infinity, ...more });

describe.skipIf(NO_REDIS !== undefined)(`a Redis server that loses something (${NO_REDIS ?? 'of its own'})`, () => {
  it.each(CLIENTS)(
    'starts again with nothing: what is known is brought back, the rest is told, over %s',
    async (name) => {
      const server = await RedisServer.start();
      const prefix = newPrefix();
      const [store, other] = [
        on(await newClient(name, server), { prefix }),
        on(await newClient('redis', server), { prefix }),
      ];
      const hints: Hint[] = [];
      await store.join((hint) => void hints.push(hint));
      for (const revision of [1, 2]) await store.append('whole', record(revision));
      await other.append('half', record(1));
      await store.append('half', record(2));
      await other.append('others', record(1));
      await other.close(); // it brings nothing back
      await server.kill();
      await server.start();
      await answered(store);
      expect((await store.read('whole', { since: ORIGIN })).records.map(String)).toEqual(['r1', 'r2']);
      expect((await store.read('half', { since: ORIGIN })).head).toBeUndefined();
      expect(hints.filter(({ kind }) => kind === 'lost')).toEqual([
        { kind: 'lost', id: 'half', position: { revision: 2, nonce: 2 } },
      ]);
      expect(await offered(store, 'half', record(3))).toMatchObject({ appended: false, why: 'conflict' });
      expect(await store.append('others', record(2))).toMatchObject({ appended: false, why: 'conflict' });
      await store.close();
    },
  );

  it.each(CLIENTS)('gives way by hand to its replica, while both live, over %s', async (name) => {
    const server = await RedisServer.start('--repl-diskless-sync-delay', '0');
    const replica = await RedisServer.start('--replicaof', '127.0.0.1', String(server.port));
    const front = await RedisLinkage.open(server.port);
    const store = on(await newClient(name, front));
    await store.append('s', record(1, { durability: { replicas: 1 } }), { timeoutMs: 20_000 });
    await command(await newClient('redis', replica), 'REPLICAOF', 'NO', 'ONE');
    await store.append('s', record(2)); // to the old one, which nobody has told
    await command(await newClient('redis', server), 'REPLICAOF', '127.0.0.1', String(replica.port));
    await expect(store.append('s', record(3))).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'none' });
    front.target = replica.port;
    front.cut();
    expect(await offered(store, 's', record(3))).toMatchObject({ appended: true });
    expect((await store.read('s', { since: ORIGIN })).records.map(String)).toEqual(['r1', 'r2', 'r3']);
    await store.close();
  });

  it('evicts sessions, each as a whole, and forgets no token', async () => {
    const server = await RedisServer.start('--maxmemory-policy', 'volatile-random');
    const client = await newClient('redis', server);
    const store = on(client, { buckets: 8 });
    await store.promote(6);
    const under = 7 * 2 ** 32;
    const bytes = Buffer.alloc(5000, 'x');
    const write = (id: string): Promise<unknown> =>
      store.append(id, record(1, { under, bytes, expiry: { idleMs: 3_600_000 } }));
    for (const id of IDS.slice(0, 100)) await write(id);
    const used = Number(/used_memory:(\d+)/.exec(String(await command(client, 'INFO', 'memory')))?.[1]);
    await command(client, 'CONFIG', 'SET', 'maxmemory', String(used - 100_000));
    for (const id of IDS.slice(100)) await write(id);
    await command(client, 'CONFIG', 'SET', 'maxmemory', '0'); // no more from here on
    const tails = await Promise.all(IDS.map((id) => store.read(id, { since: ORIGIN })));
    const [there, gone] = [
      tails.filter(({ head }) => head !== undefined),
      tails.filter(({ head }) => head === undefined),
    ];
    expect([there.length > 20, gone.length > 20]).toEqual([true, true]);
    for (const { records, whole } of there) expect([records.map((one) => one.length), whole]).toEqual([[5000], true]);
    expect((await store.list({ limit: 1000 })).ids).toHaveLength(there.length);
    const old = tails.findIndex(({ head }) => head === undefined);
    expect(await store.append(IDS[old] as string, record(1, { under: 5 }))).toMatchObject({ why: 'fenced' });
    expect(await store.append(IDS[old] as string, record(2, { under }))).toMatchObject({ why: 'conflict' });
    await store.close();
  });

  it('evicts what a bucket has, where nobody may ask for its policy: sessions go on', async () => {
    const server = await RedisServer.start('--rename-command', 'CONFIG', '');
    const client = await newClient('redis', server);
    const store = on(client, { buckets: 1 });
    const prefix = store.address.split('/').at(-1);
    for (const id of ['a', 'b']) await store.append(id, record(1, { under: 5 }));
    await command(client, 'DEL', `${prefix}{0}`, `${prefix}@{0}`);
    expect(await store.append('a', record(2, { under: 4 }))).toMatchObject({ why: 'fenced' });
    expect(await store.append('a', record(2, { under: 5 }))).toMatchObject({ appended: true });
    expect((await store.read('b', { since: ORIGIN })).records.map(String)).toEqual(['r1']);
    await store.close();
  });
});

describe.skipIf(NO_REDIS !== undefined)(`connections to a Redis server (${NO_REDIS ?? 'of its own'})`, () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });

  it.each([2, 3] as const)('may speak RESP%i', async (RESP) => {
    const client = createClient({ url: server.url, RESP });
    client.on('error', () => undefined);
    ended(() => client.destroy());
    await client.connect();
    const used = client as unknown as NodeRedisClient;
    const tally = await differ((clock) => on(used, { buckets: 1, clock }), 5, 700, { jumps: false });
    expect(tally.get('append yes')).toBeGreaterThan(50);
  });

  it('ask for nothing that is younger than Redis 6.2', async () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const rights = /^ACL SETUSER sessions (.+)$/m.exec(readme)?.[1]?.match(/(?<=\+)[\w|]+/g) ?? [];
    const called = Object.values(scriptsOf(false)).flatMap(({ source }) =>
      [...source.matchAll(/redis\.p?call\('(\w+)'/g)].map(([, name]) => (name as string).toLowerCase()),
    );
    for (const name of new Set(called)) expect(rights).toContain(name);
    const client = await newClient('redis', server);
    for (const name of rights.filter((right) => right !== 'waitaof')) {
      const docs = JSON.stringify(await command(client, 'COMMAND', 'DOCS', name));
      const [, major, minor] = /"since":"(\d+)\.(\d+)/.exec(docs) ?? [];
      expect([name, 100 * Number(major) + Number(minor) <= 602]).toEqual([name, true]);
    }
  });

  describe.skipIf(NO_OPENSSL !== undefined)(`by TLS (${NO_OPENSSL ?? 'with a certificate of its own'})`, () => {
    let ca: string;
    let url: string;
    beforeAll(async () => {
      const folder = newFolder();
      const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
      const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
      const made = ['-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', certificate];
      execFileSync('openssl', ['req', '-x509', ...made, ...names], { stdio: 'ignore', timeout: 60_000 });
      const port = await freePort();
      const files = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', certificate];
      await RedisServer.start('--tls-port', String(port), '--tls-auth-clients', 'no', ...files);
      ca = certificate;
      url = `rediss://127.0.0.1:${port}`;
    });

    it.each(CLIENTS)("are the client's, those that listen and those that wait too, over %s", async (name) => {
      const tls = { ca: readFileSync(ca) };
      const client: RedisClient =
        name === 'ioredis' ? new Redis(url, { tls }) : createClient({ url, socket: { tls: true, ...tls } });
      client.on('error', () => undefined);
      ended(() => ('destroy' in client ? client.destroy() : client.disconnect()));
      if ('destroy' in client) await client.connect();
      const store = on(client);
      const { member } = await store.join(() => undefined);
      const lock = { member, ticket: 1, leaseMs: 1000, wait: true, since: ORIGIN };
      expect(await store.lock('s', lock)).toMatchObject({ granted: true });
      const late = store.append('t', record(1, { durability: { replicas: 1 } }), { timeoutMs: 300 });
      await expect(late).rejects.toMatchObject({ outcome: 'unknown' }); // it has none
      expect((await store.read('t', { since: ORIGIN })).records.map(String)).toEqual(['r1']);
      await store.close();
    });

    it('are made by the URL, to a certificate that the process trusts alone', () => {
      const code = `import { openStore } from 'holdfast';
        const store = await openStore(process.argv[1]).catch((error) => error);
        console.log(store.code ?? 'opened', store.message ?? '');
        await store.close?.();`;
      const run = (env: object): string =>
        spawnSync(process.execPath, ['--input-type=module', '-e', code, url], {
          cwd: fileURLToPath(new URL('../..', import.meta.url)),
          env: { ...process.env, ...env },
          timeout: 30_000,
          encoding: 'utf8',
        }).stdout;
      expect(run({ NODE_EXTRA_CA_CERTS: ca })).toMatch(/^opened/);
      expect(run({})).toMatch(/^ERR_UNAVAILABLE.*self-signed certificate/);
    });
  });
});
