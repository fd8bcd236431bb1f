import { describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../ts/errors.ts';
import { ORIGIN } from '../../ts/position.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import type { RepositoryOptions } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Store } from '../../ts/store/store.ts';
import { through } from '../store/through.ts';

const definition = defineSession({ n: mutable<number>(() => 0), text: mutable<string>(() => '') });
type Options = Pick<RepositoryOptions<{ n: number; text: string }, object>, 'backups'>;
const repository = (store: Store, options: Options = {}): SessionRepository<{ n: number; text: string }, object> => new SessionRepository({ store, definition, ...options });

/** A store that is down when told so, or damages what it is given. */
function fragile(store: MemoryStore): { store: Store; state: { down: boolean; damage: boolean } } {
  const state = { down: false, damage: false };
  const unless = <T>(call: () => Promise<T>): Promise<T> => (state.down ? Promise.reject(new Error('backup is down')) : call());
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

const logOf = async (store: Store, id: string): Promise<string[]> => (await store.read(id, { since: ORIGIN })).records.map((record) => Buffer.from(record).toString('hex'));

describe('backups', () => {
  it('are fed the same records, delta by delta', async () => {
    const [primary, first, second] = [new MemoryStore(), new MemoryStore(), new MemoryStore()];
    const sessions = repository(primary, { backups: [{ store: first }, { store: second, ack: 'async' }] });
    const sent = [0, 0];
    sessions.observe((event) => {
      if (event.type === 'sent' && event.place !== 'primary') sent[event.place] = (sent[event.place] as number) + event.bytes;
    });
    for (let i = 0; i < 40; i += 1) await sessions.scope('s', (state) => void ((state.n += 1), (state.text += `line ${i}\n`)));
    await sessions.backups.drain();
    expect(await logOf(first, 's')).toEqual(await logOf(primary, 's'));
    expect(await logOf(second, 's')).toEqual(await logOf(primary, 's'));
    expect(await sessions.verifyBackups('s')).toEqual(['equal', 'equal']);
    expect(sent[0]).toBe(sent[1]);
    expect(sent[0]).toBeGreaterThan(0);
  });

  it('can be opened as the primary', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const before = repository(primary, { backups: [{ store: backup }] });
    for (let i = 0; i < 5; i += 1) await before.scope('s', (state) => void (state.n += 1));
    const after = repository(backup);
    await after.scope('s', (state) => {
      expect(state.n).toBe(5);
      state.n += 1;
    });
    expect(await after.read('s')).toMatchObject({ n: 6 });
  });

  it('notice a gap and catch up', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const { store, state: link } = fragile(backup);
    const sessions = repository(primary, { backups: [{ store }] });
    const errors = errorsOf(sessions);
    await sessions.scope('s', (state) => void (state.n += 1));
    link.down = true;
    for (let i = 0; i < 3; i += 1) await sessions.scope('s', (state) => void (state.n += 1)); // the primary goes on
    expect(errors).toEqual(['backup is down', 'backup is down', 'backup is down']);
    expect([...sessions.backups.behind().keys()]).toEqual(['s']);
    link.down = false;
    expect(await sessions.verifyBackups('s')).toEqual(['behind']);
    await sessions.scope('s', (state) => void (state.n += 1));
    expect(await logOf(backup, 's')).toEqual(await logOf(primary, 's'));
    expect(await sessions.verifyBackups('s')).toEqual(['equal']);
    expect(errors.length).toBe(3);
    expect(sessions.backups.behind().size).toBe(0);
  });

  it('that come late, went astray or are damaged are mended from the primary', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    await repository(primary).scope('s', (state) => void (state.n = 5));
    await repository(backup).scope('s', (state) => void (state.n = 99)); // another branch
    const { store, state: link } = fragile(backup);
    const sessions = repository(primary, { backups: [{ store }] });
    await sessions.scope('s', (state) => void (state.n += 1));
    expect(await sessions.verifyBackups('s')).toEqual(['equal']);
    link.damage = true;
    await sessions.scope('s', (state) => void (state.n += 1));
    link.damage = false;
    expect(await sessions.verifyBackups('s')).toEqual(['damaged']);
    const error = await repository(backup).read('s').catch((thrown: HoldfastError) => thrown);
    expect(error).toMatchObject({ code: 'ERR_CORRUPT', session: 's' });
    await sessions.backups.catchUp('s');
    expect(await sessions.verifyBackups('s')).toEqual(['equal']);
    expect(await repository(backup).read('s')).toMatchObject({ n: 7 });
  });

  it('follow when two processes feed them in turns', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const both = [1, 2].map(() => repository(primary, { backups: [{ store: backup, ack: 'async' }] }));
    const errors = both.map(errorsOf);
    for (let i = 0; i < 60; i += 1) await both[i % 2]?.scope('s', (state) => void (state.n += 1));
    await Promise.all(both.map((sessions) => sessions.backups.drain()));
    expect(errors.flat()).toEqual([]);
    expect(await both[0]?.verifyBackups('s')).toEqual(['equal']);
  });

  it('learn of the end of a session, and of its expiry', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const sessions = repository(primary, { backups: [{ store: backup }] });
    await sessions.scope('s', (state) => void (state.n += 1));
    await sessions.scope('t', (state, session) => ((state.n += 1), session.save().then(() => session.expire(50_000))));
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
    for (let i = 0; i < 4; i += 1) for (const id of ['s', 'other']) await sessions.scope(id, (state) => void (state.n += 1));
    const { records } = await primary.read('s', { since: ORIGIN });
    (records[2] as Uint8Array)[8] = ((records[2] as Uint8Array)[8] as number) ^ 4; // the store's own bytes
    const fresh = repository(primary);
    const failing = (): Promise<unknown> => fresh.scope('s', () => undefined, { timeoutMs: 5000 }).catch((thrown: HoldfastError) => thrown);
    expect(await failing()).toMatchObject({ code: 'ERR_CORRUPT', session: 's', revision: 3 });
    expect(await failing()).toMatchObject({ code: 'ERR_CORRUPT', session: 's', revision: 3 });
    await fresh.scope('other', (state) => expect(state.n).toBe(4));
    expect(await repository(backup).read('s')).toMatchObject({ n: 4 });
  });
});
