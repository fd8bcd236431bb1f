import { beforeEach, describe, expect, it } from 'vitest';
import { ORIGIN } from '../../ts/position.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { LockReply } from '../../ts/store/store.ts';

const HOUR_MS = 3_600_000;
const LEASE_MS = 100;
const GRACE_MS = 1000;

/**
 * A clock of the machine that begins again, under a store that cannot tell one run of the machine from another: times
 * that were noted before lie hours ahead.
 */
describe('times of another run of the machine', () => {
  let now = 0;
  let store: MemoryStore;
  const clock = { now: () => 1.7e12 + now, monotonic: () => now, after: () => () => undefined };
  const ask = (member: string, wait = true): Promise<LockReply> =>
    store.lock('s', { member, ticket: 1, leaseMs: LEASE_MS, wait, since: ORIGIN });
  const grantedAfter = async (ms: number, member: string, wait = true): Promise<boolean> => {
    for (let passed = 0; passed < ms; passed += 5) {
      if ((await ask(member, wait)).granted) return true;
      now += 5;
    }
    return false;
  };

  beforeEach(() => {
    now = 10 * HOUR_MS;
    store = new MemoryStore({ clock });
  });

  it.each<[string, boolean, number]>([
    ['waits', true, HOUR_MS],
    ['waits, some seconds back', true, 5000],
    ['only tries', false, HOUR_MS],
  ])('keep a lock from who %s, for a lease and a recall at the most', async (_, wait, backMs) => {
    await ask('gone');
    now -= backMs;
    expect(await grantedAfter(2 * LEASE_MS, 'other', wait)).toBe(true);
  });

  it.each([5000, HOUR_MS])('do so also where it was recalled before, %d ms back', async (backMs) => {
    await ask('gone');
    await ask('gone too');
    now -= backMs;
    expect(await grantedAfter(3 * LEASE_MS, 'other')).toBe(true);
  });

  it('keep no place in the queue for longer than a lease', async () => {
    await ask('holder');
    await ask('gone');
    now -= 5000;
    await ask('other');
    now += LEASE_MS / 2;
    await ask('other');
    now += LEASE_MS / 2 + 1;
    await store.unlock('s', { member: 'holder', ticket: 1 });
    expect((await store.inspect('s')).lock.holder?.member).toBe('other');
  });

  it('keep nothing from being swept', async () => {
    await ask('gone');
    await ask('gone too');
    now -= HOUR_MS;
    await store.sweep({ limit: 10, graceMs: GRACE_MS });
    now += GRACE_MS;
    expect((await store.sweep({ limit: 10, graceMs: GRACE_MS })).swept).toBe(1);
  });
});
