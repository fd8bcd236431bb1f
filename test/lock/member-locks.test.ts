import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../ts/clock.ts';
import type { Hold } from '../../ts/lock/hold.ts';
import { MemberLocks } from '../../ts/lock/member-locks.ts';
import type { LockOptions } from '../../ts/lock/context.ts';
import { Observers } from '../../ts/observe.ts';
import { ORIGIN } from '../../ts/position.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Hint, Store } from '../../ts/store/store.ts';
import { VirtualClock } from '../../ts/testing/index.ts';
import { through } from '../store/through.ts';
import type { Detours } from '../store/through.ts';

const since = (): typeof ORIGIN => ORIGIN;
const LEASE_MS = 300;
const members: MemberLocks[] = [];

const grants = new Map<MemberLocks, number>();

function member(store: Store, options: LockOptions = {}): MemberLocks {
  const observers = new Observers(systemClock);
  const locks = new MemberLocks(store, systemClock, { leaseMs: LEASE_MS, ...options }, {}, observers);
  observers.observe(({ type }) => void (type === 'grant' && grants.set(locks, grantsOf(locks) + 1)));
  members.push(locks);
  return members.at(-1) as MemberLocks;
}

const grantsOf = (locks: MemberLocks): number => grants.get(locks) ?? 0;

afterEach(async () => {
  await Promise.all(members.splice(0).map((locks) => locks.close()));
});

/** A store whose hints are lost when `lose` says so, and that counts its calls. */
function lossy(store: MemoryStore, lose: (hint: Hint) => boolean): { store: Store; calls: Record<string, number> } {
  const calls: Record<string, number> = {};
  const count =
    (name: string) =>
    <T>(call: () => T): T => {
      calls[name] = (calls[name] ?? 0) + 1;
      return call();
    };
  const join: Store['join'] = (listener) =>
    count('join')(() => store.join((hint) => void (lose(hint) || listener(hint))));
  return {
    store: through(store, {
      lock: count('lock'),
      unlock: count('unlock'),
      touch: count('touch'),
      join: (_call, listener) => join(listener),
    }),
    calls,
  };
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: { code?: unknown }) => error.code ?? error,
  );

async function waitFor(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 3000; !condition();) {
    if (Date.now() > end) throw new Error('waited three seconds in vain');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

// docs/protocol.md: Locks, Hints
describe('a member lock', () => {
  it('serves requests of one process in order, one at a time', async () => {
    const locks = member(new MemoryStore());
    const order: number[] = [];
    let inside = 0;
    await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const hold = await locks.acquire('s', since);
        expect((inside += 1)).toBe(1);
        order.push(i);
        await null;
        inside -= 1;
        await hold.end('keep');
      }),
    );
    expect(order).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  it('costs no call to the store while it is kept', async () => {
    const { store, calls } = lossy(new MemoryStore(), () => false);
    const locks = member(store, { leaseMs: 60_000 });
    for (let i = 0; i < 20; i += 1) await (await locks.acquire('s', since)).end('keep');
    expect(calls).toEqual({ join: 1, lock: 1 });
    expect(grantsOf(locks)).toBe(1);
  });

  it('goes back after each use under `access`', async () => {
    const { store, calls } = lossy(new MemoryStore(), () => false);
    const locks = member(store, { release: 'access' });
    for (let i = 0; i < 5; i += 1) {
      const hold = await locks.acquire('s', since);
      expect(hold.releaseNow()).toBe(true);
      await hold.end('keep');
    }
    expect(calls).toEqual({ join: 1, lock: 5, unlock: 5 });
  });

  it('is handed over when another member asks', async () => {
    const store = new MemoryStore();
    const [one, two] = [member(store), member(store)];
    const first = await one.acquire('s', since);
    const waiting = two.acquire('s', since);
    await waitFor(() => first.releaseNow());
    await first.end('keep');
    const second = await waiting;
    expect(second.token).toBeGreaterThan(first.token);
    await second.end('keep');
    const third = await one.acquire('s', since); // idle at the other: recalled at once
    expect(third.token).toBeGreaterThan(second.token);
    await third.end('keep');
  });

  it('excludes members from each other, nothing doubled, all served', async () => {
    const store = new MemoryStore();
    const all = [member(store), member(store), member(store, { release: 'access' })];
    let inside = 0;
    let served = 0;
    await Promise.all(
      all.flatMap((locks) =>
        Array.from({ length: 60 }, async () => {
          const hold = await locks.acquire('s', since, { timeoutMs: 20_000 });
          expect((inside += 1)).toBe(1);
          await new Promise((resolve) => setImmediate(resolve));
          inside -= 1;
          served += 1;
          await hold.end('keep');
        }),
      ),
    );
    expect(served).toBe(180);
  });

  it.each(['recall', 'grant'] as const)('goes on when every %s hint is lost', async (kind) => {
    const { store } = lossy(new MemoryStore(), (hint) => hint.kind === kind);
    const [one, two] = [member(store), member(store)];
    for (let i = 0; i < 3; i += 1) {
      for (const locks of [one, two]) {
        const hold = await locks.acquire('s', since, { timeoutMs: 5000 });
        await hold.end('keep');
      }
    }
    expect(grantsOf(one) + grantsOf(two)).toBe(6);
  });

  it('keeps a use alive that takes longer than the lease', async () => {
    const store = new MemoryStore();
    const [one, two] = [member(store), member(store)];
    const hold = await one.acquire('s', since);
    const waiting = two.acquire('s', since);
    await new Promise((resolve) => setTimeout(resolve, 3 * LEASE_MS));
    // still the holder of what was never written
    expect(await store.touch('s', { token: hold.token, renew: true })).toMatchObject({ why: 'gone' });
    await hold.end('keep');
    expect((await waiting).token).toBeGreaterThan(hold.token);
  });

  it('lets a use that outstays maxHoldMs lapse', async () => {
    const store = new MemoryStore();
    const [one, two] = [member(store, { maxHoldMs: 1 }), member(store)];
    const hold = await one.acquire('s', since);
    const next = await two.acquire('s', since, { timeoutMs: 5000 });
    expect(next.token).toBeGreaterThan(hold.token);
    await hold.end('keep');
    expect(await store.touch('s', { token: next.token, renew: true })).toMatchObject({ why: 'gone' });
    expect(await store.touch('s', { token: hold.token, renew: true })).toMatchObject({ why: 'fenced' });
  });

  it('notices after a pause that another has had it', async () => {
    const { store } = lossy(new MemoryStore(), (hint) => hint.kind === 'recall');
    const [one, two] = [member(store), member(store)];
    const first = await one.acquire('s', since);
    await first.end('keep');
    const second = await two.acquire('s', since, { timeoutMs: 5000 });
    await second.end('keep');
    const third = await one.acquire('s', since, { timeoutMs: 5000 });
    expect(third.token).toBeGreaterThan(second.token);
  });
});

describe('waiting for a member lock', () => {
  async function held(): Promise<{ store: MemoryStore; hold: Hold; other: MemberLocks }> {
    const store = new MemoryStore();
    const hold = await member(store, { leaseMs: 60_000 }).acquire('s', since);
    return { store, hold, other: member(store) };
  }

  it('ends with ERR_LOCK_TIMEOUT, and leaves the queue', async () => {
    const { hold, other, store } = await held();
    expect(await codeOf(other.acquire('s', since, { timeoutMs: 20 }))).toBe('ERR_LOCK_TIMEOUT');
    await hold.end('keep');
    const next = await member(store).acquire('s', since, { timeoutMs: 2000 });
    expect(next.token).toBeGreaterThan(hold.token);
  });

  it('ends when its signal says so, with the reason given', async () => {
    const { other } = await held();
    const stop = new AbortController();
    const waiting = codeOf(other.acquire('s', since, { signal: stop.signal }));
    stop.abort(new Error('client gone'));
    expect(await waiting).toEqual(new Error('client gone'));
    expect(await codeOf(other.acquire('s', since, { signal: AbortSignal.abort(new Error('too late')) }))).toEqual(
      new Error('too late'),
    );
  });

  it('does not happen when only trying', async () => {
    const { hold, other } = await held();
    expect(await codeOf(other.acquire('s', since, { timeoutMs: 0 }))).toBe('ERR_LOCK_TIMEOUT');
    await hold.end('released');
    const free = await other.acquire('t', since, { timeoutMs: 0 });
    expect(await codeOf(other.acquire('t', since, { timeoutMs: 0 }))).toBe('ERR_LOCK_TIMEOUT'); // in use here
    await free.end('keep');
    await (await other.acquire('t', since, { timeoutMs: 0 })).end('keep');
  });

  it('succeeds by trying where a dead holder left its lock', async () => {
    const store = new MemoryStore();
    const { member: dead } = await store.join(() => undefined);
    await store.lock('s', { member: dead, ticket: 1, leaseMs: 20, wait: true, since: ORIGIN });
    await new Promise((resolve) => setTimeout(resolve, 30));
    await (await member(store).acquire('s', since, { timeoutMs: 0 })).end('keep');
  });

  it('fails at once when the process closes, and the lock is free for others', async () => {
    const { hold, other, store } = await held();
    const waiting = codeOf(other.acquire('s', since));
    await other.close();
    expect(await waiting).toBe('ERR_CLOSED');
    expect(await codeOf(other.acquire('s', since))).toBe('ERR_CLOSED');
    await hold.end('keep');
    await (await member(store).acquire('s', since, { timeoutMs: 2000 })).end('keep');
  });

  it('reports a store that cannot be reached, and recovers with it', async () => {
    const store = new MemoryStore();
    let down = true;
    const flaky = through(store, { lock: (call) => (down ? Promise.reject(new Error('down')) : call()) });
    const locks = member(flaky);
    expect(await Promise.all([codeOf(locks.acquire('s', since)), codeOf(locks.acquire('s', since))])).toEqual([
      new Error('down'),
      new Error('down'),
    ]);
    down = false;
    await (await locks.acquire('s', since)).end('keep');
  });
});

describe('a member whose hints were lost', () => {
  it('asks the store before it uses what it kept, and joins again where the store has lost its memory', async () => {
    let inner = new MemoryStore();
    await inner.promote(3);
    let tell: ((hint: Hint) => void) | undefined;
    const joined: number[] = [];
    const link = through(inner, {
      lock: (_call, ...args) => inner.lock(...args),
      unlock: (_call, ...args) => inner.unlock(...args),
      ping: () => inner.ping(),
      async join(_call, listener) {
        tell = listener;
        const membership = await inner.join(listener);
        joined.push(membership.epoch);
        return membership;
      },
    });
    const locks = member(link, { leaseMs: 60_000 });
    const first = await locks.acquire('s', since);
    await first.end('keep');
    tell?.({ kind: 'resync' });
    const second = await locks.acquire('s', since);
    expect(second.granted).toBeDefined(); // asked, though the lease had not ended
    expect(joined).toEqual([4]);
    await second.end('keep');
    inner = new MemoryStore();
    tell?.({ kind: 'resync' });
    await waitFor(() => joined.length === 1);
    await new Promise((resolve) => setImmediate(resolve));
    await (await locks.acquire('s', since)).end('keep');
    expect(joined).toEqual([4, 0]);
  });
});

describe('without hints', () => {
  it('joins again where the store has lost its memory, also when no hint says so', async () => {
    const before = new MemoryStore();
    await before.promote(3);
    let behind = before;
    let joined = 0;
    const moving = new Proxy(before, {
      get(_, name: 'join') {
        if (name === 'join') joined += 1;
        const found = behind[name] as unknown;
        return typeof found === 'function' ? (found.bind(behind) as unknown) : found;
      },
    });
    const [one, two] = [member(moving, { leaseMs: 5000 }), member(moving, { leaseMs: 5000 })];
    for (const locks of [one, two]) await (await locks.acquire('s', since)).end('keep');
    behind = new MemoryStore();
    for (const locks of [one, two]) await (await locks.acquire('other', since)).end('keep');
    const began = performance.now();
    for (const locks of [one, two, one, two])
      await (await locks.acquire('third', since, { timeoutMs: 5000 })).end('keep');
    // recalls and grants arrive: nobody waits for a lease
    expect([joined, performance.now() - began < 1000]).toEqual([4, true]);
    expect((await before.join(() => undefined)).member).not.toBe((await behind.join(() => undefined)).member);
  });

  it('a use may ask to hold longer than maxHoldMs, for itself alone', async () => {
    const store = new MemoryStore();
    const [one, two] = [member(store, { maxHoldMs: 1, leaseMs: 60 }), member(store, { leaseMs: 60 })];
    const hold = await one.acquire('s', () => ORIGIN, { holdMs: 10_000 });
    const other = two.acquire('s', () => ORIGIN, { timeoutMs: 5000 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(hold.overdue()).toBe(false);
    await hold.end('keep');
    const next = await other;
    const again = one.acquire('s', () => ORIGIN, { timeoutMs: 5000 });
    await next.end('keep');
    const second = await again; // as every other
    const third = two.acquire('s', () => ORIGIN, { timeoutMs: 5000 });
    await vi.waitFor(() => expect(second.overdue()).toBe(true));
    await second.end('keep');
    await (await third).end('keep');
  });

  it('a holder learns that others wait from the answers that it gets, and makes room within maxHoldMs', async () => {
    const { store } = lossy(new MemoryStore(), () => true);
    const [one, two] = [member(store, { maxHoldMs: 100, leaseMs: 120 }), member(store, { leaseMs: 120 })];
    const hold = await one.acquire('s', since);
    // renewed for as long as it may, then left to lapse
    const next = await two.acquire('s', since, { timeoutMs: 5000 });
    expect(next.token).toBeGreaterThan(hold.token);
    await hold.end('keep');
    await next.end('keep');
  });

  it('a grant that finds nobody is given back, and forgotten', async () => {
    const store = new MemoryStore();
    let slow = true;
    const link = through(store, {
      async lock(call) {
        const reply = await call();
        if (slow) await new Promise((resolve) => setTimeout(resolve, 40));
        return reply;
      },
    });
    const locks = member(link, { leaseMs: 60_000 });
    expect(await codeOf(locks.acquire('s', since, { timeoutMs: 10 }))).toBe('ERR_LOCK_TIMEOUT');
    slow = false;
    await waitFor(() => grantsOf(locks) === 1);
    await (await member(store).acquire('s', since, { timeoutMs: 2000 })).end('keep');
    expect((await store.inspect('s')).lock.queue).toEqual([]);
  });
});

describe('a use that begins when the lease is nearly over', () => {
  const LONG_MS = 3000;
  /** One member whose uses begin and end as they are told, under a clock that stands still meanwhile. */
  function alone(detours: Detours = {}): { clock: VirtualClock; store: MemoryStore; locks: MemberLocks } {
    const clock = new VirtualClock();
    const store = new MemoryStore({ clock });
    const locks = new MemberLocks(through(store, detours), clock, { leaseMs: LONG_MS }, {}, new Observers(clock));
    return { clock, store, locks };
  }
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 10; i += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  const other = { member: 'other', ticket: 1, leaseMs: LONG_MS, wait: true, since: ORIGIN };

  it('renews it at once, so that it is not fenced though it is quick', async () => {
    const { clock, store, locks } = alone({
      // No recall comes through, which would have it renewed as well.
      join: (_call, listener) => store.join((hint) => void (hint.kind === 'recall' || listener(hint))),
    });
    await (await locks.acquire('s', since)).end('keep');
    clock.pass(0.85 * LONG_MS);
    const hold = await locks.acquire('s', since);
    expect(hold.granted).toBeUndefined(); // its lease had not ended
    await settle();
    expect((await store.lock('s', other)).granted).toBe(false);
    clock.pass(0.155 * LONG_MS); // past the end of the lease that it began with, and before the next look at it
    expect((await store.lock('s', other)).granted).toBe(false);
    expect(await store.touch('s', { token: hold.token, renew: true })).toMatchObject({ why: 'gone', wanted: true });
    await hold.end('keep');
  });

  it('so also one that was granted while its process slept through most of the lease', async () => {
    let sleepMs = 0;
    const { clock, store, locks } = alone({
      async lock(call) {
        const reply = await call();
        clock.pass(sleepMs);
        return reply;
      },
    });
    sleepMs = 0.8 * LONG_MS;
    const hold = await locks.acquire('s', since);
    await settle();
    clock.pass(0.3 * LONG_MS);
    expect((await store.inspect('s')).lock.holder?.leaseLeftMs).toBeGreaterThan(0);
    await hold.end('keep');
  });
});

describe('a grant whose lease is over when it is read', () => {
  it('is asked for anew, and is another grant', async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore({ clock });
    let asked = 0;
    const slow = through(store, {
      async lock(call) {
        const reply = await call();
        asked += 1;
        if (asked === 1) clock.pass(5000); // this process sleeps
        return reply;
      },
    });
    const locks = new MemberLocks(slow, clock, { leaseMs: 1000 }, {}, new Observers(clock));
    const hold = await locks.acquire('s', since);
    expect([asked, hold.token]).toEqual([2, 2]);
    expect((await store.inspect('s')).lock.holder?.leaseLeftMs).toBe(1000);
    await hold.end('keep');
  });

  it('brings what another has written meanwhile', async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore({ clock });
    let asleep = true;
    const slow = through(store, {
      async lock(call) {
        const reply = await call();
        if (!asleep) return reply;
        asleep = false;
        clock.pass(5000);
        const taken = await store.lock('s', { member: 'b', ticket: 1, leaseMs: 1000, wait: true, since: ORIGIN });
        expect(taken.granted).toBe(false); // a recall has time to arrive
        clock.pass(250);
        const again = await store.lock('s', { member: 'b', ticket: 1, leaseMs: 1000, wait: true, since: ORIGIN });
        if (!again.granted) throw new Error('a lapsed lease can be taken');
        const record = { kind: 'snapshot', bytes: new Uint8Array(9), under: again.token, lock: 'release' } as const;
        await store.append('s', { parent: ORIGIN, position: { revision: 1, nonce: 7 }, ...record });
        return reply;
      },
    });
    const locks = new MemberLocks(slow, clock, { leaseMs: 1000 }, {}, new Observers(clock));
    const hold = await locks.acquire('s', since);
    expect(hold.granted?.tail.head?.position.revision).toBe(1);
    await hold.end('keep');
  });

  it('is counted by its own time, however much the store says is left', async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore({ clock });
    let calls = 0;
    const boasting = through(store, {
      async lock(call) {
        calls += 1;
        const reply = await call();
        return reply.granted ? { ...reply, leaseLeftMs: 3_600_000 } : reply;
      },
    });
    const locks = new MemberLocks(boasting, clock, { leaseMs: 1000 }, {}, new Observers(clock));
    await (await locks.acquire('s', since)).end('keep');
    clock.pass(1001);
    await (await locks.acquire('s', since)).end('keep'); // it may be another's by now
    expect(calls).toBe(2);
  });
});

describe('the time that a use has asked to hold', () => {
  it('is not the next one\u2019s, though the lock stayed here', async () => {
    const clock = new VirtualClock();
    const locks = new MemberLocks(new MemoryStore({ clock }), clock, { maxHoldMs: 100 }, {}, new Observers(clock));
    const late = async (holdMs?: number): Promise<boolean> => {
      const hold = await locks.acquire('s', since, { holdMs });
      hold.wanted();
      clock.pass(101);
      const overdue = hold.overdue();
      await hold.end('keep');
      return overdue;
    };
    await (await locks.acquire('s', since, { holdMs: 10_000 })).end('keep');
    const next = await locks.acquire('s', since);
    expect(next.granted).toBeUndefined(); // the lock stayed here
    next.wanted();
    clock.pass(101);
    expect(next.overdue()).toBe(true);
    await next.end('keep');
    expect([await late(10_000), await late()]).toEqual([false, true]);
  });
});

describe('a renewal that is refused', () => {
  it('tells that the lock was lost, also of a use that only reads, and the lock is not used again', async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore({ clock });
    const observers = new Observers(clock);
    const events: string[] = [];
    observers.observe(({ type }) => void events.push(type));
    const locks = new MemberLocks(store, clock, { leaseMs: 900 }, {}, observers);
    const hold = await locks.acquire('s', since);
    await store.unlock('s', { token: hold.token }); // as if this process had slept, and others had taken it
    await store.lock('s', { member: 'other', ticket: 1, leaseMs: 60_000, wait: true, since: ORIGIN });
    clock.pass(500); // past the time of a renewal
    await vi.waitFor(() => expect(events).toEqual(['grant', 'lock-lost']));
    await hold.end('keep');
    expect(await codeOf(locks.acquire('s', since, { timeoutMs: 0 }))).toBe('ERR_LOCK_TIMEOUT');
  });
});

describe('a renewal that crosses the release', () => {
  it('is no lost lock', async () => {
    const store = new MemoryStore();
    let open: (() => void) | undefined;
    const link = through(store, {
      async touch(call) {
        await new Promise<void>((resolve) => (open = resolve));
        return call();
      },
    });
    const observers = new Observers(systemClock);
    const lost: string[] = [];
    observers.observe(({ type }) => void (type === 'lock-lost' && lost.push(type)));
    const locks = new MemberLocks(link, systemClock, { leaseMs: 60 }, {}, observers);
    members.push(locks);
    const hold = await locks.acquire('s', since);
    await waitFor(() => open !== undefined); // a renewal is on its way
    hold.leave();
    await store.append('s', {
      parent: ORIGIN,
      position: { revision: 1, nonce: 1 },
      kind: 'snapshot',
      bytes: new Uint8Array(1),
      under: hold.token,
      lock: 'release',
    });
    open?.();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await hold.end('released');
    expect(lost).toEqual([]);
  });
});
