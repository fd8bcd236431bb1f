import { describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../ts/errors.ts';
import { ORIGIN } from '../../ts/position.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import type { RepositoryOptions } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Append, Store } from '../../ts/store/store.ts';

const definition = defineSession({ n: mutable<number>(() => 0), text: mutable<string>(() => '') });
type Options = Pick<RepositoryOptions<{ n: number; text: string }, object>, 'backups' | 'onBackupError'>;
const repository = (store: Store, options: Options = {}): SessionRepository<{ n: number; text: string }, object> => new SessionRepository({ store, definition, ...options });

/** A store that is down when told so, or damages what it is given. */
function fragile(store: MemoryStore): { store: Store; state: { down: boolean; damage: boolean } } {
  const state = { down: false, damage: false };
  const proxied = new Proxy(store, {
    get(target, name: Exclude<keyof Store, 'address'>) {
      if (typeof target[name] !== 'function') return undefined;
      const method = target[name].bind(target) as (...args: unknown[]) => Promise<unknown>;
      return async (id: string, ...args: unknown[]) => {
        if (state.down) throw new Error('backup is down');
        if (!state.damage || name !== 'append') return method(id, ...args);
        const append = args[0] as Append;
        const bytes = Buffer.from(append.bytes);
        bytes[bytes.length - 6] = (bytes[bytes.length - 6] as number) ^ 1;
        return method(id, { ...append, bytes });
      };
    },
  });
  return { store: proxied, state };
}

const logOf = async (store: Store, id: string): Promise<string[]> => (await store.read(id, ORIGIN)).records.map((record) => Buffer.from(record).toString('hex'));

describe('backups', () => {
  it('are fed the same records, delta by delta', async () => {
    const [primary, first, second] = [new MemoryStore(), new MemoryStore(), new MemoryStore()];
    const sessions = repository(primary, { backups: [{ store: first }, { store: second, ack: 'async' }] });
    for (let i = 0; i < 40; i += 1) await sessions.scope('s', (state) => void ((state.n += 1), (state.text += `line ${i}\n`)));
    await sessions.backups.drain();
    expect(await logOf(first, 's')).toEqual(await logOf(primary, 's'));
    expect(await logOf(second, 's')).toEqual(await logOf(primary, 's'));
    expect(await sessions.verifyBackups('s')).toEqual(['equal', 'equal']);
    expect(sessions.backups.bytesSent[0]).toBe(sessions.backups.bytesSent[1]);
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
    const errors: unknown[] = [];
    const sessions = repository(primary, { backups: [{ store }], onBackupError: ({ error }) => errors.push(error) });
    await sessions.scope('s', (state) => void (state.n += 1));
    link.down = true;
    for (let i = 0; i < 3; i += 1) await sessions.scope('s', (state) => void (state.n += 1)); // the primary goes on
    expect(errors).toEqual([new Error('backup is down'), new Error('backup is down'), new Error('backup is down')]);
    link.down = false;
    expect(await sessions.verifyBackups('s')).toEqual(['behind']);
    await sessions.scope('s', (state) => void (state.n += 1));
    expect(await logOf(backup, 's')).toEqual(await logOf(primary, 's'));
    expect(await sessions.verifyBackups('s')).toEqual(['equal']);
    expect(errors.length).toBe(3);
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
    const errors: unknown[] = [];
    const both = [1, 2].map(() => repository(primary, { backups: [{ store: backup, ack: 'async' }], onBackupError: ({ error }) => errors.push(error) }));
    for (let i = 0; i < 60; i += 1) await both[i % 2]?.scope('s', (state) => void (state.n += 1));
    await Promise.all(both.map((sessions) => sessions.backups.drain()));
    expect(errors).toEqual([]);
    expect(await both[0]?.verifyBackups('s')).toEqual(['equal']);
  });

  it('learn of the end of a session, and of its expiry', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const sessions = repository(primary, { backups: [{ store: backup }] });
    await sessions.scope('s', (state) => void (state.n += 1));
    await sessions.scope('t', (state, session) => ((state.n += 1), session.save().then(() => session.expire(50_000))));
    expect((await backup.read('t', ORIGIN)).head?.ttlLeftMs).toBeGreaterThan(40_000);
    await sessions.delete('s');
    expect((await backup.read('s', ORIGIN)).head?.destroyed).toBe(true);
    expect(await repository(backup).read('s')).toBeUndefined();
  });
});

describe('a damaged record in the primary', () => {
  it('is named by session and revision; others go on; the backup has the state', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const sessions = repository(primary, { backups: [{ store: backup }] });
    for (let i = 0; i < 4; i += 1) for (const id of ['s', 'other']) await sessions.scope(id, (state) => void (state.n += 1));
    const { records } = await primary.read('s', ORIGIN);
    (records[2] as Uint8Array)[20] = ((records[2] as Uint8Array)[20] as number) ^ 4; // the store's own bytes
    const fresh = repository(primary);
    const failing = (): Promise<unknown> => fresh.scope('s', () => undefined, { timeoutMs: 5000 }).catch((thrown: HoldfastError) => thrown);
    expect(await failing()).toMatchObject({ code: 'ERR_CORRUPT', session: 's', revision: 3 });
    expect(await failing()).toMatchObject({ code: 'ERR_CORRUPT', session: 's', revision: 3 });
    await fresh.scope('other', (state) => expect(state.n).toBe(4));
    expect(await repository(backup).read('s')).toMatchObject({ n: 4 });
  });
});
