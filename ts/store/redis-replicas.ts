import { HoldfastError } from '../errors.ts';
import type { Deadline } from './deadline.ts';
import type { RedisLink, RedisQueue } from './redis-client.ts';
import type { Command } from './redis-connection.ts';
import type { Argument, Reply } from './redis-wire.ts';
import type { Durability } from './store.ts';

/** Of one question to the server: who comes while it is asked waits for the next. */
const LONGEST_MS = 250;

/** More than the memory of the primary. */
export type Beyond = Exclude<Durability, 'primary'>;

/**
 * Waits until what was written is where it is to be. By connections of its own, which the waiting blocks, to each
 * server; and what counts is all that was written before the last command of such a connection: so that it begins with
 * one.
 */
export class RedisReplicas {
  readonly #link: RedisLink;
  readonly #ask: (command: Command, deadline: Deadline) => Promise<Reply>;
  readonly #questions = new Map<string, Question>();
  /** Servers that said what their disk has. */
  readonly #able = new Set<string>();
  #isEnding = false;

  /** `ask`: on the connection that all share. */
  constructor(link: RedisLink, ask: (command: Command, deadline: Deadline) => Promise<Reply>) {
    this.#link = link;
    this.#ask = ask;
  }

  /** Resolves when all is there that was acknowledged by the server of `key` before this call; `ERR_UNAVAILABLE`, outcome `unknown`, else. */
  async have(key: string, level: Beyond, deadline: Deadline): Promise<void> {
    const count = level === 'fsync' ? 1 : level.replicas;
    for (let found = 0; found < count;) {
      try {
        found = await deadline.bound(this.#question(key, level === 'fsync').ask(count));
      } catch (cause) {
        throw tooFew(level, cause);
      }
      if (found < count && this.#isEnding) throw tooFew(level);
    }
  }

  /** `ERR_INVALID`: the server of `key` cannot say what its disk has. To be asked before anything is written. */
  async checkDisk(key: string, deadline: Deadline): Promise<void> {
    const owner = this.#link.ownerOf(key);
    if (this.#able.has(owner)) return;
    const args = ['WAITAOF', '1', '0', '1'];
    const command: Command = { keys: [key], args, ofServer: true, outcome: 'none', where: 'WAITAOF', opens: true };
    await this.#ask(command, deadline).catch((error: HoldfastError) => {
      throw unable(error.cause, owner) ?? error;
    });
    this.#able.add(owner);
  }

  /** Who waits is told after one more answer: the end is not put off for replicas that do not come. */
  endSoon(): void {
    this.#isEnding = true;
  }

  close(): void {
    for (const question of this.#questions.values()) question.end();
  }

  #question(key: string, ofDisk: boolean): Question {
    const name = `${this.#link.ownerOf(key)} ${ofDisk}`;
    const known = this.#questions.get(name);
    if (known !== undefined) return known;
    for (const other of this.#questions.values()) other.rest(); // perhaps of a server that is gone for good
    const question = new Question(this.#link, key, ofDisk);
    this.#questions.set(name, question);
    return question;
  }
}

/** What is asked of one server, on one connection: by all who come meanwhile at once. */
class Question {
  readonly #connect: () => Promise<RedisQueue>;
  readonly #ofDisk: boolean;
  #queue: Promise<RedisQueue> | undefined;
  #asking: Promise<number> | undefined;
  #next: Promise<number> | undefined;

  constructor(link: RedisLink, key: string, ofDisk: boolean) {
    this.#connect = async () => (await link.nodeOf(key)).queue();
    this.#ofDisk = ofDisk;
  }

  /** How many have what was written before this call. */
  ask(count: number): Promise<number> {
    const begin = (): Promise<number> => this.#begin(count);
    this.#next ??= (this.#asking ?? Promise.resolve(0)).then(begin, begin);
    return this.#next;
  }

  /** Without a connection, until it is asked again. */
  rest(): void {
    if (this.#asking === undefined) this.end();
  }

  end(): void {
    const queue = this.#queue;
    this.#queue = undefined;
    queue?.then(
      (connected) => connected.end(),
      () => undefined,
    );
  }

  #begin(count: number): Promise<number> {
    this.#next = undefined;
    const asking = this.#send(count);
    this.#asking = asking.finally(() => (this.#asking = undefined));
    this.#asking.catch(() => this.end()); // who asked learns of it; the next connects anew
    return asking;
  }

  async #send(count: number): Promise<number> {
    const queue = await (this.#queue ??= this.#connect());
    await queue.send(['PING']);
    const wait: Argument[] = this.#ofDisk ? ['WAITAOF', '1', '0'] : ['WAIT', String(count)];
    const found = await queue.send([...wait, String(LONGEST_MS)]);
    return Number(this.#ofDisk ? (found as readonly unknown[])[0] : found);
  }
}

function unable(error: unknown, owner: string): HoldfastError | undefined {
  const message = error instanceof Error ? error.message : '';
  const refuse = (what: string): HoldfastError =>
    new HoldfastError(
      'ERR_INVALID',
      `the Redis server at ${owner} cannot acknowledge by its disk (durability 'fsync'): ${what}`,
      {
        cause: error,
      },
    );
  if (/^ERR unknown command/i.test(message)) return refuse('that takes WAITAOF, of Redis 7.2');
  if (/appendonly is disabled/i.test(message)) return refuse('set appendonly yes there');
  if (message.startsWith('NOPERM')) return refuse('give the user the right +waitaof');
  return undefined;
}

/** It is in the primary, and not where durability asks for it, or nobody can tell. */
export const tooFew = (level: Beyond, cause?: unknown): HoldfastError => {
  const where = level === 'fsync' ? 'its disk was' : `${level.replicas} of its replicas were`;
  return new HoldfastError(
    'ERR_UNAVAILABLE',
    `Redis: the primary has it, and ${where} to have it too, but did not say so in time: offer the identical call again, or see to ${level === 'fsync' ? 'the disk' : 'the replicas'}`,
    { cause, outcome: 'unknown' },
  );
};
