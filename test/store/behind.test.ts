import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { loadAddon } from '../../ts/addon.ts';
import { HoldfastError } from '../../ts/errors.ts';
import { ORIGIN } from '../../ts/position.ts';
import { openStore } from '../../ts/store/open.ts';
import { SqliteStore } from '../../ts/store/sqlite.ts';
import type { Append } from '../../ts/store/store.ts';
import { newFolder } from '../folders.ts';

const MODULE = '@photostructure/sqlite';
const KINDS = ((): string[] => {
  try {
    loadAddon();
    return ['addon', MODULE];
  } catch {
    return [MODULE]; // the addon is not built
  }
})();

const snapshot: Append = {
  parent: ORIGIN,
  position: { revision: 1, nonce: 5 },
  kind: 'snapshot',
  bytes: Buffer.from('kept'),
  under: 0,
};
const failure = (call: Promise<unknown>): Promise<HoldfastError | undefined> =>
  call.then(
    () => undefined,
    (thrown: HoldfastError) => thrown,
  );

/** A process that keeps all others from writing, until the answer is called. */
async function holdUp(dir: string): Promise<() => Promise<void>> {
  const script = fileURLToPath(new URL('holder.mjs', import.meta.url));
  const holder = spawn(process.execPath, [script, join(dir, 'store.sqlite')], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  return async () => {
    holder.stdin.end();
    await once(holder, 'close');
  };
}

describe.each(KINDS)('what waits behind a neighbour that is stopped in the middle of a commit (%s)', (kind) => {
  afterEach(() => void delete process.env['HOLDFAST_SQLITE']);

  async function open(dir: string): Promise<SqliteStore> {
    process.env['HOLDFAST_SQLITE'] = kind;
    return (await openStore(dir)) as SqliteStore;
  }

  it('and behind a compaction that waits for it says that nothing happened, and nothing does', async () => {
    const dir = newFolder();
    const store = await open(dir);
    await store.append('s', snapshot);
    const release = await holdUp(dir);
    const compacting = failure(store.compact());
    await new Promise((resolve) => setTimeout(resolve, 100)); // it is begun
    const began = performance.now();
    const second = { ...snapshot, parent: snapshot.position, position: { revision: 2, nonce: 6 } };
    const answers = await Promise.all([
      failure(store.append('s', second, { timeoutMs: 400 })), // its row is known: nothing is read first
      failure(store.append('a', snapshot, { timeoutMs: 400 })),
    ]);
    expect(performance.now() - began).toBeLessThan(1900);
    expect(answers.map((answer) => [answer?.code, answer?.outcome])).toEqual(
      answers.map(() => ['ERR_UNAVAILABLE', 'none']),
    );
    expect(answers[0]?.message).toMatch(/not begun within \d+ ms.*nothing was written/);
    expect(await compacting).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'none' });
    await release();
    await store.compact();
    expect((await store.list({ limit: 10 })).ids).toEqual(['s']);
    expect((await store.read('s', { since: ORIGIN })).records.length).toBe(1);
    expect(await store.append('s', second)).toMatchObject({ appended: true });
    await store.close();
  }, 30_000);

  it.runIf(kind === 'addon')(
    'holds up no read',
    async () => {
      const dir = newFolder();
      const store = await open(dir);
      await store.append('s', snapshot);
      const release = await holdUp(dir);
      const order: string[] = [];
      const note = (what: string) => (): void => void order.push(what);
      const writing = failure(store.append('a', snapshot, { timeoutMs: 1500 })).then(note('write'));
      const compacting = failure(store.compact()).then(note('compact'));
      for (let i = 0; i < 20; i += 1) {
        expect((await store.read('s', { since: ORIGIN })).records.length).toBe(1);
        expect((await store.list({ limit: 10 })).ids).toEqual(['s']);
      }
      note('reads')();
      await Promise.all([writing, compacting]);
      expect(order[0]).toBe('reads');
      await release();
      await store.close();
    },
    30_000,
  );

  it('is written once it goes on', async () => {
    const dir = newFolder();
    const store = await open(dir);
    const release = await holdUp(dir);
    const answer = store.append('a', snapshot, { timeoutMs: 8000 });
    const late = await failure(store.append('b', snapshot, { timeoutMs: 3000 }));
    expect(late).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'none' });
    await release();
    expect(await answer).toMatchObject({ appended: true });
    expect((await store.list({ limit: 10 })).ids).toEqual(['a']);
    await store.close();
  }, 30_000);
});
