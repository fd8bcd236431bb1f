import { linkOf } from './redis-client.ts';
import { newClient, redisPlaceOf } from './redis-url.ts';

/** Keys that one command looks at. */
const LOOKED_AT = '1000';

/** Removes all that lies under the prefix of a store's address: the store of a run that has ended, say. */
export async function eraseRedis(address: string): Promise<void> {
  const { url, prefix = 'hf' } = redisPlaceOf(address);
  const link = linkOf(newClient(url));
  const pattern = `${prefix.replace(/[*?[\]\\]/g, '\\$&')}[@{]*`;
  try {
    let cursor = '0';
    do {
      const found = await link.send(['SCAN', cursor, 'MATCH', pattern, 'COUNT', LOOKED_AT]);
      const [next, keys] = found as readonly [Buffer, readonly Buffer[]];
      if (keys.length > 0) await link.send(['UNLINK', ...keys]);
      cursor = String(next);
    } while (cursor !== '0');
  } finally {
    link.end();
  }
}
