import { HoldfastError } from '../errors.ts';
import { requireLate } from '../package.ts';
import type { IoredisClient, NodeRedisClient, RedisClient } from './redis-client.ts';

/** Where a store on a Redis server lies, by its URL. */
export interface RedisPlace {
  /** As clients take it. */
  readonly url: string;
  readonly prefix?: string | undefined;
}

/** `redis://[user:password@]host[:port][/database][?prefix=…]`, or `rediss://` for TLS. */
export function redisPlaceOf(address: string): RedisPlace {
  const refuse = (what: string): never => {
    throw new HoldfastError(
      'ERR_INVALID',
      `the address of a Redis store ${what}: write redis://host:6379/0?prefix=hf, or rediss:// for TLS`,
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
  if (names.some((name) => name !== 'prefix')) refuse('may have the option prefix alone');
  if (!/^\/?\d*$/.test(url.pathname)) refuse('names a database by its number');
  const prefix = url.searchParams.get('prefix') ?? undefined;
  url.search = '';
  return { url: url.href, prefix };
}

interface NodeRedisModule {
  readonly createClient: (options: {
    readonly url: string;
    readonly socket: { readonly reconnectStrategy: typeof pauseMs };
  }) => NodeRedisClient;
}
interface IoredisModule {
  readonly Redis: new (url: string, options: { readonly retryStrategy: typeof pauseMs }) => IoredisClient;
}

/** From one attempt to connect to the next: within a second of the server's return it is used again. */
const LONGEST_PAUSE_MS = 500;
const pauseMs = (attempts: number): number => Math.min(50 * attempts + 20, LONGEST_PAUSE_MS);

/** A client of the first package that is installed. It connects on; errors of the connection are its user's to hear. */
export function newClient(url: string): RedisClient {
  const redis = load<NodeRedisModule>('redis');
  if (redis !== undefined) {
    const client = redis.createClient({ url, socket: { reconnectStrategy: pauseMs } });
    client.on('error', () => undefined);
    client.connect().catch(() => undefined); // whoever calls learns of it
    return client;
  }
  const ioredis = load<IoredisModule>('ioredis');
  if (ioredis !== undefined) return new ioredis.Redis(url, { retryStrategy: pauseMs });
  throw new HoldfastError(
    'ERR_UNAVAILABLE',
    'there is no client for a Redis server: npm install redis, or npm install ioredis',
    { outcome: 'none' },
  );
}

function load<T>(name: string): T | undefined {
  try {
    return requireLate(name) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}
