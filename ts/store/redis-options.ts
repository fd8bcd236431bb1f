import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { clock as clockRule, count, nested, withMethods } from '../options.ts';
import type { Rule, Rules } from '../options.ts';
import { outageRule } from './outage-terms.ts';
import type { RedisClient } from './redis-client.ts';
import type { Durability, OutageOptions } from './store.ts';
import { SWEEP_RULES } from './sweeper.ts';
import type { SweepOptions } from './sweeper.ts';

export interface RedisStoreOptions extends SweepOptions {
  /** Of the package `redis` or `ioredis`: of one server, of Sentinels or of a Cluster. It stays its user's: the store does not close it. */
  readonly client: RedisClient;
  /** Begins all keys and channels, without `{`, `}` and `@`. Default `hf`. */
  readonly prefix?: string | undefined;
  /** How many parts the sessions of a prefix lie in, which stays as it was first chosen. Default 1024. */
  readonly buckets?: number | undefined;
  /** How its users meet the loss of the connection, where they say nothing else. */
  readonly outage?: OutageOptions | undefined;
  /** Of appends that name none: the memory of the primary (the default) has it, or its disk, or so many replicas, too. */
  readonly durability?: Durability | undefined;
  /** For tests: the time that the scripts go by, too. Default: the server's, and the system's for timers. */
  readonly clock?: Clock | undefined;
}

const MOST_BUCKETS = 65_536;

const prefixRule: Rule = (name, value) => {
  if (typeof value === 'string' && value !== '' && value.length <= 64 && !/[{}@]/.test(value)) return;
  throw new HoldfastError('ERR_INVALID', `${name} must be a text of 1 to 64 characters without {, } and @`);
};

const durabilityRule: Rule = (name, value) => {
  if (value === 'primary' || value === 'fsync') return;
  if (typeof value !== 'object' || value === null)
    throw new HoldfastError('ERR_INVALID', `${name} must be 'primary', 'fsync' or { replicas: n }`);
  nested({ replicas: count(1) })(name, value);
  count(1)(`${name}.replicas`, (value as { replicas?: unknown }).replicas);
};

const bucketsRule: Rule = (name, value) => {
  count(1)(name, value);
  if ((value as number) > MOST_BUCKETS)
    throw new HoldfastError('ERR_INVALID', `${name} must be ${MOST_BUCKETS} at most`);
};

export const REDIS_RULES: Rules = {
  client: withMethods('a client of `redis` or `ioredis`', 'on', 'off', 'duplicate'),
  prefix: prefixRule,
  buckets: bucketsRule,
  durability: durabilityRule,
  outage: outageRule,
  clock: clockRule,
  ...SWEEP_RULES,
};
