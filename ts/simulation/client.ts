import { Draws } from '../entropy.ts';
import { HoldfastError } from '../errors.ts';
import type { RecordedUse, Recorder, UseStart } from '../history/record.ts';
import { ORIGIN } from '../position.ts';
import type { Position } from '../position.ts';
import type { Grant } from '../store/lock.ts';
import type { Append, Appended, Expiry, Head, Membership, Store, Tail } from '../store/store.ts';
import type { Token } from '../token.ts';
import { Copies, decode, place } from './copies.ts';
import type { Actor, World } from './world.ts';

/** A lock that was granted: until when, on the client's monotonic clock, is less than the store's. */
interface Held {
  readonly token: Token;
  readonly untilMs: number;
}

type Settled = 'appended' | 'fenced' | 'conflict' | 'locked';

interface Offered {
  readonly answer: Appended | undefined;
  /** An offer may have been carried out, or may still be. */
  readonly unsure: boolean;
}

export interface ClientSettings {
  readonly leaseMs: number;
  readonly expiry: Expiry;
  /** Bytes a read; absent: all at once. */
  readonly limitBytes?: number;
}

/** Part of a lease that is not used: the answer was under way for so long at most. */
const MARGIN = 0.05;
const OFFERS = 6;

/**
 * Speaks the store's contract as a repository does, with as little as that takes: one use at a time, records of text.
 * It judges stores alone, and is where a finding is reproduced without sessions, tracking and differ. A list of keys is
 * the state; each use adds one.
 */
export class Client {
  readonly #world: World;
  readonly #actor: Actor;
  readonly #store: Store;
  readonly #recorder: Recorder;
  readonly #settings: ClientSettings;
  readonly #copies: Copies;
  readonly #held = new Map<string, Held>();
  readonly #recalled = new Map<string, Token>();
  #wake: () => void = () => undefined;
  #membership: Membership | undefined;
  #inUse: string | undefined;
  #tickets = 0;
  #keys = 0;

  constructor(world: World, actor: Actor, store: Store, recorder: Recorder, settings: ClientSettings) {
    this.#world = world;
    this.#actor = actor;
    this.#store = store;
    this.#recorder = recorder;
    this.#settings = settings;
    const find = (how: string): void => world.find('broken chain', `${how}, seen by ${actor.name}`);
    this.#copies = new Copies(new Draws(world.entropy), settings.expiry, find);
  }

  /** Adds a key under the lock, which it may keep for later uses. */
  async write(id: string, lingersMs: number, keeps: boolean): Promise<void> {
    await this.#use(id, {}, async (use) => {
      const held = await this.#acquire(id);
      const copy = this.#copies.of(id);
      if (copy.state === 'ended') {
        await this.#release(id, held);
        throw new HoldfastError('ERR_CLOSED', `'${id}' has ended`);
      }
      use.saw(copy.state === 'live' ? copy.keys : undefined);
      await this.#world.sleep(this.#actor, lingersMs);
      const key = this.#key();
      use.put([key]);
      const append = this.#copies.next(copy, key, held.token, keeps ? 'renew' : 'release');
      const sentMs = this.#world.timeMs;
      const outcome = await this.#settle(id, append, [key], use);
      if (outcome !== 'appended' || !keeps) this.#held.delete(id);
      else this.#hold(id, { token: held.token, leaseLeftMs: this.#settings.leaseMs, wanted: false }, sentMs);
      if (outcome === 'fenced' || outcome === 'conflict')
        throw new HoldfastError(outcome === 'fenced' ? 'ERR_FENCED' : 'ERR_CONFLICT', `'${id}'`);
    });
  }

  /** Adds a key without a lock while it works: reads, and lets the append take the lock. A conflict is rebased once. */
  async optimistic(id: string, lingersMs: number): Promise<void> {
    await this.#use(id, {}, async (use) => {
      await this.#pull(id);
      const copy = this.#copies.of(id);
      if (copy.state === 'ended') throw new HoldfastError('ERR_CLOSED', `'${id}' has ended`);
      use.saw(copy.state === 'live' ? copy.keys : undefined);
      await this.#world.sleep(this.#actor, lingersMs);
      const key = this.#key();
      use.put([key]);
      this.#held.delete(id); // the request is a newer ticket, which ends a grant that was kept
      const owner = {
        member: await this.#member(),
        ticket: (this.#tickets += 1),
        leaseMs: this.#settings.leaseMs,
        wait: true,
      };
      let outcome = await this.#settle(id, this.#copies.next(copy, key, owner, 'release'), [key], use, 'again');
      const held = this.#held.get(id);
      if (outcome === 'conflict' && held !== undefined) {
        this.#held.delete(id);
        if (this.#copies.of(id).state !== 'ended')
          outcome = await this.#settle(id, this.#copies.next(copy, key, held.token, 'release'), [key], use);
      }
      if (outcome === 'locked') await this.#leave(id, owner);
      if (outcome !== 'appended') throw new HoldfastError('ERR_CONFLICT', `'${id}': ${outcome}`);
    });
  }

  async read(id: string): Promise<void> {
    await this.#use(id, {}, async (use) => {
      this.#held.delete(id);
      await this.#pull(id);
      const copy = this.#copies.of(id);
      use.saw(copy.state === 'live' ? copy.keys : undefined);
    });
  }

  /** Says that the session is in use: of any reader, or as the lock's holder. */
  async touch(id: string, renew: boolean): Promise<void> {
    const held = this.#held.get(id);
    const token = held?.token ?? this.#copies.tokenOf(id);
    if (token === undefined) return;
    const sentMs = this.#world.timeMs;
    const renews = renew && held !== undefined;
    const touched = await this.#store.touch(id, { token, ...(renews && { renew: true }) });
    if (!renews || this.#held.get(id) !== held) return;
    if (touched.touched) this.#hold(id, { token, leaseLeftMs: this.#settings.leaseMs, wanted: false }, sentMs);
    else this.#held.delete(id);
  }

  /**
   * Reads the session back, and later puts it in place of what is there then; with `unchanged` only if that is still
   * the same. Never in place of whatever may be there: an offer that comes late would do it again, over what has been
   * acknowledged since.
   */
  async restore(id: string, lingersMs: number, unchanged: boolean): Promise<void> {
    await this.#use(id, { restores: true }, async () => {
      const { head, records } = await this.#store.read(id, { since: ORIGIN });
      if (head?.state !== 'live') return;
      await this.#world.sleep(this.#actor, lingersMs);
      const { createdAt, expiry, token } = head;
      const image = { records: records.map((bytes) => ({ ...place(decode(bytes)), bytes })), createdAt, expiry, token };
      const now = unchanged ? head : (await this.#store.read(id, { since: ORIGIN, limitBytes: 0 })).head;
      if (now === undefined) return;
      const { answer } = await this.#offer(() => this.#store.replace(id, image, now.position));
      this.#held.delete(id);
      if (answer === undefined)
        throw new HoldfastError('ERR_UNAVAILABLE', `'${id}': nobody knows whether it was replaced`, {
          outcome: 'unknown',
        });
      if (!answer.appended) throw new HoldfastError('ERR_CONFLICT', `'${id}': ${answer.why}`);
    });
  }

  /** What the store has, and the keys in it. */
  async look(id: string): Promise<{ readonly head: Head | undefined; readonly keys: readonly string[] | undefined }> {
    const { head } = await this.#store.read(id, { since: ORIGIN, limitBytes: 0 });
    await this.#pull(id);
    const copy = this.#copies.of(id);
    return { head, keys: copy.state === 'live' ? copy.keys : undefined };
  }

  /** The keys as this client sees them under the lock. */
  async sees(id: string): Promise<readonly string[] | undefined> {
    const held = await this.#acquire(id);
    const { state, keys } = this.#copies.of(id);
    await this.#release(id, held);
    return state === 'live' ? keys : undefined;
  }

  async end(id: string): Promise<void> {
    await this.#use(id, { ends: 'delete' }, async (use) => {
      const held = await this.#acquire(id);
      const copy = this.#copies.of(id);
      this.#held.delete(id);
      if (copy.state !== 'live') return this.#release(id, held);
      const end = this.#copies.end(copy, held.token);
      const outcome = await this.#settle(id, end, [], use);
      if (outcome !== 'appended') throw new HoldfastError('ERR_CONFLICT', `'${id}': ${outcome}`);
    });
  }

  async close(): Promise<void> {
    for (const [id, held] of [...this.#held]) await this.#release(id, held);
    await this.#membership?.leave();
  }

  #key(): string {
    return `${this.#actor.name}.${(this.#keys += 1)}`;
  }

  async #use(id: string, purpose: Partial<UseStart>, run: (use: RecordedUse) => Promise<void>): Promise<void> {
    const use = this.#recorder.use({ store: this.#store.address ?? 'primary', id, ...purpose });
    this.#inUse = id;
    try {
      await run(use);
      use.done('ok');
    } catch (error) {
      this.#held.delete(id);
      if (!(error instanceof HoldfastError)) throw error;
      use.done(error.code === 'ERR_UNAVAILABLE' && error.outcome !== 'none' ? 'unknown' : 'failed', {
        code: error.code,
      });
      throw error;
    } finally {
      this.#inUse = undefined;
    }
  }

  async #member(): Promise<string> {
    this.#membership ??= await this.#store.join((hint) => {
      if (hint.kind === 'recall') this.#onRecall(hint.id, hint.token);
      else if (hint.kind === 'grant') this.#wake();
    });
    return this.#membership.member;
  }

  #onRecall(id: string, token: Token): void {
    this.#recalled.set(id, Math.max(token, this.#recalled.get(id) ?? 0));
    const held = this.#held.get(id);
    if (held?.token === token && this.#inUse !== id) void this.#release(id, held);
  }

  /** The lock, and the copy up to date: by what is still held, else by the store, asked until it grants. */
  async #acquire(id: string): Promise<Held> {
    const kept = this.#held.get(id);
    if (kept !== undefined && this.#world.timeMs < kept.untilMs && (this.#recalled.get(id) ?? -1) < kept.token)
      return kept;
    this.#held.delete(id);
    const owner = { member: await this.#member(), ticket: (this.#tickets += 1) };
    const giveUpMs = this.#world.timeMs + 15_000;
    while (this.#world.timeMs < giveUpMs) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      const sentMs = this.#world.timeMs;
      const since = this.#copies.of(id).position;
      const reply = await this.#store
        .lock(id, { ...owner, since, leaseMs: this.#settings.leaseMs, wait: true })
        .catch(unlessUnavailable);
      if (reply?.granted === true) {
        const held = this.#hold(id, reply, sentMs);
        this.#copies.replay(id, since, reply.tail);
        if (this.#world.timeMs < held.untilMs) return held;
      } else await this.#sleepOr(woken, reply?.retryMs ?? 20);
    }
    await this.#leave(id, owner);
    throw new HoldfastError('ERR_LOCK_TIMEOUT', `'${id}'`);
  }

  #hold(id: string, { token, leaseLeftMs }: Grant, sentMs: number): Held {
    const held = { token, untilMs: sentMs + leaseLeftMs - MARGIN * this.#settings.leaseMs };
    this.#held.set(id, held);
    return held;
  }

  async #release(id: string, { token }: Held): Promise<void> {
    this.#held.delete(id);
    await this.#store.unlock(id, { token }).catch(unlessUnavailable);
  }

  async #leave(id: string, owner: { readonly member: string; readonly ticket: number }): Promise<void> {
    await this.#store.unlock(id, { member: owner.member, ticket: owner.ticket }).catch(unlessUnavailable);
  }

  async #pull(id: string): Promise<void> {
    const { limitBytes } = this.#settings;
    for (let since: Position | undefined = this.#copies.of(id).position; since !== undefined;) {
      const tail: Tail = await this.#store.read(id, { since, limitBytes });
      this.#copies.replay(id, since, tail);
      since = tail.next;
    }
  }

  /**
   * What became of a record, and of its keys. With `again` a conflict leaves them open: the caller puts them into
   * another record.
   */
  async #settle(
    id: string,
    append: Append,
    keys: readonly string[],
    use: RecordedUse,
    again?: 'again',
  ): Promise<Settled> {
    const { answer, unsure } = await this.#offer(
      () => this.#store.append(id, append),
      (grant, sentMs) => this.#hold(id, grant, sentMs),
    );
    if (answer?.appended === true) {
      const copy = this.#copies.take(id, append, answer.token);
      use.kept(keys, 'ok', copy.keys.length);
      return 'appended';
    }
    const refused = answer !== undefined && answer.why !== 'locked';
    // What was compacted out of sight may have been appended all the same.
    const unknown = unsure && (!refused || (answer.tail.head?.first ?? 0) > append.position.revision);
    if (refused) this.#copies.replay(id, append.parent, answer.tail);
    if (unknown)
      throw new HoldfastError('ERR_UNAVAILABLE', `'${id}': nobody knows whether it was appended`, {
        outcome: 'unknown',
      });
    if (answer === undefined)
      throw new HoldfastError('ERR_UNAVAILABLE', `'${id}': it was not appended`, { outcome: 'none' });
    if (again === undefined || answer.why !== 'conflict') use.kept(keys, 'failed');
    return answer.why;
  }

  /** The same record again, until there is an answer other than `locked`. */
  async #offer(
    offer: () => Promise<Appended>,
    onGrant: (grant: Grant, sentMs: number) => void = () => undefined,
  ): Promise<Offered> {
    let unsure = false;
    let answer: Appended | undefined;
    for (let offers = 0; offers < OFFERS; offers += 1) {
      const sentMs = this.#world.timeMs;
      try {
        answer = await offer();
      } catch (error) {
        unlessUnavailable(error);
        unsure ||= (error as HoldfastError).outcome !== 'none';
        await this.#world.sleep(this.#actor, 20);
        continue;
      }
      if (!answer.appended && answer.why === 'conflict' && answer.grant !== undefined) onGrant(answer.grant, sentMs);
      if (answer.appended || answer.why !== 'locked') break;
      await this.#world.sleep(this.#actor, answer.retryMs);
    }
    return { answer, unsure };
  }

  async #sleepOr(woken: Promise<void>, ms: number): Promise<void> {
    const stop = this.#world.at(Math.max(1, ms), this.#actor, undefined, () => this.#wake());
    await woken;
    stop();
  }
}

function unlessUnavailable(error: unknown): undefined {
  if (error instanceof HoldfastError && error.code === 'ERR_UNAVAILABLE') return undefined;
  throw error;
}
