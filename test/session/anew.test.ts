import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { ORIGIN } from '../../ts/position.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Store } from '../../ts/store/store.ts';
import { VirtualClock } from '../../ts/testing/index.ts';
import { through } from '../store/through.ts';

const definition = defineSession({ n: mutable<number>(() => 0), text: mutable<string>(() => '') });
const logOf = async (store: Store, id: string): Promise<string[]> =>
  (await store.read(id, { since: ORIGIN })).records.map((record) => Buffer.from(record).toString('hex'));
const GRACE_MS = 60_000;

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** With time for what each step leads to. */
async function passSlowly(clock: VirtualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    clock.pass(100);
    await settle();
  }
}

/** Both looks; says how many sessions went. */
async function sweep(store: MemoryStore, clock: VirtualClock): Promise<number> {
  await store.sweep({ limit: 10, graceMs: GRACE_MS });
  clock.pass(GRACE_MS + 1);
  await settle();
  return (await store.sweep({ limit: 10, graceMs: GRACE_MS })).swept;
}

// docs/protocol.md: Expiry
describe('a session that begins anew', () => {
  it('begins anew in a backup that was fed late as it does in the primary', async () => {
    const clock = new VirtualClock();
    const [primary, second] = [new MemoryStore({ clock }), new MemoryStore({ clock })];
    const late = through(second, {
      append: (call, _, { parent }) => (clock.pass(parent.revision === 0 ? 300 : 0), call()),
    });
    const sessions = new SessionRepository({
      store: primary,
      definition,
      clock,
      maxAgeMs: 1000,
      backups: [{ store: late }],
    });
    await sessions.scope('a', (state) => void (state.n = 1), { create: true });
    clock.pass(701);
    expect(await second.read('a', { since: ORIGIN })).toMatchObject({ head: { state: 'live', leftMs: 299 } });
    await sessions.scope('a', (state) => void (state.text = 'anew'), { create: true });
    const { head } = await second.read('a', { since: ORIGIN });
    expect(head).toMatchObject({ state: 'live', position: { revision: 2 }, first: 2, leftMs: 1000 });
    expect(await logOf(second, 'a')).toEqual(await logOf(primary, 'a'));
  });

  it('is not brought back by a snapshot that was on its way when it expired', async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore({ clock });
    let late = 0;
    const link = through(store, {
      append(call, _, { kind, parent }) {
        if (kind === 'snapshot' && parent.revision > 0) clock.pass((late += 1) && 1000);
        return call();
      },
    });
    const sessions = new SessionRepository({ store: link, definition, clock, maxAgeMs: 1000 });
    const save = (i: number): Promise<void> =>
      sessions.scope('a', (state) => void ((state.n = i), (state.text = `${i}`.repeat(50))), {
        create: i === 0 ? true : undefined,
      });
    let saves = 0;
    const error = await (async () => {
      for (; saves < 200; saves += 1) await save(saves);
    })().catch((thrown: HoldfastError) => thrown);
    expect([late, error]).toEqual([
      1,
      expect.objectContaining({ code: 'ERR_CONFLICT', message: expect.stringContaining('has expired') as string }),
    ]);
    expect((await store.read('a', { since: ORIGIN })).head).toMatchObject({
      state: 'expired',
      position: { revision: saves },
    });
  });

  it('is told, with both ways on, by a backup that missed how it ended and was swept', async () => {
    const clock = new VirtualClock();
    const [primary, second] = [
      new MemoryStore({ clock, sweepEveryMs: Infinity }),
      new MemoryStore({ clock, sweepEveryMs: Infinity }),
    ];
    let down = false;
    const unless = <T>(call: () => Promise<T>): Promise<T> => (down ? Promise.reject(new Error('down')) : call());
    const link = through(second, { append: unless, read: unless, touch: unless, replace: unless, ping: unless });
    const sessions = new SessionRepository({
      store: primary,
      definition,
      clock,
      tombstoneTtlMs: 5000,
      backups: [{ store: link }],
    });
    for (let i = 1; i <= 3; i += 1) await sessions.scope('a', (state) => void (state.n = i), { create: true });
    down = true;
    await sessions.delete('a');
    clock.pass(5001);
    expect(await sweep(primary, clock)).toBe(1);
    down = false;
    const errors: string[] = [];
    sessions.observe((event) => void (event.type === 'backup-error' && errors.push(event.message)));
    await sessions.scope('a', (state) => void (state.n = 100), { create: true });
    expect(errors).toEqual([
      expect.stringMatching(
        /revision 3 of session 'a' \(begun 20.*\) that the primary, at 1 \(begun 20.*\).*: if the primary has lost saves, .*restore\(id, 0\); if the session ended there and was begun anew.*overwrite/,
      ),
    ]);
    expect(await sessions.verifyBackups('a')).toEqual(['ahead']);
    await sessions.backups.catchUp('a', { overwrite: true });
    expect(await sessions.verifyBackups('a')).toEqual(['equal']);
    expect(await logOf(second, 'a')).toEqual(await logOf(primary, 'a'));
  });

  it('does not, where the primary has lost its memory: that copy is kept', async () => {
    const clock = new VirtualClock();
    const second = new MemoryStore({ clock });
    const before = new SessionRepository({
      store: new MemoryStore({ clock }),
      definition,
      clock,
      backups: [{ store: second }],
    });
    for (let i = 1; i <= 3; i += 1) await before.scope('a', (state) => void (state.n = i), { create: true });
    await before.close();
    clock.pass(120_000);
    const emptied = new MemoryStore({ clock });
    const [after, third] = [1, 2].map(
      () =>
        new SessionRepository({
          store: emptied,
          definition,
          clock,
          lock: { release: 'access' },
          backups: [{ store: second }],
        }),
    ) as [
      SessionRepository<{ n: number; text: string }, object>,
      SessionRepository<{ n: number; text: string }, object>,
    ];
    const errors: string[] = [];
    after.observe((event) => void (event.type === 'backup-error' && errors.push(event.message)));
    await after.scope('a', (state) => void (state.n = 100), { create: true });
    await third.scope('a', (state) => void (state.text = 'tokens rise again'));
    expect(errors).toEqual([expect.stringContaining('if the primary has lost saves')]);
    expect(await after.verifyBackups('a')).toEqual(['ahead']);
    expect(await after.backups.restore('a')).toBe(true);
    expect(await after.read('a')).toMatchObject({ n: 3 });
  });

  it('leaves nobody to say what became of a save of its life before', async () => {
    const clock = new VirtualClock();
    const primary = new MemoryStore({ clock, sweepEveryMs: Infinity });
    let loses = true;
    let cut = false;
    const silent = (): HoldfastError => new HoldfastError('ERR_UNAVAILABLE', 'cut', { outcome: 'unknown' });
    const gate = async <T>(call: () => Promise<T>): Promise<T> => {
      if (cut) throw silent();
      return call();
    };
    const link = through(primary, {
      touch: gate,
      lock: gate,
      unlock: gate,
      read: gate,
      async append(call) {
        const answer = await gate(call);
        if (loses) throw ((cut = true), (loses = false), silent());
        return answer;
      },
    });
    const sessions = new SessionRepository({ store: link, definition, clock, ttlMs: 2000, storeTimeoutMs: 500 });
    const other = new SessionRepository({ store: primary, definition, clock, ttlMs: 2000 });
    const outcomes: string[] = [];
    sessions.observe((event) => void (event.type === 'settled' && outcomes.push(event.outcome)));
    const saving = sessions
      .scope('a', (state) => void (state.n = 1), { create: true })
      .catch((error: HoldfastError) => error.outcome);
    await passSlowly(clock, 7000);
    expect(await saving).toBe('unknown');
    expect(await sweep(primary, clock)).toBe(1);
    await other.scope('a', (state) => void (state.n = 7), { create: true });
    cut = false;
    await passSlowly(clock, 5000);
    expect(outcomes).toEqual(['unknown']);
  });
});
