import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../ts/clock.ts';
import { HoldfastError } from '../../ts/errors.ts';
import { ORIGIN } from '../../ts/position.ts';
import { openStore } from '../../ts/store/open.ts';
import { SqliteStore } from '../../ts/store/sqlite.ts';
import type { Store } from '../../ts/store/store.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'holdfast-open-'))));
afterEach(() => {
  rmSync(folder, { recursive: true });
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  vi.doUnmock('../../ts/addon.ts');
  vi.doUnmock('../../ts/store/sqlite-driver.ts');
  vi.resetModules();
});

/** Whether nobody had the lock of session `s` there; it has it now. */
async function locks(store: Store): Promise<boolean> {
  const { member } = await store.join(() => undefined);
  return (await store.lock('s', { member, ticket: 1, leaseMs: 60_000, wait: false, since: ORIGIN })).granted;
}

const refusal = (url: string | URL, code: string, message: RegExp): Promise<void> =>
  expect(openStore(url)).rejects.toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) as string }),
  );

it('says which folder has what cannot be opened', async () => {
  const [damaged, older] = [join(folder, 'damaged'), join(folder, 'older')];
  mkdirSync(damaged);
  writeFileSync(join(damaged, 'store.sqlite'), 'no database '.repeat(500));
  writeFileSync(join(damaged, 'mark'), '');
  await refusal(damaged, 'ERR_CORRUPT', /^SQLite in '.*damaged': the store is damaged \(.*restore it/);
  const store = await openStore(older);
  await store.promote(1);
  await store.close();
  writeFileSync(join(older, 'store.sqlite'), '');
  await refusal(older, 'ERR_CORRUPT', /^SQLite in '.*older': the store went back: .*acceptOlder/);
});

describe('memory:', () => {
  it('is a new store each time', async () => {
    const stores = [await openStore('memory:'), await openStore(new URL('memory:'))];
    expect([await locks(stores[0] as Store), await locks(stores[1] as Store)]).toEqual([true, true]);
    expect(stores.map(({ address }) => address)).toEqual([undefined, undefined]);
    for (const store of stores) await store.close();
  });

  it('with a name is one store for all who open it, until the last of them closes it', async () => {
    const one = await openStore('memory:a');
    const two = await openStore('MEMORY:a');
    const other = await openStore('memory:b');
    expect([await locks(one), await locks(two), await locks(other)]).toEqual([true, false, true]);
    expect([one.address, two.address, other.address]).toEqual(['memory:a', 'memory:a', 'memory:b']);

    await Promise.all([one.close(), one.close()]);
    await expect(locks(one)).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    expect(await locks(two)).toBe(false);
    await two.close();
    const three = await openStore('memory:a');
    expect(await locks(three)).toBe(true);
    for (const store of [other, three]) await store.close();
  });

  it('with a name and another clock than it is open with is refused', async () => {
    const store = await openStore('memory:c', { clock: systemClock });
    await expect(openStore('memory:c')).rejects.toMatchObject({ code: 'ERR_INVALID' });
    await (await openStore('memory:c', { clock: systemClock })).close();
    await store.close();
    await (await openStore('memory:c')).close();
  });

  it('gives nobody hints who has closed it', async () => {
    const one = await openStore('memory:d');
    const two = await openStore('memory:d');
    const hints: string[] = [];
    const { member } = await one.join(({ kind }) => hints.push(kind));
    await one.lock('s', { member, ticket: 1, leaseMs: 60_000, wait: false, since: ORIGIN });
    const second = await two.join(() => undefined);
    const ask = async (): Promise<void> => {
      await two.lock('s', { member: second.member, ticket: 1, leaseMs: 60_000, wait: true, since: ORIGIN });
      await new Promise((resolve) => setImmediate(resolve));
    };
    await ask();
    expect(hints.splice(0)).toContain('recall');
    await one.close();
    await ask();
    expect(hints).toEqual([]);
    await two.close();
  });
});

describe('a folder', () => {
  it.each([
    ['missing', () => undefined],
    ['empty', (dir: string) => mkdirSync(dir)],
    [
      'with what file systems leave there',
      (dir: string) => ['', 'lost+found', '.Trash-0'].forEach((name) => mkdirSync(join(dir, name))),
    ],
    ['that another process is just making', (dir: string) => (mkdirSync(dir), writeFileSync(join(dir, 'mark'), ''))],
  ])('%s is opened, and opened again, by path and by URL', async (_name, prepare) => {
    const dir = join(folder, 'sessions');
    prepare(dir);
    const store = await openStore(dir);
    expect(await locks(store)).toBe(true);
    await store.close();
    expect(existsSync(join(dir, 'store.sqlite'))).toBe(true);
    await expect(store.read('s', { since: ORIGIN })).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    writeFileSync(join(dir, 'notes.txt'), 'mine');
    for (const url of [
      pathToFileURL(dir),
      pathToFileURL(dir).href,
      `sqlite:${dir}`,
      pathToFileURL(dir).href.replace('file:', 'sqlite:'),
    ]) {
      const again = await openStore(url);
      expect(await locks(again)).toBe(false);
      await again.close();
    }
  });

  it('is the one that its path leads to when it is asked for, wherever the process goes meanwhile', async () => {
    const [there, elsewhere] = [join(folder, 'there'), join(folder, 'elsewhere')];
    const isIn = vi.spyOn(process, 'cwd').mockReturnValue(there);
    const opening = openStore('sessions');
    const opened = SqliteStore.open({ dir: 'second' });
    isIn.mockReturnValue(elsewhere);
    const [store, second] = await Promise.all([opening, opened]);
    isIn.mockReturnValue(there);
    const copying = second.copy('copy');
    isIn.mockReturnValue(elsewhere);
    await copying;
    expect([store.address, second.address]).toEqual([`sqlite:${there}/sessions`, `sqlite:${there}/second`]);
    expect(readdirSync(there).toSorted()).toEqual(['copy', 'second', 'sessions']);
    expect(existsSync(elsewhere)).toBe(false);
    await Promise.all([store.close(), second.close()]);
  });

  it('is named where it cannot be told, as the folder of the process is gone', async () => {
    vi.spyOn(process, 'cwd').mockImplementation(() => {
      throw Object.assign(new Error('ENOENT: no such file or directory, uv_cwd'), { code: 'ENOENT' });
    });
    await refusal('./sessions', 'ERR_UNAVAILABLE', /'\.\/sessions' leads to, as .* is gone: name it by/);
  });

  it('of another layout is refused, saying what lies there', async () => {
    const sqlite = Buffer.from('SQLite format 3\0 and so on');
    mkdirSync(join(folder, 'one'));
    writeFileSync(join(folder, 'one/sessions.db'), sqlite);
    await refusal(join(folder, 'one'), 'ERR_INVALID', /holds a SQLite database of something else, 'sessions\.db'/);
    writeFileSync(join(folder, 'one/data.mdb'), '');
    await refusal(join(folder, 'one'), 'ERR_INVALID', /an LMDB database, 'data\.mdb'/);
    mkdirSync(join(folder, 'two/src'), { recursive: true });
    for (const name of ['c.txt', 'a.txt', 'b.txt']) writeFileSync(join(folder, 'two', name), 'SQLite format');
    await refusal(join(folder, 'two'), 'ERR_INVALID', /none of Holdfast's: 'a\.txt', 'b\.txt', 'c\.txt' and 1 more/);
    expect(existsSync(join(folder, 'two/store.sqlite'))).toBe(false);
    await refusal(join(folder, 'two/a.txt'), 'ERR_INVALID', /is a file, not a folder/);
    await refusal(join(folder, 'one/sessions.db'), 'ERR_INVALID', /is a SQLite database, not a folder/);
    await refusal(join(folder, 'two/a.txt/below'), 'ERR_UNAVAILABLE', /cannot be read/);
  });
});

describe('a link', () => {
  it('that leads nowhere is said to be one, wherever it is on the path; others are followed', async () => {
    symlinkSync(join(folder, 'gone'), join(folder, 'dead'));
    for (const dir of ['dead', 'dead/below', 'dead/further/below'])
      await refusal(join(folder, dir), 'ERR_UNAVAILABLE', /dead' is a link that leads nowhere/);
    await expect(SqliteStore.open({ dir: join(folder, 'dead') })).rejects.toMatchObject({
      code: 'ERR_UNAVAILABLE',
      outcome: 'none',
    });
    mkdirSync(join(folder, 'there'));
    symlinkSync(join(folder, 'there'), join(folder, 'alive'));
    await (await openStore(join(folder, 'alive/below'))).close();
    expect([existsSync(join(folder, 'there/below/store.sqlite')), existsSync(join(folder, 'gone'))]).toEqual([
      true,
      false,
    ]);
  });
});

describe('an address', () => {
  it.each([
    ['', /takes the address/],
    [7 as unknown as string, /takes the address/],
    ['postgres://localhost', /'postgres:' is no known kind of store.*memory:.*file:.*redis:/],
    ['redis:', /of a Redis store names no host.*redis:\/\/host:6379/],
    ['redis://host:x', /is no URL/],
    ['redis://host/sessions', /names a database by its number/],
    ['redis://host?db=3', /may have the options prefix and cluster alone/],
    ['redis://host?cluster=yes', /says of cluster true or false/],
    ['redis://host/3?cluster=true', /a Cluster does not have/],
    ['redis://host?prefix=a{b', /prefix must be a text of 1 to 64 characters without/],
    ['sqlite:', /names no folder/],
    ['sqlite:///srv/x?mode=ro', /means nothing here/],
    ['file:sessions', /must begin with file:/],
    ['file:///srv/x?sync=off', /means nothing here/],
    ['file:///srv/a%2Fb', /names no folder/],
    ['file://elsewhere/srv', /names no folder/],
  ])('%s is refused', async (url, message) => refusal(url, 'ERR_INVALID', message));
});

describe('the driver', () => {
  it('is loaded when a folder is opened, and its lack has a remedy', async () => {
    const loadAddon = vi.fn((): never => {
      throw new HoldfastError('ERR_UNAVAILABLE', 'there is no addon: build it', { outcome: 'none' });
    });
    vi.stubEnv('HOLDFAST_SQLITE', '');
    vi.resetModules();
    vi.doMock('../../ts/addon.ts', () => ({ loadAddon }));
    const findModule = vi.fn((): never => {
      throw new HoldfastError('ERR_UNAVAILABLE', 'there is no SQLite: install one', { outcome: 'none' });
    });
    vi.doMock('../../ts/store/sqlite-driver.ts', () => ({ findModule }));
    const fresh = (await import('../../ts/store/open.ts')).openStore;
    await (await fresh('memory:')).close();
    expect(loadAddon).not.toHaveBeenCalled();
    await expect(fresh(join(folder, 'x'))).rejects.toMatchObject({
      code: 'ERR_UNAVAILABLE',
      outcome: 'none',
      message: expect.stringMatching(/build it; nor does it go without: there is no SQLite: install one/) as string,
    });
    expect(loadAddon).toHaveBeenCalled();
    expect(existsSync(join(folder, 'x'))).toBe(false);
  });
});

describe('what openStore does not take', () => {
  const NO_PATHS: readonly [string, RegExp][] = [
    [':memory:', /openStore\('memory:'\)/],
    ['~/sessions', /write the home folder out/],
    [' ', /name one/],
    ['a\0b', /NUL character/],
  ];

  it.each([
    ...NO_PATHS,
    ...NO_PATHS.map(([dir, message]) => [`sqlite:${dir}`, message] as const),
    ['sqlite:sqlite:./z', /give the path alone/],
    ['memory', /\.\/memory.*memory:/],
  ] as const)('%j would be a folder of that name', async (address, message) => {
    await refusal(address, 'ERR_INVALID', message);
  });

  it.each([
    ...NO_PATHS,
    ['sqlite:./z', /give the path alone/],
    ['file:///z', /give the path alone/],
    ['memory:', /openStore\('memory:'\)/],
  ] as const)('SqliteStore.open does not take %j as a folder either', async (dir, message) => {
    const before = readdirSync('.');
    await expect(SqliteStore.open({ dir })).rejects.toMatchObject({
      code: 'ERR_INVALID',
      message: expect.stringMatching(message) as string,
    });
    expect(readdirSync('.')).toEqual(before);
  });

  it('an URL with a NUL', async () => refusal('file:///a%00b', 'ERR_INVALID', /NUL character|names no folder/));

  it('options that there are none of', async () => {
    await expect(openStore('memory:', { acceptOldr: true } as object)).rejects.toMatchObject({ code: 'ERR_INVALID' });
    await expect(openStore('memory:', null as unknown as object)).rejects.toMatchObject({ code: 'ERR_INVALID' });
  });
});
