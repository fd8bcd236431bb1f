import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../ts/clock.ts';
import { everyCall } from '../../ts/testing/place.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { openStore } from '../../ts/store/open.ts';
import { SqliteStore } from '../../ts/store/sqlite.ts';
import type { CallOptions, Hint, Store } from '../../ts/store/store.ts';

const INVALID = expect.objectContaining({ code: 'ERR_INVALID' }) as unknown;
const thrownBy = (call: () => Promise<unknown>): Promise<unknown> =>
  Promise.resolve()
    .then(call)
    .then(
      () => undefined,
      (error: unknown) => error,
    );

async function inFolder(run: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-misuse-'));
  try {
    await run(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function checkOptionsOf(store: Store): Promise<void> {
  const wrong = [
    null,
    5,
    'x',
    [],
    { timeoutms: 5 },
    { timeoutMs: '5' },
    { timeoutMs: Number.NaN },
    { signal: new AbortController() },
    { signal: {} },
  ];
  for (const options of wrong as CallOptions[]) {
    for (const call of everyCall(store, 's', 'm', 0))
      expect(await thrownBy(() => call(options)), JSON.stringify(options)).toEqual(INVALID);
  }
  for (const listener of [undefined, 5, {}] as unknown as ((hint: Hint) => void)[])
    expect(await thrownBy(() => store.join(listener))).toEqual(INVALID);
}

describe('a call with wrong options', () => {
  it('is refused at once by a store in memory', () => checkOptionsOf(new MemoryStore()));

  it('is refused at once by the embedded store', () =>
    inFolder(async (dir) => {
      const store = await SqliteStore.open({ dir: join(dir, 's') });
      await checkOptionsOf(store);
      await store.close();
    }));
});

describe('a closed embedded store', () => {
  it('is neither looked through nor compacted', () =>
    inFolder(async (dir) => {
      const store = await SqliteStore.open({ dir: join(dir, 's') });
      await store.close();
      for (const call of [() => store.check(), () => store.compact(), () => store.copy(join(dir, 'c'))])
        expect(await thrownBy(call)).toMatchObject({ code: 'ERR_CLOSED' });
    }));
});

describe('the options of a store', () => {
  it('are judged before anything is made', () =>
    inFolder(async (dir) => {
      const timeless = { ...systemClock, monotonic: () => Number.NaN };
      for (const clock of [5, {}, timeless] as never[]) {
        expect(await thrownBy(() => openStore(join(dir, 'new'), { clock }))).toEqual(INVALID);
        expect(await thrownBy(() => openStore('memory:', { clock }))).toEqual(INVALID);
        expect(() => new MemoryStore({ clock })).toThrow(INVALID as Error);
      }
      for (const wrong of [5, null]) expect(() => new MemoryStore(wrong as never)).toThrow(INVALID as Error);
      for (const wrong of [{ clok: systemClock }, { sweepEveryMs: 0 }, { sweepEveryMs: -1 }, { sweepGraceMs: -1 }]) {
        expect(() => new MemoryStore(wrong)).toThrow(INVALID as Error);
        expect(await thrownBy(() => SqliteStore.open({ dir: join(dir, 'new'), ...wrong }))).toEqual(INVALID);
      }
    }));
});

it('a SqliteStore made with new says how it is made', () => {
  const Made = SqliteStore as unknown as new (options?: unknown) => unknown;
  for (const options of [undefined, { dir: 'x' }])
    expect(() => new Made(options)).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID',
        message: expect.stringContaining('await SqliteStore.open({ dir })') as string,
      }) as Error,
    );
});
