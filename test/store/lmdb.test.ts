import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { open } from 'lmdb';
import { afterAll, describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { ORIGIN } from '../../ts/position.ts';
import { LmdbStore } from '../../ts/store/lmdb.ts';
import type { Append, Tail } from '../../ts/store/store.ts';
import { VirtualClock, storeSuite } from '../../ts/testing/index.ts';

const folders: string[] = [];
function folder(): string {
  folders.push(mkdtempSync(join(tmpdir(), 'holdfast-test-')));
  return folders.at(-1) as string;
}
afterAll(() => {
  for (const dir of folders) rmSync(dir, { recursive: true, force: true });
});

const REPLACED = 'to be replaced';

storeSuite({ describe, it }, {
  name: 'LmdbStore',
  async open() {
    const dir = folder();
    const clock = new VirtualClock();
    const one = new LmdbStore({ dir, clock, sweepEveryMs: Infinity });
    const two = new LmdbStore({ dir, clock, sweepEveryMs: Infinity });
    const cleanUp = async (): Promise<void> => {
      await one.close();
      await two.close();
    };
    return { one, two, pass: (ms) => clock.pass(ms), jump: (ms) => clock.jump(ms), cleanUp };
  },
  skips: {
    'those who watch hear of appends and replacements': REPLACED,
    'a watch takes the place of the one before': REPLACED,
    'nothing is heard of what changed nothing': REPLACED,
  },
});

describe('LmdbStore', () => {
  const snapshot: Append = { parent: ORIGIN, position: { revision: 1, nonce: 5 }, kind: 'snapshot', bytes: Buffer.from('kept'), under: 0 };
  const read = async (store: LmdbStore, id: string): Promise<string[]> => (await store.read(id, { since: ORIGIN })).records.map(String);
  const failure = (call: Promise<unknown>): Promise<HoldfastError | undefined> => call.then(() => undefined, (thrown: HoldfastError) => thrown);

  it('has everything after it was closed and opened again', async () => {
    const dir = folder();
    const before = new LmdbStore({ dir });
    await before.append('s', snapshot);
    await before.promote(6);
    await before.close();
    const after = new LmdbStore({ dir });
    expect([await read(after, 's'), await after.ping()]).toEqual([['kept'], { epoch: 7 }]);
    await after.close();
  });

  it('names the session whose row is damaged, and serves the others', async () => {
    const dir = folder();
    const store = new LmdbStore({ dir });
    await store.append('good', snapshot);
    await store.append('a long name', { ...snapshot, bytes: Buffer.from('first') });
    await store.append('a long name', { ...snapshot, parent: snapshot.position, position: { revision: 2, nonce: 5 }, kind: 'delta' });
    await damage(dir, 'a long name');
    const error = await failure(store.read('a long name', { since: ORIGIN }));
    expect(error).toMatchObject({ code: 'ERR_CORRUPT', session: 'a long name', message: expect.stringMatching(/^session 'a long n…'.*restore the session from a backup$/) });
    expect(await read(store, 'good')).toEqual(['kept']);
    expect(await store.list({ limit: 10 })).toEqual({ ids: ['a long name', 'good'] });
    expect(await store.sweep({ limit: 10, graceMs: 0 })).toEqual({ swept: 0 });
    const image = { records: [{ position: { revision: 9, nonce: 1 }, kind: 'snapshot', bytes: Buffer.from('mended') }], createdAt: 1, expiry: {}, token: 0 } as const;
    expect(await store.replace('a long name', image, undefined)).toMatchObject({ appended: true });
    expect(await read(store, 'a long name')).toEqual(['mended']);
    const records = opened(dir).openDB<Buffer, [string, number]>('records', { encoding: 'binary' });
    expect([...records.getKeys({ start: ['a long name', 0], end: ['a long name', Infinity] })]).toEqual([['a long name', 9]]);
    await store.close();
  });

  it('takes nobody for the holder of a lock that was held before the machine was started', async () => {
    const dir = folder();
    const store = new LmdbStore({ dir });
    const { member } = await store.join(() => undefined);
    await store.lock('s', { member, ticket: 1, leaseMs: 60_000, wait: true, since: ORIGIN });
    await change(dir, 's', (row) => ({ ...row, boot: 'another' }));
    expect((await store.inspect('s')).lock).toEqual({ queue: [] });
    await store.close();
  });

  it('is not held up longer than a lease by times that are nonsense', async () => {
    const dir = folder();
    const clock = new VirtualClock();
    const store = new LmdbStore({ dir, clock });
    const { member } = await store.join(() => undefined);
    await store.lock('s', { member, ticket: 1, leaseMs: 1000, wait: true, since: ORIGIN });
    await change(dir, 's', (row) => ({ ...row, lock: { ...(row['lock'] as object), holder: { member, ticket: 1, leaseMs: 1000, leaseUntil: 1e15, recalledAt: 1e15 } } }));
    expect(await store.lock('s', { member: 'b', ticket: 1, leaseMs: 1000, wait: false, since: ORIGIN })).toEqual({ granted: false, retryMs: 1000 });
    await store.close();
  });

  it('says that it does not know when a commit does not come back in time', async () => {
    const clock = new VirtualClock();
    const store = new LmdbStore({ dir: folder(), clock });
    const late = failure(store.append('s', snapshot, { timeoutMs: 50 }));
    clock.pass(50);
    expect(await late).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'unknown' });
    expect(await store.append('s', snapshot)).toMatchObject({ appended: true });
    const abort = new AbortController();
    const cancelled = failure(store.touch('s', { token: 0, expiry: { idleMs: 9000 } }, { signal: abort.signal }));
    const unbounded = failure(store.append('t', snapshot));
    abort.abort();
    expect(await cancelled).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'unknown' });
    clock.pass(10_000);
    expect(await unbounded).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'unknown' });
    expect(await store.append('t', snapshot)).toMatchObject({ appended: true });
    await store.close();
  });

  it('fences writes that were drafted before a promotion', async () => {
    const dir = folder();
    const [one, two] = [new LmdbStore({ dir }), new LmdbStore({ dir })];
    for (let round = 0; round < 20; round += 1) {
      const append = { ...snapshot, under: round * 2 ** 32 };
      const drafted = Array.from({ length: 10 }, async (_, i) => ({ id: `s${round}.${i}`, answer: await one.append(`s${round}.${i}`, append) }));
      const promoted = two.promote(round).then(() => Promise.all(Array.from({ length: 10 }, (_, i) => one.read(`s${round}.${i}`, { since: ORIGIN }))));
      const [answers, seen] = await Promise.all([Promise.all(drafted), promoted]);
      const after = await Promise.all(answers.map(({ id }) => one.read(id, { since: ORIGIN })));
      // What was not there when the promotion had resolved never comes under the old epoch.
      expect(after.map(({ head }: Tail) => head === undefined)).toEqual(seen.map(({ head }) => head === undefined));
    }
    await one.close();
    await two.close();
  });

  it('refuses a directory that it cannot use', async () => {
    const dir = folder();
    writeFileSync(join(dir, 'file'), '');
    expect(() => new LmdbStore({ dir: join(dir, 'file') })).toThrow(expect.objectContaining({ code: 'ERR_UNAVAILABLE' }));
    expect(() => new LmdbStore({ dir: '' })).toThrow(expect.objectContaining({ code: 'ERR_INVALID' }));
    const older = folder();
    await opened(older).openDB<string, string>('holdfast', { encoding: 'string' }).put('format', '1');
    expect(() => new LmdbStore({ dir: older })).toThrow(expect.objectContaining({ code: 'ERR_INVALID', message: expect.stringContaining('layout 1') }));
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

  it('commits what a sweep deletes together', async () => {
    const clock = new VirtualClock();
    const store = new LmdbStore({ dir: folder(), clock, sweepEveryMs: Infinity });
    await Promise.all(Array.from({ length: 2000 }, (_, i) => store.append(`s${i}`, { ...snapshot, expiry: { idleMs: 100 } })));
    clock.pass(200);
    expect(await store.sweep({ limit: 2000, graceMs: 0 })).toEqual({ swept: 0 });
    const began = performance.now();
    expect(await store.sweep({ limit: 2000, graceMs: 0 })).toEqual({ swept: 2000 });
    console.info(`2,000 deletions in ${Math.round(performance.now() - began)} ms`);
    await store.close();
  });
});

const opened = (dir: string): ReturnType<typeof open<Buffer, string>> => open<Buffer, string>({ path: dir, encoding: 'binary', noSubdir: false, overlappingSync: false, maxDbs: 5 });

async function damage(dir: string, id: string): Promise<void> {
  const rows = opened(dir).openDB<Buffer, string>('rows', { encoding: 'binary', useVersions: true });
  const row = Buffer.from(rows.get(id) as Buffer);
  row[9] = (row[9] as number) ^ 1;
  await rows.put(id, row, 1);
}

/** Puts another row in the place of one, well formed as far as its bytes go. */
async function change(dir: string, id: string, alter: (row: Record<string, unknown>) => Record<string, unknown>): Promise<void> {
  const { crc32 } = await import('node:zlib');
  const rows = opened(dir).openDB<Buffer, string>('rows', { encoding: 'binary', useVersions: true });
  const json = Buffer.from(JSON.stringify(alter(JSON.parse((rows.get(id) as Buffer).subarray(4).toString()) as Record<string, unknown>)));
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32(json));
  await rows.put(id, Buffer.concat([sum, json]), 2);
}
