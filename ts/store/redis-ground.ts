import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import type { Deadline } from './deadline.ts';
import type { RedisLink } from './redis-client.ts';
import type { Command, Gate } from './redis-connection.ts';
import type { RedisKeys } from './redis-keys.ts';
import type { Scripts } from './redis-scripts.ts';
import { slotOf } from './redis-slot.ts';
import { KEPT_MS } from './redis-tails.ts';
import type { Reply } from './redis-wire.ts';

/** Sends what the gate is opened by. */
type Ask = (command: Command, deadline: Deadline) => Promise<Reply>;

/** What may have to be brought back. */
interface Tails {
  ids(): Iterable<string>;
  waiting(session: string): Promise<void> | undefined;
  rescue(isHere: (id: string) => boolean, isOther: (id: string) => boolean): Promise<void>;
}

/** Version of how sessions lie under a prefix. */
const FORMAT = '1';
const AGAIN_MS = 25;

/** A server as it was when it was looked at, until the connection to it is lost. */
interface Part {
  /** Another after each start of it, and another of each replica. Empty: nobody may ask. */
  server: string;
  isOpen: boolean;
}

/**
 * What holds for a server, and for the whole prefix, looked at before the first call to it, and again after each loss of
 * the connection, or when another has its sessions: then what that server may lack is brought back, before anybody
 * else is served.
 */
export class RedisGround implements Gate {
  readonly #ask: Ask;
  readonly #link: RedisLink;
  readonly #clock: Clock;
  readonly #scripts: Scripts;
  readonly #keys: RedisKeys;
  readonly #tails: Tails;
  /** The bound of what several calls wait for. */
  readonly #begin: () => Deadline;
  readonly #openings = new Map<string, Promise<void>>();
  /** By server. */
  readonly #parts = new Map<string, Part>();
  /** By slot: what was served last by it. */
  readonly #served = new Map<number, Part>();
  #isChecked = false;
  #reopenUntil = 0;
  #isReopening = false;

  constructor(
    ask: Ask,
    link: RedisLink,
    clock: Clock,
    scripts: Scripts,
    keys: RedisKeys,
    tails: Tails,
    begin: () => Deadline,
  ) {
    this.#ask = ask;
    this.#link = link;
    this.#clock = clock;
    this.#tails = tails;
    this.#begin = begin;
    this.#scripts = scripts;
    this.#keys = keys;
  }

  partOf(key: string): object | undefined {
    return this.#parts.get(this.#link.ownerOf(key));
  }

  isOpen(key: string): boolean {
    const part = this.#parts.get(this.#link.ownerOf(key));
    return part?.isOpen === true && this.#served.get(slotOf(key)) === part;
  }

  shut(owner?: string): void {
    if (owner === undefined ? this.#parts.size === 0 : !this.#parts.has(owner)) return; // it was not served yet
    if (owner === undefined) this.#parts.clear();
    else this.#parts.delete(owner);
    // At once: others may wait for what is brought back, though nobody calls here.
    this.#reopenUntil = this.#clock.monotonic() + KEPT_MS;
    if (!this.#isReopening) void this.#reopen();
  }

  waiting(session: string): Promise<void> | undefined {
    return this.#tails.waiting(session);
  }

  /** Resolves when calls may be sent, or another server has the key by then. Who asks at the same time waits for one look. */
  async open(key: string, deadline: Deadline): Promise<void> {
    const owner = this.#link.ownerOf(key);
    const opening = this.#openings.get(owner) ?? this.#open(owner, key).finally(() => this.#openings.delete(owner));
    this.#openings.set(owner, opening);
    await deadline.bound(opening, 'none');
  }

  async #open(owner: string, key: string): Promise<void> {
    const part: Part = { server: '', isOpen: false };
    this.#parts.set(owner, part);
    const deadline = this.#begin();
    const mustCheck = !this.#isChecked || this.#link.ownerOf(this.#keys.whole) === owner;
    [part.server] = await Promise.all([
      this.#serverOf(key, deadline),
      this.#checkEviction(key, owner, deadline),
      mustCheck ? this.look(deadline, true) : undefined,
    ]);
    if (this.#link.ownerOf(key) !== owner) return;
    const others = this.#take(owner, part);
    const isOther = (id: string): boolean => others.has(this.#slotOf(id));
    await this.#tails.rescue((id) => this.#served.get(this.#slotOf(id)) === part, isOther);
    part.isOpen = true;
  }

  /** From now on it serves what it has; the slots are told that another served last. */
  #take(owner: string, part: Part): ReadonlySet<number> {
    const others = new Set<number>();
    const keys = Array.from({ length: this.#keys.buckets }, (_, bucket) => this.#keys.marks(bucket));
    for (const key of [this.#keys.whole, ...keys]) {
      if (this.#link.ownerOf(key) !== owner) continue;
      const slot = slotOf(key);
      const last = this.#served.get(slot);
      if (last !== undefined && (last.server !== part.server || part.server === '')) others.add(slot);
      this.#served.set(slot, part);
    }
    return others;
  }

  #slotOf(id: string): number {
    return slotOf(this.#keys.marks(this.#keys.bucketOf(id)));
  }

  async #reopen(): Promise<void> {
    this.#isReopening = true;
    while (this.#clock.monotonic() < this.#reopenUntil) {
      const key = this.#shutKey();
      if (key === undefined) break;
      await this.open(key, this.#begin()).catch(() => undefined);
      if (!this.isOpen(key)) await new Promise<void>((resolve) => this.#clock.after(AGAIN_MS, resolve, true));
    }
    this.#isReopening = false;
  }

  /** Of a session that is known here, and must not be asked for. */
  #shutKey(): string | undefined {
    for (const id of this.#tails.ids()) {
      const key = this.#keys.marks(this.#keys.bucketOf(id));
      if (!this.isOpen(key)) return key;
    }
    return undefined;
  }

  /** Refuses what must not be written to, and answers the epoch. `opens`: before anybody is served. */
  async look(deadline: Deadline, opens = false): Promise<{ readonly epoch: number }> {
    const { whole, buckets } = this.#keys;
    const args = [FORMAT, String(buckets)];
    const command: Command = { script: this.#scripts.open, keys: [whole], args, outcome: 'none', where: whole, opens };
    const found = (await this.#ask(command, deadline)) as readonly (Buffer | null)[];
    const [format, inBuckets, epoch] = found.map((value) => String(value ?? 0));
    if (format !== FORMAT)
      throw this.#unlike(
        `has format ${format}, where ${FORMAT} is read: use a newer version of Holdfast, or another prefix`,
      );
    if (inBuckets !== String(buckets))
      throw this.#unlike(
        `lies in ${inBuckets} buckets, not ${buckets}: give the option buckets: ${inBuckets}, or another prefix`,
      );
    this.#isChecked = true;
    return { epoch: Number(epoch) };
  }

  /** Asked by a script, so that whoever has the key answers. */
  async #serverOf(key: string, deadline: Deadline): Promise<string> {
    const command: Command = {
      script: this.#scripts.server,
      keys: [key],
      args: [],
      outcome: 'none',
      where: 'INFO',
      opens: true,
    };
    const found = await this.#ask(command, deadline).catch(passRights);
    return found === undefined ? '' : String(found);
  }

  /** Sessions may be evicted, for each goes as a whole; of the marks of a bucket nothing may be lost. */
  async #checkEviction(key: string, owner: string, deadline: Deadline): Promise<void> {
    const args = ['CONFIG', 'GET', 'maxmemory-policy'];
    const asking = this.#ask(
      { keys: [key], args, ofServer: true, outcome: 'none', where: 'CONFIG', opens: true },
      deadline,
    );
    const found = (await asking.catch(passRights)) as readonly Buffer[] | undefined;
    const policy = found?.[1]?.toString() ?? '';
    if (!policy.startsWith('allkeys-')) return;
    throw new HoldfastError(
      'ERR_INVALID',
      `the Redis server at ${owner} evicts any key when its memory is full (maxmemory-policy ${policy}), and would forget which tokens are outdated: set noeviction, or one of volatile-*`,
    );
  }

  #unlike(what: string): HoldfastError {
    return new HoldfastError(
      'ERR_INVALID',
      `what is stored under the prefix '${this.#keys.prefix}' at ${this.#link.place} ${what}`,
    );
  }
}

/** Not everybody may ask for the configuration. */
function passRights(error: unknown): undefined {
  const { cause } = error as { cause?: unknown };
  if (cause instanceof Error && /^(?:NOPERM|ERR) /.test(cause.message)) return undefined;
  throw error;
}
