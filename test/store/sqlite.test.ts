import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { ORIGIN } from '../../ts/position.ts';
import type { Row } from '../../ts/store/row.ts';
import { writeRow } from '../../ts/store/row-text.ts';
import { loadAddon } from '../../ts/addon.ts';
import { withGrace } from '../../ts/store/sqlite-link.ts';
import { SqliteSight } from '../../ts/store/sqlite-sight.ts';
import { SqliteStore } from '../../ts/store/sqlite.ts';
import type { Append, Tail } from '../../ts/store/store.ts';
import { VirtualClock, storeSuite } from '../../ts/testing/index.ts';
import { newFolder } from '../folders.ts';
import { openLink } from './drivers.ts';

/** All of it runs on the addon; without, `without-addon.test.ts` shows what is promised then. */
const LACK = lackOfAddon();
function lackOfAddon(): string | undefined {
  try {
    loadAddon();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** More of them where the environment asks for it than CI has time for. */
const TERMINATIONS = Number(process.env['HOLDFAST_TERMINATIONS'] ?? 12);
const EXITS = Number(process.env['HOLDFAST_EXITS'] ?? 6);

const NO_WATCH = 'can.watch is false: between processes only recalls and grants travel';

storeSuite(
  { describe: describe.skipIf(LACK !== undefined), it },
  {
    name: 'SqliteStore',
    async open() {
      const dir = newFolder();
      const clock = new VirtualClock();
      const one = await SqliteStore.open({ dir, clock, sweepEveryMs: Infinity });
      const two = await SqliteStore.open({ dir, clock, sweepEveryMs: Infinity });
      const cleanUp = async (): Promise<void> => {
        await one.close();
        await two.close();
      };
      return { one, two, pass: (ms) => clock.pass(ms), jump: (ms) => clock.jump(ms), cleanUp };
    },
    skips: {
      'those who watch hear of appends and replacements': NO_WATCH,
      'a watch takes the place of the one before': NO_WATCH,
      'nothing is heard of what changed nothing': NO_WATCH,
    },
  },
);

const snapshot: Append = {
  parent: ORIGIN,
  position: { revision: 1, nonce: 5 },
  kind: 'snapshot',
  bytes: Buffer.from('kept'),
  under: 0,
};
const read = async (store: SqliteStore, id: string): Promise<string[]> =>
  (await store.read(id, { since: ORIGIN })).records.map((bytes) => Buffer.from(bytes).toString());
const failure = (call: Promise<unknown>): Promise<HoldfastError | undefined> =>
  call.then(
    () => undefined,
    (thrown: HoldfastError) => thrown,
  );
const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

describe.skipIf(LACK !== undefined)('what was swept', () => {
  it('is fenced by one mark for all ids, also in the files', async () => {
    const dir = newFolder();
    const clock = new VirtualClock();
    const store = await SqliteStore.open({ dir, clock, sweepEveryMs: Infinity });
    await store.append('s', { ...snapshot, under: 7, expiry: { idleMs: 500 } });
    clock.pass(1000);
    for (const swept of [0, 1]) expect(await store.sweep({ limit: 10, graceMs: 0 })).toEqual({ swept });
    await store.close();
    const again = await SqliteStore.open({ dir, clock, sweepEveryMs: Infinity });
    expect(await again.append('never written', { ...snapshot, under: 7 })).toMatchObject({ why: 'fenced', token: 8 });
    await again.close();
  });
});

/** Done by the addon alone, where the system can read without waiting. */
const READS_AT_ONCE = LACK === undefined && process.platform === 'linux' && !process.env['HOLDFAST_SQLITE'];

describe.skipIf(!READS_AT_ONCE)('short reads', () => {
  it('are answered within the turn that asks, once the reader has opened', async () => {
    const store = await SqliteStore.open({ dir: newFolder() });
    await store.append('a', snapshot);
    await store.read('a', { since: ORIGIN });
    let turned = false;
    setImmediate(() => (turned = true));
    const tails = await Promise.all([store.read('a', { since: ORIGIN }), store.read('b', { since: ORIGIN })]);
    expect(turned).toBe(false);
    expect(tails.map(({ records }) => records.length)).toEqual([1, 0]);
    await store.close();
  });
});

describe.skipIf(LACK !== undefined)(`SqliteStore${LACK === undefined ? '' : ` (skipped: ${LACK})`}`, () => {
  it('has everything after it was closed and opened again, in two files that only their owner may read', async () => {
    const dir = join(newFolder(), 'deep', 'store');
    const before = await SqliteStore.open({ dir });
    await before.append('s', snapshot);
    await before.promote(6);
    await before.close();
    expect(readdirSync(dir).toSorted()).toEqual(['mark', 'store.sqlite']);
    expect([dir, join(dir, 'store.sqlite'), join(dir, 'mark')].map((path) => statSync(path).mode & 0o777)).toEqual([
      0o700, 0o600, 0o600,
    ]);
    const after = await SqliteStore.open({ dir });
    expect([await read(after, 's'), await after.ping()]).toEqual([['kept'], { epoch: 7 }]);
    expect(after.address).toBe(`sqlite:${dir}`);
    await after.close();
  });

  it('reads long logs in parts, as if at once', async () => {
    const store = await SqliteStore.open({ dir: newFolder() });
    let parent = ORIGIN;
    const bytes = Buffer.alloc(200_000, 7);
    for (let revision = 1; revision <= 12; revision += 1) {
      const position = { revision, nonce: revision };
      expect(
        await store.append('s', { ...snapshot, parent, position, bytes, kind: revision === 1 ? 'snapshot' : 'delta' }),
      ).toMatchObject({ appended: true });
      parent = position;
    }
    expect((await store.read('s', { since: ORIGIN })).records.map(({ length }) => length)).toEqual(
      Array.from({ length: 12 }, () => bytes.length),
    );
    const cut = await store.read('s', { since: { revision: 3, nonce: 3 }, limitBytes: 500_000 });
    expect([cut.records.length, cut.whole, cut.next]).toEqual([2, false, { revision: 5, nonce: 5 }]);
    const conflict = await store.append('s', {
      ...snapshot,
      parent: { revision: 2, nonce: 2 },
      position: { revision: 3, nonce: 99 },
    });
    expect(conflict).toMatchObject({ appended: false, why: 'conflict', tail: { whole: false } });
    await store.close();
  });

  it('lists those with a term only, in pages', async () => {
    const store = await SqliteStore.open({ dir: newFolder() });
    for (let i = 0; i < 6; i += 1)
      await store.append(`s${i}`, { ...snapshot, terms: i % 2 === 0 ? ['even', `n${i}`] : ['odd'] });
    const first = await store.list({ limit: 2, term: 'even' });
    expect(first.ids).toEqual(['s0', 's2']);
    expect(await store.list({ limit: 2, term: 'even', cursor: first.cursor as string })).toEqual({ ids: ['s4'] });
    await store.append('s4', {
      ...snapshot,
      parent: snapshot.position,
      position: { revision: 2, nonce: 5 },
      kind: 'delta',
      terms: ['odd'],
    });
    expect([await store.list({ limit: 9, term: 'even' }), await store.list({ limit: 9, term: 'n4' })]).toEqual([
      { ids: ['s0', 's2'] },
      { ids: [] },
    ]);
    expect((await store.list({ limit: 9, term: 'odd' })).ids).toEqual(['s1', 's3', 's4', 's5']);
    await store.close();
  });

  it('names the session whose row is damaged, and serves the others', async () => {
    const dir = newFolder();
    const before = await SqliteStore.open({ dir });
    await before.append('good', snapshot);
    await before.append('a long name', { ...snapshot, bytes: Buffer.from('first'), terms: ['marked by this'] });
    await before.append('a long name', {
      ...snapshot,
      parent: snapshot.position,
      position: { revision: 2, nonce: 5 },
      kind: 'delta',
    });
    await before.close();
    flip(dir, '"marked by this"');
    const store = await SqliteStore.open({ dir });
    const error = await failure(store.read('a long name', { since: ORIGIN }));
    expect(error).toMatchObject({
      code: 'ERR_CORRUPT',
      session: 'a long name',
      message: expect.stringMatching(/^session 'a long n…'.*restore the session from a backup$/),
    });
    expect(await read(store, 'good')).toEqual(['kept']);
    expect(await store.list({ limit: 10 })).toEqual({ ids: ['a long name', 'good'] });
    expect(await store.sweep({ limit: 10, graceMs: 0 })).toEqual({ swept: 0 });
    const image = {
      records: [{ position: { revision: 9, nonce: 1 }, kind: 'snapshot', bytes: Buffer.from('mended') }],
      createdAt: 1,
      expiry: {},
      token: 0,
    } as const;
    expect(await store.replace('a long name', image, undefined)).toMatchObject({ appended: true });
    expect(await read(store, 'a long name')).toEqual(['mended']);
    await store.close();
    const link = await openLink(dir);
    const answer = await link.ask({ kind: 'fetch', id: 'a long name', from: 0, limitBytes: 1e9 }, withGrace(5000));
    expect(answer.kind === 'found' && [...answer.found.records.keys()]).toEqual([9]);
    await link.close(5000);
  });

  it('names the record that is damaged', async () => {
    const dir = newFolder();
    const before = await SqliteStore.open({ dir });
    await before.append('s', { ...snapshot, bytes: Buffer.from('the bytes of this record') });
    await before.close();
    flip(dir, 'the bytes of this record');
    const store = await SqliteStore.open({ dir });
    expect(await failure(store.read('s', { since: ORIGIN }))).toMatchObject({
      code: 'ERR_CORRUPT',
      session: 's',
      revision: 1,
    });
    expect((await store.read('s', { since: ORIGIN, limitBytes: 0 })).head?.position).toEqual(snapshot.position);
    await store.close();
  });

  it('takes nobody for the holder of a lock that was held before the machine was started', async () => {
    const dir = newFolder();
    const store = await SqliteStore.open({ dir });
    const { member } = await store.join(() => undefined);
    await store.lock('s', { member, ticket: 1, leaseMs: 60_000, wait: true, since: ORIGIN });
    await change(dir, 's', (row) => ({ ...row, boot: 'another' }));
    expect((await store.inspect('s')).lock).toEqual({ queue: [] });
    await store.close();
  });

  it('is not held up longer than a lease by times that are nonsense', async () => {
    const dir = newFolder();
    const clock = new VirtualClock();
    const store = await SqliteStore.open({ dir, clock });
    const { member } = await store.join(() => undefined);
    await store.lock('s', { member, ticket: 1, leaseMs: 1000, wait: true, since: ORIGIN });
    await change(dir, 's', (row) => ({
      ...row,
      lock: { ...row.lock, holder: { member, ticket: 1, leaseMs: 1000, leaseUntil: 1e15, recalledAt: 1e15 } },
    }));
    const ask = () => store.lock('s', { member: 'b', ticket: 1, leaseMs: 1000, wait: false, since: ORIGIN });
    expect(await ask()).toEqual({ granted: false, retryMs: 250 }); // that lease is over; a recall has time to arrive
    clock.pass(250);
    expect((await ask()).granted).toBe(true);
    await store.close();
  });

  it('says what it knows of a call that does not come back in time', async () => {
    const clock = new VirtualClock();
    const store = await SqliteStore.open({ dir: newFolder(), clock });
    const late = failure(store.append('s', snapshot, { timeoutMs: 50 }));
    clock.pass(50);
    expect(await late).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'none' });
    expect(await store.append('s', snapshot)).toMatchObject({ appended: true });
    const abort = new AbortController();
    const cancelled = failure(store.touch('s', { token: 0, expiry: { idleMs: 9000 } }, { signal: abort.signal }));
    const unbounded = failure(store.append('t', snapshot));
    abort.abort();
    expect(await cancelled).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'none' });
    clock.pass(10_000);
    expect(await unbounded).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'none' });
    expect(await store.append('t', snapshot)).toMatchObject({ appended: true });
    await store.close();
  });

  it('fences writes that were drafted before a promotion', async () => {
    const dir = newFolder();
    const [one, two] = [await SqliteStore.open({ dir }), await SqliteStore.open({ dir })];
    for (let round = 0; round < 20; round += 1) {
      const append = { ...snapshot, under: round * 2 ** 32 };
      const drafted = Array.from({ length: 10 }, async (_, i) => ({
        id: `s${round}.${i}`,
        answer: await one.append(`s${round}.${i}`, append),
      }));
      const promoted = two
        .promote(round)
        .then(() => Promise.all(Array.from({ length: 10 }, (_, i) => one.read(`s${round}.${i}`, { since: ORIGIN }))));
      const [answers, seen] = await Promise.all([Promise.all(drafted), promoted]);
      const after = await Promise.all(answers.map(({ id }) => one.read(id, { since: ORIGIN })));
      // What was not there when the promotion had resolved never comes under the old epoch.
      expect(after.map(({ head }: Tail) => head === undefined)).toEqual(seen.map(({ head }) => head === undefined));
    }
    await one.close();
    await two.close();
  });

  it('refuses a folder that it cannot use, each time for the same reason', async () => {
    const dir = newFolder();
    writeFileSync(join(dir, 'file'), '');
    await expect(SqliteStore.open({ dir: join(dir, 'file') })).rejects.toMatchObject({
      code: 'ERR_INVALID',
      message: expect.stringContaining('not a folder'),
    });
    await expect(SqliteStore.open({ dir })).rejects.toMatchObject({
      code: 'ERR_INVALID',
      message: expect.stringContaining("'file'"),
    }); // somebody else's folder
    for (const wrong of [{ sweepEveryMs: 0 }, { sweepGraceMs: -5 }, { acceptOlder: 'no' }, { acceptOldr: true }]) {
      await expect(SqliteStore.open({ dir: newFolder(), ...(wrong as object) })).rejects.toMatchObject({
        code: 'ERR_INVALID',
      });
    }
    await expect(SqliteStore.open({ dir: '' })).rejects.toMatchObject({ code: 'ERR_INVALID' });
    await expect(SqliteStore.open(undefined as unknown as { dir: string })).rejects.toMatchObject({
      code: 'ERR_INVALID',
    });
    const text = newFolder();
    writeFileSync(
      join(text, 'store.sqlite'),
      'this is no database, but some text that is long enough to be taken for one'.repeat(20),
    );
    for (let i = 0; i < 2; i += 1)
      await expect(SqliteStore.open({ dir: text })).rejects.toMatchObject({ code: 'ERR_CORRUPT' });
  });

  it('refuses files that are older than what was acknowledged, until they are accepted', async () => {
    const dir = newFolder();
    const first = await SqliteStore.open({ dir });
    await first.append('s', snapshot);
    await first.close();
    copyFileSync(join(dir, 'store.sqlite'), join(dir, '../older.sqlite'));
    const second = await SqliteStore.open({ dir });
    await second.append('t', snapshot);
    await second.close();
    renameSync(join(dir, '../older.sqlite'), join(dir, 'store.sqlite'));
    await expect(SqliteStore.open({ dir })).rejects.toMatchObject({
      code: 'ERR_CORRUPT',
      message: expect.stringContaining('acceptOlder'),
    });
    const third = await SqliteStore.open({ dir, acceptOlder: true });
    expect([await third.ping(), await read(third, 's'), await read(third, 't')]).toEqual([{ epoch: 1 }, ['kept'], []]);
    await third.close();
  });

  it('acknowledges nothing any more when its folder is gone', async () => {
    const dir = join(newFolder(), 'store');
    const store = await SqliteStore.open({ dir });
    await store.append('s', snapshot);
    rmSync(dir, { recursive: true });
    expect(await failure(store.append('t', snapshot))).toMatchObject({
      code: 'ERR_UNAVAILABLE',
      message: expect.stringContaining('moved, replaced or deleted'),
    });
    expect(await failure(store.read('s', { since: ORIGIN }))).toMatchObject({ code: 'ERR_UNAVAILABLE' });
    await store.close();
  });

  it('works in a folder whose path is too long for a socket', async () => {
    const dir = join(newFolder(), 'd'.repeat(100));
    const store = await SqliteStore.open({ dir });
    const member = await store.join(() => undefined);
    await member.leave();
    await store.close();
  });

  it('lets those join who asked before it is closed, and leaves no socket behind', async () => {
    const dir = newFolder();
    const store = await SqliteStore.open({ dir });
    const joining = store.join(() => undefined);
    await store.close();
    await (await joining).leave();
    expect(readdirSync(dir).toSorted()).toEqual(['mark', 'store.sqlite']);
  });

  it(
    'is not held up by a process that exits in the middle of writing',
    async () => {
      const dir = newFolder();
      const store = await SqliteStore.open({ dir });
      for (let revision = 1; revision <= EXITS; revision += 1) {
        const exited = spawnSync(process.execPath, [script('exit.mjs'), dir], { timeout: 15_000, encoding: 'utf8' });
        expect([exited.status, exited.signal], exited.stderr).toEqual([3, null]);
        const parent = revision === 1 ? ORIGIN : { revision: revision - 1, nonce: 5 };
        await store.append('mine', { ...snapshot, parent, position: { revision, nonce: 5 } });
      }
      await store.close();
    },
    100_000 + 1000 * EXITS,
  );

  it('shares locks, hints and records with another process', async () => {
    const dir = newFolder();
    const store = await SqliteStore.open({ dir });
    const hints: string[] = [];
    const { member } = await store.join(({ kind }) => hints.push(kind));
    const grant = await store.lock('s', { member, ticket: 1, leaseMs: 60_000, wait: true, since: ORIGIN });
    const other = spawn(process.execPath, [script('neighbour.mjs'), dir], { stdio: ['ignore', 'pipe', 'inherit'] });
    const closed = once(other, 'close');
    const said: string[] = [];
    other.stdout.setEncoding('utf8').on('data', (text: string) => said.push(...text.trim().split('\n')));
    await until(() => hints.includes('recall'));
    await store.append('s', { ...snapshot, under: grant.granted ? grant.token : 0, lock: 'release' });
    expect(await closed).toEqual([0, null]);
    expect(said).toEqual(['waits', 'grant', 'kept', 'appended']);
    expect(await read(store, 's')).toEqual(['kept', 'theirs']);
    await store.close();
  });

  it(
    'lets workers end in the middle of commits',
    async () => {
      const dir = newFolder();
      const store = await SqliteStore.open({ dir });
      let revision = 0;
      for (let i = 0; i < TERMINATIONS; i += 1) {
        const worker = new Worker(script('writer.mjs'), { workerData: dir });
        await once(worker, 'message');
        revision += 1;
        const parent = revision === 1 ? ORIGIN : { revision: revision - 1, nonce: 5 };
        const [answer] = await Promise.all([
          store.append('mine', { ...snapshot, parent, position: { revision, nonce: 5 } }),
          worker.terminate(),
        ]);
        expect(answer).toMatchObject({ appended: true });
      }
      await store.close();
    },
    60_000 + 1000 * TERMINATIONS,
  );

  it('refuses a second copy of the addon in one process', async () => {
    const dir = newFolder();
    const native = fileURLToPath(new URL('../../native/', import.meta.url));
    const name = readdirSync(native).find((file) => file.endsWith('.node')) as string;
    copyFileSync(join(native, name), join(dir, 'copy.node'));
    const ran = spawnSync(
      process.execPath,
      [script('two-copies.mjs'), join(native, name), join(dir, 'copy.node'), join(dir, 'store')],
      { encoding: 'utf8', timeout: 20_000 },
    );
    expect([ran.stdout.trim(), ran.status], ran.stderr).toEqual(['ERR_INVALID another copy', 0]);
  });

  it('takes an answer that is there already, however long JavaScript was busy', async () => {
    const store = await SqliteStore.open({ dir: newFolder() });
    await store.append('s', snapshot);
    for (const call of [
      () => store.read('s', { since: ORIGIN }, { timeoutMs: 200 }),
      () =>
        store.append(
          's',
          { ...snapshot, parent: snapshot.position, position: { revision: 2, nonce: 6 } },
          { timeoutMs: 200 },
        ),
    ]) {
      const answer = call();
      await new Promise((resolve) => setImmediate(resolve)); // it is sent
      for (const end = performance.now() + 1000; performance.now() < end;);
      await answer;
    }
    await store.close();
  });

  it('finishes a sweep that is under way when it is closed, and closes once', async () => {
    const store = await SqliteStore.open({ dir: newFolder(), sweepEveryMs: Infinity });
    for (let i = 0; i < 40; i += 1) await store.append(`s${i}`, { ...snapshot, expiry: { idleMs: 1 } });
    await new Promise((resolve) => setTimeout(resolve, 5));
    await store.sweep({ limit: 100, graceMs: 0 });
    const sweeping = store.sweep({ limit: 100, graceMs: 0 });
    const ended: string[] = [];
    await Promise.all([store.close().then(() => ended.push('first')), store.close().then(() => ended.push('second'))]);
    expect([await sweeping, ended]).toEqual([{ swept: 40 }, ['first', 'second']]);
  });

  it('commits what a sweep deletes together', async () => {
    const clock = new VirtualClock();
    const store = await SqliteStore.open({ dir: newFolder(), clock, sweepEveryMs: Infinity });
    await Promise.all(
      Array.from({ length: 2000 }, (_, i) => store.append(`s${i}`, { ...snapshot, expiry: { idleMs: 100 } })),
    );
    clock.pass(200);
    const sweep = async (): Promise<number> => {
      let swept = 0;
      for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
        const page = await store.sweep({ limit: 2000, graceMs: 0, ...(cursor !== undefined && { cursor }) });
        swept += page.swept;
        cursor = page.cursor;
      }
      return swept;
    };
    expect(await sweep()).toBe(0);
    const began = performance.now();
    expect(await sweep()).toBe(2000);
    console.info(`2,000 deletions in ${Math.round(performance.now() - began)} ms`);
    await store.close();
  });
});

/** Changes one bit where `text` stands in the files. */
function flip(dir: string, text: string): void {
  const path = join(dir, 'store.sqlite');
  const bytes = readFileSync(path);
  const at = bytes.indexOf(text);
  expect(at).toBeGreaterThan(0);
  bytes[at + 3] = (bytes[at + 3] as number) ^ 1;
  writeFileSync(path, bytes);
}

/** Puts another row in the place of one, well formed as far as its bytes go. */
async function change(dir: string, id: string, alter: (row: Row) => Row): Promise<void> {
  const link = await openLink(dir);
  const answer = await link.ask({ kind: 'fetch', id, from: undefined, limitBytes: 0 }, withGrace(5000));
  const sight = new SqliteSight();
  if (answer.kind === 'found') sight.addFound(id, undefined, answer.found);
  const row = writeRow(alter(sight.row(id) as Row));
  const request = {
    kind: 'draft',
    id,
    version: sight.version(id),
    next: 1,
    marks: sight.marks(),
    cleared: false,
    changes: [],
    row,
    lostTerms: [],
    newTerms: [],
    allTerms: false,
    flush: true,
  } as const;
  expect(await link.ask(request, withGrace(5000))).toEqual({ kind: 'committed', written: true });
  await link.close(5000);
}

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !condition();) {
    expect(Date.now()).toBeLessThan(end);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
