import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { describe as describeError } from '../../ts/cli/serve.ts';
import { HoldfastError } from '../../ts/errors.ts';
import { ORIGIN } from '../../ts/position.ts';
import { openStore } from '../../ts/store/open.ts';

const MODULE = '@photostructure/sqlite';
const { DatabaseSync } = createRequire(import.meta.url)(MODULE) as {
  DatabaseSync: new (path: string) => { exec(sql: string): void; close(): void };
};
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const folders: string[] = [];
afterAll(() => {
  for (const dir of folders) rmSync(dir, { recursive: true, force: true });
});

/** A store of 60 sessions with two records each, closed. */
async function made(): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-upkeep-'));
  folders.push(dir);
  const store = await openStore(dir);
  for (let i = 0; i < 60; i += 1) {
    const [first, second] = [
      { revision: 1, nonce: 5 },
      { revision: 2, nonce: 6 },
    ];
    await store.append(`session ${i}`, {
      parent: ORIGIN,
      position: first,
      kind: 'snapshot',
      bytes: Buffer.alloc(2000, `text ${i};`),
      under: 0,
      terms: [`fifth ${i % 5}`],
    });
    await store.append(`session ${i}`, {
      parent: first,
      position: second,
      kind: 'delta',
      bytes: Buffer.from(`delta ${i};`),
      under: 0,
    });
  }
  await store.close();
  return dir;
}

interface Ended {
  readonly code: number | null;
  readonly out: string;
}

function holdfast(...args: string[]): Ended {
  const { code, stdout, stderr } = ran(...args);
  return { code, out: `${stdout}${stderr}`.trim() };
}

function ran(...args: string[]): { readonly code: number | null; readonly stdout: string; readonly stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  return { code: status, stdout, stderr };
}

describe('holdfast check', () => {
  it('finds nothing in a sound store, also while it is open', async () => {
    const dir = await made();
    expect(holdfast('check', dir)).toEqual({ code: 0, out: `ok  ${dir}: 60 sessions, 120 records, 121 kB` });
    const store = await openStore(dir);
    const { code, out } = holdfast('check', dir, '--json');
    expect([code, JSON.parse(out)]).toEqual([
      0,
      { ok: true, sessions: 60, records: 120, bytes: expect.any(Number) as number, faults: [] },
    ]);
    await store.close();
  });

  it('names what is damaged, and what is missing', async () => {
    const dir = await made();
    const file = join(dir, 'store.sqlite');
    const bytes = readFileSync(file);
    const at = bytes.indexOf('delta 17;');
    bytes[at + 1] = (bytes[at + 1] as number) ^ 1;
    writeFileSync(file, bytes);
    const { code, out } = holdfast('check', dir);
    expect([code, out.split('\n').length]).toEqual([1, 2]);
    expect(out).toMatch(/^FAILED {2}.*: 60 sessions, .*; 1 fault\n {4}session 'session …': record 2/);
    writeFileSync(join(dir, 'mark'), Buffer.from([0, 0, 0, 1, 0, 0, 0, 0]));
    expect(holdfast('check', dir)).toMatchObject({
      code: 1,
      out: expect.stringMatching(/ERR_CORRUPT.*mark', which says what was acknowledged, is damaged/) as string,
    });
  });

  it.each(['', MODULE])('names the session that its terms no longer find %s', async (module) => {
    const dir = await made();
    const database = new DatabaseSync(join(dir, 'store.sqlite'));
    database.exec(`DELETE FROM term WHERE id=CAST('session 17' AS BLOB)`);
    process.env['HOLDFAST_SQLITE'] = module;
    try {
      expect(holdfast('check', dir).out).toMatch(
        /1 fault\n {4}session 'session …': its row in the store is damaged \(the lookup has 1 of its 1 terms not/,
      );
      database.exec(`UPDATE term SET sum=sum+1 WHERE id=CAST('session 18' AS BLOB)`);
      expect(holdfast('check', dir).out).toMatch(
        /3 faults\n {4}structure: an entry of its lookup fails its checksum\n/,
      );
      database.exec(`UPDATE meta SET value=value+1 WHERE key=4`);
      expect(holdfast('check', dir)).toMatchObject({
        code: 1,
        out: expect.stringMatching(/ERR_CORRUPT.*its count of commits fails its checksum/) as string,
      });
    } finally {
      database.close();
      delete process.env['HOLDFAST_SQLITE'];
    }
  });

  it('takes the addresses of a folder that openStore takes', async () => {
    const dir = await made();
    const url = pathToFileURL(dir).href;
    for (const address of [`sqlite:${dir}`, url, url.replace('file:', 'sqlite:')])
      expect(holdfast('check', address)).toEqual({ code: 0, out: `ok  ${dir}: 60 sessions, 120 records, 121 kB` });
    const to = `${dir}/copied`;
    expect([
      holdfast('copy', `sqlite:${dir}`, `sqlite:${to}`).code,
      holdfast('compact', pathToFileURL(to).href).code,
    ]).toEqual([0, 0]);
    const told = ['memory:', 'memory', 'redis://x', 'nats://x', 'file:x'].map((address) => holdfast('check', address));
    expect(told.map(({ code, out }) => [code, out.split('\n').length])).toEqual(told.map(() => [2, 1]));
    expect(
      told.map(({ out }) => /Redis server|name a folder|\.\/memory|no known kind|must begin with file/.exec(out)?.[0]),
    ).toEqual(['name a folder', './memory', 'Redis server', 'no known kind', 'must begin with file']);
  });

  it.each(['', MODULE])('ends with 2 where it could not look: 1 is damage alone %s', async (module) => {
    const dir = mkdtempSync(join(tmpdir(), 'holdfast-upkeep-'));
    folders.push(dir);
    const foreign = new DatabaseSync(join(dir, 'store.sqlite'));
    foreign.exec('CREATE TABLE accounts (id INTEGER PRIMARY KEY)');
    foreign.close();
    process.env['HOLDFAST_SQLITE'] = module;
    try {
      for (const args of [
        ['check', dir],
        ['--json', 'check', dir],
      ])
        expect(holdfast(...args)).toMatchObject({ code: 2, out: expect.stringMatching(/ERR_INVALID/) as string });
      expect(holdfast('compact', dir).code).toBe(1);
      // What may have been a store, before its first bytes were lost, is a damaged one.
      writeFileSync(join(dir, 'store.sqlite'), 'no database, whatever it is called: '.repeat(200));
      expect(holdfast('check', dir)).toMatchObject({ code: 1, out: expect.stringContaining('ERR_CORRUPT') as string });
    } finally {
      delete process.env['HOLDFAST_SQLITE'];
    }
  });

  it('makes no store where none is', () => {
    expect(holdfast('check', tmpdir())).toMatchObject({
      code: 2,
      out: expect.stringContaining('holds no embedded store') as string,
    });
    expect(holdfast('check', main).out).toBe(`holdfast: '${main}' is not a folder (holdfast --help has the rest)`);
    expect(holdfast('check', join(tmpdir(), 'nowhere at all')).out).toContain('there is no folder');
    const { code, out } = holdfast('check', join(main, 'x'));
    expect([code, out.match(/ENOTDIR/g)?.length ?? 0]).toEqual([2, out.includes('there is no folder') ? 0 : 1]);
    expect(holdfast('compact').code).toBe(2);
  });
});

it('who asks for JSON is told in JSON what failed', async () => {
  const dir = await made();
  writeFileSync(join(dir, 'mark'), Buffer.from([0, 0, 0, 1, 0, 0, 0, 0]));
  const failed = (args: string[]): unknown => {
    const { code, stdout, stderr } = ran(...args, '--json');
    const told = JSON.parse(stdout) as { readonly error: string };
    expect(stderr).toContain(told.error);
    return [code, told];
  };
  const error = expect.any(String) as string;
  expect(failed(['check', dir])).toEqual([1, { ok: false, code: 'ERR_CORRUPT', error }]);
  expect(failed(['compact', join(dir, 'nowhere')])).toEqual([2, { ok: false, code: 'ERR_INVALID', error }]);
  expect(failed(['copy', dir])).toEqual([2, { ok: false, code: 'ERR_INVALID', error }]);
  expect(ran('check', dir).stdout).toBe('');
});

describe('holdfast copy', () => {
  it('makes a store of its own while others write, through the addon and without', async () => {
    const dir = await made();
    for (const module of ['', '@photostructure/sqlite']) {
      const to = join(mkdtempSync(join(tmpdir(), 'holdfast-upkeep-')), 'copies', "it's one");
      folders.push(join(to, '..', '..'));
      process.env['HOLDFAST_SQLITE'] = module;
      try {
        const store = await openStore(dir);
        const { code, out } = holdfast('copy', dir, to, '--json');
        expect([code, JSON.parse(out)]).toEqual([0, { ok: true, bytes: statSync(join(to, 'store.sqlite')).size }]);
        await store.close();
        expect(holdfast('check', to)).toEqual({ code: 0, out: `ok  ${to}: 60 sessions, 120 records, 121 kB` });
        expect(readdirSync(to).toSorted()).toEqual(['mark', 'store.sqlite']);
        expect(holdfast('copy', dir, to)).toMatchObject({
          code: 1,
          out: expect.stringMatching(/ERR_INVALID.*holds a store already/) as string,
        });
      } finally {
        delete process.env['HOLDFAST_SQLITE'];
      }
    }
    expect(holdfast('copy', dir)).toMatchObject({
      code: 2,
      out: expect.stringContaining('copy needs two folders') as string,
    });
    expect(holdfast('copy', tmpdir(), join(dir, 'x'))).toMatchObject({
      code: 2,
      out: expect.stringContaining('holds no embedded store') as string,
    });
  }, 60_000);
});

describe('holdfast compact', () => {
  it('gives back what is not used', async () => {
    const dir = await made();
    const store = await openStore(dir);
    for (let i = 0; i < 58; i += 1) {
      const image = {
        records: [{ position: { revision: 3, nonce: 5 }, kind: 'snapshot', bytes: Buffer.from('short') }],
        createdAt: 1,
        expiry: {},
        token: 0,
      } as const;
      await store.replace(`session ${i}`, image, undefined);
    }
    const { code, out } = holdfast('compact', dir, '--json');
    const { before, after } = JSON.parse(out) as { before: number; after: number };
    expect([code, after * 2 < before]).toEqual([0, true]);
    expect((await store.read('session 59', { since: ORIGIN })).records.length).toBe(2);
    await store.append('new', {
      parent: ORIGIN,
      position: { revision: 1, nonce: 5 },
      kind: 'snapshot',
      bytes: Buffer.from('x'),
      under: 0,
    });
    await store.close();
    expect(holdfast('check', dir).out).toContain('61 sessions');
  });
});

/** As root nothing is refused for want of a right: so are other folders that the system does not let be looked at. */
it.each(['check', 'compact', 'copy', 'replay'])('holdfast %s says what the system refuses, with a code', (verb) => {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-upkeep-'));
  folders.push(dir);
  symlinkSync(join(dir, 'loop'), join(dir, 'loop'));
  const { code, out } = holdfast(verb, join(dir, 'loop'), ...(verb === 'copy' ? [join(dir, 'to')] : []));
  const expected = verb === 'check' ? 2 : 1;
  expect([code, out]).toEqual([expected, expect.stringMatching(/^holdfast: ERR_UNAVAILABLE: ELOOP: .*loop'$/)]);
});

it('the command line says what to do where a right is missing, once', () => {
  const error = Object.assign(new Error("EACCES: permission denied, stat 'x'"), { code: 'EACCES', syscall: 'stat' });
  expect(describeError(error)).toMatch(
    /^ERR_UNAVAILABLE: EACCES: permission denied, stat 'x'; give this user the right/,
  );
  const told = new HoldfastError('ERR_UNAVAILABLE', `the folder cannot be read: ${error.message}`, { cause: error });
  expect(describeError(told)).toBe(`ERR_UNAVAILABLE: ${told.message}`);
  const other = new HoldfastError('ERR_CORRUPT', 'damaged', { cause: new RangeError('past the end') });
  expect(describeError(other)).toBe('ERR_CORRUPT: damaged (past the end)');
});
