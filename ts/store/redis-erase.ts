import type { RedisNode } from './redis-client.ts';
import { linkOf } from './redis-link.ts';
import { newClient, redisPlaceOf } from './redis-url.ts';

/** Keys that one command looks at. */
const LOOKED_AT = '1000';
/** So many slots of a Cluster find each of its servers that has keys of a prefix. */
const SLOTS_TRIED = 1024;

/** Removes all that lies under the prefix of a store's address: the store of a run that has ended, say. */
export async function eraseRedis(address: string): Promise<void> {
  const place = redisPlaceOf(address);
  const { prefix = 'hf' } = place;
  const link = linkOf(newClient(place));
  const pattern = `${prefix.replace(/[*?[\]\\]/g, '\\$&')}[@{]*`;
  try {
    await link.send(['PING'], prefix); // the servers of a Cluster are known from now on
    const nodes = new Map<string, Promise<RedisNode>>();
    for (let i = 0; i < SLOTS_TRIED; i += 1) {
      const owner = link.ownerOf(`${prefix}{${i}}`);
      if (!nodes.has(owner)) nodes.set(owner, link.nodeOf(`${prefix}{${i}}`));
    }
    for (const node of await Promise.all(nodes.values())) {
      let cursor = '0';
      do {
        const found = await node.send(['SCAN', cursor, 'MATCH', pattern, 'COUNT', LOOKED_AT]);
        const [next, keys] = found as readonly [Buffer, readonly Buffer[]];
        await Promise.all(keys.map((key) => node.send(['UNLINK', key])));
        cursor = String(next);
      } while (cursor !== '0');
    }
  } finally {
    link.end();
  }
}
