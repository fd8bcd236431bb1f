import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../errors.ts';
import type { RedisLink, Subscriber } from './redis-client.ts';
import { isReply } from './redis-error.ts';
import type { RedisKeys } from './redis-keys.ts';
import { shortId } from './row.ts';
import type { Hint, Membership } from './store.ts';

const NAME_BYTES = 9;
/** A connection that is lost while it begins to listen is there again soon. */
const PERSIST_MS = 1000;
const AGAIN_MS = 20;

/**
 * Hints of all members of one store, over one connection that listens: each has a channel of its own. Nothing is
 * promised: whoever is not there misses its hints, and is told so when the connection is back.
 */
export class RedisInbox {
  readonly #link: RedisLink;
  readonly #keys: RedisKeys;
  readonly #listeners = new Map<string, (hint: Hint) => void>();
  #subscriber: Subscriber | undefined;

  constructor(link: RedisLink, keys: RedisKeys) {
    this.#link = link;
    this.#keys = keys;
  }

  async join(listener: (hint: Hint) => void): Promise<Pick<Membership, 'member' | 'leave'>> {
    const member = randomBytes(NAME_BYTES).toString('base64url');
    const channel = this.#keys.channel(member);
    const subscriber = (this.#subscriber ??= this.#link.subscriber(() => this.tell({ kind: 'resync' })));
    this.#listeners.set(member, listener);
    const leave = async (): Promise<void> => {
      this.#listeners.delete(member);
      subscriber.unsubscribe(channel).catch(() => undefined); // nobody hears what still comes
    };
    try {
      await persist(() => subscriber.subscribe(channel, (message) => this.#deliver(member, message)));
    } catch (cause) {
      await leave();
      if (this.#listeners.size === 0) this.close(); // the next to join begins anew
      throw unreached(this.#link.place, cause);
    }
    return { member, leave };
  }

  close(): void {
    this.#listeners.clear();
    this.#subscriber?.close();
    this.#subscriber = undefined;
  }

  #deliver(member: string, message: Buffer): void {
    const hint = hintOf(message.toString());
    if (hint !== undefined) this.#listeners.get(member)?.(hint);
  }

  /** All members of this store; where there are none, whoever reads the warnings of the process. */
  tell(hint: Hint): void {
    for (const listener of this.#listeners.values()) listener(hint);
    if (this.#listeners.size === 0 && hint.kind === 'lost')
      process.emitWarning(
        `revision ${hint.position.revision} of session '${shortId(hint.id)}' had been acknowledged, and is gone: ${this.#link.place} came back without it, and another wrote first`,
        'HoldfastWarning',
      );
  }
}

/** What the server answers is no reason to ask again. */
async function persist(subscribe: () => Promise<unknown>): Promise<void> {
  for (const end = performance.now() + PERSIST_MS; ;) {
    try {
      return void (await subscribe());
    } catch (error) {
      if (isReply(error) || performance.now() >= end) throw error;
      await delay(AGAIN_MS, undefined, { ref: false });
    }
  }
}

const unreached = (place: string, cause: unknown): HoldfastError =>
  new HoldfastError(
    'ERR_UNAVAILABLE',
    `Redis: cannot listen for recalls at ${place}: ${cause instanceof Error ? cause.message : String(cause)}; call again`,
    { cause, outcome: 'none' },
  );

/** Kind, token, and behind a blank the id. Undefined: whoever sent it is none of ours. */
function hintOf(message: string): Hint | undefined {
  const blank = message.indexOf(' ');
  const kind = message.startsWith('r') ? 'recall' : message.startsWith('g') ? 'grant' : undefined;
  const token = Number(message.slice(1, blank));
  const id = message.slice(blank + 1);
  return kind === undefined || blank < 2 || !Number.isSafeInteger(token) || id === '' ? undefined : { kind, id, token };
}
