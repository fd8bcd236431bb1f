import { describe, expect, it, vi } from 'vitest';
import type { Clock } from '../../ts/clock.ts';
import type { HoldfastError } from '../../ts/errors.ts';
import { ORIGIN } from '../../ts/position.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import type { RepositoryOptions } from '../../ts/session/options.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Store } from '../../ts/store/store.ts';
import { through } from '../store/through.ts';

const definition = defineSession({ n: mutable<number>(() => 0), text: mutable<string>(() => '') });
type Options = Pick<RepositoryOptions<{ n: number; text: string }, object>, 'backups'>;
const repository = (store: Store, options: Options = {}): SessionRepository<{ n: number; text: string }, object> =>
  new SessionRepository({ store, definition, ...options });

/** A store that is down when told so, or damages what it is given. */
function fragile(store: MemoryStore): { store: Store; state: { down: boolean; damage: boolean } } {
  const state = { down: false, damage: false };
  const unless = <T>(call: () => Promise<T>): Promise<T> =>
    state.down ? Promise.reject(new Error('backup is down')) : call();
  const link = through(store, {
    read: unless,
    replace: unless,
    touch: unless,
    append(call, id, append) {
      if (!state.damage) return unless(call);
      const bytes = Buffer.from(append.bytes);
      bytes[bytes.length - 6] = (bytes[bytes.length - 6] as number) ^ 1;
      return store.append(id, { ...append, bytes });
    },
  });
  return { store: link, state };
}

/** The messages of failed feeds, as they come. */
function errorsOf(sessions: SessionRepository<{ n: number; text: string }, object>): string[] {
  const errors: string[] = [];
  sessions.observe((event) => void (event.type === 'backup-error' && errors.push(event.message)));
  return errors;
}

const logOf = async (store: Store, id: string): Promise<string[]> =>
  (await store.read(id, { since: ORIGIN })).records.map((record) => Buffer.from(record).toString('hex'));

// docs/protocol.md: Backups
describe('backups', () => {
  it('are fed the same records, delta by delta', async () => {
    const [primary, first, second] = [new MemoryStore(), new MemoryStore(), new MemoryStore()];
    const sessions = repository(primary, { backups: [{ store: first }, { store: second, ack: 'async' }] });
    const sent = [0, 0];
    sessions.observe((event) => {
      if (event.type === 'sent' && event.place !== 'primary')
        sent[event.place] = (sent[event.place] as number) + event.bytes;
    });
    for (let i = 0; i < 40; i += 1)
      await sessions.scope('s', (state) => void ((state.n += 1), (state.text += `line ${i}\n`)), { create: true });
    await sessions.backups.drain();
    expect(await logOf(first, 's')).toEqual(await logOf(primary, 's'));
    expect(await logOf(second, 's')).toEqual(await logOf(primary, 's'));
    expect(await sessions.verifyBackups('s')).toEqual(['equal', 'equal']);
    expect(sent[0]).toBe(sent[1]);
    expect(sent[0]).toBeGreaterThan(0);
  });

  it('are waited for once a session: one that is saved on and on does not hold up who waits', async () => {
    const held: (() => void)[] = [];
    const slow = through(new MemoryStore(), {
      append: (call) => new Promise<void>((resolve) => void held.push(resolve)).then(call),
    });
    const sessions = repository(new MemoryStore(), { backups: [{ store: slow, ack: 'async' }] });
    const errors = errorsOf(sessions);
    const session = await sessions.open('s', { create: true });
    const save = async (n: number): Promise<void> => {
      session.state.n = n;
      await session.save();
    };
    const goesOn = async (): Promise<void> => (await vi.waitFor(() => expect(held).toHaveLength(1)), held.shift())?.();
    await save(1); // on its way
    await save(2); // waits behind it
    const drained = sessions.backups.drain();
    await goesOn();
    await vi.waitFor(() => expect(held).toHaveLength(1));
    await save(3);
    await goesOn();
    await drained;
    expect(errors).toEqual([]); // or the third was waited for until its time was over
    await goesOn();
    await sessions.backups.drain();
    expect(await sessions.verifyBackups('s')).toEqual(['equal']);
    await session.close();
  });

  it('can be opened as the primary', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const before = repository(primary, { backups: [{ store: backup }] });
    for (let i = 0; i < 5; i += 1) await before.scope('s', (state) => void (state.n += 1), { create: true });
    const after = repository(backup);
    await after.scope(
      's',
      (state) => {
        expect(state.n).toBe(5);
        state.n += 1;
      },
      { create: true },
    );
    expect(await after.read('s')).toMatchObject({ n: 6 });
  });

  it('notice a gap and catch up', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const { store, state: link } = fragile(backup);
    const sessions = repository(primary, { backups: [{ store }] });
    const errors = errorsOf(sessions);
    await sessions.scope('s', (state) => void (state.n += 1), { create: true });
    link.down = true;
    // the primary goes on
    for (let i = 0; i < 3; i += 1) await sessions.scope('s', (state) => void (state.n += 1), { create: true });
    expect(errors).toEqual(['backup is down', 'backup is down', 'backup is down']);
    expect([...sessions.backups.behind().keys()]).toEqual(['s']);
    link.down = false;
    expect(await sessions.verifyBackups('s')).toEqual(['behind']);
    await sessions.scope('s', (state) => void (state.n += 1), { create: true });
    expect(await logOf(backup, 's')).toEqual(await logOf(primary, 's'));
    expect(await sessions.verifyBackups('s')).toEqual(['equal']);
    expect(errors.length).toBe(3);
    expect(sessions.backups.behind().size).toBe(0);
  });

  it('that come late, went astray or are damaged are mended from the primary', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    await repository(primary).scope('s', (state) => void (state.n = 5), { create: true });
    await repository(backup).scope('s', (state) => void (state.n = 99), { create: true }); // another branch
    const { store, state: link } = fragile(backup);
    const sessions = repository(primary, { backups: [{ store }] });
    const errors = errorsOf(sessions);
    await sessions.scope('s', (state) => void (state.n += 1), { create: true });
    // what only the backup has is not thrown away unasked
    expect(errors).toEqual([expect.stringContaining('overwrite: true')]);
    expect(await repository(backup).read('s')).toMatchObject({ n: 99 });
    await sessions.backups.catchUp('s', { overwrite: true });
    expect(await sessions.verifyBackups('s')).toEqual(['equal']);
    link.damage = true;
    await sessions.scope('s', (state) => void (state.n += 1), { create: true });
    link.damage = false;
    expect(await sessions.verifyBackups('s')).toEqual(['damaged']);
    const error = await repository(backup)
      .read('s')
      .catch((thrown: HoldfastError) => thrown);
    expect(error).toMatchObject({ code: 'ERR_CORRUPT', session: 's' });
    await sessions.backups.catchUp('s');
    expect(await sessions.verifyBackups('s')).toEqual(['equal']);
    expect(await repository(backup).read('s')).toMatchObject({ n: 7 });
  });

  it('follow when two processes feed them in turns', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const both = [1, 2].map(() => repository(primary, { backups: [{ store: backup, ack: 'async' }] }));
    const errors = both.map(errorsOf);
    for (let i = 0; i < 60; i += 1) await both[i % 2]?.scope('s', (state) => void (state.n += 1), { create: true });
    await Promise.all(both.map((sessions) => sessions.backups.drain()));
    expect(errors.flat()).toEqual([]);
    expect(await both[0]?.verifyBackups('s')).toEqual(['equal']);
  });

  it('learn of the end of a session, and of its expiry', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const sessions = repository(primary, { backups: [{ store: backup }] });
    await sessions.scope('s', (state) => void (state.n += 1), { create: true });
    await sessions.scope('t', (state, session) => ((state.n += 1), session.save().then(() => session.expire(50_000))), {
      create: true,
    });
    expect((await backup.read('t', { since: ORIGIN })).head?.leftMs).toBeGreaterThan(40_000);
    expect((await backup.read('t', { since: ORIGIN })).head?.leftMs).toBeLessThanOrEqual(50_000);
    await sessions.delete('s');
    expect((await backup.read('s', { since: ORIGIN })).head?.state).toBe('ended');
    expect(await repository(backup).read('s')).toBeUndefined();
  });
});

describe('a damaged record in the primary', () => {
  it('is named by session and revision; others go on; the backup has the state', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const sessions = repository(primary, { backups: [{ store: backup }] });
    for (let i = 0; i < 4; i += 1)
      for (const id of ['s', 'other']) await sessions.scope(id, (state) => void (state.n += 1), { create: true });
    const { records } = await primary.read('s', { since: ORIGIN });
    (records[2] as Uint8Array)[8] = ((records[2] as Uint8Array)[8] as number) ^ 4; // the store's own bytes
    const fresh = repository(primary);
    const failing = (): Promise<unknown> =>
      fresh.scope('s', () => undefined, { create: true, timeoutMs: 5000 }).catch((thrown: HoldfastError) => thrown);
    expect(await failing()).toMatchObject({ code: 'ERR_CORRUPT', session: 's', revision: 3 });
    expect(await failing()).toMatchObject({ code: 'ERR_CORRUPT', session: 's', revision: 3 });
    await fresh.scope('other', (state) => expect(state.n).toBe(4), { create: true });
    expect(await repository(backup).read('s')).toMatchObject({ n: 4 });
  });
});

/** A clock that goes on when it is told to. */
function virtual(): { clock: Clock; pass: (ms: number) => void; jump: (ms: number) => void } {
  const timers = new Set<{ at: number; run: () => void }>();
  let [now, skew] = [0, 0];
  const clock: Clock = {
    now: () => 1.7e12 + now + skew,
    monotonic: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
  };
  const pass = (ms: number): void => {
    now += ms;
    for (const timer of [...timers]) if (timer.at <= now && timers.delete(timer)) timer.run();
  };
  return { clock, pass, jump: (ms) => void (skew += ms) };
}

/** Fails the calls that `due` names. */
function failing(store: MemoryStore, due: (call: 'append' | 'touch' | 'read') => boolean): Store {
  const unless =
    (name: 'append' | 'touch' | 'read') =>
    <T>(call: () => Promise<T>): Promise<T> =>
      due(name) ? Promise.reject(new Error(`${name} failed`)) : call();
  return through(store, { append: unless('append'), touch: unless('touch'), read: unless('read') });
}

describe('what a backup lacks', () => {
  it('stays known until it is there: a mere opening does not make good a record that was missed', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    let down = false;
    const sessions = repository(primary, { backups: [{ store: failing(backup, (call) => down && call !== 'touch') }] });
    await sessions.scope(
      's',
      async (state, session) => {
        state.n = 1;
        await session.save();
        await session.expire(50_000);
      },
      { create: true },
    );
    down = true;
    await sessions.scope('s', (state) => void (state.n = 2), { create: true });
    await sessions.backups.touch('s', { token: 2 ** 30 });
    expect([...sessions.backups.behind().keys()]).toEqual(['s']);
    down = false;
    await sessions.backups.touch('s', { token: 2 ** 30 });
    expect(sessions.backups.behind().size).toBe(0);
    expect(await repository(backup).read('s')).toMatchObject({ n: 2 });
  });

  it('a rule that was missed is made good by the next use', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    let down = true;
    const sessions = repository(primary, { backups: [{ store: failing(backup, (call) => down && call === 'touch') }] });
    const session = await sessions.open('s', { create: true });
    session.state.n = 1;
    await session.save();
    await session.expire(50_000);
    expect([...sessions.backups.behind().keys()]).toEqual(['s']);
    down = false;
    session.state.n = 2;
    await session.save();
    await session.close();
    expect((await backup.read('s', { since: ORIGIN })).head?.expiry).toEqual({ idleMs: 50_000 });
    expect(sessions.backups.behind().size).toBe(0);
  });

  it('is never a session under both its ids: the old one ends when the new one is there', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    let refused = '';
    const link = through(backup, {
      append: (call, id) => (id === refused ? Promise.reject(new Error('lost')) : call()),
    });
    const sessions = repository(primary, { backups: [{ store: link }] });
    await sessions.scope('old', (state) => void (state.n = 7), { create: true });
    refused = 'new';
    await sessions.changeId('old', 'new', { graceMs: 1000 });
    expect(await repository(backup).read('old')).toMatchObject({ n: 7 });
    refused = '';
    await sessions.scope('new', (state) => void (state.n += 1), { create: true });
    await sessions.backups.drain();
    expect((await backup.read('old', { since: ORIGIN })).head?.state).toBe('ended');
    expect(await repository(backup).read('new')).toMatchObject({ n: 8 });
    expect(sessions.backups.behind().size).toBe(0);
  });

  it('is said of a session that only the backup has', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    await repository(backup).scope('s', (state) => void (state.n = 1), { create: true });
    const sessions = repository(primary, { backups: [{ store: backup }] });
    await sessions.backups.catchUp('s');
    expect([...sessions.backups.behind().keys()]).toEqual(['s']);
    expect(await repository(backup).read('s')).toMatchObject({ n: 1 });
  });

  it('is no use that lasts: renewals reach it before it would expire', async () => {
    const { clock, pass } = virtual();
    const [primary, backup] = [new MemoryStore({ clock }), new MemoryStore({ clock })];
    const sessions = new SessionRepository({
      store: primary,
      definition,
      backups: [{ store: backup }],
      clock,
      ttlMs: 10_000,
      lock: { leaseMs: 3000 },
    });
    const session = await sessions.open('s', { create: true });
    session.state.n = 1;
    await session.save();
    for (let i = 0; i < 30; i += 1) {
      pass(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await backup.read('s', { since: ORIGIN })).head?.state).toBe('live');
    expect((await primary.read('s', { since: ORIGIN })).head?.state).toBe('live');
    await session.close();
  });

  it('is not waited for: whatever hangs, catching up, restoring, verifying and rejoining end', async () => {
    const hang = (): Promise<never> => new Promise(() => undefined);
    const hanging = through(new MemoryStore(), { read: hang, ping: hang, append: hang, replace: hang, touch: hang });
    const sessions = repository(new MemoryStore(), { backups: [{ store: hanging, timeoutMs: 20 }] });
    await sessions.scope('s', (state) => void (state.n = 1), { create: true });
    await sessions.backups.catchUp('s');
    const calls = [sessions.backups.restore('s'), sessions.verifyBackups('s'), sessions.rejoin()];
    expect(await Promise.all(calls.map((call) => call.catch((error: HoldfastError) => error.code)))).toEqual([
      'ERR_UNAVAILABLE',
      ['unreachable'],
      'ERR_UNAVAILABLE',
    ]);
    await sessions.close();
  });

  it('a restore gives way to a save that came meanwhile', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const sessions = repository(primary, { backups: [{ store: backup }] });
    await sessions.scope('s', (state) => void (state.n = 1), { create: true });
    const other = repository(primary);
    const slow = through(backup, {
      async read(call) {
        await other.scope('s', (state) => void (state.n = 2), { create: true });
        return call();
      },
    });
    const restoring = repository(primary, { backups: [{ store: slow }] });
    expect(await restoring.backups.restore('s').catch((error: HoldfastError) => error.code)).toBe('ERR_CONFLICT');
    expect(await other.read('s')).toMatchObject({ n: 2 });
  });
});

describe('a session that was changed elsewhere', () => {
  it('is seen without what another deleted, and takes it anew', async () => {
    const bag = defineSession({ a: mutable<number>(), b: mutable<number>() });
    const store = new MemoryStore();
    const [one, two] = [1, 2].map(() => new SessionRepository({ store, definition: bag })) as [
      SessionRepository<{ a?: number; b?: number }, object>,
      SessionRepository<{ a?: number; b?: number }, object>,
    ];
    await one.scope('s', (state) => void Object.assign(state, { a: 1, b: 2 }), { create: true });
    await two.scope('s', (state) => void delete state.a, { create: true });
    await one.scope(
      's',
      (state) => {
        expect(state.a).toBeUndefined();
        state.a = 5;
      },
      { create: true },
    );
    expect(await two.read('s')).toEqual({ b: 2, a: 5 });
  });

  it('is decoded from what it is now, though it was looked at before it was there', async () => {
    const store = new MemoryStore();
    const options = { store, definition, lock: { release: 'access' } } as const;
    const [one, two] = [new SessionRepository(options), new SessionRepository(options)];
    const looking = one.scope('s', async (state) => (await new Promise((resolve) => setImmediate(resolve)), state.n), {
      create: true,
    });
    const waiting = one.scope('s', (state) => state.n, { create: true });
    const creating = two.scope('s', (state) => void (state.n = 4), { create: true });
    await Promise.all([looking, waiting, creating]);
    expect([
      await one.scope('s', (state) => state.n, { create: true }),
      await one.scope('s', (state) => [state.n, state.text], { create: true }),
    ]).toEqual([4, [4, '']]);
  });

  it('keeps its age when its id changes', async () => {
    const { clock, pass } = virtual();
    const sessions = new SessionRepository({
      store: new MemoryStore({ clock }),
      definition,
      clock,
      maxAgeMs: 3_600_000,
    });
    await sessions.scope('a', (state) => void (state.n = 1), { create: true });
    pass(3_000_000);
    await sessions.changeId('a', 'b');
    pass(500_000);
    expect(await sessions.scope('b', (state) => state.n, { create: true })).toBe(1);
    pass(100_001);
    expect(await sessions.read('b')).toBeUndefined();
    expect(await sessions.scope('b', (state) => state.n, { create: true })).toBe(0);
  });

  it('is told as an alias until its time is over, however it is asked for, and by the later clock', async () => {
    const { clock, pass, jump } = virtual();
    const store = new MemoryStore({ clock });
    const sessions = new SessionRepository({ store, definition, clock });
    await sessions.scope('a', (state) => void (state.n = 1), { create: true });
    await sessions.changeId('a', 'b', { graceMs: 1000 });
    expect(await sessions.read('a')).toMatchObject({ n: 1 });
    jump(-7_200_000);
    pass(1001);
    expect(await sessions.read('a')).toBeUndefined();
    expect(await sessions.find('a')).toBeUndefined();
    const lonely = new MemoryStore({ clock });
    const { records, head } = await store.read('a', { since: ORIGIN });
    if (head === undefined) throw new Error('no alias');
    jump(7_200_000);
    pass(-1000);
    await lonely.replace(
      'a',
      {
        records: [{ position: head.position, kind: 'end', bytes: records[0] as Uint8Array }],
        createdAt: head.createdAt,
        expiry: head.expiry,
        token: head.token,
      },
      undefined,
    );
    const error = await new SessionRepository({ store: lonely, definition, clock })
      .scope('a', () => undefined, { create: true })
      .catch((thrown: HoldfastError) => thrown);
    expect(error).toMatchObject({ code: 'ERR_NOT_FOUND', message: expect.stringContaining('another id') as string });
  });
});
