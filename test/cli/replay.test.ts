import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import type { Explained } from '../../ts/cli/explained.ts';
import { openStore } from '../../ts/store/open.ts';
import { NO_REDIS, RedisServer, command, newClient } from '../store/redis-server.ts';
import { record } from './recorded.ts';

const dist = fileURLToPath(new URL('../../dist/cli/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string): string => join(folder, name);

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function holdfast(...args: string[]): Promise<Ended> {
  // Its temporary directories are then easy to find.
  const env = { ...process.env, TMPDIR: folder };
  return new Promise((resolve) => {
    execFile(process.execPath, [join(dist, 'main.js'), ...args], { env, timeout: 60_000 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    );
  });
}

interface Result {
  readonly history?: { readonly acknowledged: number; readonly unknown: number; readonly findings: readonly string[] };
  readonly saves: number;
  readonly ok: boolean;
  readonly sessions: number;
  readonly steps: number;
  readonly [key: string]: unknown;
}

async function results(...args: string[]): Promise<Result[]> {
  const { code, stdout, stderr } = await holdfast('replay', '--json', ...args);
  expect(stderr).toMatch(QUIET);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Result);
  expect(code).toBe(lines.every(({ ok }) => ok) ? 0 : 1);
  return lines;
}

/** Nothing, but for the notice of a machine without the native differ. */
const QUIET = /^(holdfast: going on in plain JavaScript.*\n)*$/;

const leftOver = (): string[] => readdirSync(folder).filter((name) => name.startsWith('holdfast-replay-'));

const ODD_IDS = [
  '',
  '\0',
  ' ',
  'ä/ö?#%',
  '💥',
  '\ud800',
  'x'.repeat(400),
  '../..',
  '__proto__',
  'constructor',
  '1',
  '\u0001',
  '\u001f\u007f',
];

describe('holdfast replay', { timeout: 60_000 }, () => {
  const edits = record({ file: file('edits.jsonl.br'), sids: ['a', 'b', 'c'], steps: 120 });
  const states = record({ file: file('states.jsonl'), sids: ['a', 'b'], steps: 60, kind: 'states', seed: 2 });

  test('edits and whole states, by two processes that take turns, to two backups', async () => {
    const [first, second] = await results(edits, states, '--processes', '2', '--backups', '2');
    expect(first).toMatchObject({ trace: 'made', ok: true, sessions: 3, steps: 120, saves: 120 });
    expect(second).toMatchObject({ ok: true, sessions: 2, steps: 60 });
    expect(Object.keys(first ?? {}).slice(0, 13)).toEqual([
      'trace',
      'sessions',
      'steps',
      'fullBytes',
      'deltaBytes',
      'deltaMedian',
      'deltaP99',
      'backupBytes',
      'stepP50Us',
      'stepP99Us',
      'handovers',
      'engine',
      'ok',
    ]);
    expect(first?.handovers).toBeGreaterThan(20);
    expect(first?.backupBytes).toEqual([first?.sentBytes, first?.sentBytes]);
    expect(first?.fullBytes).toBeGreaterThan(first?.sentBytes as number);
    for (const { history, saves } of [first, second] as Result[]) {
      expect(history).toMatchObject({ unknown: 0, findings: [] });
      // Each record that was sent (a save may have nothing to send) in the primary and in two backups.
      expect((history?.acknowledged ?? 1) % 3).toBe(0);
      expect(history?.acknowledged).toBeGreaterThan(2 * saves);
    }
    expect(leftOver()).toEqual([]);
  });

  test('--explain tells of the largest steps what was sent, and why', async () => {
    const options = ['--save-mode', 'mutable-access', '--differ', 'graph', '--explain', '--processes', '2'];
    const [result] = await results(edits, ...options);
    const steps = result!['explained'] as Explained[];
    const sizes = steps.map(({ explanation }) => explanation.attributes.reduce((sum, { bytes }) => sum + bytes, 0));
    expect([steps.length, sizes]).toEqual([10, sizes.toSorted((a, b) => b - a)]);
    expect(new Set(steps.map(({ id, revision }) => `${id} ${revision}`)).size).toBe(10);
    const { stdout, code } = await holdfast('replay', edits, ...options);
    expect(code).toBe(0);
    expect(stdout).toContain('the 10 steps with most that differed');
    expect(stdout).toMatch(/^1\. session '[abc]', revision \d+: .+ sent as a (delta|snapshot); /m);
    expect(stdout).toMatch(/^ {3}(items|text|settings|blob): .+ of .+; .+; encoded .+/m);
    expect((await results(edits))[0]!['explained']).toBe(undefined);
  });

  test.each([
    ['--store', 'memory', '--backups', '1'],
    ['--store', 'memory', '--record', 'on'],
    ['--lock', 'access', '--processes', '2'],
    ['--differ', 'off'],
    ['--differ', 'graph', '--save-mode', 'mutable-access'],
    ['--differ', 'binary', '--save-mode', 'all'],
    ['--base', 'signature', '--explain'],
    ['--base', 'store', '--backups', '1', '--explain'],
    ['--engine', 'js'],
    ['--group', '7', '--processes', '3'],
    ['--max-steps', '31', '--group', '4'],
  ])('%s %s %s %s', async (...options) => {
    const found = await results(edits, states, ...options.filter((option) => option !== undefined));
    expect(found.map(({ ok }) => ok)).toEqual([true, true]);
    expect(found.map(({ history }) => history?.findings)).toEqual(
      options.includes('--record') || options.includes('--processes') ? [[], []] : [undefined, undefined],
    );
    if (options[0] === '--max-steps') expect(found.map(({ steps }) => steps)).toEqual([31, 31]);
  });

  test.skipIf(NO_REDIS !== undefined)(
    `on a Redis server, of which nothing is left (${NO_REDIS ?? 'of its own'})`,
    async () => {
      const server = await RedisServer.start();
      const client = await newClient('redis', server);
      await command(client, 'SET', 'replayed', 'by another');
      const found = await results(edits, states, '--store', server.url, '--processes', '2', '--backups', '1');
      expect(found).toMatchObject(Array(2).fill({ ok: true, history: { findings: [] } }));
      expect(await command(client, 'KEYS', '*')).toMatchObject([expect.toSatisfy((key) => String(key) === 'replayed')]);
    },
  );

  test('sessions with odd ids, and none of them ends', async () => {
    const odd = record({ file: file('odd.jsonl'), sids: ODD_IDS, steps: 80, end: 'none', seed: 3 });
    expect(await results(odd, '--processes', '2')).toMatchObject([{ ok: true, sessions: ODD_IDS.length, steps: 80 }]);
    expect(await results(odd, '--store', 'memory')).toMatchObject([{ ok: true, sessions: ODD_IDS.length }]);
  });

  test('a large state, replaced whole, and the same file twice', async () => {
    const large = record({ file: file('large.jsonl.br'), steps: 5, kind: 'states', size: 400_000, seed: 4 });
    expect(await results(large, large, '--backups', '1')).toMatchObject([{ ok: true }, { ok: true }]);
  });

  test('nothing in it, or nothing but a header, or an empty session', async () => {
    writeFileSync(file('empty.jsonl'), '');
    writeFileSync(file('empty.jsonl.br'), '');
    writeFileSync(file('header.jsonl'), '{"trace":"bare"}\n');
    writeFileSync(
      file('blank.jsonl'),
      '{"trace":"blank"}\n{"sid":"a","new":{}}\n{"sid":"b","s":{}}\n{"sid":"b","s":{"x":1}}',
    );
    expect(
      await results(file('empty.jsonl'), file('empty.jsonl.br'), file('header.jsonl'), file('blank.jsonl')),
    ).toMatchObject([
      { trace: 'empty', ok: true, sessions: 0, steps: 0, fullBytes: 0, deltaMedian: 0, stepP99Us: 0 },
      { trace: 'empty', ok: true, sessions: 0 },
      { trace: 'bare', ok: true, sessions: 0 },
      { trace: 'blank', ok: true, sessions: 2, steps: 2 },
    ]);
  });

  test('a file that is no recording is refused, and one without sessions is not said to hold', async () => {
    writeFileSync(file('other.json'), '{ "name": "shop", "version": "1.0.0" }\n');
    writeFileSync(file('null.jsonl'), 'null\n');
    writeFileSync(file('header.jsonl'), '{"trace":"bare"}\n');
    for (const name of ['other.json', 'null.jsonl'])
      expect(await holdfast('replay', file(name))).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringMatching(/ERR_INVALID: .* is no recorded history: .*`sid`/) as string,
      });
    const { code, stdout } = await holdfast('replay', file('header.jsonl'));
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^ok {2}bare: no session is in it$/m)]);
    expect(stdout).not.toContain('sha256 holds');
  });

  test('a last state that is not the one named', async () => {
    const wrong = record({ file: file('wrong.jsonl'), sids: ['a', 'b'], steps: 20, end: 'wrong' });
    const [result] = await results(wrong, '--backups', '1');
    expect(result).toMatchObject({ ok: false, sessions: 2 });
    expect(result?.failures).toEqual([
      expect.stringContaining("session 'b', primary: sha256 is"),
      expect.stringContaining("session 'b', backup 1: sha256 is"),
    ]);
    const { code, stdout } = await holdfast('replay', wrong);
    expect(code).toBe(1);
    expect(stdout).toContain('FAILED  made: 1 of 2');
  });

  test('bytes that an edit reaches into', async () => {
    const text = [
      { binary: ['b'] },
      { sid: 'a', new: { b: { $bytes: 'AAAA' }, c: { $bytes: 'not bytes' } } },
      { sid: 'a', e: [['set', ['b', '$bytes'], 'AQID']] },
      { sid: 'a', e: [['set', ['c', '$bytes'], '!']] },
    ];
    writeFileSync(file('bytes.jsonl'), text.map((line) => JSON.stringify(line)).join('\n'));
    expect(await results(file('bytes.jsonl'))).toMatchObject([{ ok: true, steps: 2 }]);
  });

  test('a damaged backup is found', async () => {
    const kept = file('kept');
    expect((await holdfast('replay', edits, '--dir', kept, '--backups', '1')).code).toBe(0);
    const [run] = readdirSync(kept) as [string];
    const dirs = ['primary', 'backup-1'].map((name) => join(kept, run, name));
    const data = join(dirs[1] as string, 'store.sqlite');
    const backup = await openStore(dirs[1] as string);
    const record = Buffer.from((await backup.read('a', { since: { revision: 0, nonce: 0 } })).records[0] as Uint8Array);
    await backup.close();
    const bytes = readFileSync(data);
    for (let at = bytes.indexOf(record); at >= 0; at = bytes.indexOf(record, at + 1))
      bytes[at + 40] = (bytes[at + 40] as number) ^ 1;
    writeFileSync(data, bytes);
    const { verify } = (await import(
      pathToFileURL(join(dist, 'verify.js')).href
    )) as typeof import('../../ts/cli/verify.ts');
    const { Reference, openTrace } = (await import(
      pathToFileURL(join(dist, 'trace.js')).href
    )) as typeof import('../../ts/cli/trace.ts');
    const reference = new Reference();
    for await (const { record: each } of (await openTrace(edits)).lines) reference.follow(each);
    const expected = [...reference.fingerprints()].map(([sid, sha256]) => ({ sid, id: sid, sha256 }));
    const { failures } = await verify({ store: 'sqlite', dirs }, ['blob'], expected);
    expect(failures).toEqual([expect.stringContaining("session 'a', backup 1: ERR_CORRUPT")]);
    expect((await verify({ store: 'sqlite', dirs: dirs.slice(0, 1) }, ['blob'], expected.slice(1))).failures).toEqual([
      'primary: 3 sessions, expected 2',
    ]);
  });

  test('what the histories show is found', async () => {
    const [kept, histories] = [file('judged'), file('histories')];
    expect((await holdfast('replay', edits, '--dir', kept, '--history', histories, '--processes', '2')).code).toBe(0);
    const [run] = readdirSync(kept) as [string];
    const [folder] = readdirSync(histories) as [string];
    const own = join(histories, folder, 'worker-1.marks');
    const marks = readFileSync(own, 'utf8').split('\n');
    const appended = marks
      .filter((line) => line.includes('"op":"append"') && line.includes('"mark":"call"'))
      .at(-1) as string;
    const { call } = JSON.parse(appended) as { call: number };
    // As if nobody had written this record.
    writeFileSync(own, marks.filter((line) => !line.includes(`"call":${call},`)).join('\n'));
    const { verify } = (await import(
      pathToFileURL(join(dist, 'verify.js')).href
    )) as typeof import('../../ts/cli/verify.ts');
    const places = { store: 'sqlite', dirs: [join(kept, run, 'primary')] } as const;
    const { history } = await verify(
      places,
      ['blob'],
      ['a', 'b', 'c'].map((id) => ({ sid: id, id, sha256: '' })),
      { history: { folder: join(histories, folder), ended: async () => undefined } },
    );
    expect(history?.findings).toContainEqual(
      expect.stringMatching(/^broken chain: session '[abc]': nobody wrote the record at/),
    );
    const { verdict } = (await import(
      pathToFileURL(join(dist, 'report.js')).href
    )) as typeof import('../../ts/cli/report.ts');
    const text = verdict({ trace: 'made', sessions: 3, backups: 0, failures: [], history } as unknown as Parameters<
      typeof verdict
    >[0]);
    expect(text).toMatch(/^ok {2}made: .*\nFAILED {2}made: the history shows \d+ faults?: .*\n {4}broken chain: /);
  });

  test('a trace that makes no sense ends the run with its error', async () => {
    writeFileSync(
      file('broken.jsonl'),
      '{"trace":"broken"}\n{"sid":"a","new":{"x":1}}\n{"sid":"a","e":[["set",["nowhere","y"],1]]}\n',
    );
    expect(await holdfast('replay', file('broken.jsonl'))).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^(holdfast: .+\n){1,2}$/) as string,
    });
    writeFileSync(file('text.jsonl'), 'no JSON\n');
    expect(await holdfast('replay', file('text.jsonl'))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is not JSON') as string,
    });
    writeFileSync(file('cut.jsonl.br'), readFileSync(edits).subarray(0, 300));
    expect((await holdfast('replay', file('cut.jsonl.br'))).code).toBe(1);
    expect(leftOver()).toEqual([]);
  });

  test.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)(
    '%s leaves no process and no directory behind',
    async (signal) => {
      const long = record({ file: file('long.jsonl'), sids: ['a', 'b', 'c', 'd'], steps: 3000 });
      const parent = spawn(process.execPath, [join(dist, 'main.js'), 'replay', long, '--processes', '3'], {
        env: { ...process.env, TMPDIR: folder },
        stdio: 'ignore',
      });
      const children = await childrenAtWork(parent.pid as number, 3);
      parent.kill(signal);
      await once(parent, 'exit');
      for (let waited = 0; waited < 5000 && (children.some(isAlive) || leftOver().length > 0); waited += 50)
        await pause(50);
      expect(children.filter(isAlive)).toEqual([]);
      expect(leftOver()).toEqual([]);
    },
  );

  test('a worker that is killed ends the run at once', async () => {
    const long = record({ file: file('killed.jsonl'), sids: ['a', 'b', 'c', 'd'], steps: 3000 });
    const parent = spawn(process.execPath, [join(dist, 'main.js'), 'replay', long, '--processes', '2'], {
      env: { ...process.env, TMPDIR: folder },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    parent.stderr.on('data', (chunk) => (stderr += String(chunk)));
    const [child] = await childrenAtWork(parent.pid as number, 2);
    process.kill(child as number, 'SIGKILL');
    expect(await once(parent, 'exit')).toEqual([1, null]);
    expect(stderr).toMatch(/worker \d ended unasked \(SIGKILL\)/);
    expect(leftOver()).toEqual([]);
  });
});

describe('holdfast', { timeout: 20_000 }, () => {
  test.each([
    [[], 'no command'],
    [['replay'], 'at least one file'],
    [['play'], "'play' is no command"],
    [['replay', '/nowhere.jsonl'], 'is not a file'],
    [['replay', 'package.json/x'], "'package.json/x'"],
    [['replay', 'package.json', '--store', 'redis'], '--store must be'],
    [['replay', 'package.json', '--store', 'redis://localhost?prefix=a'], 'a prefix of its own'],
    [['replay', 'package.json', '--store', 'redis://localhost', '--dir', 'x'], 'has no use for --dir'],
    [['replay', 'package.json', '--processes', '0'], '--processes must be'],
    [['replay', 'package.json', '--group', '1.5'], '--group must be'],
    [['replay', 'package.json', '--what'], '--what'],
    [['replay', 'package.json', '--store', 'memory', '--processes', '2'], '--processes must be 1'],
    [['replay', 'package.json', '--record', 'no'], '--record must be'],
    [['replay', 'package.json', '--record', 'off', '--history', '.'], '--record must be on'],
  ])('%j is refused in a line', async (args, message) => {
    const { code, stdout, stderr } = await holdfast(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^holdfast: [^\n]+ \(holdfast --help has the rest\)\n$/);
  });

  test('an error of the file system is told with its code once', async () => {
    const { code, stderr } = await holdfast('replay', 'package.json', '--dir', 'package.json/x');
    expect([code, stderr.match(/ENOTDIR|EEXIST/g)?.length]).toEqual([1, 1]);
  });

  test('--help and --version', async () => {
    expect(await holdfast('--help')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('--max-steps N') as string,
      stderr: '',
    });
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(await holdfast('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });
});

async function childrenAtWork(parent: number, count: number): Promise<number[]> {
  const atWork = (): boolean =>
    childrenOf(parent).length >= count && leftOver().some((name) => readdirSync(join(folder, name)).length > 0);
  for (const end = Date.now() + 10_000; !atWork();) {
    if (Date.now() > end) throw new Error('the children did not start within ten seconds');
    await pause(20);
  }
  return childrenOf(parent);
}

/** Read from /proc where there is one. */
function childrenOf(parent: number): number[] {
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  return processes.filter((pid) => statusOf(pid)?.parent === parent);
}

const isAlive = (pid: number): boolean => ![undefined, 'Z'].includes(statusOf(pid)?.state);

function statusOf(pid: number): { state: string; parent: number } | undefined {
  try {
    const [state = '', parent] = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return { state, parent: Number(parent) };
  } catch {
    return undefined;
  }
}
