import { HoldfastError } from '../../errors.ts';
import { checkOptions, describe, text, withMethods } from '../../options.ts';
import type { Rule } from '../../options.ts';
import type { LegacySession, LegacySessions } from './legacy.ts';

interface Commands {
  get(key: string): Promise<unknown>;
  del(key: string): Promise<unknown>;
}

/** A connected client of `redis` (4 or later) or `ioredis` (4 or later), the one that connect-redis had. */
export type ConnectRedisClient = Commands &
  ({ pTTL(key: string): Promise<unknown> } | { pttl(key: string): Promise<unknown> });

interface Parser {
  parse(text: string): unknown;
}

export interface ConnectRedisOptions {
  readonly client: ConnectRedisClient;
  /** As connect-redis had it. Default `sess:`. */
  readonly prefix?: string | undefined;
  /** As connect-redis had it. Default `JSON`. */
  readonly serializer?: Parser | undefined;
}

const CLIENT: Rule = (name, value) => {
  withMethods('a Redis client', 'get', 'del')(name, value);
  const { pTTL, pttl } = value as { pTTL?: unknown; pttl?: unknown };
  if (typeof pTTL === 'function' || typeof pttl === 'function') return;
  throw new HoldfastError('ERR_INVALID', `${name} must be a client of redis or ioredis, not ${describe(value)}`);
};

/** The sessions that connect-redis has stored, for the option `legacy`. */
export function connectRedis(options: ConnectRedisOptions): LegacySessions {
  const serializer = withMethods('a serializer', 'parse');
  checkOptions('connectRedis', options, { client: CLIENT, prefix: text, serializer });
  const { client, prefix = 'sess:', serializer: parser = JSON } = options;
  if (client === undefined)
    throw new HoldfastError('ERR_INVALID', 'connectRedis needs `client`: the one that connect-redis had');
  return {
    find: async (sid) => {
      const key = prefix + sid;
      const stored = await client.get(key);
      if (typeof stored !== 'string') return undefined;
      const left = Number(await ('pTTL' in client ? client.pTTL(key) : client.pttl(key)));
      return left === GONE ? undefined : { session: await parsed(stored, parser), leftMs: left < 0 ? undefined : left };
    },
    delete: (sid) => client.del(prefix + sid),
  };
}

/** What PTTL says of a key that is not there. */
const GONE = -2;

async function parsed(stored: string, parser: Parser): Promise<LegacySession['session']> {
  let session: unknown;
  let cause: unknown;
  try {
    session = await parser.parse(stored);
  } catch (error) {
    cause = error;
  }
  if (typeof session === 'object' && session !== null) return session;
  throw new HoldfastError(
    'ERR_CORRUPT',
    'a session of connect-redis could not be read: pass the `serializer` that it was written with',
    { cause },
  );
}
