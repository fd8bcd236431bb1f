import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { open } from 'lmdb';
import { afterAll, describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../ts/errors.ts';
import { ORIGIN } from '../../ts/position.ts';
import { LmdbStore } from '../../ts/store/lmdb.ts';
import { storeSuite } from '../contract/store-suite.ts';

const folders: string[] = [];
function folder(): string {
  folders.push(mkdtempSync(join(tmpdir(), 'holdfast-test-')));
  return folders.at(-1) as string;
}
afterAll(() => {
  for (const dir of folders) rmSync(dir, { recursive: true, force: true });
});

storeSuite('LmdbStore', {
  async open() {
    const dir = folder();
    const one = new LmdbStore({ dir });
    const two = new LmdbStore({ dir });
    return {
      one,
      two,
      cleanUp: async () => {
        await one.close();
        await two.close();
      },
    };
  },
});

describe('LmdbStore', () => {
  const snapshot = { parent: ORIGIN, position: { revision: 1, nonce: 5 }, kind: 'snapshot' as const, bytes: Buffer.from('kept'), token: 0 };

  it('has everything after it was closed and opened again', async () => {
    const dir = folder();
    const before = new LmdbStore({ dir });
    await before.append('s', snapshot);
    await before.close();
    const after = new LmdbStore({ dir });
    expect((await after.read('s', ORIGIN)).records.map(String)).toEqual(['kept']);
    await after.close();
  });

  it('names the session whose row is damaged, and serves the others', async () => {
    const dir = folder();
    const store = new LmdbStore({ dir });
    await store.append('good', snapshot);
    await store.append('bad', snapshot);
    const root = open<Buffer, string>({ path: dir, encoding: 'binary', overlappingSync: false, maxDbs: 4 });
    const rows = root.openDB<Buffer, string>('rows', { encoding: 'binary', useVersions: true });
    const row = rows.get('bad') as Buffer;
    row[9] = (row[9] as number) ^ 1;
    await rows.put('bad', row, 1);
    const error = await store.read('bad', ORIGIN).catch((thrown: HoldfastError) => thrown);
    expect(error).toMatchObject({ code: 'ERR_CORRUPT', session: 'bad' });
    expect((await store.read('good', ORIGIN)).records.map(String)).toEqual(['kept']);
    expect(await store.list('', 10)).toEqual(['bad', 'good']);
    await store.replace('bad', { ...snapshot, bytes: Buffer.from('mended') }, undefined);
    expect((await store.read('bad', ORIGIN)).records.map(String)).toEqual(['mended']);
    await store.close();
  });

  it('refuses a directory that it cannot use', () => {
    const dir = folder();
    writeFileSync(join(dir, 'file'), '');
    expect(() => new LmdbStore({ dir: join(dir, 'file') })).toThrow(expect.objectContaining({ code: 'ERR_UNAVAILABLE' }));
    expect(() => new LmdbStore({ dir: '' })).toThrow(expect.objectContaining({ code: 'ERR_INVALID' }));
  });

  it('works in a directory whose path is too long for a socket', async () => {
    const dir = join(folder(), 'd'.repeat(100));
    const store = new LmdbStore({ dir });
    const member = await store.join(() => undefined);
    await member.leave();
    await store.close();
  });

  it('is not held up by a process that exits in the middle of writing', async () => {
    const dir = folder();
    const store = new LmdbStore({ dir });
    const script = fileURLToPath(new URL('exit.mjs', import.meta.url));
    for (let revision = 1; revision <= 6; revision += 1) {
      const exited = spawnSync(process.execPath, [script, dir], { timeout: 15_000, encoding: 'utf8' });
      expect([exited.status, exited.signal], exited.stderr).toEqual([3, null]);
      const parent = revision === 1 ? ORIGIN : { revision: revision - 1, nonce: 5 };
      await store.append('mine', { ...snapshot, parent, position: { revision, nonce: 5 } });
    }
    await store.close();
  }, 100_000);

  it('deletes what has expired when it sweeps', async () => {
    const store = new LmdbStore({ dir: folder() });
    for (let i = 0; i < 5; i += 1) await store.append(`s${i}`, { ...snapshot, ttlMs: 1 });
    await store.append('kept', snapshot);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await store.sweep(2)).toBe(5);
    expect(await store.sweep()).toBe(0);
    expect(await store.list('', 10)).toEqual(['kept']);
    await store.close();
  });
});
