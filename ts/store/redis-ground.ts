import { HoldfastError } from '../errors.ts';
import type { Deadline } from './deadline.ts';
import type { RedisConnection } from './redis-connection.ts';
import type { RedisKeys } from './redis-keys.ts';
import type { Scripts } from './redis-scripts.ts';

/** Version of how sessions lie under a prefix. */
const FORMAT = '1';

/** What holds for the whole prefix, looked at before the first call, and again after each loss of the connection. */
export class RedisGround {
  readonly #connection: RedisConnection;
  readonly #scripts: Scripts;
  readonly #keys: RedisKeys;
  readonly #place: string;
  #opening: Promise<unknown> | undefined;
  #isOpen = false;

  constructor(connection: RedisConnection, scripts: Scripts, keys: RedisKeys, place: string) {
    this.#connection = connection;
    this.#scripts = scripts;
    this.#keys = keys;
    this.#place = place;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  doubt(): void {
    this.#isOpen = false;
  }

  /** Resolves when calls may be sent. Who asks at the same time waits for one look, which `whole` bounds. */
  async open(deadline: Deadline, whole: () => Deadline): Promise<void> {
    if (this.#isOpen) return;
    this.#opening ??= this.look(whole()).finally(() => (this.#opening = undefined));
    await deadline.bound(this.#opening, 'none');
  }

  /** Refuses what must not be written to, and answers the epoch. */
  async look(deadline: Deadline): Promise<{ readonly epoch: number }> {
    const { whole, buckets } = this.#keys;
    const args = [FORMAT, String(buckets)];
    const [found] = await Promise.all([
      this.#connection.run(
        { script: this.#scripts.open, keys: [whole], args, outcome: 'none', where: whole },
        deadline,
      ),
      this.#isOpen ? undefined : this.#checkEviction(deadline),
    ]);
    const [format, inBuckets, epoch] = (found as readonly (Buffer | null)[]).map((value) => String(value ?? 0));
    if (format !== FORMAT)
      throw this.#unlike(
        `has format ${format}, where ${FORMAT} is read: use a newer version of Holdfast, or another prefix`,
      );
    if (inBuckets !== String(buckets))
      throw this.#unlike(
        `lies in ${inBuckets} buckets, not ${buckets}: give the option buckets: ${inBuckets}, or another prefix`,
      );
    this.#isOpen = true;
    return { epoch: Number(epoch) };
  }

  /** Sessions may be evicted, for each goes as a whole; of the marks of a bucket nothing may be lost. */
  async #checkEviction(deadline: Deadline): Promise<void> {
    const args = ['CONFIG', 'GET', 'maxmemory-policy'];
    const asking = this.#connection.run({ keys: [], args, outcome: 'none', where: 'CONFIG' }, deadline);
    const found = (await asking.catch(passRights)) as readonly Buffer[] | undefined;
    const policy = found?.[1]?.toString() ?? '';
    if (!policy.startsWith('allkeys-')) return;
    throw new HoldfastError(
      'ERR_INVALID',
      `the Redis server at ${this.#place} evicts any key when its memory is full (maxmemory-policy ${policy}), and would forget which tokens are outdated: set noeviction, or one of volatile-*`,
    );
  }

  #unlike(what: string): HoldfastError {
    return new HoldfastError(
      'ERR_INVALID',
      `what is stored under the prefix '${this.#keys.prefix}' at ${this.#place} ${what}`,
    );
  }
}

/** Not everybody may ask for the configuration. */
function passRights(error: unknown): undefined {
  const { cause } = error as { cause?: unknown };
  if (cause instanceof Error && /^(?:NOPERM|ERR) /.test(cause.message)) return undefined;
  throw error;
}
