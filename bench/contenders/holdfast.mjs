import { setTimeout as delay } from 'node:timers/promises';
import { ORIGIN } from '../../dist/position.js';
import { SqliteStore } from '../../dist/store/sqlite.js';

const LEASE_MS = 600_000;
const at = (revision) => (revision === 0 ? ORIGIN : { revision, nonce: revision * 7 });

/** As the repository uses it: a session is locked once, its appends carry the grant's token and renew its lease. */
export async function openHoldfast(dir) {
  const store = await SqliteStore.open({ dir });
  const contests = new Map();
  const membership = await store.join((hint) => contests.get(hint.id)?.hear(hint));
  const held = new Map();

  async function tokenOf(id) {
    const grant = await store.lock(id, {
      member: membership.member,
      ticket: 1,
      leaseMs: LEASE_MS,
      wait: false,
      since: ORIGIN,
    });
    if (!grant.granted) throw new Error(`${id} is locked`);
    const own = { token: grant.token, version: grant.tail.version };
    held.set(id, own);
    return own;
  }

  return {
    async append(id, revision, bytes) {
      const own = held.get(id) ?? (await tokenOf(id));
      const kind = revision === 1 ? 'snapshot' : 'delta';
      const append = {
        parent: at(revision - 1),
        position: at(revision),
        kind,
        bytes,
        under: own.token,
        version: own.version,
      };
      const answer = await store.append(id, append);
      if (!answer.appended) throw new Error(`${id} ${revision}: ${answer.why}`);
      own.version = answer.version;
    },
    read: async (id) => (await store.read(id, { since: ORIGIN })).records.length,
    contest(id) {
      const contest = new Contest(store, membership.member, id);
      contests.set(id, contest);
      return contest;
    },
    async close() {
      await membership.leave();
      await store.close();
    },
  };
}

/** As the member lock does it: queued, recalled by a hint, granted by a hint. */
class Contest {
  #store;
  #member;
  #id;
  #ticket = 0;
  #token;
  #recalled = 0;
  #wake = () => undefined;
  #release = Promise.resolve();

  constructor(store, member, id) {
    this.#store = store;
    this.#member = member;
    this.#id = id;
  }

  hear({ kind, token }) {
    if (kind === 'recall') this.#recalled = token;
    this.#wake();
  }

  async take() {
    this.#ticket += 1;
    for (;;) {
      const woken = this.#woken();
      const request = {
        member: this.#member,
        ticket: this.#ticket,
        leaseMs: LEASE_MS,
        wait: true,
        since: ORIGIN,
        limitBytes: 0,
      };
      const reply = await this.#store.lock(this.#id, request);
      if (reply.granted) {
        this.#token = reply.token;
        if (reply.wanted) this.#recalled = reply.token;
        this.#release = this.#releaseWhenRecalled();
        return;
      }
      const late = new AbortController();
      await Promise.race([woken, delay(reply.retryMs, undefined, { signal: late.signal }).catch(() => undefined)]);
      late.abort();
    }
  }

  /** Resolves once it was given up. */
  lost() {
    return this.#release;
  }

  async #releaseWhenRecalled() {
    while (this.#recalled < this.#token) await this.#woken();
    await this.#store.unlock(this.#id, { token: this.#token });
  }

  #woken() {
    return new Promise((resolve) => (this.#wake = resolve));
  }
}
