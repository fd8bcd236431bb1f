import { HoldfastError } from '../errors.ts';
import { requireLate } from '../package.ts';
import type { IoredisClient, IoredisCluster, NodeRedisClient, NodeRedisCluster, RedisClient } from './redis-client.ts';

/** Where a store on a Redis server lies, by its URL. */
export interface RedisPlace {
  /** As clients take it. */
  readonly url: string;
  readonly prefix?: string | undefined;
  /** The server is one of a Cluster, which names the others. */
  readonly isCluster: boolean;
}

/** `redis://[user:password@]host[:port][/database][?prefix=…][&cluster=true]`, or `rediss://` for TLS. */
export function redisPlaceOf(address: string): RedisPlace {
  const refuse = (what: string): never => {
    throw new HoldfastError(
      'ERR_INVALID',
      `the address of a Redis store ${what}: write redis://host:6379/0?prefix=hf, rediss:// for TLS, ?cluster=true for a Cluster`,
    );
  };
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return refuse('is no URL');
  }
  if (url.hostname === '') refuse('names no host');
  const names = [...url.searchParams.keys()];
  if (names.some((name) => name !== 'prefix' && name !== 'cluster'))
    refuse('may have the options prefix and cluster alone');
  if (!/^\/?\d*$/.test(url.pathname)) refuse('names a database by its number');
  const prefix = url.searchParams.get('prefix') ?? undefined;
  const cluster = url.searchParams.get('cluster') ?? 'false';
  if (cluster !== 'true' && cluster !== 'false') refuse('says of cluster true or false');
  if (cluster === 'true' && /[1-9]/.test(url.pathname))
    refuse('names a database other than 0, which a Cluster does not have');
  url.search = '';
  return { url: url.href, prefix, isCluster: cluster === 'true' };
}

interface NodeRedisModule {
  readonly createClient: (options: {
    readonly url: string;
    readonly socket: { readonly reconnectStrategy: typeof pauseMs };
  }) => NodeRedisClient;
  readonly createCluster: (options: {
    readonly rootNodes: readonly object[];
    readonly defaults: object;
  }) => NodeRedisCluster;
}
interface IoredisModule {
  readonly Redis: new (url: string, options: { readonly retryStrategy: typeof pauseMs }) => IoredisClient;
  readonly Cluster: new (nodes: readonly object[], options: { readonly redisOptions: object }) => IoredisCluster;
}

/** From one attempt to connect to the next: within a second of the server's return it is used again. */
const LONGEST_PAUSE_MS = 500;
const pauseMs = (attempts: number): number => Math.min(50 * attempts + 20, LONGEST_PAUSE_MS);

/** A client of the first package that is installed. It connects on; errors of the connection are its user's to hear. */
export function newClient(place: RedisPlace): RedisClient {
  const redis = load<NodeRedisModule>('redis');
  if (redis !== undefined) {
    const client = place.isCluster
      ? newNodeRedisCluster(redis, place.url)
      : redis.createClient({ url: place.url, socket: { reconnectStrategy: pauseMs } });
    client.on('error', () => undefined);
    client.connect().catch(() => undefined); // whoever calls learns of it
    return client;
  }
  const ioredis = load<IoredisModule>('ioredis');
  if (ioredis !== undefined)
    return place.isCluster
      ? newIoredisCluster(ioredis, place.url)
      : new ioredis.Redis(place.url, { retryStrategy: pauseMs });
  throw new HoldfastError(
    'ERR_UNAVAILABLE',
    'there is no client for a Redis server: npm install redis, or npm install ioredis',
    { outcome: 'none' },
  );
}

interface Login {
  readonly username?: string;
  readonly password?: string;
}

/** What holds for each server of a Cluster, and not for the first alone. */
function loginOf({ username, password }: URL): Login {
  return {
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
  };
}

function newNodeRedisCluster({ createCluster }: NodeRedisModule, address: string): NodeRedisCluster {
  const url = new URL(address);
  const socket = { ...(url.protocol === 'rediss:' && { tls: true }) };
  return createCluster({ rootNodes: [{ url: address }], defaults: { ...loginOf(url), socket } });
}

function newIoredisCluster({ Cluster }: IoredisModule, address: string): IoredisCluster {
  const url = new URL(address);
  const redisOptions = { ...loginOf(url), ...(url.protocol === 'rediss:' && { tls: {} }) };
  return new Cluster([{ host: url.hostname, port: Number(url.port || 6379) }], { redisOptions });
}

function load<T>(name: string): T | undefined {
  try {
    return requireLate(name) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}
