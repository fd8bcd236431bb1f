// What a web server does with a request's session, and what locks one; each over a client of its own.
import { createRequire } from 'node:module';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { SessionRepository, defineSession, mutable } from '../../dist/index.js';
import { RedisStore } from '../../dist/store/redis.js';

const load = createRequire(new URL('../package.json', import.meta.url));
const TTL_MS = 3_600_000;

const definition = defineSession({ items: mutable(() => []), at: mutable(() => '') });

export async function newClient(url) {
  const client = createClient({ url });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** 48 bytes that change with each request. */
const change = (turn) => String(turn).padStart(48, '0');

/** Objects of about 180 bytes. */
export const itemsOf = (bytes) =>
  Array.from({ length: Math.max(1, Math.round(bytes / 180)) }, (_, i) => ({
    id: `item-${String(i).padStart(6, '0')}`,
    name: `A thing with the number ${i}`,
    price: { amount: 1000 + i, currency: 'EUR' },
    tags: ['a', `tag ${i % 7}`, `shelf ${i % 31}`],
    note: 'as ordered, in the usual box',
  }));

/** The repository of one member. */
export async function openHoldfast(url, prefix, more = {}) {
  const client = await newClient(url);
  const store = new RedisStore({ client, prefix, sweepEveryMs: Infinity });
  const sessions = new SessionRepository({ store, definition, ttlMs: TTL_MS, ...more });
  return {
    sessions,
    begin: (id, items) => sessions.scope(id, (state) => void (state.items = items), { create: {} }),
    request: (id, turn) => sessions.scope(id, (state) => void (state.at = change(turn))),
    hold: (id, turn, wait) =>
      sessions.scope(id, (state) =>
        (wait === undefined ? undefined : wait()).then(() => void (state.at = change(turn))),
      ),
    async close() {
      await sessions.close();
      await store.close();
      client.destroy();
    },
  };
}

/** Its store, called as the middleware of express-session does: `get` before the handlers, `set` after them. */
export async function openExpress(url, prefix) {
  const client = await newClient(url);
  const { RedisStore: ConnectRedis } = load('connect-redis');
  const store = new ConnectRedis({ client, prefix: `${prefix}:` });
  const cookie = { originalMaxAge: TTL_MS, maxAge: TTL_MS };
  const called = (method, ...args) =>
    new Promise((resolve, reject) =>
      store[method](...args, (error, value) => (error ? reject(error) : resolve(value))),
    );
  return {
    begin: (id, items) => called('set', id, { cookie, items, at: '' }),
    async request(id, turn) {
      const session = await called('get', id);
      session.at = change(turn);
      await called('set', id, session);
    },
    async close() {
      client.destroy();
    },
  };
}

/** A lock of npm around a state that is read and written as JSON. */
async function openLocked(url, prefix, lockWith) {
  const client = new Redis(url);
  const locked = lockWith(client);
  const request = async (id, turn, wait) => {
    const release = await locked(`${prefix}:lock:${id}`);
    try {
      const session = JSON.parse(await client.get(`${prefix}:${id}`));
      await wait?.();
      session.at = change(turn);
      await client.set(`${prefix}:${id}`, JSON.stringify(session), 'PX', TTL_MS);
    } finally {
      await release();
    }
  };
  return {
    begin: (id, items) => client.set(`${prefix}:${id}`, JSON.stringify({ items, at: '' })),
    request,
    hold: request,
    close: async () => client.disconnect(),
  };
}

export const openRedlock = (url, prefix) =>
  openLocked(url, prefix, (client) => {
    const Redlock = load('redlock');
    const redlock = new Redlock([client], { retryCount: 10_000 });
    return async (key) => {
      const lock = await redlock.lock(key, 10_000);
      return () => lock.unlock();
    };
  });

export const openSemaphore = (url, prefix) =>
  openLocked(url, prefix, (client) => {
    const { Mutex } = load('redis-semaphore');
    return async (key) => {
      const mutex = new Mutex(client, key, { lockTimeout: 10_000, acquireTimeout: 60_000 });
      await mutex.acquire();
      return () => mutex.release();
    };
  });
