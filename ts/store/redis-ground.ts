import { HoldfastError } from '../errors.ts';
import type { Deadline } from './deadline.ts';
import type { Command, Gate } from './redis-connection.ts';
import type { RedisKeys } from './redis-keys.ts';
import type { Scripts } from './redis-scripts.ts';
import type { Reply } from './redis-wire.ts';

/** Sends what the gate is opened by. */
type Ask = (command: Command, deadline: Deadline) => Promise<Reply>;

/** What may have to be brought back. */
interface Tails {
  waiting(session: string): Promise<void> | undefined;
  rescue(isOther: boolean): Promise<void>;
}

/** Version of how sessions lie under a prefix. */
const FORMAT = '1';

/**
 * What holds for the whole prefix, looked at before the first call, and again after each loss of the connection: then
 * what the server may have lost is brought back, before anybody else is served.
 */
export class RedisGround implements Gate {
  readonly #ask: Ask;
  readonly #scripts: Scripts;
  readonly #keys: RedisKeys;
  readonly #place: string;
  readonly #tails: Tails;
  /** The bound of what several calls wait for. */
  readonly #begin: () => Deadline;
  #opening: Promise<unknown> | undefined;
  #isOpen = false;
  /** The run of the server that was served last. */
  #server: string | undefined;
  #losses = 0;

  constructor(ask: Ask, scripts: Scripts, keys: RedisKeys, place: string, tails: Tails, begin: () => Deadline) {
    this.#ask = ask;
    this.#tails = tails;
    this.#begin = begin;
    this.#scripts = scripts;
    this.#keys = keys;
    this.#place = place;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** How often the connection was lost and is back. */
  get losses(): number {
    return this.#losses;
  }

  shut(): void {
    if (this.#server === undefined) return; // it is the first
    this.#losses += 1;
    this.#isOpen = false;
    // At once: others may wait for what is brought back, though nobody calls here.
    void this.open(this.#begin()).catch(() => undefined);
  }

  waiting(session: string): Promise<void> | undefined {
    return this.#tails.waiting(session);
  }

  /** Resolves when calls may be sent. Who asks at the same time waits for one look. */
  async open(deadline: Deadline): Promise<void> {
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined));
    await deadline.bound(this.#opening, 'none');
  }

  async #open(): Promise<void> {
    const lost = this.#losses;
    const { server } = await this.look(this.#begin());
    const isOther = this.#server !== undefined && (server !== this.#server || server === '');
    this.#server = server;
    await this.#tails.rescue(isOther);
    this.#isOpen = lost === this.#losses; // else it was lost again meanwhile
  }

  /** Refuses what must not be written to, and answers the epoch. */
  async look(deadline: Deadline): Promise<{ readonly epoch: number; readonly server: string }> {
    const { whole, buckets } = this.#keys;
    const args = [FORMAT, String(buckets)];
    const [found, server] = await Promise.all([
      this.#ask({ script: this.#scripts.open, keys: [whole], args, outcome: 'none', where: whole }, deadline),
      this.#runOf(deadline),
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
    return { epoch: Number(epoch), server };
  }

  /** Of the server: another after each start, and another of each replica. Empty: it may not be asked. */
  async #runOf(deadline: Deadline): Promise<string> {
    const asking = this.#ask({ keys: [], args: ['INFO', 'server'], outcome: 'none', where: 'INFO' }, deadline);
    return /^run_id:(\w+)/m.exec(String(await asking.catch(passRights)))?.[1] ?? '';
  }

  /** Sessions may be evicted, for each goes as a whole; of the marks of a bucket nothing may be lost. */
  async #checkEviction(deadline: Deadline): Promise<void> {
    const args = ['CONFIG', 'GET', 'maxmemory-policy'];
    const asking = this.#ask({ keys: [], args, outcome: 'none', where: 'CONFIG' }, deadline);
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
