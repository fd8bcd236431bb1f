import { expect, it } from 'vitest';
import type { Clock } from '../../ts/clock.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { ORIGIN } from '../../ts/position.ts';

/** Each look at it finds later. */
class RunningClock implements Clock {
  #ms = 1e12;
  now(): number {
    return (this.#ms += 1);
  }
  monotonic(): number {
    return this.now() - 1e12;
  }
  after(): () => void {
    return () => undefined;
  }
}

it('one call tells of one moment: what lives has time left', async () => {
  const definition = defineSession({ n: mutable(() => 0) });
  // A call looks at the clock more than once: each of these ends between other looks.
  for (let ttlMs = 300; ttlMs < 310; ttlMs += 1) {
    const clock = new RunningClock();
    const store = new MemoryStore({ clock, sweepEveryMs: Infinity });
    const sessions = new SessionRepository({ store, definition, ttlMs, lock: { leaseMs: 100 }, clock });
    await sessions.scope('s', (state) => void (state.n = 1), { create: {} });
    const seen: [string, boolean][] = [];
    while (seen.at(-1)?.[0] !== 'expired') {
      const { head } = await store.read('s', { since: ORIGIN });
      if (head === undefined) throw new Error('it is there until it is swept');
      seen.push([head.state, head.leftMs > 0]);
    }
    expect(seen.length).toBeGreaterThan(20);
    expect(seen.filter(([state, left]) => (state === 'live') !== left)).toEqual([]);
  }
});
