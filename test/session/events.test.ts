import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import type { HoldfastEvent } from '../../ts/observe.ts';
import { ORIGIN } from '../../ts/position.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import type { RepositoryOptions } from '../../ts/session/options.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Store } from '../../ts/store/store.ts';
import { VirtualClock } from '../../ts/testing/index.ts';
import { through } from '../store/through.ts';

interface State {
  n: number;
}
const definition = defineSession({ n: mutable<number>(() => 0) });
const ID = 'a-session-with-a-long-id';

function watched(
  store: Store,
  options: Partial<RepositoryOptions<State, object>> = {},
): { sessions: SessionRepository<State, object>; events: HoldfastEvent[] } {
  const sessions = new SessionRepository<State, object>({ store, definition, engine: 'js', ...options });
  const events: HoldfastEvent[] = [];
  sessions.observe((event) => void events.push(event));
  return { sessions, events };
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: { code?: unknown }) => error.code ?? error,
  );
const typesOf = (events: readonly HoldfastEvent[]): string[] => events.map(({ type }) => type);

describe('events of a repository', () => {
  it('tell of the engine, grants, and bytes sent to each place', async () => {
    const { sessions, events } = watched(new MemoryStore(), { backups: [{ store: new MemoryStore() }] });
    await sessions.scope(ID, (state) => void (state.n = 1), { create: true });
    await sessions.scope(ID, (state) => void (state.n = 2), { create: true });
    expect(typesOf(events)).toEqual(['engine', 'grant', 'sent', 'sent', 'sent', 'sent']);
    expect(events[0]).toMatchObject({ engine: 'js', why: 'option' });
    expect(events[1]).toMatchObject({ id: 'a-sessio…', handOver: false });
    expect(events[4]).toMatchObject({ place: 'primary', kind: 'delta', revision: 2 });
    expect(events[5]).toMatchObject({
      place: 0,
      kind: 'delta',
      revision: 2,
      bytes: (events[4] as { bytes: number }).bytes,
    });
    expect(JSON.stringify(events)).not.toContain(ID);
  });

  it('tell of recalls, hand-overs, lost locks, and of who waits for long', async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore({ clock });
    const one = watched(store, { clock, lock: { leaseMs: 40, maxHoldMs: 1 } });
    const two = watched(store, { clock, lock: { leaseMs: 10 } });
    const slow = await one.sessions.open(ID, { create: true });
    slow.state.n = 1;
    await slow.save();
    slow.state.n = 2;
    let served = false;
    const waiting = two.sessions.scope(ID, (state) => void (state.n += 10), { create: true });
    void waiting.finally(() => (served = true));
    for (let ms = 0; ms < 1_000 && !served; ms += 2) {
      clock.pass(2);
      await setImmediate(); // with time for what that leads to
    }
    await waiting;
    await slow.save().catch(() => undefined);
    expect(typesOf(one.events)).toContain('recall');
    expect(one.events.filter(({ type }) => type === 'lock-lost').length).toBeGreaterThan(0);
    expect(typesOf(two.events)).toEqual(['engine', 'wait', 'grant', 'sent']);
    expect(two.events.find(({ type }) => type === 'grant')).toMatchObject({ handOver: true });
  });

  it('tell of backups that fall behind and catch up', async () => {
    let down = true;
    const unless = <T>(call: () => Promise<T>): Promise<T> => (down ? Promise.reject(new Error('is down')) : call());
    const { sessions, events } = watched(new MemoryStore(), {
      backups: [{ store: through(new MemoryStore(), { append: unless }) }],
    });
    await sessions.scope(ID, (state) => void (state.n = 1), { create: true });
    down = false;
    await sessions.scope(ID, (state) => void (state.n = 2), { create: true });
    expect(typesOf(events).filter((type) => type.startsWith('backup'))).toEqual([
      'backup-lag',
      'backup-error',
      'backup-caught-up',
    ]);
    expect(events.find(({ type }) => type === 'backup-error')).toMatchObject({
      backup: 0,
      message: 'is down',
      fenced: false,
    });
  });

  it('tell of damage, where it is, and of its repair', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const first = watched(primary, { backups: [{ store: backup }] });
    await first.sessions.scope(ID, (state) => void (state.n = 1), { create: true });
    await first.sessions.scope(ID, (state) => void (state.n = 2), { create: true });
    await first.sessions.close();
    const record = (await primary.read(ID, { since: ORIGIN })).records[1] as Uint8Array;
    record[8] = (record[8] as number) ^ 1; // the store's own bytes
    const { sessions, events } = watched(primary, { backups: [{ store: backup }] });
    await sessions.scope(ID, () => undefined, { create: true }).catch(() => undefined);
    await sessions.backups.restore(ID);
    expect(typesOf(events)).toEqual(['engine', 'grant', 'damage', 'repaired']);
    expect(events.slice(2)).toMatchObject([
      { place: 'primary', revision: 2 },
      { place: 'primary', from: 0, revision: 2 },
    ]);
  });

  it('tell of damage that the store itself finds, or a mere read, at each call', async () => {
    const corrupt = async (): Promise<never> => {
      throw new HoldfastError('ERR_CORRUPT', 'its row is damaged', { session: ID, revision: 3 });
    };
    const { sessions, events } = watched(through(new MemoryStore(), { lock: corrupt, read: corrupt }));
    const codes = [
      await codeOf(sessions.scope(ID, () => undefined)),
      await codeOf(sessions.find(ID)),
      await codeOf(sessions.read(ID)),
    ];
    expect(codes).toEqual(codes.map(() => 'ERR_CORRUPT'));
    const told = { type: 'damage', place: 'primary', revision: 3, message: 'its row is damaged' };
    expect(events.slice(1)).toMatchObject([told, told, told]);
  });

  it('tell of a session that was found expired, and of a clock that jumped', async () => {
    let jumpMs = 0;
    let passedMs = 0;
    const clock = {
      now: () => 1e12 + passedMs + jumpMs,
      monotonic: () => passedMs,
      after: () => () => undefined,
    };
    const { sessions, events } = watched(new MemoryStore({ clock }), { clock, ttlMs: 1000 });
    await sessions.scope(ID, (state) => void (state.n = 1), { create: true });
    passedMs += 1001;
    const seen = await sessions.scope(ID, (state) => state.n, { create: true });
    expect(seen).toBe(0);
    expect(events.find(({ type }) => type === 'expired')).toMatchObject({ id: 'a-sessio…' });
    jumpMs = 7_200_000;
    await sessions.scope(ID, (state) => void (state.n += 1), { create: true });
    expect(events.find(({ type }) => type === 'clock-jump')).toMatchObject({ jumpMs: 7_200_000 });
  });

  it('may be answered by calls of the session that they happen in: these come after', async () => {
    const clock = new VirtualClock();
    const { sessions } = watched(new MemoryStore({ clock }), { clock });
    const session = await sessions.open(ID, { create: true });
    session.state.n = 1;
    await session.save();
    const called: Promise<unknown>[] = [];
    sessions.observe(({ type }) => {
      if (type !== 'clock-jump') return;
      session.state.n = 3;
      called.push(session.save(), session.close(), codeOf(session.save()));
    });
    session.state.n = 2;
    clock.jump(100_000); // the next save tells of it while it makes its record
    expect(await session.save()).toMatchObject({ kind: 'delta', revision: 2 });
    expect(await Promise.all(called)).toMatchObject([{ kind: 'delta', revision: 3 }, undefined, 'ERR_CLOSED']);
    expect(await sessions.read(ID)).toEqual({ n: 3 });
  });

  it('tell once of a jump, also where the listener itself makes one look at the time', async () => {
    const clock = new VirtualClock();
    const { sessions, events } = watched(new MemoryStore({ clock }), { clock });
    const [one, other] = await Promise.all(['one', 'other'].map((id) => sessions.open(id, { create: { n: 1 } })));
    const saved: unknown[] = [];
    sessions.observe(({ type }) => void (type === 'clock-jump' && saved.push(other?.save())));
    clock.jump(100_000);
    await one?.save();
    await Promise.all(saved);
    expect(typesOf(events).filter((type) => type === 'clock-jump')).toEqual(['clock-jump']);
    await Promise.all([one?.close(), other?.close()]);
  });

  it('may be answered by the end of a use whose lock is lost: the next use does not have that lock', async () => {
    const clock = new VirtualClock();
    let locks = 0;
    const store = through(new MemoryStore({ clock }), {
      touch: async () => ({ touched: false, why: 'fenced', head: undefined, wanted: false }),
      lock: (call) => ((locks += 1), call()),
    });
    const { sessions, events } = watched(store, { clock });
    const session = await sessions.open(ID, { create: true });
    await session.save();
    sessions.observe(({ type }) => type === 'lock-lost' && session.close());
    clock.pass(1000); // past the time of a renewal
    await expect.poll(() => typesOf(events)).toContain('lock-lost');
    const before = locks;
    await sessions.scope(ID, () => undefined);
    expect(locks).toBe(before + 1);
  });
});
