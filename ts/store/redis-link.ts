import { invalid } from './redis-client.ts';
import type { RedisClient, RedisLink } from './redis-client.ts';
import type { IoredisClient, IoredisCluster } from './redis-client.ts';
import type { NodeRedisClient, NodeRedisCluster, NodeRedisSentinel } from './redis-client.ts';
import { IoredisClusterLink, NodeRedisClusterLink } from './redis-cluster.ts';
import { IoredisLink, NodeRedisLink } from './redis-node.ts';

const hasMethods = (value: unknown, ...names: readonly string[]): boolean =>
  typeof value === 'object' && value !== null && names.every((name) => typeof Reflect.get(value, name) === 'function');

/** `ERR_INVALID`: it is no client that is known here. */
export function linkOf(client: RedisClient): RedisLink {
  if (hasMethods(client, 'callBuffer', 'nodes', 'on', 'off')) return new IoredisClusterLink(client as IoredisCluster);
  if (hasMethods(client, 'callBuffer', 'duplicate', 'subscribe', 'on', 'off'))
    return new IoredisLink(client as IoredisClient);
  if (hasMethods(client, 'sendCommand', 'nodeClient', 'on', 'off'))
    return new NodeRedisClusterLink(client as NodeRedisCluster);
  if (hasMethods(client, 'sendCommand', 'duplicate', 'subscribe', 'on', 'off'))
    return new NodeRedisLink(client as NodeRedisClient | NodeRedisSentinel);
  throw invalid('`client` must be a client of the package `redis` (5 or later) or `ioredis` (5 or later)');
}
