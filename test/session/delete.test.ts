import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import type { RepositoryOptions } from '../../ts/session/options.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { openStore } from '../../ts/store/open.ts';
import { SqliteStore } from '../../ts/store/sqlite.ts';
import type { Store, Tail } from '../../ts/store/store.ts';
import { newFolder } from '../folders.ts';
import { through } from '../store/through.ts';

interface State {
  n: number;
  text: string;
}
const definition = defineSession({ n: mutable<number>(() => 0), text: mutable<string>(() => '') });
const on = (store: Store, more: Partial<RepositoryOptions<State, Partial<State>>> = {}) =>
  new SessionRepository({ store, definition, ...more });

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof HoldfastError ? error.code : error),
  );

/** `s`, with a snapshot and a delta. */
async function saved(store: Store, text = 'some text of it'): Promise<void> {
  const sessions = on(store);
  await sessions.scope('s', (state) => void (state.text = text), { create: true });
  await sessions.scope('s', (state) => void (state.n = 1));
  await sessions.close();
}

const damaged = (tail: Tail): Tail => ({
  ...tail,
  records: tail.records.map((bytes) =>
    Uint8Array.from(bytes, (byte, at) => (at === bytes.length - 5 ? byte ^ 1 : byte)),
  ),
});

/** Each record of a living session that it gives is damaged. */
const damaging = (store: Store): Store =>
  through(store, {
    read: async (call) => {
      const tail = await call();
      return tail.head?.state === 'live' ? damaged(tail) : tail;
    },
    lock: async (call) => {
      const reply = await call();
      return reply.granted && reply.tail.head?.state === 'live' ? { ...reply, tail: damaged(reply.tail) } : reply;
    },
  });

describe('a session that cannot be read can be destroyed', () => {
  it('where its records are damaged: here, in backups, for good', async () => {
    const [store, backup] = [new MemoryStore(), new MemoryStore()];
    await saved(store);
    const sessions = on(damaging(store), { backups: [{ store: backup }] });
    expect([await codeOf(sessions.find('s')), await codeOf(sessions.read('s'))]).toEqual([
      'ERR_CORRUPT',
      'ERR_CORRUPT',
    ]);
    expect([await sessions.delete('s'), await sessions.delete('s'), await sessions.read('s')]).toEqual([
      true,
      false,
      undefined,
    ]);
    expect(await codeOf(sessions.open('s'))).toBe('ERR_NOT_FOUND');
    expect(await codeOf(sessions.create({}, { id: 's' }))).toBe('ERR_CONFLICT');
    for (const place of [store, backup])
      expect((await place.read('s', { since: { revision: 0, nonce: 0 } })).head?.state).toBe('ended');
    expect((await store.inspect('s')).lock.holder).toBeUndefined();
  });

  it('where it is over the limit', async () => {
    const store = new MemoryStore();
    await saved(store, 'x'.repeat(5_000));
    const sessions = on(store, { limitBytes: 1_000, compress: 'off' });
    expect(await codeOf(sessions.find('s'))).toBe('ERR_LIMIT');
    expect([await sessions.delete('s'), await sessions.find('s')]).toEqual([true, undefined]);
  });

  it.each(['snapshot', 'delta'])('where a file has lost a bit of its %s', async (which) => {
    const dir = newFolder();
    const first = await openStore(dir);
    await saved(first, 'the text that is looked for');
    await first.close();
    const file = join(dir, 'store.sqlite');
    const bytes = readFileSync(file);
    const { records } = await (async () => {
      const store = await openStore(dir);
      const tail = await store.read('s', { since: { revision: 0, nonce: 0 } });
      await store.close();
      return tail;
    })();
    const at = bytes.indexOf(records[which === 'snapshot' ? 0 : 1] as Uint8Array);
    expect(at).toBeGreaterThan(0);
    bytes[at + 8] = (bytes[at + 8] as number) ^ 1;
    writeFileSync(file, bytes);
    const store = await SqliteStore.open({ dir });
    const sessions = on(store);
    expect(await codeOf(sessions.read('s'))).toBe('ERR_CORRUPT');
    expect([await sessions.delete('s'), await sessions.find('s')]).toEqual([true, undefined]);
    expect(await store.check()).toMatchObject({ faults: [] });
    await sessions.close();
    await store.close();
  });
});

describe('delete', () => {
  it('reads nothing of what a session holds', async () => {
    const store = new MemoryStore();
    await saved(store, 'x'.repeat(100_000));
    let bytes = 0;
    const count = (tail: Tail | undefined): void => tail?.records.forEach((record) => (bytes += record.length));
    const counting = through(store, {
      read: async (call) => {
        const tail = await call();
        count(tail);
        return tail;
      },
      lock: async (call) => {
        const reply = await call();
        count(reply.tail);
        return reply;
      },
    });
    const sessions = on(counting);
    expect([await sessions.delete('s'), bytes]).toEqual([true, 0]);
  });

  it('waits for the use that has the session, follows its new id, and ends what others have saved meanwhile', async () => {
    const store = new MemoryStore();
    await saved(store);
    const [one, two] = [on(store), on(store)];
    const session = await one.open('s');
    const deleting = two.delete('s');
    session.state.n = 2;
    await session.saveAndClose();
    expect([await deleting, await one.find('s')]).toEqual([true, undefined]);
    await one.scope('t', (state) => void (state.n = 1), { create: true });
    await one.changeId('t', 'u', { graceMs: 60_000 });
    expect([await two.delete('t'), await one.find('u'), await two.delete('never'), await two.delete('')]).toEqual([
      true,
      undefined,
      false,
      false,
    ]);
    const inside = one.scope('v', () => one.delete('v'), { create: true });
    expect(await codeOf(inside)).toBe('ERR_DEADLOCK');
    const signal = AbortSignal.abort(new HoldfastError('ERR_LIMIT', 'the reason'));
    expect(await codeOf(one.delete('v', { signal }))).toBe('ERR_LIMIT');
    await one.close();
    expect(await codeOf(one.delete('s'))).toBe('ERR_CLOSED');
  });

  it('of unknown outcome leaves the session until that is known, and nothing reads it as empty', async () => {
    const store = new MemoryStore();
    await saved(store);
    let how: 'none' | 'unknown' | undefined;
    const sessions = on(
      through(store, {
        append(call) {
          if (how === undefined) return call();
          return Promise.reject(new HoldfastError('ERR_UNAVAILABLE', 'gone', { outcome: how }));
        },
      }),
      { storeTimeoutMs: 200 },
    );
    for (how of ['none', 'unknown'] as const) {
      await expect(sessions.delete('s')).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: how });
      expect(await sessions.read('s')).toEqual({ n: 1, text: 'some text of it' });
      if (how === 'none') expect(await sessions.scope('s', (state) => state.text)).toBe('some text of it');
      expect(await codeOf(sessions.scope('s', () => 0, { timeoutMs: 0 }))).toBe(
        how === 'none' ? 'no error' : 'ERR_LOCK_TIMEOUT',
      );
      if (how === 'none') await sessions.scope('s', (state) => state.text);
    }
    how = undefined;
    expect(await codeOf(sessions.open('s', { timeoutMs: 5_000 }))).toBe('ERR_NOT_FOUND');
    expect(await sessions.read('s')).toBeUndefined();
  });
});
