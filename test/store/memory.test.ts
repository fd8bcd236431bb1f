import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ORIGIN } from '../../ts/position.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Append } from '../../ts/store/store.ts';
import { VirtualClock, storeSuite } from '../../ts/testing/index.ts';

storeSuite(
  { describe, it },
  {
    name: 'MemoryStore',
    async open() {
      const clock = new VirtualClock();
      const store = new MemoryStore({ clock, sweepEveryMs: Infinity });
      return {
        one: store,
        two: store,
        pass: (ms) => clock.pass(ms),
        jump: (ms) => clock.jump(ms),
        cleanUp: () => store.close(),
      };
    },
  },
);

describe('MemoryStore', () => {
  const snapshot: Append = {
    parent: ORIGIN,
    position: { revision: 1, nonce: 5 },
    kind: 'snapshot',
    bytes: Buffer.from('kept'),
    under: 0,
  };
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  /** Lets timers run, and what they lead to. */
  async function pass(clock: VirtualClock, ms: number): Promise<void> {
    clock.pass(ms);
    for (let turn = 0; turn < 20; turn += 1) {
      await settled();
      clock.pass(0);
    }
  }

  it('sweeps of its own accord, page by page, with two looks', async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore({ clock, sweepEveryMs: 1000, sweepGraceMs: 1500 });
    for (let i = 0; i < 1700; i += 1) await store.append(`s${i}`, { ...snapshot, expiry: { idleMs: 500 } });
    await store.append('kept', snapshot);
    const heads = async (): Promise<number> =>
      (await Promise.all(Array.from({ length: 1700 }, (_, i) => store.read(`s${i}`, { since: ORIGIN })))).filter(
        ({ head }) => head !== undefined,
      ).length;
    await pass(clock, 1000);
    await pass(clock, 1000);
    expect(await heads()).toBe(1700);
    await pass(clock, 1000);
    expect([await heads(), (await store.list({ limit: 10 })).ids]).toEqual([0, ['kept']]);
    await store.close();
    await store.close();
  });

  it('sweeps no more once it is closed, and never where it was told not to', async () => {
    const clock = new VirtualClock();
    let timers = 0;
    const counted = Object.assign(Object.create(clock) as VirtualClock, {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      after: (delayMs: number, run: () => void) => {
        timers += 1;
        const cancel = clock.after(delayMs, run);
        return () => {
          timers -= 1;
          cancel();
        };
      },
    });
    const store = new MemoryStore({ clock: counted });
    expect(timers).toBe(1);
    await store.close();
    expect(timers).toBe(0);
    await new MemoryStore({ clock: counted, sweepEveryMs: Infinity }).close();
    expect(timers).toBe(0);
    for (const sweepEveryMs of [0, -1, Number.NaN])
      expect(() => new MemoryStore({ sweepEveryMs })).toThrow(expect.objectContaining({ code: 'ERR_INVALID' }));
  });

  it('fences what was swept by one mark for all ids', async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore({ clock, sweepEveryMs: Infinity });
    await store.append('s', { ...snapshot, under: 7, expiry: { idleMs: 500 } });
    clock.pass(1000);
    for (const swept of [0, 1]) expect(await store.sweep({ limit: 10, graceMs: 0 })).toEqual({ swept });
    expect(await store.append('never written', { ...snapshot, under: 7 })).toMatchObject({ why: 'fenced', token: 8 });
    await store.close();
  });

  it('keeps no process alive', () => {
    const script = "import { MemoryStore } from 'holdfast'; new MemoryStore();";
    const ran = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: fileURLToPath(new URL('../../', import.meta.url)),
      timeout: 20_000,
      encoding: 'utf8',
    });
    expect([ran.status, ran.signal], ran.stderr).toEqual([0, null]);
  });

  it('lists in pages, and knows its cursors', async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore({ clock, sweepEveryMs: Infinity });
    for (let i = 0; i < 300; i += 1) await store.append(`s${i}`, snapshot);
    const found: string[] = [];
    for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
      const page = await store.list({ limit: 50, ...(cursor !== undefined && { cursor }) });
      found.push(...page.ids);
      cursor = page.cursor;
    }
    expect(found).toEqual(Array.from({ length: 300 }, (_, i) => `s${i}`));
    await expect(store.list({ limit: 1, cursor: 'nonsense' })).rejects.toMatchObject({ code: 'ERR_INVALID' });
    await store.close();
  });
});
