import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { VERSION } from '../ts/package.ts';
import { newFolder } from './folders.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const ENGINE = await import('../ts/addon.ts').then(({ loadAddon }) => loadAddon() && 'native').catch(() => 'js');

/** An app that saves in folder argv[2] and reads back, more often than msgpackr would read without generated code. */
const APP = `
  import { SessionRepository, defineSession, mutable, openStore } from 'holdfast';
  async function main() {
    const store = await openStore(process.argv[2]);
    const definition = defineSession({ list: mutable(() => []), more: mutable(() => new Map()) });
    const sessions = new SessionRepository({ store, definition });
    const engines = [];
    sessions.observe((event) => event.type === 'engine' && engines.push(event.engine));
    for (let i = 1; i <= 20; i += 1)
      await sessions.scope('s', (state) => {
        state.list.push({ name: 'n' + i, size: i });
        state.more.set(i, new Set([new Date(i)]));
      }, { create: {} });
    const { list, more } = await sessions.read('s');
    await sessions.close();
    await store.close();
    console.log(...engines, list.length, list[19].name, [...more.get(20)][0].getTime());
  }
  main().catch((error) => console.log(error.code, error.outcome, error.message));
`;

/** An empty app with the package installed, as it is here, or under another version. */
function newApp(version?: string): string {
  const app = newFolder();
  mkdirSync(join(app, 'node_modules'));
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'app', version: '7.0.0', type: 'module' }));
  writeFileSync(join(app, 'app.js'), APP);
  const installed = join(app, 'node_modules/holdfast');
  if (version === undefined) symlinkSync(root, installed, 'dir');
  else {
    mkdirSync(installed);
    writeFileSync(
      join(installed, 'package.json'),
      JSON.stringify({ name: 'holdfast', version, exports: { './package.json': './package.json' } }),
    );
  }
  return app;
}

/** What it prints: its outcome, and its warnings on stderr. */
function run(
  file: string,
  env: Readonly<Record<string, string>> = {},
  flags: readonly string[] = [],
  at: string = newFolder(),
): { out: string; err: string } {
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, file, at === '' ? 'memory:' : at], {
    encoding: 'utf8',
    timeout: 20_000,
    env: { ...process.env, NODE_OPTIONS: '', HOLDFAST_ENGINE: '', HOLDFAST_SQLITE: '', ...env },
  });
  return { out: stdout.trim(), err: stderr.trim() };
}

const SAVED = `20 n20 20`;
const THREAD = { HOLDFAST_SQLITE: '@photostructure/sqlite' };
const JS_ONLY = { ...THREAD, HOLDFAST_ENGINE: 'js' };

/** Bundles the app into `to`; what esbuild warns of. */
async function bundle(app: string, to: string, external: readonly string[]): Promise<string[]> {
  const { warnings } = await build({
    entryPoints: [join(newApp(), 'app.js')],
    outfile: join(app, to),
    format: to.endsWith('.cjs') ? 'cjs' : 'esm',
    bundle: true,
    minify: true,
    platform: 'node',
    external: [...external],
    logLevel: 'silent',
  });
  return warnings.map(({ id }) => id);
}

const OUTPUTS = ['out/app.mjs', 'out/app.cjs'];

describe('a bundle', () => {
  it.each(OUTPUTS)('%s that leaves the package out runs as the app does', async (output) => {
    const app = newApp();
    expect(await bundle(app, output, ['holdfast'])).toEqual([]);
    expect(run(join(app, output))).toEqual({ out: `${ENGINE} ${SAVED}`, err: expect.any(String) });
  });

  it.each(OUTPUTS)('%s that has the package in it takes addon and thread from the installed one', async (output) => {
    const app = newApp();
    symlinkSync(join(root, 'node_modules/@photostructure'), join(app, 'node_modules/@photostructure'), 'dir');
    expect(await bundle(app, output, [])).toEqual(output.endsWith('.cjs') ? ['empty-import-meta'] : []);
    expect(run(join(app, output)).out).toBe(`${ENGINE} ${SAVED}`);
    expect(run(join(app, output), JS_ONLY)).toEqual({ out: `js ${SAVED}`, err: '' });
  });

  it.each(OUTPUTS)('%s that is alone says so, and what to do', async (output) => {
    const app = newFolder();
    await bundle(app, output, []);
    const remedy = /name holdfast an external of the bundle \(esbuild: --external:holdfast\) and install it/;
    const lack = new RegExp(`app\\.[cm]js' is a bundle with the code of holdfast ${VERSION}, .* is not installed`);
    for (const env of [{}, { HOLDFAST_SQLITE: 'addon' }, THREAD]) {
      const { out } = run(join(app, output), env);
      expect(out).toMatch(/^ERR_UNAVAILABLE none /);
      expect(out).toMatch(lack);
      expect(out).toMatch(remedy);
      expect(out.split(remedy)).toHaveLength(2); // once
    }
    // What needs no binary runs, after one line on what it does without.
    const memory = run(join(app, output), {}, [], '');
    expect(memory.out).toBe(`js ${SAVED}`);
    expect(memory.err).toMatch(/^holdfast: going on in plain JavaScript, slower: .*$/);
    expect(memory.err).toMatch(remedy);
  });

  it('takes nothing from a package of another version', async () => {
    const app = newApp('9.9.9');
    await bundle(app, 'out/app.mjs', []);
    for (const env of [{}, THREAD])
      expect(run(join(app, 'out/app.mjs'), env).out).toMatch(
        /^ERR_UNAVAILABLE none .* beside it, in '.*holdfast', is of version 9\.9\.9: name holdfast an external/,
      );
  });
});

it.each([
  ['the addon', {}, ENGINE],
  ['none', JS_ONLY, 'js'],
] as const)('runs where code is not to be made from strings, with %s', (_, env, engine) => {
  const ran = run(join(newApp(), 'app.js'), env, ['--disallow-code-generation-from-strings']);
  expect(ran).toEqual({ out: `${engine} ${SAVED}`, err: expect.any(String) });
});

it('every entry can be required, and is the same module then', () => {
  const app = newApp();
  const entries = [
    'holdfast',
    'holdfast/delta',
    'holdfast/express-session',
    'holdfast/fastify-session',
    'holdfast/graph',
    'holdfast/redis',
    'holdfast/sqlite',
    'holdfast/testing',
  ];
  writeFileSync(
    join(app, 'required.cjs'),
    `(async () => { for (const name of ${JSON.stringify(entries)}) {
      const [required, imported] = [require(name), await import(name)];
      console.log(name, Object.keys(required).every((key) => required[key] === imported[key]), Object.keys(required).length > 0);
    } })();`,
  );
  expect(run(join(app, 'required.cjs')).out.split('\n')).toEqual(entries.map((name) => `${name} true true`));
});
