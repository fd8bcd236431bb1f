import { describe, expect, it } from 'vitest';
import { ORIGIN } from '../../ts/position.ts';
import { RedisStore } from '../../ts/store/redis.ts';
import type { Hint } from '../../ts/store/store.ts';
import { RedisLinkage } from './redis-link.ts';
import { answered, record, sleep, until } from './redis-records.ts';
import { NO_REDIS, RedisServer, command, newClient } from './redis-server.ts';
import type { RedisClient } from '../../ts/store/redis.ts';
import type { ClientName } from './redis-server.ts';
import { storm } from './redis-storm.ts';
import type { Found } from './redis-storm.ts';

const FAIL_OVERS = Number(process.env['HOLDFAST_FAIL_OVERS'] ?? 5);
const LAG_MS = 100;
const CLIENTS: readonly ClientName[] = ['redis', 'ioredis', 'redis'];

/** A primary, and a replica that lags. */
class Pair {
  readonly #lagging: RedisLinkage;
  readonly #primary: RedisServer;
  readonly #replica: RedisServer;
  readonly #fronts: RedisLinkage[] = [];

  private constructor(lagging: RedisLinkage, primary: RedisServer, replica: RedisServer) {
    this.#lagging = lagging;
    this.#primary = primary;
    this.#replica = replica;
  }

  static async start(): Promise<Pair> {
    const primary = await RedisServer.start('--repl-diskless-sync-delay', '0');
    const lagging = await RedisLinkage.open(primary.port, LAG_MS);
    const replica = await RedisServer.start('--replicaof', '127.0.0.1', String(lagging.port));
    const asking = await newClient('redis', replica);
    for (const end = Date.now() + 30_000; ; await sleep(20)) {
      if (String(await command(asking, 'INFO', 'replication')).includes('link_status:up')) break;
      expect(Date.now()).toBeLessThan(end);
    }
    return new Pair(lagging, primary, replica);
  }

  /** Where a client finds whichever is the primary. */
  async front(): Promise<RedisLinkage> {
    const front = await RedisLinkage.open(this.#primary.port);
    this.#fronts.push(front);
    return front;
  }

  /** The replica has what was written before, and gets nothing more. */
  async hold(): Promise<void> {
    const [primary, replica] = await Promise.all([this.#primary, this.#replica].map((one) => newClient('redis', one)));
    const offset = async (client: RedisClient | undefined): Promise<string | undefined> =>
      /master_repl_offset:(\d+)/.exec(String(await command(client as RedisClient, 'INFO', 'replication')))?.[1];
    await until(async () => (await offset(replica)) === (await offset(primary)));
    this.#lagging.isHeld = true;
  }

  /** What is on its way to the replica is gone. */
  async failOver(): Promise<void> {
    for (const link of [this.#lagging, ...this.#fronts]) {
      link.target = undefined;
      link.cut();
    }
    await this.#primary.kill();
    await command(await newClient('redis', this.#replica), 'REPLICAOF', 'NO', 'ONE');
  }

  /** Clients find the new primary. */
  reach(front: RedisLinkage): void {
    front.target = this.#replica.port;
  }

  async end(): Promise<void> {
    await Promise.all([...this.#fronts, this.#lagging].map((link) => link.close()));
    await this.#replica.kill();
  }

  reachAll(): void {
    for (const front of this.#fronts) this.reach(front);
  }
}

/** At another moment in each round, for as long in each: the primary is another. */
async function round(index: number): Promise<Found> {
  const pair = await Pair.start();
  const clients = await Promise.all(CLIENTS.map(async (name) => newClient(name, await pair.front())));
  const trouble = async (): Promise<void> => {
    await pair.failOver();
    await sleep(20 * (index % 4));
    pair.reachAll();
  };
  const found = await storm({ clients, own: 2, before: 30 + 17 * (index % 20), trouble });
  await pair.end();
  return found;
}

// docs/protocol.md: Fail-over
describe.skipIf(NO_REDIS !== undefined)(`a replica that is promoted (${NO_REDIS ?? 'of its own'})`, () => {
  it('gets what it lacks from those who wrote it', async () => {
    const pair = await Pair.start();
    const client = await newClient('redis', await pair.front());
    const store = new RedisStore({ client, sweepEveryMs: Infinity });
    const hints: Hint[] = [];
    await store.join((hint) => void hints.push(hint));
    await store.append('old', record(1));
    await pair.hold();
    for (const revision of [2, 3]) await store.append('old', record(revision));
    for (const revision of [1, 2]) await store.append('new', record(revision, { terms: ['t'] }));
    await pair.failOver();
    pair.reachAll();
    await answered(store);
    expect((await store.read('old', { since: ORIGIN })).records.map(String)).toEqual(['r1', 'r2', 'r3']);
    expect((await store.read('new', { since: ORIGIN })).records.map(String)).toEqual(['r1', 'r2']);
    expect((await store.list({ limit: 5, term: 't' })).ids).toEqual(['new']);
    expect(await store.append('old', record(4))).toMatchObject({ appended: true });
    expect(hints.filter(({ kind }) => kind === 'lost')).toEqual([]);
    await store.close();
    await pair.end();
  });

  it('gets it in the order in which several wrote it, whoever comes back first', async () => {
    const pair = await Pair.start();
    const fronts = await Promise.all([pair.front(), pair.front()]);
    const [one, two] = (await Promise.all(
      fronts.map(
        async (front) => new RedisStore({ client: await newClient('ioredis', front), sweepEveryMs: Infinity }),
      ),
    )) as [RedisStore, RedisStore];
    await one.append('s', record(1));
    await pair.hold();
    for (const revision of [2, 3, 4, 5]) await (revision < 4 ? one : two).append('s', record(revision));
    await pair.failOver();
    pair.reach(fronts[1] as RedisLinkage);
    await answered(two);
    const reading = two.read('s', { since: ORIGIN }); // waits for what others bring back
    await sleep(200);
    pair.reach(fronts[0] as RedisLinkage);
    expect((await reading).records.map(String)).toEqual(['r1', 'r2', 'r3', 'r4', 'r5']);
    await Promise.all([one.close(), two.close()]);
    await pair.end();
  });

  it('keeps what a rival wrote first, and what is lost then is told', async () => {
    const pair = await Pair.start();
    const fronts = await Promise.all([pair.front(), pair.front()]);
    const [store, rival] = (await Promise.all(
      fronts.map(async (front) => new RedisStore({ client: await newClient('redis', front), sweepEveryMs: Infinity })),
    )) as [RedisStore, RedisStore];
    const hints: Hint[] = [];
    await store.join((hint) => void hints.push(hint));
    await store.append('s', record(1));
    await pair.hold();
    for (const revision of [2, 3]) await store.append('s', record(revision));
    await pair.failOver();
    pair.reach(fronts[1] as RedisLinkage);
    await answered(rival);
    const position = { revision: 2, nonce: 99 };
    expect(await rival.append('s', record(2, { position }))).toMatchObject({ appended: true });
    pair.reach(fronts[0] as RedisLinkage);
    await answered(store);
    expect((await store.read('s', { since: ORIGIN })).head?.position).toEqual(position);
    expect(hints.filter(({ kind }) => kind === 'lost')).toEqual([
      { kind: 'lost', id: 's', position: { revision: 2, nonce: 2 } },
      { kind: 'lost', id: 's', position: { revision: 3, nonce: 3 } },
    ]);
    expect(await store.append('s', record(4))).toMatchObject({ appended: false, why: 'conflict' });
    await Promise.all([store.close(), rival.close()]);
    await pair.end();
  });

  it.each(['redis', 'ioredis'] as const)(
    'has what was acknowledged for it, though nobody brings it back, over %s',
    async (name) => {
      const pair = await Pair.start();
      const front = await pair.front();
      const client = await newClient(name, front);
      const durability = { replicas: 1 } as const;
      const store = new RedisStore({ client, sweepEveryMs: Infinity, durability });
      for (const revision of [1, 2]) await store.append('s', record(revision));
      await Promise.all(Array.from({ length: 50 }, (_, i) => store.append(`s${i}`, record(1))));
      expect(await store.append('s', record(3, { durability: 'primary' }))).toMatchObject({ appended: true });
      await store.close(); // it brings nothing back
      await pair.failOver();
      pair.reach(front);
      const next = new RedisStore({ client: await newClient(name, front), sweepEveryMs: Infinity });
      expect((await next.read('s', { since: ORIGIN })).records.map(String)).toEqual(['r1', 'r2']);
      expect((await next.list({ limit: 100 })).ids).toHaveLength(51);
      await next.close();
      await pair.end();
    },
  );

  it('that has stopped gives no comfort: the save is unknown, and known when it is offered again', async () => {
    const server = await RedisServer.start('--repl-diskless-sync-delay', '0');
    const replica = await RedisServer.start('--replicaof', '127.0.0.1', String(server.port));
    const client = await newClient('redis', server);
    const store = new RedisStore({ client, sweepEveryMs: Infinity });
    const durability = { replicas: 1 } as const;
    await store.append('s', record(1, { durability }), { timeoutMs: 20_000 }); // until it has joined
    replica.signal('SIGSTOP');
    const options = { timeoutMs: 300 };
    for (const replicas of [1, 2])
      await expect(store.append('s', record(2, { durability: { replicas } }), options)).rejects.toMatchObject({
        code: 'ERR_UNAVAILABLE',
        outcome: 'unknown',
        message: expect.stringContaining(`${replicas} of its replicas`) as string,
      });
    expect((await store.read('s', { since: ORIGIN })).records.map(String)).toEqual(['r1', 'r2']);
    replica.signal('SIGCONT');
    expect(await store.append('s', record(2, { durability }), { timeoutMs: 20_000 })).toMatchObject({ appended: true });
    await store.close();
    for (const wrong of ['disk', { replicas: 0 }, {}, null, { replicas: 1, of: 2 }])
      expect(() => new RedisStore({ client, durability: wrong as never })).toThrow(/durability/);
  });

  it(
    `loses nothing in silence while ${CLIENTS.length} processes save, ${FAIL_OVERS} times`,
    async () => {
      let [acknowledged, missing] = [0, 0];
      for (let index = 0; index < FAIL_OVERS; index += 1) {
        const found = await round(index);
        expect([found.silent, found.findings], `round ${index}`).toEqual([[], []]);
        acknowledged += found.acknowledged;
        missing += found.missing;
        if (process.env['HOLDFAST_TABLE'] !== undefined) console.info({ rounds: index + 1, acknowledged, missing });
      }
    },
    60_000 + 20_000 * FAIL_OVERS,
  );
});
