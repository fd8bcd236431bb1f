import { systemClock } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { checkOptions } from '../options.ts';
import type { Position } from '../position.ts';
import { EPOCHS } from '../token.ts';
import type { Token } from '../token.ts';
import { checkAbove, checkAppend, checkIds, checkImage, checkList, noEpoch } from './arguments.ts';
import { checkListener, checkLock, checkRead, checkSweep, checkTouch, checkUnlock } from './arguments.ts';
import { Calls } from './calls.ts';
import type { Deadline } from './deadline.ts';
import type { LockOwner } from './lock.ts';
import type { RedisLink } from './redis-client.ts';
import { RedisConnection } from './redis-connection.ts';
import type { Command } from './redis-connection.ts';
import { isRefused } from './redis-error.ts';
import { linkOf } from './redis-link.ts';
import { RedisGround } from './redis-ground.ts';
import { termsOf } from './outage-terms.ts';
import { ownedAppend } from './owned.ts';
import { RedisInbox } from './redis-inbox.ts';
import { RedisTails } from './redis-tails.ts';
import type { Rescue } from './redis-tails.ts';
import { RedisKeys } from './redis-keys.ts';
import { REDIS_RULES } from './redis-options.ts';
import type { RedisStoreOptions } from './redis-options.ts';
import { rowPage } from './redis-pages.ts';
import type { Chunk, PageQuery } from './redis-pages.ts';
import { newClient, redisPlaceOf } from './redis-url.ts';
import { RedisReplicas, tooFew } from './redis-replicas.ts';
import type { Beyond } from './redis-replicas.ts';
import { scriptsOf } from './redis-scripts.ts';
import type { ScriptName, Scripts } from './redis-scripts.ts';
import { appendedOf, inspectedOf, lockReplyOf, packAppend, packLock, packRead, packReplace } from './redis-wire.ts';
import { packTouch, packUnlock, tailOf, touchedOf } from './redis-wire.ts';
import type { Argument, Reply } from './redis-wire.ts';
import { shortId } from './row.ts';
import { Sweeper } from './sweeper.ts';
import type {
  Append,
  Appended,
  CallOptions,
  Capabilities,
  Durability,
  Hint,
  ListQuery,
  LockReply,
  LockRequest,
  OutageOptions,
} from './store.ts';
import type {
  Membership,
  Page,
  ReadRequest,
  SessionImage,
  Store,
  SweepRequest,
  Tail,
  Touch,
  Touched,
} from './store.ts';

export type { IoredisClient, IoredisCluster, RedisClient } from './redis-client.ts';
export type { NodeRedisClient, NodeRedisCluster, NodeRedisSentinel } from './redis-client.ts';
export type { RedisStoreOptions } from './redis-options.ts';

/** The bound of a call that names none. */
const BOUND_MS = 5000;
/** Between two attempts to open. */
const AGAIN_MS = 50;
/** All that an append may ask for. */
type Level = Capabilities['durability'][number];
const LEVELS: readonly Level[] = ['primary', 'replicas', 'fsync'];
/** They change nothing. */
const READS: ReadonlySet<ScriptName> = new Set(['read', 'inspect', 'living']);

/**
 * Sessions on a Redis server (6.2 or later): every process that reaches it shares them. Every call on a session is one
 * script, and so one round trip and atomic. A call is acknowledged when the server's memory has it: what survives the
 * server's end is what its own persistence kept, and its replicas follow later. Leases and expiries go by the server's
 * wall clock.
 */
export class RedisStore implements Store {
  readonly address: string;
  readonly can: Capabilities;
  readonly outage: OutageOptions;
  readonly #durability: Durability;
  readonly #replicas: RedisReplicas;
  readonly #keys: RedisKeys;
  readonly #clock: Clock | undefined;
  readonly #link: RedisLink;
  readonly #connection: RedisConnection;
  readonly #inbox: RedisInbox;
  readonly #scripts: Scripts;
  readonly #calls: Calls;
  readonly #ground: RedisGround;
  readonly #tails: RedisTails;
  readonly #rescue: Rescue = {
    offer: (id, append) => this.#offer(id, append, this.#calls.within(), true),
    look: async (id, since) => {
      const args = packRead({ since, limitBytes: 0 });
      return tailOf(await this.#session('read', id, args, this.#calls.within(), false, true));
    },
  };
  readonly #sweeper: Sweeper;
  /** The client was made for this store alone. */
  #ownsClient = false;
  #closing: Promise<void> | undefined;

  constructor(options: RedisStoreOptions) {
    checkOptions('RedisStore', options, REDIS_RULES);
    const { client, prefix = 'hf', buckets = 1024, clock, outage = {}, durability = 'primary' } = options;
    this.outage = outage;
    const time = clock ?? systemClock;
    const levels = new Set<Level>([typeof durability === 'object' ? 'replicas' : durability, ...LEVELS]);
    this.can = { durability: [...levels], watch: false, find: true };
    this.#durability = durability;
    this.#keys = new RedisKeys(prefix, buckets);
    this.#clock = clock;
    this.#link = linkOf(client);
    this.#replicas = new RedisReplicas(this.#link, (command, deadline) => this.#connection.run(command, deadline));
    this.address = `redis://${this.#link.place}/${prefix}`;
    this.#calls = new Calls('Redis', time, BOUND_MS);
    this.#inbox = new RedisInbox(this.#link, this.#keys);
    this.#tails = new RedisTails(time, (id, position) => this.#inbox.tell({ kind: 'lost', id, position }));
    this.#scripts = scriptsOf(clock !== undefined);
    this.#ground = new RedisGround(
      (command, deadline) => this.#connection.run(command, deadline),
      this.#link,
      time,
      this.#scripts,
      this.#keys,
      {
        ids: () => this.#tails.ids(),
        waiting: (id) => this.#tails.waiting(id),
        rescue: (isHere, isOther) => this.#tails.rescue(isHere, isOther, this.#rescue),
      },
      () => this.#calls.within(),
    );
    this.#connection = new RedisConnection(this.#link, time, termsOf(undefined, outage)?.failMs ?? 250, this.#ground);
    this.#sweeper = new Sweeper(this, time, options);
  }

  /**
   * By a URL, as `openStore` takes it, over a client of its own. `ERR_UNAVAILABLE`: nobody answers there within 5 s, in
   * which a server that is started again has come back; or the server refuses the connection (a wrong password, say).
   */
  static async open(address: string, options: Omit<RedisStoreOptions, 'client' | 'prefix'> = {}): Promise<RedisStore> {
    const place = redisPlaceOf(address);
    const client = newClient(place);
    let store: RedisStore | undefined;
    try {
      store = new RedisStore({ ...options, client, prefix: place.prefix });
      await store.#answered();
      store.#ownsClient = true;
      return store;
    } catch (error) {
      await store?.close();
      linkOf(client).end();
      throw error;
    }
  }

  async #answered(): Promise<void> {
    const time = this.#clock ?? systemClock;
    for (const end = time.monotonic() + BOUND_MS; ;) {
      try {
        return void (await this.ping());
      } catch (error) {
        const { code, cause } = error as HoldfastError;
        if (code !== 'ERR_UNAVAILABLE' || isRefused(cause) || time.monotonic() >= end) throw error;
        await new Promise<void>((resolve) => time.after(AGAIN_MS, resolve));
      }
    }
  }

  async read(id: string, request: ReadRequest, options?: CallOptions): Promise<Tail> {
    const deadline = this.#calls.beginFor(id, options);
    checkRead(request);
    return this.#seen(id, tailOf(await this.#session('read', id, packRead(request), deadline)));
  }

  async append(id: string, append: Append, options?: CallOptions): Promise<Appended> {
    const deadline = this.#calls.beginFor(id, options);
    checkAppend(id, append, this.can);
    const owned = ownedAppend(append);
    const { durability = this.#durability } = append;
    const key = this.#marksOf(id);
    if (durability === 'fsync') await this.#calls.track(this.#replicas.checkDisk(key, deadline));
    const appended = await this.#offer(id, owned, deadline);
    if (appended.appended) this.#tails.note(id, owned, appended.token);
    else if (appended.why !== 'locked') this.#seen(id, appended.tail);
    if (appended.appended && durability !== 'primary')
      await this.#calls.track(this.#replicated(key, durability, deadline));
    return appended;
  }

  async #replicated(key: string, level: Beyond, deadline: Deadline): Promise<void> {
    const part = this.#ground.partOf(key);
    await this.#replicas.have(key, level, deadline);
    if (this.#ground.partOf(key) !== part) throw tooFew(level); // perhaps another server was asked, without it
  }

  async replace(
    id: string,
    image: SessionImage,
    expected: Position | undefined,
    options?: CallOptions,
  ): Promise<Appended> {
    const deadline = this.#calls.beginFor(id, options);
    checkImage(id, image, expected);
    this.#tails.forget(id); // another state takes the place of what they lead to
    return appendedOf(await this.#session('replace', id, packReplace(image, expected), deadline, true), image.token);
  }

  async lock(id: string, request: LockRequest, options?: CallOptions): Promise<LockReply> {
    const deadline = this.#calls.beginFor(id, options);
    checkLock(request);
    const mayBeNew = request.existing !== true;
    const reply = lockReplyOf(await this.#session('lock', id, packLock(request), deadline, mayBeNew));
    if (reply.tail !== undefined) this.#seen(id, reply.tail);
    return reply;
  }

  async unlock(id: string, who: { readonly token: Token } | LockOwner, options?: CallOptions): Promise<void> {
    const deadline = this.#calls.beginFor(id, options);
    checkUnlock(who);
    await this.#session('unlock', id, packUnlock(who), deadline);
  }

  async touch(id: string, touch: Touch, options?: CallOptions): Promise<Touched> {
    const deadline = this.#calls.beginFor(id, options);
    checkTouch(touch);
    return touchedOf(await this.#session('touch', id, packTouch(touch), deadline));
  }

  async inspect(id: string, options?: CallOptions): ReturnType<Store['inspect']> {
    const deadline = this.#calls.beginFor(id, options);
    return inspectedOf(await this.#session('inspect', id, [], deadline));
  }

  async join(listener: (hint: Hint) => void, options?: CallOptions): Promise<Membership> {
    const deadline = this.#calls.begin(options);
    checkListener(listener);
    return this.#calls.track(this.#join(listener, deadline)); // as one: `close` waits for all of it
  }

  async #join(listener: (hint: Hint) => void, deadline: Deadline): Promise<Membership> {
    const { epoch } = await this.#ground.look(deadline);
    const joining = this.#inbox.join(listener);
    const { member, leave } = await deadline.bound(joining).catch((error: unknown) => {
      joining.then(
        (late) => late.leave(),
        () => undefined,
      ); // nobody learns of its name any more
      throw error;
    });
    return {
      member,
      epoch,
      watch: async (ids, watchOptions) => {
        this.#calls.begin(watchOptions);
        checkIds(ids);
        throw new HoldfastError('ERR_INVALID', 'the Redis store cannot watch: ask store.can.watch first');
      },
      leave: async (leaveOptions) => {
        if (!this.#calls.closed) this.#calls.begin(leaveOptions);
        await leave();
      },
    };
  }

  async list(query: ListQuery, options?: CallOptions): Promise<Page> {
    const deadline = this.#calls.begin(options);
    checkList(query);
    const { term = '' } = query;
    const { results, cursor } = await this.#parts(deadline, 'none', (part) =>
      this.#rows(query, part, async (chunk) => {
        const living = await this.#bucket('living', chunk, [term], part);
        return (living as readonly number[]).map((index) => chunk.ids[index] as string);
      }),
    );
    return { ids: results.flat(), ...(cursor !== undefined && { cursor }) };
  }

  async sweep(request: SweepRequest, options?: CallOptions): ReturnType<Store['sweep']> {
    const deadline = this.#calls.begin(options);
    checkSweep(request);
    const args = [String(request.graceMs)];
    const { results, cursor } = await this.#parts(deadline, 'unknown', (part) =>
      this.#rows(request, part, async (chunk) => (await this.#bucket('sweep', chunk, args, part)) as number),
    );
    return { swept: results.reduce((sum, one) => sum + one, 0), ...(cursor !== undefined && { cursor }) };
  }

  async promote(above: number, options?: CallOptions): Promise<{ readonly epoch: number }> {
    const deadline = this.#calls.begin(options);
    checkAbove(above);
    return this.#parts(deadline, 'unknown', async (part) => {
      const args = [String(above), String(EPOCHS)];
      const [epoch, from] = (await this.#run('promote', [this.#keys.whole], args, part)) as [number, number];
      if (epoch === 0) throw noEpoch(from);
      const raise = (_: unknown, bucket: number): Promise<Reply> =>
        this.#run('raise', [this.#keys.marks(bucket)], [String(epoch)], part);
      await Promise.all(Array.from({ length: this.#keys.buckets }, raise));
      return { epoch };
    });
  }

  async ping(options?: CallOptions): Promise<{ readonly epoch: number }> {
    const deadline = this.#calls.begin(options);
    if (this.#durability === 'fsync') await this.#calls.track(this.#replicas.checkDisk(this.#keys.whole, deadline));
    return this.#calls.track(this.#ground.look(deadline));
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#sweeper.stop();
    this.#replicas.endSoon();
    await this.#calls.close();
    this.#tails.close();
    this.#inbox.close();
    this.#replicas.close();
    this.#connection.close();
    if (this.#ownsClient) this.#link.end();
  }

  #marksOf(id: string): string {
    return this.#keys.marks(this.#keys.bucketOf(id));
  }

  #seen(id: string, tail: Tail): Tail {
    if (tail.head !== undefined) this.#tails.see(id, tail.head.position.revision);
    return tail;
  }

  /** `opens`: it brings back what was lost, before anybody else is served. */
  async #offer(id: string, append: Append, deadline: Deadline, opens = false): Promise<Appended> {
    const under = typeof append.under === 'number' ? append.under : 0;
    const mayBeNew = append.position.revision === 1;
    return appendedOf(await this.#session('append', id, packAppend(append), deadline, mayBeNew, opens), under);
  }

  /** The one round trip of a call on a session. `mayBeNew`: it may make the row. */
  #session(
    name: ScriptName,
    id: string,
    args: readonly Argument[],
    deadline: Deadline,
    mayBeNew = false,
    opens = false,
  ): Promise<Reply> {
    const marks = this.#marksOf(id);
    const keys: Command['keys'] = mayBeNew
      ? [marks, marks + id, this.#keys.ids(this.#keys.bucketOf(id))]
      : [marks, marks + id];
    const about = { where: marks + shortId(id), session: id, opens };
    return this.#calls.track(this.#run(name, keys, args, deadline, about));
  }

  /** A call of several scripts: none of them looks at the caller's signal, the whole does. */
  #parts<T>(deadline: Deadline, outcome: Command['outcome'], run: (part: Deadline) => Promise<T>): Promise<T> {
    return this.#calls.track(deadline.bound(run(this.#calls.within(deadline.leftMs)), outcome));
  }

  #rows<T>(query: PageQuery, part: Deadline, look: (chunk: Chunk) => Promise<T>): ReturnType<typeof rowPage<T>> {
    const ask = (key: string, args: readonly string[]): Promise<Reply> =>
      this.#connection.run({ keys: [key], args, outcome: 'none', where: key }, part);
    return rowPage(this.#keys, query, ask, look);
  }

  #bucket(name: ScriptName, { bucket, ids }: Chunk, args: readonly Argument[], deadline: Deadline): Promise<Reply> {
    const marks = this.#keys.marks(bucket);
    return this.#run(name, [marks, this.#keys.ids(bucket), ...ids.map((id) => marks + id)], args, deadline);
  }

  #run(
    name: ScriptName,
    keys: Command['keys'],
    args: readonly Argument[],
    deadline: Deadline,
    about: Pick<Command, 'where' | 'session' | 'opens'> = { where: keys[0] },
  ): Promise<Reply> {
    const time = this.#clock === undefined ? [] : [String(Math.floor(this.#clock.now()))];
    const outcome = READS.has(name) ? 'none' : 'unknown';
    const script = this.#scripts[name];
    return this.#connection.run({ script, keys, args: [...args, ...time], outcome, ...about }, deadline);
  }
}
