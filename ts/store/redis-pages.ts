import { HoldfastError } from '../errors.ts';
import type { RedisKeys } from './redis-keys.ts';
import type { Reply } from './redis-wire.ts';

/** Buckets whose ids are asked for at once. */
const BATCH = 64;
/** Rows that one script looks through: nobody else is served meanwhile. */
const LOOKED_AT = 100;

/** Ids of one bucket. */
export interface Chunk {
  readonly bucket: number;
  readonly ids: readonly string[];
}

export interface PageQuery {
  readonly cursor?: string | undefined;
  readonly limit: number;
}

interface IdPage {
  readonly chunks: readonly Chunk[];
  readonly cursor?: string | undefined;
}

/** A cursor: the bucket, and behind a colon the last id that was seen in it. */
function placeOf(cursor: string, buckets: number): { bucket: number; after: string } {
  const [, bucket, after] = /^(\d+):([\s\S]*)$/.exec(cursor) ?? [];
  if (bucket === undefined || Number(bucket) >= buckets)
    throw new HoldfastError('ERR_INVALID', 'the cursor is none that this store gave out: begin without one');
  return { bucket: Number(bucket), after: after as string };
}

/**
 * The next ids, bucket by bucket, each in the order of its bytes: what stays all through is on some page.
 *
 * `fetch` gives the first ids of a bucket after one.
 */
async function idPage(
  buckets: number,
  { cursor = '0:', limit }: PageQuery,
  fetch: (bucket: number, after: string, limit: number) => Promise<readonly string[]>,
): Promise<IdPage> {
  let { bucket, after } = placeOf(cursor, buckets);
  const chunks: Chunk[] = [];
  let room = limit;
  while (bucket < buckets) {
    const batch = Array.from({ length: Math.min(BATCH, buckets - bucket) }, (_, index) => bucket + index);
    // One more than there is room for: whether any follow.
    const found = await Promise.all(batch.map((one) => fetch(one, one === bucket ? after : '', room + 1)));
    for (const [index, ids] of found.entries()) {
      const one = bucket + index;
      const taken = ids.slice(0, room);
      if (taken.length > 0) chunks.push({ bucket: one, ids: taken });
      room -= taken.length;
      if (ids.length > taken.length) return { chunks, cursor: `${one}:${taken.at(-1) ?? ''}` };
    }
    bucket += batch.length;
    after = '';
  }
  return { chunks };
}

/** All rows of a page, as many at once as a script may look at. `ask`: a command about a key. */
export async function rowPage<T>(
  keys: RedisKeys,
  query: PageQuery,
  ask: (key: string, args: readonly string[]) => Promise<Reply>,
  look: (chunk: Chunk) => Promise<T>,
): Promise<{ readonly results: readonly T[]; readonly cursor?: string | undefined }> {
  const fetch = async (bucket: number, after: string, limit: number): Promise<string[]> => {
    const key = keys.ids(bucket);
    const from = after === '' ? '-' : `(${after}`;
    const ids = await ask(key, ['ZRANGEBYLEX', key, from, '+', 'LIMIT', '0', String(limit)]);
    return (ids as readonly Buffer[]).map(String);
  };
  const { chunks, cursor } = await idPage(keys.buckets, query, fetch);
  const parts = chunks.flatMap(({ bucket, ids }) =>
    Array.from({ length: Math.ceil(ids.length / LOOKED_AT) }, (_, index) => ({
      bucket,
      ids: ids.slice(index * LOOKED_AT, (index + 1) * LOOKED_AT),
    })),
  );
  return { results: await Promise.all(parts.map(look)), cursor };
}
