import { Cluster } from 'ioredis';
import { createCluster } from 'redis';
import type { RedisClient } from '../../ts/store/redis.ts';
import { sleep } from './redis-records.ts';
import { RedisServer, command, ended, freePort, newClient } from './redis-server.ts';
import type { ClientName } from './redis-server.ts';

const PRIMARIES = 3;
const READY_MS = 30_000;
/** A primary that is silent for so long is replaced. */
export const NODE_TIMEOUT_MS = 700;

interface Login {
  readonly username?: string;
  readonly password?: string;
}

/** Three primaries, each with a replica, on free ports. */
export class RedisCluster {
  readonly servers: readonly RedisServer[];
  readonly #clients: readonly RedisClient[];

  private constructor(servers: readonly RedisServer[], clients: readonly RedisClient[]) {
    this.servers = servers;
    this.#clients = clients;
  }

  static async start(...settings: readonly string[]): Promise<RedisCluster> {
    const buses = await Promise.all(Array.from({ length: 2 * PRIMARIES }, async () => String(await freePort())));
    const servers = await Promise.all(
      buses.map((bus) =>
        RedisServer.start(
          ...['--cluster-enabled', 'yes', '--cluster-port', bus],
          ...['--cluster-node-timeout', String(NODE_TIMEOUT_MS), '--cluster-replica-validity-factor', '0'],
          ...['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1', ...settings],
        ),
      ),
    );
    const cluster = new RedisCluster(servers, await Promise.all(servers.map((server) => newClient('redis', server))));
    await cluster.#join(buses[0] as string);
    return cluster;
  }

  ask(index: number, name: string, ...args: readonly string[]): Promise<unknown> {
    return command(this.#clients[index] as RedisClient, name, ...args);
  }

  /** Index of the server that has the key. */
  async ownerOf(key: string): Promise<number> {
    const slot = Number(await this.#any('CLUSTER', 'KEYSLOT', key));
    const ranges = (await this.#any('CLUSTER', 'SLOTS')) as [number, number, [unknown, number]][];
    const port = ranges.find(([from, to]) => slot >= from && slot <= to)?.[2][1];
    return this.servers.findIndex((server) => server.port === port);
  }

  /** All connections that listen, at once: each is made anew to another server. */
  async killSubscribers(): Promise<void> {
    await Promise.all(this.servers.map((_, index) => this.ask(index, 'CLIENT', 'KILL', 'TYPE', 'PUBSUB')));
  }

  /** A client as its user makes it, but that looks for another primary soon. */
  async client(name: ClientName, login: Login = {}): Promise<RedisClient> {
    const ports = this.servers.map(({ port }) => port);
    if (name === 'ioredis') {
      const client = new Cluster(
        ports.map((port) => ({ host: '127.0.0.1', port })),
        { retryDelayOnFailover: 100, maxRedirections: 100, redisOptions: login },
      );
      client.on('error', () => undefined);
      ended(() => client.disconnect());
      await new Promise((resolve) => client.on('ready', resolve));
      return client;
    }
    const client = createCluster({
      rootNodes: ports.map((port) => ({ url: `redis://127.0.0.1:${port}` })),
      defaults: { socket: { reconnectStrategy: 20 }, ...login },
      topologyRefreshOnReconnectionAttemptStrategy: 100,
    });
    client.on('error', () => undefined);
    ended(() => client.isOpen && client.destroy());
    await client.connect();
    return client as unknown as RedisClient;
  }

  async end(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.kill()));
  }

  /** Resolves when each slot has a primary, and each primary so many replicas. */
  async whole(replicas: number): Promise<void> {
    for (const end = Date.now() + READY_MS; ; await sleep(20)) {
      if (await this.#isWhole(replicas).catch(() => false)) return;
      if (Date.now() > end) throw new Error('the Cluster is not whole in time');
    }
  }

  async #isWhole(replicas: number): Promise<boolean> {
    const living = this.servers.flatMap(({ isRunning }, index) => (isRunning ? [index] : []));
    const states = await Promise.all(
      living.map(async (index) => String(await this.ask(index, 'CLUSTER', 'INFO')).includes('cluster_state:ok')),
    );
    const ranges = (await this.#any('CLUSTER', 'SLOTS')) as unknown[][];
    const roles = await Promise.all(living.map(async (index) => (await this.ask(index, 'ROLE')) as unknown[]));
    const isSynced = roles.every(([role, , , state]) => String(role) === 'master' || String(state) === 'connected');
    return states.every(Boolean) && isSynced && ranges.every((range) => range.length >= 3 + replicas);
  }

  #any(name: string, ...args: readonly string[]): Promise<unknown> {
    return this.ask(
      this.servers.findIndex(({ isRunning }) => isRunning),
      name,
      ...args,
    );
  }

  async #join(bus: string): Promise<void> {
    const slots = Math.ceil(16_384 / PRIMARIES);
    const first = this.servers[0] as RedisServer;
    await Promise.all(
      this.servers.map(async (_, index) => {
        await this.ask(index, 'CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
        if (index >= PRIMARIES) return;
        const to = Math.min(16_384, (index + 1) * slots) - 1;
        await this.ask(index, 'CLUSTER', 'ADDSLOTSRANGE', String(index * slots), String(to));
      }),
    );
    for (const index of this.servers.keys())
      if (index > 0) await this.ask(index, 'CLUSTER', 'MEET', '127.0.0.1', String(first.port), bus);
    const known = async (): Promise<boolean> => {
      const all = await Promise.all(
        this.servers.map(async (_, index) => String(await this.ask(index, 'CLUSTER', 'NODES'))),
      );
      return all.every((text) => text.trim().split('\n').length === this.servers.length && !text.includes('handshake'));
    };
    for (const end = Date.now() + READY_MS; !(await known()); await sleep(20))
      if (Date.now() > end) throw new Error('the servers of the Cluster do not meet');
    for (let index = 0; index < PRIMARIES; index += 1) {
      const id = String(await this.ask(index, 'CLUSTER', 'MYID'));
      await this.ask(index + PRIMARIES, 'CLUSTER', 'REPLICATE', id);
    }
    await this.whole(1);
  }
}
