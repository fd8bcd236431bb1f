import { describe, expect, it } from 'vitest';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import type { RepositoryOptions } from '../../ts/session/options.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Store } from '../../ts/store/store.ts';
import { ORIGIN } from '../../ts/position.ts';
import { epochOf } from '../../ts/token.ts';
import { through } from '../store/through.ts';

interface State {
  n: number;
}
const definition = defineSession({ n: mutable<number>(() => 0) });
const repository = (
  store: Store,
  options: Partial<RepositoryOptions<State, object>> = {},
): SessionRepository<State, object> => new SessionRepository<State, object>({ store, definition, ...options });
const add = (sessions: SessionRepository<State, object>, id = 's'): Promise<number> =>
  sessions.scope(id, (state) => (state.n += 1), { create: true });
const thrownBy = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: unknown) => error,
  );

// docs/protocol.md: Worlds, Ends, Restoring
describe('a promoted backup', () => {
  it('is not touched by a process that still takes the old primary for it, and tells so', async () => {
    const [old, backup] = [new MemoryStore(), new MemoryStore()];
    const outdated = repository(old, { backups: [{ store: backup }] });
    for (let i = 0; i < 3; i += 1) await add(outdated);
    await backup.promote(0);
    const promoted = repository(backup, { backups: [{ store: new MemoryStore() }] });
    for (let i = 0; i < 200; i += 1) await add(promoted);

    const events: object[] = [];
    outdated.observe((event) => void (event.type === 'superseded' && events.push(event)));
    expect(await thrownBy(add(outdated))).toMatchObject({
      code: 'ERR_FENCED',
      outcome: 'superseded',
      session: 's',
      revision: 4,
    });
    expect(events).toMatchObject([{ id: 's', revision: 4 }]);
    // not even in the old primary
    expect(await thrownBy(add(outdated, 'another'))).toMatchObject({ code: 'ERR_FENCED', outcome: 'none' });
    const left = await outdated.find('s');
    expect(await thrownBy(left?.expire(5000) as Promise<void>)).toMatchObject({ code: 'ERR_FENCED', outcome: 'none' });
    await left?.close();
    expect((await old.read('another', { since: ORIGIN })).head).toBeUndefined();
    expect(await promoted.read('s')).toEqual({ n: 203 });

    expect(await thrownBy(outdated.rejoin())).toMatchObject({ code: 'ERR_FENCED' });
    await old.promote(1); // the old world is brought back, on purpose
    await outdated.rejoin();
    expect(await outdated.scope('s', (state) => state.n, { create: true })).toBe(4);
  });

  it('is not overwritten by a process that starts with the configuration of yesterday', async () => {
    const [old, backup] = [new MemoryStore(), new MemoryStore()];
    const before = repository(old, { backups: [{ store: backup }] });
    for (let i = 0; i < 3; i += 1) await add(before);
    await before.close();
    await backup.promote(0);
    const promoted = repository(backup);
    for (let i = 0; i < 5; i += 1) await add(promoted);

    const late = repository(old, { backups: [{ store: backup }] });
    expect(await thrownBy(add(late))).toMatchObject({ code: 'ERR_FENCED', outcome: 'superseded' });
    expect(await thrownBy(late.backups.catchUp('s'))).toMatchObject({ code: 'ERR_FENCED' });
    expect(await thrownBy(add(late, 'new'))).toMatchObject({ code: 'ERR_FENCED' });
    expect(await promoted.read('s')).toEqual({ n: 8 });
    expect((await backup.read('new', { since: ORIGIN })).head).toBeUndefined();
  });

  it('that acknowledges asynchronously has each save that it will never have reported', async () => {
    const [old, backup] = [new MemoryStore(), new MemoryStore()];
    let open: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    let held = false;
    const link = through(backup, {
      async append(call) {
        if (held) await gate;
        return call();
      },
    });
    const sessions = repository(old, { backups: [{ store: link, ack: 'async' }] });
    await add(sessions);
    await sessions.backups.drain();
    await backup.promote(0);
    const lost: number[] = [];
    sessions.observe((event) => void (event.type === 'superseded' && lost.push(event.revision)));
    held = true;
    for (let i = 0; i < 3; i += 1) await add(sessions);
    open?.();
    await sessions.backups.drain();
    expect(lost.toSorted()).toEqual([2, 3, 4]);
    expect(await thrownBy(add(sessions))).toMatchObject({ code: 'ERR_FENCED', outcome: 'none' });
  });

  it('feeds those that were its fellows, with records older than its epoch', async () => {
    const [old, one, two] = [new MemoryStore(), new MemoryStore(), new MemoryStore()];
    const before = repository(old, { backups: [{ store: one }] });
    for (let i = 0; i < 3; i += 1) await add(before);
    await one.promote(0);
    const promoted = repository(one, { backups: [{ store: two }, { store: old }] });
    await promoted.backups.catchUp('s');
    expect(await promoted.verifyBackups('s')).toEqual(['equal', 'equal']);
    await add(promoted);
    expect(await promoted.verifyBackups('s')).toEqual(['equal', 'equal']);
    expect(epochOf((await two.read('s', { since: ORIGIN })).head?.token ?? 0)).toBe(1);
    for (let tries = 0; tries < 3; tries += 1)
      // the old primary was fed: it fences too, and goes on to
      expect(await thrownBy(add(before))).toMatchObject({ code: 'ERR_FENCED' });
    expect(await thrownBy(add(repository(old)))).toMatchObject({ code: 'ERR_FENCED' });
    expect(await promoted.read('s')).toEqual({ n: 4 });
    await old.promote(1);
    expect(await add(repository(old))).toBe(5); // unless it is promoted in turn
  });
});

describe('who belongs to which world', () => {
  it('is not decided by a restore: a promoted backup lends nothing to the old primary', async () => {
    const [old, backup] = [new MemoryStore(), new MemoryStore()];
    const outdated = repository(old, { backups: [{ store: backup }] });
    await add(outdated);
    await backup.promote(0);
    const promoted = repository(backup);
    await add(promoted);
    expect(await thrownBy(outdated.backups.restore('s'))).toMatchObject({ code: 'ERR_FENCED' });
    expect((await old.read('s', { since: ORIGIN })).head?.position.revision).toBe(1);
  });

  it('two that were promoted to one epoch do not overwrite each other', async () => {
    const [old, b, c] = [new MemoryStore(), new MemoryStore(), new MemoryStore()];
    const before = repository(old, { backups: [{ store: b }, { store: c }] });
    await add(before);
    await before.close();
    await b.promote(0);
    await c.promote(0);
    await repository(c).scope('s', (state) => void (state.n = 100), { create: true });
    const other = repository(b, { backups: [{ store: c }] });
    expect(await thrownBy(add(other))).toMatchObject({ code: 'ERR_FENCED', outcome: 'superseded' });
    expect(await repository(c).read('s')).toEqual({ n: 100 });
  });

  it('the later epoch is right, also about a primary that was ahead', async () => {
    const [old, backup] = [new MemoryStore(), new MemoryStore()];
    let cut = false;
    const link = through(backup, { append: (call) => (cut ? Promise.reject(new Error('is cut off')) : call()) });
    const outdated = repository(old, { backups: [{ store: link }] });
    await add(outdated);
    cut = true;
    for (let i = 0; i < 4; i += 1) await add(outdated);
    await backup.promote(0);
    const promoted = repository(backup, { backups: [{ store: old }] });
    await add(promoted);
    expect(await promoted.verifyBackups('s')).toEqual(['equal']);
    expect(await promoted.read('s')).toEqual({ n: 2 });
  });

  it('a primary that lost its last saves does not take them from the backup', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const before = repository(primary, { backups: [{ store: backup }] });
    for (let i = 0; i < 3; i += 1) await add(before);
    await before.close();
    const back = new MemoryStore(); // as the primary was after its first save
    const { records, head } = await primary.read('s', { since: ORIGIN });
    await back.append('s', {
      parent: ORIGIN,
      position: await positionOf(backup, 1),
      kind: 'snapshot',
      bytes: records[0] as Uint8Array,
      under: 0,
    });
    expect(head?.position.revision).toBe(3);
    const after = repository(back, { backups: [{ store: backup }] });
    const errors: string[] = [];
    after.observe((event) => void (event.type === 'backup-error' && errors.push(event.message)));
    for (let i = 0; i < 4; i += 1) await add(after);
    expect(await repository(backup).read('s')).toEqual({ n: 3 });
    expect(errors.length).toBe(4);
    expect(errors[0]).toContain('the primary has lost saves');
  });

  it('a process rejoins only when every store has answered', async () => {
    const [old, backup] = [new MemoryStore(), new MemoryStore()];
    let down = false;
    const link = through(backup, { ping: (call) => (down ? Promise.reject(new Error('is down')) : call()) });
    const outdated = repository(old, { backups: [{ store: link }] });
    await add(outdated);
    await backup.promote(0);
    await thrownBy(add(outdated));
    down = true;
    expect(await thrownBy(outdated.rejoin())).toEqual(new Error('is down'));
    expect(await thrownBy(add(outdated))).toMatchObject({ code: 'ERR_FENCED' });
  });

  it('each save that the new world will not have is reported, those of other sessions too', async () => {
    const [old, backup] = [new MemoryStore(), new MemoryStore()];
    let down = false;
    const unless = <T>(call: () => Promise<T>): Promise<T> => (down ? Promise.reject(new Error('is down')) : call());
    const link = through(backup, { append: unless, read: unless, touch: unless });
    const sessions = repository(old, { backups: [{ store: link }] });
    await add(sessions, 'a');
    await add(sessions, 'b');
    down = true;
    await add(sessions, 'a');
    await add(sessions, 'a');
    await add(sessions, 'b');
    await backup.promote(0);
    down = false;
    const lost: string[] = [];
    sessions.observe((event) => void (event.type === 'superseded' && lost.push(`${event.id}@${event.revision}`)));
    await thrownBy(add(sessions, 'a'));
    expect(lost.toSorted()).toEqual(['a@2', 'a@3', 'a@4', 'b@2']);
  });
});

async function positionOf(store: Store, revision: number): Promise<{ revision: number; nonce: number }> {
  let at = { revision: 0, nonce: 0 };
  const inner = await store.read('s', { since: ORIGIN, limitBytes: 1 });
  at = inner.next ?? at;
  if (at.revision !== revision) throw new Error(`read on from revision ${at.revision}, not ${revision}`);
  return at;
}

describe('a restore', () => {
  it('is one step, fences who holds the lock, and never lowers the token', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const replaced: unknown[] = [];
    const link = through(primary, { replace: (call, ...args) => (replaced.push(args[1].records.length), call()) });
    const sessions = repository(link, { backups: [{ store: backup }] });
    for (let i = 0; i < 4; i += 1) await add(sessions);
    const holder = await repository(primary).open('s', { create: true, timeoutMs: 2000 });
    const before = (await primary.read('s', { since: ORIGIN })).head;
    expect(await sessions.backups.restore('s')).toBe(true);
    expect(replaced).toEqual([4]);
    const after = (await primary.read('s', { since: ORIGIN })).head;
    expect(after?.position).toEqual(before?.position);
    expect(after?.token).toBeGreaterThan(before?.token ?? Infinity);
    holder.state.n = 99;
    expect(await thrownBy(holder.save())).toMatchObject({ code: 'ERR_FENCED' });
    expect(await add(sessions)).toBe(5);
    expect(await sessions.verifyBackups('s')).toEqual(['equal']);
  });
});

describe('a restore of what is not sound, or of several backups', () => {
  it('takes nothing from a damaged backup, and leaves the primary as it is', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const sessions = repository(primary, { backups: [{ store: backup }] });
    for (let i = 0; i < 4; i += 1) await add(sessions);
    const record = (await backup.read('s', { since: ORIGIN })).records[1] as Uint8Array;
    record[8] = (record[8] as number) ^ 1; // the store's own bytes
    const before = await primary.inspect('s');
    expect(await thrownBy(sessions.backups.restore('s'))).toMatchObject({ code: 'ERR_CORRUPT', session: 's' });
    expect((await primary.inspect('s')).head).toEqual(before.head);
    expect(await add(sessions)).toBe(5);
  });

  it('is seen at once by the process that has the lock, also where no recall comes through', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const deaf = through(primary, { join: (_call, _listener) => primary.join(() => undefined) });
    let cut = false;
    const link = through(backup, { append: (call) => (cut ? Promise.reject(new Error('is cut off')) : call()) });
    const sessions = repository(deaf, { backups: [{ store: link }], lock: { leaseMs: 60_000 } });
    await add(sessions);
    cut = true;
    await add(sessions);
    expect(await sessions.backups.restore('s')).toBe(true);
    cut = false;
    expect(await add(sessions)).toBe(2); // from what was restored, and not fenced
  });

  it('takes the other backups along', async () => {
    const [primary, one, two] = [new MemoryStore(), new MemoryStore(), new MemoryStore()];
    let cut = false;
    const link = through(one, { append: (call) => (cut ? Promise.reject(new Error('is cut off')) : call()) });
    const sessions = repository(primary, { backups: [{ store: link }, { store: two }] });
    await add(sessions);
    cut = true;
    await add(sessions);
    cut = false;
    expect(await sessions.backups.restore('s', 0)).toBe(true);
    expect(await sessions.verifyBackups('s')).toEqual(['equal', 'equal']);
    expect(await repository(two).read('s')).toEqual({ n: 1 });
  });
});

describe('a backup', () => {
  it('that is sound is never replaced by a primary that cannot be read', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const sessions = repository(primary, { backups: [{ store: backup }] });
    for (let i = 0; i < 6; i += 1) await add(sessions);
    const { records } = await primary.read('s', { since: ORIGIN });
    const record = records[3] as Uint8Array;
    record[8] = (record[8] as number) ^ 1; // the store's own bytes
    const other = new MemoryStore();
    await repository(other).scope('s', (state) => void (state.n = 50), { create: true });
    const mending = repository(primary, { backups: [{ store: other }] });
    const errors: unknown[] = [];
    mending.observe((event) => void (event.type === 'backup-error' && errors.push(event.code)));
    await mending.backups.catchUp('s', { overwrite: true });
    expect(errors).toEqual(['ERR_CORRUPT']);
    expect(await repository(other).read('s')).toEqual({ n: 50 });
    expect(await sessions.backups.restore('s')).toBe(true);
    expect(await repository(primary).read('s')).toEqual({ n: 6 });
  });

  it('takes nothing of what it lacks before all of it was checked', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const sessions = repository(primary, { backups: [{ store: backup }] });
    for (let i = 0; i < 2; i += 1) await add(sessions);
    await sessions.close();
    const alone = repository(primary);
    for (let i = 0; i < 4; i += 1) await add(alone);
    const { records } = await primary.read('s', { since: ORIGIN });
    const record = records[4] as Uint8Array;
    record[8] = (record[8] as number) ^ 1; // the store's own bytes
    const mending = repository(primary, { backups: [{ store: backup }] });
    const errors: unknown[] = [];
    mending.observe((event) => void (event.type === 'backup-error' && errors.push(event.code)));
    await mending.backups.catchUp('s');
    expect(errors).toEqual(['ERR_CORRUPT']);
    expect((await backup.read('s', { since: ORIGIN })).head?.position.revision).toBe(2);
    expect(await repository(backup).read('s')).toEqual({ n: 2 });
  });

  it('that is ahead of its primary is left alone, and says how to go on', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const before = repository(primary, { backups: [{ store: backup }] });
    for (let i = 0; i < 6; i += 1) await add(before);
    const emptied = new MemoryStore(); // a primary that has lost its memory
    const after = repository(emptied, { backups: [{ store: backup }] });
    const errors: string[] = [];
    after.observe((event) => void (event.type === 'backup-error' && errors.push(event.message)));
    await add(after);
    expect(errors).toEqual([expect.stringContaining('backups.restore')]);
    expect(await repository(backup).read('s')).toEqual({ n: 6 });
    expect(await after.backups.restore('s')).toBe(true);
    expect(await add(after)).toBe(7);
    expect(await after.verifyBackups('s')).toEqual(['equal']);
  });

  it('that went another way is kept also when the log of the primary does not show that any more', async () => {
    const backup = new MemoryStore();
    const before = repository(new MemoryStore(), { backups: [{ store: backup }] });
    for (let i = 0; i < 6; i += 1) await add(before);
    const emptied = new MemoryStore();
    const after = repository(emptied, { backups: [{ store: backup }] });
    for (let i = 0; i < 200; i += 1) await add(after);
    expect((await emptied.read('s', { since: ORIGIN })).head?.first).toBeGreaterThan(6); // compacted
    await after.backups.catchUp('s');
    expect(await repository(backup).read('s')).toEqual({ n: 6 });
    await after.backups.catchUp('s', { overwrite: true });
    expect(await after.verifyBackups('s')).toEqual(['equal']);
    for (let i = 0; i < 200; i += 1) await add(after); // from here on they are one again
    expect(await after.verifyBackups('s')).toEqual(['equal']);
  });

  it('that hangs keeps no records, and ends neither saves nor close', async () => {
    const hang = (): Store =>
      through(new MemoryStore(), {
        append: () => new Promise(() => undefined),
        read: () => new Promise(() => undefined),
      });
    const sessions = repository(new MemoryStore(), {
      backups: [
        { store: hang(), ack: 'async', timeoutMs: 100 },
        { store: hang(), timeoutMs: 30 },
      ],
    });
    for (let i = 0; i < 5; i += 1) await add(sessions);
    expect([...sessions.backups.behind(1).keys()]).toEqual(['s']);
    expect(await sessions.close()).toEqual({ unsettled: [], open: [], unstored: [], unfed: ['s'] });
  });
});

describe('an id that was changed', () => {
  it('leads to the new one for as long as was asked for, and never after the session has ended', async () => {
    let offset = 0;
    const clock = {
      now: () => Date.now() + offset,
      monotonic: () => performance.now() + offset,
      after: (ms: number, run: () => void) => {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
    };
    const store = new MemoryStore({ clock });
    const sessions = repository(store, { clock });
    await add(sessions, 'a');
    await sessions.changeId('a', 'b', { graceMs: 30_000 });
    expect(await sessions.read('a')).toEqual({ n: 1 });
    expect(await sessions.scope('a', (state, session) => [session.id, (state.n += 1)], { create: true })).toEqual([
      'b',
      2,
    ]);
    expect(await thrownBy(sessions.create({}, { id: 'a' }))).toMatchObject({ code: 'ERR_CONFLICT' });
    offset += 30_001;
    expect(await sessions.read('a')).toBeUndefined();
    expect(await thrownBy(add(sessions, 'a'))).toMatchObject({ code: 'ERR_NOT_FOUND' });
    await sessions.changeId('b', 'c', { graceMs: 30_000 });
    await sessions.delete('c');
    expect(await sessions.read('b')).toBeUndefined();
    expect(await thrownBy(add(sessions, 'b'))).toMatchObject({ code: 'ERR_NOT_FOUND' });
  });

  it('has ended at once unless grace is asked for, and no grace is longer than a minute', async () => {
    const sessions = repository(new MemoryStore());
    await add(sessions, 'a');
    expect(await thrownBy(sessions.changeId('a', 'b', { graceMs: 60_001 }))).toMatchObject({ code: 'ERR_INVALID' });
    await sessions.changeId('a', 'b');
    expect(await thrownBy(add(sessions, 'a'))).toMatchObject({ code: 'ERR_NOT_FOUND' });
  });

  it('is waited for as long as the caller says, where another process begins a session under it', async () => {
    const store = new MemoryStore();
    const [sessions, other] = [repository(store), repository(store)];
    await add(sessions, 'a');
    const beginning = await other.open('b', { create: true });
    expect(await thrownBy(sessions.changeId('a', 'b', { timeoutMs: 20 }))).toMatchObject({
      code: 'ERR_LOCK_TIMEOUT',
      message: expect.stringContaining('within 20 ms') as string,
    });
    const session = await sessions.open('a');
    expect(await thrownBy(session.changeId('b', { timeoutMs: 0 }))).toMatchObject({ code: 'ERR_LOCK_TIMEOUT' });
    const gone = new Error('the client has gone');
    expect(await thrownBy(session.changeId('b', { signal: AbortSignal.abort(gone) }))).toBe(gone);
    await beginning.close();
    await session.changeId('b', { timeoutMs: 1000 });
    await session.close();
    expect(await sessions.read('b')).toEqual({ n: 1 });
  });

  it('does not wait for another that is changed crosswise', async () => {
    const sessions = repository(new MemoryStore());
    await add(sessions, 'a');
    await add(sessions, 'b');
    const begun = performance.now();
    const both = await Promise.allSettled([sessions.changeId('a', 'b'), sessions.changeId('b', 'a')]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(performance.now() - begun).toBeLessThan(5000); // not the ten seconds that a lock waits
  });
});
