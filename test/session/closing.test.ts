import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { newFolder } from '../folders.ts';
import { through } from '../store/through.ts';

const definition = defineSession({ n: mutable<number>(() => 0) });
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('a repository that is never closed', () => {
  it.each([
    ['in memory', 'memory:'],
    ['in a folder', newFolder()],
    ['in a folder, without the addon', newFolder(), '@photostructure/sqlite'],
  ])('keeps no process alive, whatever it has open, locked, to save or to feed: %s', (_, address, sqlite = '') => {
    const program = `
      import { SessionRepository, defineSession, mutable, openStore } from 'holdfast';
      const [store, backup] = [await openStore(${JSON.stringify(address)}), await openStore('memory:')];
      const sessions = new SessionRepository({
        store,
        definition: defineSession({ n: mutable(() => 0) }),
        backups: [{ store: backup, ack: 'async' }],
        autosave: { everyMs: 20 },
        ttlMs: 60_000,
      });
      await sessions.scope('kept', (state) => void (state.n = 1), { create: true });
      const open = await sessions.open('open', { create: true });
      open.state.n = 1;
      const began = performance.now();
      process.on('exit', () => console.log(open.id, performance.now() - began < 5000));`;
    const ran = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      cwd: fileURLToPath(new URL('../../', import.meta.url)),
      timeout: 25_000,
      encoding: 'utf8',
      env: { ...process.env, ...(sqlite !== '' && { HOLDFAST_SQLITE: sqlite }) },
    });
    expect([ran.status, ran.stdout], ran.stderr).toEqual([0, 'open true\n']);
  });
});

describe('closing a repository', () => {
  it('waits for uses under way, which save and hand their locks on, and begins no other', async () => {
    const store = new MemoryStore();
    const sessions = new SessionRepository({ store, definition, lock: { leaseMs: 60_000 } });
    const other = new SessionRepository({ store, definition });
    await (await sessions.create({}, { id: 's' })).saveAndClose();
    let begun = false;
    const use = sessions.scope('s', async (state) => {
      begun = true;
      await pause(30);
      state.n += 1;
    });
    while (!begun) await pause(1);
    const waiting = sessions.scope('s', () => undefined).catch((error: { code: string }) => error.code);
    expect(await sessions.close({ timeoutMs: 5000 })).toEqual({ unsettled: [], open: [], unstored: [], unfed: [] });
    await use;
    expect(await waiting).toBe('ERR_CLOSED');
    expect(await sessions.scope('s', () => undefined).catch((error: { code: string }) => error.code)).toBe(
      'ERR_CLOSED',
    );
    expect(await other.scope('s', (state) => state.n, { timeoutMs: 1000 })).toBe(1);
  });

  it('waits for a use that was granted when another of the same session ended', async () => {
    const store = new MemoryStore();
    const sessions = new SessionRepository({ store, definition });
    const use = (): Promise<void> =>
      sessions.scope(
        's',
        async (state) => {
          await pause(40);
          state.n += 1;
        },
        { create: true },
      );
    const [first, second] = [use(), use()];
    await first;
    expect(await sessions.close({ timeoutMs: 5000 })).toEqual({ unsettled: [], open: [], unstored: [], unfed: [] });
    await store.close();
    await second; // saved before the store was closed
  });

  it('leaves uses under way room at the store beside the locks of thousands that it hands on', async () => {
    let [underWay, most, unlocked] = [0, 0, 0];
    const store = through(new MemoryStore(), {
      unlock: async (call) => {
        most = Math.max(most, (underWay += 1));
        await new Promise((resolve) => setImmediate(resolve));
        [underWay, unlocked] = [underWay - 1, unlocked + 1];
        return call();
      },
    });
    const sessions = new SessionRepository({ store, definition });
    await Promise.all(Array.from({ length: 2000 }, async () => (await sessions.create()).saveAndClose()));
    expect(await sessions.close({ timeoutMs: 20_000 })).toMatchObject({ unsettled: [], open: [], unfed: [] });
    expect(unlocked).toBe(2000);
    expect(most).toBeLessThanOrEqual(256);
  });

  it('asks a store that hangs for nothing more once its time is over, however many locks it has', async () => {
    let asked = 0;
    const store = through(new MemoryStore(), { unlock: () => ((asked += 1), new Promise<never>(() => undefined)) });
    const sessions = new SessionRepository({ store, definition, storeTimeoutMs: 100 });
    await Promise.all(Array.from({ length: 1000 }, async () => (await sessions.create()).saveAndClose()));
    await sessions.close({ timeoutMs: 50 });
    await pause(600);
    expect(asked).toBe(256);
  });

  it('names the sessions whose uses do not end; they may still save, and give their locks back then', async () => {
    const store = new MemoryStore();
    const sessions = new SessionRepository({ store, definition, lock: { leaseMs: 60_000 } });
    const session = await sessions.create({ n: 1 }, { id: 'slow' });
    expect(await sessions.close({ timeoutMs: 20 })).toEqual({ unsettled: [], open: ['slow'], unstored: [], unfed: [] });
    session.state.n = 2;
    await session.saveAndClose();
    expect(
      await new SessionRepository({ store, definition }).scope('slow', (state) => state.n, { timeoutMs: 1000 }),
    ).toBe(2);
  });

  it('leaves no save without its backup', async () => {
    const [primary, backup] = [new MemoryStore(), new MemoryStore()];
    const sessions = new SessionRepository({ store: primary, definition, backups: [{ store: backup }] });
    const saves = Array.from({ length: 30 }, (_, i) =>
      sessions.scope(`s${i}`, (state) => void (state.n = i), { create: true }),
    );
    await pause(0);
    const report = await sessions.close();
    const saved = (await Promise.allSettled(saves)).flatMap(({ status }, i) =>
      status === 'fulfilled' ? [`s${i}`] : [],
    );
    expect(report).toEqual({ unsettled: [], open: [], unstored: [], unfed: [] });
    const read = new SessionRepository({ store: backup, definition });
    for (const id of saved) expect(await read.read(id), id).toBeDefined();
  });

  it('takes no wrong option', async () => {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition });
    await expect(sessions.close({ timeoutMs: '5' as unknown as number })).rejects.toMatchObject({
      code: 'ERR_INVALID',
    });
    await expect(sessions.close({ timeout: 5 } as object)).rejects.toMatchObject({ code: 'ERR_INVALID' });
    expect(await sessions.close()).toEqual({ unsettled: [], open: [], unstored: [], unfed: [] });
  });
});

describe('a session that is closed, and not waited for', () => {
  type Asked = (session: Awaited<ReturnType<typeof opened>>) => Promise<unknown>;
  const opened = (sessions: SessionRepository<{ n: number }, { n?: number }>) => sessions.open('s');
  const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => 'done',
      (error: { code?: unknown }) => error.code ?? error,
    );

  it.each<[string, Asked]>([
    ['save', (session) => session.save()],
    ['saveAndClose', (session) => session.saveAndClose()],
    ['delete', (session) => session.delete()],
    ['changeId', (session) => session.changeId('t')],
    ['expire', (session) => session.expire(50_000)],
  ])('does nothing that is asked of it after that, for its lock is on its way back: %s', async (_, ask) => {
    const slow = through(new MemoryStore(), { append: (call) => pause(10).then(call) });
    const sessions = new SessionRepository({ store: slow, definition });
    await sessions.scope('s', (state) => void (state.n = 1), { create: true });
    const use = async (late: (session: Awaited<ReturnType<typeof opened>>) => Promise<unknown>): Promise<void> => {
      const session = await opened(sessions);
      session.state.n = 1;
      const asked = late(session);
      const next = codeOf(sessions.scope('s', (state) => void (state.n = 7), { timeoutMs: 1000 }));
      expect(await Promise.all([asked, next])).toEqual(['ERR_CLOSED', 'done']);
      await session.close();
      expect((await sessions.read('s'))?.n).toBe(7);
    };
    await use((session) => (void session.close(), codeOf(ask(session))));
    await use((session) => {
      const saved = session.save();
      void session.close();
      return saved.then(() => codeOf(ask(session))); // the moment that the save has ended, before the close goes on
    });
  });
});
