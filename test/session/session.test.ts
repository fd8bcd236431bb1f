import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { ORIGIN } from '../../ts/position.ts';
import { defineSession, immutable, mutable, unclassified } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import type { RepositoryOptions } from '../../ts/session/options.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Append, Store } from '../../ts/store/store.ts';
import { VirtualClock } from '../../ts/testing/index.ts';
import { through } from '../store/through.ts';

interface Item {
  sku: string;
  quantity: number;
}

const shop = defineSession({
  user: immutable<string>(),
  cart: mutable<Item[]>(() => []),
  visits: mutable<number>(() => 0),
  seen: mutable<Set<string>>(() => new Set()),
  theme: unclassified<'light' | 'dark'>(),
});
type Shop = typeof shop extends { types?: [infer S extends object, infer V extends object] }
  ? { state: S; values: V }
  : never;
type Options = Partial<RepositoryOptions<Shop['state'], Shop['values']>>;

const repository = (store: Store, options: Options = {}): SessionRepository<Shop['state'], Shop['values']> =>
  new SessionRepository({ store, definition: shop, ...options });

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: HoldfastError) => error.code ?? error,
  );

async function logOf(store: Store, id: string): Promise<{ revision: number; records: number; bytes: number[] }> {
  const tail = await store.read(id, { since: ORIGIN });
  return {
    revision: tail.head?.position.revision ?? 0,
    records: tail.records.length,
    bytes: tail.records.map((record) => record.length),
  };
}

describe('a session', () => {
  it('keeps what was written, for another process to find', async () => {
    const store = new MemoryStore();
    const one = repository(store);
    const two = repository(store);
    await one.scope(
      's',
      (state, session) => {
        session.assign({ user: 'ann' });
        state.cart.push({ sku: 'a', quantity: 1 });
        state.theme = 'dark';
        state.seen.add('x');
      },
      { create: true },
    );
    await two.scope(
      's',
      (state) => {
        expect(state.user).toBe('ann');
        expect(state.cart).toEqual([{ sku: 'a', quantity: 1 }]);
        expect(state.theme).toBe('dark');
        (state.cart[0] as Item).quantity += 4;
      },
      { create: true },
    );
    expect(await one.read('s')).toEqual({
      user: 'ann',
      cart: [{ sku: 'a', quantity: 5 }],
      visits: 0,
      seen: new Set('x'),
      theme: 'dark',
    });
    await one.scope('s', (state) => expect(state.cart[0]?.quantity).toBe(5), { create: true });
  });

  it('sends nothing when nothing changed', async () => {
    const store = new MemoryStore();
    const sessions = repository(store);
    await sessions.scope('s', (state) => void (state.visits = 1), { create: true });
    const before = await logOf(store, 's');
    const session = await sessions.open('s', { create: true });
    expect(session.state.cart.length).toBe(0);
    session.state.visits = 1;
    expect(session.tracked()).toEqual(['visits']);
    expect(await session.save()).toEqual({ revision: 1, changed: [], bytes: 0, kind: 'nothing', stored: true });
    await session.close();
    expect(await logOf(store, 's')).toEqual(before);
  });

  it('appends at most 200 bytes for one changed field of 64 KB', async () => {
    const store = new MemoryStore();
    const sessions = repository(store);
    await sessions.scope(
      's',
      (state) => {
        for (let i = 0; i < 2000; i += 1) state.cart.push({ sku: `SKU-${i * 7919}-colour`, quantity: i % 9 });
      },
      { create: true },
    );
    await sessions.scope(
      's',
      (state, session) => {
        expect(session.byteLength).toBeGreaterThan(64 * 1024);
        (state.cart[1000] as Item).quantity = 77;
      },
      { create: true },
    );
    await sessions.scope('s', (state) => void (state.visits += 1), { create: true });
    const { bytes, records } = await logOf(store, 's');
    expect(records).toBe(3);
    expect(Math.max(...bytes.slice(1))).toBeLessThanOrEqual(200);
    expect(bytes.slice(1)).toEqual([expect.any(Number), expect.any(Number)]);
  });

  it('saves nothing of a use that throws, and frees the lock', async () => {
    const store = new MemoryStore();
    const [one, two] = [repository(store), repository(store)];
    await one.scope('s', (state) => void (state.visits = 1), { create: true });
    const failing = one.scope(
      's',
      (state) => {
        state.visits = 99;
        state.cart.push({ sku: 'gone', quantity: 1 });
        throw new RangeError('no');
      },
      { create: true },
    );
    await expect(failing).rejects.toThrow(RangeError);
    await two.scope('s', (state) => expect([state.visits, state.cart.length]).toEqual([1, 0]), {
      create: true,
      timeoutMs: 1000,
    });
    await one.scope('s', (state) => expect([state.visits, state.cart.length]).toEqual([1, 0]), {
      create: true,
      timeoutMs: 1000,
    });
  });

  it('writes nothing if one attribute cannot be encoded, and names the path', async () => {
    const store = new MemoryStore();
    const sessions = repository(store);
    await sessions.scope('s', (state) => void (state.visits = 1), { create: true });
    const failing = sessions.scope(
      's',
      (state) => {
        state.visits = 2;
        state.cart.push({ sku: 'x', quantity: (() => 1) as unknown as number });
      },
      { create: true },
    );
    const error = await failing.catch((thrown: HoldfastError) => thrown);
    expect(error).toMatchObject({ code: 'ERR_INVALID', paths: [['cart', 0, 'quantity']] });
    expect(await sessions.read('s')).toMatchObject({ visits: 1, cart: [] });
  });

  it('is closed after its scope', async () => {
    const sessions = repository(new MemoryStore());
    let leaked: Shop['state'] | undefined;
    let cart: Item[] | undefined;
    await sessions.scope(
      's',
      (state) => {
        leaked = state;
        cart = state.cart;
        cart.push({ sku: 'a', quantity: 1 });
      },
      { create: true },
    );
    expect(() => leaked?.visits).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
    expect(() => cart?.push({ sku: 'b', quantity: 1 })).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
    const session = await sessions.open('s', { create: true });
    await session.close();
    await session.close();
    expect(await codeOf(session.save())).toBe('ERR_CLOSED');
  });

  it('does not lose what is written while a save is under way', async () => {
    const sessions = repository(new MemoryStore());
    const session = await sessions.open('s', { create: true });
    session.state.visits = 1;
    session.state.cart.push({ sku: 'a', quantity: 1 });
    const saving = session.save();
    await Promise.resolve();
    session.state.visits = 2;
    (session.state.cart[0] as Item).quantity = 2;
    await saving;
    expect(await sessions.read('s')).toMatchObject({ visits: 1 });
    await session.save();
    await session.close();
    expect(await sessions.read('s')).toMatchObject({ visits: 2, cart: [{ sku: 'a', quantity: 2 }] });
  });

  it('serves parallel uses one after the other: no add is lost', async () => {
    const store = new MemoryStore();
    const all = [repository(store), repository(store, { lock: { release: 'access' } })];
    await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        (all[i % 2] as (typeof all)[0]).scope('s', (state) => void state.cart.push({ sku: `${i}`, quantity: 1 }), {
          create: true,
          timeoutMs: 20_000,
        }),
      ),
    );
    const skus = (await all[0]?.read('s'))?.cart.map(({ sku }) => Number(sku)).toSorted((a, b) => a - b);
    expect(skus).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it('is created once, with first values and a random id', async () => {
    const sessions = repository(new MemoryStore());
    const session = await sessions.create({ user: 'bob', visits: 3 });
    expect(session.id).toMatch(/^[\w-]{24}$/);
    expect(session.isNew).toBe(true);
    await session.saveAndClose();
    expect(await codeOf(sessions.create({}, { id: session.id }))).toBe('ERR_CONFLICT');
    expect(await sessions.read(session.id)).toMatchObject({ user: 'bob', visits: 3 });
    expect(await sessions.find('nobody')).toBeUndefined();
    const empty = await sessions.create();
    await empty.saveAndClose();
    expect(await sessions.read(empty.id)).toEqual({ cart: [], visits: 0, seen: new Set() });
  });

  it('never comes back once it is destroyed', async () => {
    const store = new MemoryStore();
    const [one, two] = [repository(store), repository(store)];
    await one.scope('s', (state) => void (state.visits = 1), { create: true });
    const late = await one.open('s', { create: true });
    late.state.visits = 2;
    const raw = (await store.read('s', { since: ORIGIN })).head;
    const deleting = two.delete('s');
    await late.saveAndClose();
    expect(await deleting).toBe(true);
    expect(await one.read('s')).toBeUndefined();
    expect(await codeOf(one.scope('s', () => undefined, { create: true }))).toBe('ERR_NOT_FOUND');
    expect(await one.find('s')).toBeUndefined();
    expect(await two.delete('s')).toBe(false);
    const append = {
      parent: raw?.position ?? ORIGIN,
      position: { revision: 2, nonce: 1 },
      kind: 'delta' as const,
      bytes: Buffer.from('late'),
      under: raw?.token ?? 0,
    };
    expect(await store.append('s', append)).toMatchObject({ appended: false, why: 'fenced' });
  });

  it('changes its id, and the old one is gone', async () => {
    const store = new MemoryStore();
    const sessions = repository(store);
    await sessions.scope('old', (state) => void (state.visits = 1), { create: true });
    await sessions.scope('other', (state) => void (state.visits = 9), { create: true });
    const session = await sessions.open('old', { create: true });
    session.state.visits = 2;
    expect(await codeOf(session.changeId('other'))).toBe('ERR_CONFLICT');
    await session.changeId('new');
    expect(session.id).toBe('new');
    session.state.visits += 1;
    await session.saveAndClose();
    expect(await sessions.read('new')).toMatchObject({ visits: 3 });
    expect(await sessions.read('old')).toBeUndefined();
    expect(await sessions.changeId('new', 'newer')).toBe(true);
    expect(await sessions.changeId('nobody', 'somebody')).toBe(false);
    await sessions.scope('newer', (state) => expect(state.visits).toBe(3), { create: true, timeoutMs: 500 });
    const ids: string[] = [];
    for await (const id of sessions.ids()) ids.push(id);
    expect(ids.toSorted()).toEqual(['newer', 'other']);
  });

  it('expires when it is not used', async () => {
    const sessions = repository(new MemoryStore(), { ttlMs: 600, lock: { leaseMs: 1000 } });
    await sessions.scope('s', (state) => void (state.visits = 1), { create: true });
    for (let i = 0; i < 4; i += 1) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      await sessions.scope('s', (state) => expect(state.visits).toBe(1), { create: true }); // reading counts as use
    }
    await new Promise((resolve) => setTimeout(resolve, 900));
    await sessions.scope(
      's',
      (state) => {
        expect(state.visits).toBe(0);
        state.visits = 7;
      },
      { create: true },
    );
    expect(await sessions.read('s')).toMatchObject({ visits: 7 });
  });

  it('refuses what would make it larger than the limit, and stays as it was', async () => {
    const sessions = repository(new MemoryStore(), { limitBytes: 1000 });
    await sessions.scope('s', (state) => void (state.visits = 1), { create: true });
    expect(await codeOf(sessions.scope('s', (state) => void state.seen.add('x'.repeat(1000)), { create: true }))).toBe(
      'ERR_LIMIT',
    );
    expect(await sessions.read('s')).toMatchObject({ visits: 1, seen: new Set() });
  });

  it('keeps the order of its attributes through replace', async () => {
    const bag = defineSession({}, { undeclared: mutable<unknown>() });
    const store = new MemoryStore();
    const sessions = new SessionRepository({ store, definition: bag });
    const states = [{ b: 1, c: [2], a: 3 }, { a: 3, b: 1, d: {} }, { d: {}, zz: null, b: 2, a: 3 }, {}, { x: 1 }];
    for (const state of states) {
      await sessions.scope('s', (_, session) => session.replace(state), { create: true });
      const other = new SessionRepository({ store, definition: bag });
      expect(JSON.stringify(await other.read('s'))).toBe(JSON.stringify(state));
    }
  });

  it('refuses attributes that are not declared', async () => {
    const sessions = repository(new MemoryStore());
    expect(await codeOf(sessions.scope('s', (state) => void Object.assign(state, { nope: 1 }), { create: true }))).toBe(
      'ERR_INVALID',
    );
    expect(
      await codeOf(
        sessions
          .scope('s', (_, session) => session.assign({ user: 'a' }), { create: true })
          .then(() => sessions.scope('s', (_, session) => session.assign({ user: 'b' }), { create: true })),
      ),
    ).toBe('ERR_INVALID');
    expect(() => new SessionRepository({ store: undefined as unknown as Store, definition: shop })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID' }),
    );
    expect(() => repository(new MemoryStore(), { ttlMs: -1 })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID' }),
    );
  });

  it('compacts its log: what is read never outweighs two snapshots', async () => {
    const store = new MemoryStore();
    const sessions = repository(store);
    let snapshots = 0;
    for (let i = 0; i < 600; i += 1) {
      const session = await sessions.open('s', { create: true });
      session.state.visits += 1;
      session.state.seen.add(`${i % 50}`);
      const saved = await session.saveAndClose();
      if (saved.kind === 'snapshot') snapshots += 1;
      const { bytes } = await logOf(store, 's');
      const [snapshot, ...deltas] = bytes;
      expect(deltas.reduce((sum, length) => sum + length, 0)).toBeLessThanOrEqual(Math.max(snapshot as number, 4096));
    }
    expect(snapshots).toBeGreaterThan(2);
    expect(await repository(store).read('s')).toMatchObject({ visits: 600 });
  });

  it('forgets sessions beyond its cache, and gives their locks back', async () => {
    const store = new MemoryStore();
    const one = repository(store, { cacheBytes: 2000 });
    for (let i = 0; i < 50; i += 1)
      await one.scope(`s${i}`, (state) => void state.seen.add('x'.repeat(200)), { create: true });
    const two = repository(store, { lock: { leaseMs: 60_000 } });
    await two.scope('s0', (state) => void (state.visits = 1), { create: true, timeoutMs: 0 });
    for (let i = 0; i < 50; i += 1)
      await one.scope(`s${i}`, (state) => expect(state.seen.size).toBe(1), { create: true });
    await one.scope('s0', (state) => expect(state.visits).toBe(1), { create: true });
  });

  it('gives every lock back when the repository closes', async () => {
    const store = new MemoryStore();
    const [one, two] = [repository(store, { lock: { leaseMs: 60_000 } }), repository(store)];
    await one.scope('s', (state) => void (state.visits = 1), { create: true });
    await one.close();
    await two.scope('s', (state) => expect(state.visits).toBe(1), { create: true, timeoutMs: 0 });
    expect(await codeOf(one.scope('s', () => undefined, { create: true }))).toBe('ERR_CLOSED');
  });
});

describe('values kept from one use to the next', () => {
  const PRESET = { sku: 'preset', quantity: 1 };
  const EMPTY: Item[] = [];
  const bag = defineSession({
    items: mutable<Item[]>(() => EMPTY),
    at: mutable<Date>(),
    raw: mutable<Uint8Array>(),
    n: mutable<number>(() => 0),
  });

  it('are the session\u2019s own: what the application still holds cannot change them', async () => {
    const store = new MemoryStore();
    const sessions = new SessionRepository({ store, definition: bag });
    const at = new Date(1000);
    const raw = new Uint8Array([1, 2, 3]);
    await sessions.scope(
      'a',
      (state) => {
        state.items.push(PRESET);
        state.at = at;
        state.raw = raw;
      },
      { create: true },
    );
    PRESET.quantity = 50;
    at.setTime(0);
    raw[0] = 9;
    let leaked: Date | undefined;
    await sessions.scope(
      'a',
      (state) => {
        expect([state.items[0]?.quantity, state.at?.getTime(), state.raw?.[0]]).toEqual([1, 1000, 1]);
        leaked = state.at;
        (state.items[0] as Item).quantity = 7;
      },
      { create: true },
    );
    leaked?.setTime(5);
    expect(PRESET.quantity).toBe(50);
    expect(EMPTY).toEqual([]);
    await sessions.scope('b', (state) => expect(state.items.length).toBe(0), { create: true });
    await sessions.scope('a', (state) => expect([state.items[0]?.quantity, state.at?.getTime()]).toEqual([7, 1000]), {
      create: true,
    });
    expect(await new SessionRepository({ store, definition: bag }).read('a')).toMatchObject({
      items: [{ sku: 'preset', quantity: 7 }],
      at: new Date(1000),
    });
  });
});

describe('a fenced holder', () => {
  it('changes nothing, and its session has ended', async () => {
    const store = new MemoryStore();
    const one = repository(store, { lock: { leaseMs: 40, maxHoldMs: 1 } });
    const two = repository(store);
    await one.scope('s', (state) => void (state.visits = 1), { create: true });
    const slow = await one.open('s', { create: true });
    slow.state.visits = 100;
    // recalled, outstayed, replaced
    await two.scope('s', (state) => void (state.visits += 1), { create: true, timeoutMs: 5000 });
    expect(await codeOf(slow.save())).toBe('ERR_FENCED');
    expect(slow.closed).toBe(true);
    expect(await two.read('s')).toMatchObject({ visits: 2 });
    await one.scope('s', (state) => void (state.visits += 1), { create: true });
    expect(await two.read('s')).toMatchObject({ visits: 3 });
  });
});

describe('a holder whose lock went to another', () => {
  it('sets no other expiry for what is the other\u2019s now', async () => {
    const store = new MemoryStore();
    const one = repository(store, { lock: { leaseMs: 40, maxHoldMs: 1 } });
    const two = repository(store);
    await one.scope('s', (state) => void (state.visits = 1), { create: true });
    const slow = await one.open('s');
    await two.scope('s', (_state, session) => session.expire(90_000), { timeoutMs: 5000 });
    expect(await codeOf(slow.expire(50))).toBe('ERR_FENCED');
    expect(await codeOf(slow.expire(undefined))).toBe('ERR_FENCED');
    await slow.close();
    expect((await store.inspect('s')).head?.expiry).toEqual({ idleMs: 90_000 });
  });
});

describe('a lock that was kept', () => {
  it('is asked for again once its lease is over, for another may have written', async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore({ clock });
    const deaf = through(store, { join: () => store.join(() => undefined) }); // recalls are lost
    const [one, two] = [repository(deaf, { clock }), repository(store, { clock })];
    await one.scope('s', (state) => void (state.visits = 1), { create: true });
    const inTime = async <T>(call: Promise<T>): Promise<T> => {
      let done = false;
      void call.finally(() => (done = true)).catch(() => undefined);
      while (!done) {
        await new Promise((resolve) => setImmediate(resolve));
        clock.pass(100);
      }
      return call;
    };
    await inTime(two.scope('s', (state) => void (state.visits = 2)));
    expect(await inTime(one.scope('s', (state) => state.visits))).toBe(2);
  });

  it('is of no use to a call that was given up before it began', async () => {
    const sessions = repository(new MemoryStore());
    await sessions.scope('s', (state) => void (state.visits = 1), { create: true });
    const gone = new Error('the client has gone');
    const used = sessions.scope('s', (state) => (state.visits += 1), { signal: AbortSignal.abort(gone) });
    await expect(used).rejects.toBe(gone);
    expect(await sessions.scope('s', (state) => state.visits)).toBe(1);
  });
});

describe('a use that asked to hold long', () => {
  it('holds on as it asked to when its id changes', async () => {
    const store = new MemoryStore();
    const [one, two] = [repository(store, { lock: { leaseMs: 60, maxHoldMs: 1 } }), repository(store)];
    await one.scope('a', (state) => void (state.visits = 1), { create: true });
    const session = await one.open('a', { holdMs: 60_000 });
    await session.changeId('b');
    const other = two.scope('b', (state) => state.visits, { timeoutMs: 5000 });
    await new Promise((resolve) => setTimeout(resolve, 400));
    session.state.visits = 7;
    await session.saveAndClose();
    expect(await other).toBe(7);
  });
});

// docs/protocol.md: Unknown outcomes
describe('an append of unknown outcome', () => {
  /** Loses the answers of some appends, having done them or not. */
  function unreliable(
    store: MemoryStore,
    lose: (append: number) => 'done' | 'not done' | undefined,
  ): { store: Store; offered: Append[] } {
    const offered: Append[] = [];
    const link = through(store, {
      async append(call, _id, append) {
        offered.push(append);
        const fate = lose(offered.length);
        if (fate === undefined) return call();
        if (fate === 'done') await call();
        throw new HoldfastError('ERR_UNAVAILABLE', 'connection lost', { outcome: 'unknown' });
      },
    });
    return { store: link, offered };
  }

  it.each(['done', 'not done'] as const)(
    'is offered again, the identical record, until the store answers: it was %s',
    async (fate) => {
      const store = new MemoryStore();
      const link = unreliable(store, (append) => (append === 2 || append === 3 ? fate : undefined));
      const sessions = repository(link.store);
      await sessions.scope('s', (state) => void (state.visits = 1), { create: true });
      await sessions.scope('s', (state) => void (state.visits += 1), { create: true });
      await sessions.scope('s', (state) => void (state.visits += 1), { create: true });
      expect(await sessions.read('s')).toMatchObject({ visits: 3 });
      expect(link.offered.map(({ position }) => position.revision)).toEqual([1, 2, 2, 2, 3]);
      expect(new Set(link.offered.slice(1, 4).map(({ position }) => position.nonce)).size).toBe(1);
    },
  );

  it('that lasts is said, and settled before anything else is done with the session', async () => {
    const store = new MemoryStore();
    let silent = false;
    const link = unreliable(store, () => (silent ? 'not done' : undefined));
    const sessions = repository(link.store, { storeTimeoutMs: 60 });
    await sessions.scope('s', (state) => void (state.visits = 1), { create: true });
    const events: string[] = [];
    sessions.observe(({ type }) => void (type.endsWith('settled') && events.push(type)));
    silent = true;
    const error = await sessions
      .scope('s', (state) => void (state.visits += 1), { create: true })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'unknown' });
    expect(await codeOf(sessions.scope('s', () => undefined, { create: true, timeoutMs: 40 }))).toBe(
      'ERR_LOCK_TIMEOUT',
    );
    silent = false;
    expect(await sessions.scope('s', (state) => state.visits, { create: true })).toBe(2); // it was stored after all
    expect(events).toEqual(['unsettled', 'settled']);
    expect(await sessions.close()).toEqual({ unsettled: [], open: [], unstored: [], unfed: [] });
  });

  it('is known to be void when the lock went to another meanwhile', async () => {
    const store = new MemoryStore();
    let silent = false;
    const link = unreliable(store, () => (silent ? 'not done' : undefined));
    const one = repository(link.store, { storeTimeoutMs: 30, lock: { leaseMs: 40, maxHoldMs: 1 } });
    await one.scope('s', (state) => void (state.visits = 1), { create: true });
    const outcomes: unknown[] = [];
    one.observe((event) => void (event.type === 'settled' && outcomes.push(event.outcome)));
    silent = true;
    expect(await codeOf(one.scope('s', (state) => void (state.visits = 100), { create: true }))).toBe(
      'ERR_UNAVAILABLE',
    );
    await repository(store).scope('s', (state) => void (state.visits += 1), { create: true, timeoutMs: 5000 });
    silent = false;
    expect(await one.scope('s', (state) => state.visits, { create: true })).toBe(2);
    expect(outcomes).toEqual(['none']);
  });

  it('is reported by close when it stays unknown', async () => {
    const store = new MemoryStore();
    let silent = false;
    const link = unreliable(store, () => (silent ? 'not done' : undefined));
    const sessions = repository(link.store, { storeTimeoutMs: 30 });
    await sessions.scope('s', (state) => void (state.visits = 1), { create: true });
    silent = true;
    expect(await codeOf(sessions.scope('s', (state) => void (state.visits += 1), { create: true }))).toBe(
      'ERR_UNAVAILABLE',
    );
    expect(await sessions.close()).toEqual({ unsettled: ['s'], open: [], unstored: [], unfed: [] });
    const offers = link.offered.length;
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(link.offered.length).toBe(offers); // nothing goes on behind one's back
  });

  it('may be followed by another save of the same session', async () => {
    const store = new MemoryStore();
    let silent = false;
    const link = unreliable(store, () => (silent ? 'done' : undefined));
    const sessions = repository(link.store, { storeTimeoutMs: 60 });
    await sessions.scope('s', (state) => void (state.visits = 1), { create: true });
    const session = await sessions.open('s', { create: true });
    session.state.visits += 1;
    silent = true;
    expect(await codeOf(session.save())).toBe('ERR_UNAVAILABLE');
    silent = false;
    session.state.visits += 1;
    expect(await session.save()).toMatchObject({ kind: 'delta', revision: 3 });
    await session.close();
    expect(await sessions.read('s')).toMatchObject({ visits: 3 });
  });

  it('stays unknown, whatever else the store says to a later offer', async () => {
    const store = new MemoryStore();
    let answers: (HoldfastError | undefined)[] = [];
    const link = through(store, {
      async append(call) {
        const error = answers.shift();
        if (error === undefined) return call();
        if (error.outcome === 'unknown') await call();
        throw error;
      },
    });
    const sessions = repository(link, { storeTimeoutMs: 200 });
    await sessions.scope('s', (state) => void (state.visits = 1), { create: true });
    answers = [
      new HoldfastError('ERR_UNAVAILABLE', 'connection lost', { outcome: 'unknown' }),
      new HoldfastError('ERR_CORRUPT', 'a bad page'),
      new HoldfastError('ERR_UNAVAILABLE', 'down', { outcome: 'none' }),
    ];
    await sessions.scope('s', (state) => void (state.visits += 1), { create: true }); // found by the fourth offer
    expect(await sessions.read('s')).toMatchObject({ visits: 2 });
    answers = [
      new HoldfastError('ERR_UNAVAILABLE', 'connection lost', { outcome: 'unknown' }),
      ...Array.from({ length: 99 }, () => new HoldfastError('ERR_CLOSED', 'closed')),
    ];
    expect(
      await sessions
        .scope('s', (state) => void (state.visits += 1), { create: true })
        .catch((error: HoldfastError) => [error.code, error.outcome]),
    ).toEqual(['ERR_UNAVAILABLE', 'unknown']);
  });

  it('is reported by close, and not offered any more, while its session is still open', async () => {
    const store = new MemoryStore();
    let silent = false;
    const link = unreliable(store, () => (silent ? 'not done' : undefined));
    const sessions = repository(link.store, { storeTimeoutMs: 30 });
    const session = await sessions.open('s', { create: true });
    session.state.visits = 1;
    silent = true;
    expect(await codeOf(session.save())).toBe('ERR_UNAVAILABLE');
    expect(await sessions.close()).toEqual({ unsettled: ['s'], open: ['s'], unstored: [], unfed: [] });
    const offers = link.offered.length;
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(link.offered.length).toBe(offers);
    await session.close();
  });
});

describe('a holder whose session was replaced', () => {
  it('learns of it, reads what is there, and is not fenced again and again', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const holder = repository(primary, { backups: [{ store: backup }], lock: { leaseMs: 60_000 } });
    await holder.scope('s', (state) => void (state.visits = 1), { create: true });
    await repository(primary).scope('s', (state) => void (state.visits = 2), { create: true, timeoutMs: 2000 });
    await holder.scope('s', (state) => expect(state.visits).toBe(2), { create: true });
    const operator = repository(primary, { backups: [{ store: backup }] });
    await operator.backups.catchUp('s');
    await backup.touch('s', { token: 2 ** 30 });
    expect(await operator.backups.restore('s')).toBe(true);
    await new Promise((resolve) => setImmediate(resolve));
    await operator.scope('s', (state) => void (state.visits = 50), { create: true, timeoutMs: 2000 });
    expect(await holder.scope('s', (state) => state.visits, { create: true, timeoutMs: 2000 })).toBe(50);
    expect(await holder.delete('s')).toBe(true);
  });

  it('ends its hold when a delete is fenced', async () => {
    const store = new MemoryStore();
    const one = repository(store, { lock: { leaseMs: 30, maxHoldMs: 1 } });
    await one.scope('s', (state) => void (state.visits = 1), { create: true });
    const slow = await one.open('s', { create: true });
    await repository(store).scope('s', (state) => void (state.visits = 2), { create: true, timeoutMs: 5000 });
    expect(await codeOf(slow.delete())).toBe('ERR_FENCED');
    expect(await one.delete('s', { timeoutMs: 2000 })).toBe(true);
  });
});
