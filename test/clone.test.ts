import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const root = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
afterAll(() => rmSync(root, { recursive: true }));

function put(name: string, text: string, mode = 0o644): string {
  const path = join(root, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode });
  return path;
}

/** A clone in which all but the addon is made; whether the addon is, with this compiler, by a build that says this. */
function setUp(compiler: string, says = ''): { status: number | null; said: string } {
  mkdirSync(join(root, 'ts'), { recursive: true });
  for (const name of [
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'node_modules/.package-lock.json',
    'dist/.built',
  ])
    put(name, '');
  const build = `if (process.argv.includes('--check')) process.exit(1);\nprocess.stderr.write(${JSON.stringify(says)});`;
  put('scripts/build-native.mjs', build);
  put('bin/cargo', '#!/bin/sh\n', 0o755);
  copyFileSync(fileURLToPath(new URL('../scripts/setup.mjs', import.meta.url)), join(root, 'scripts/setup.mjs'));
  const env = {
    PATH: `${join(root, 'bin')}${delimiter}${process.env['PATH']}`,
    CC: compiler,
    HOLDFAST_REQUIRE_NATIVE: '1',
  };
  const ran = spawnSync(process.execPath, [join(root, 'scripts/setup.mjs')], {
    encoding: 'utf8',
    timeout: 20_000,
    env,
  });
  return { status: ran.status, said: ran.stderr };
}

it.skipIf(process.platform === 'win32')(
  'a clone is set up with a compiler that has arguments, or whose path has blanks',
  () => {
    const compiler = put('my tools/cc', '#!/bin/sh\n[ "$1" = --version ]\n', 0o755);
    put('bin/some-cc', '#!/bin/sh\n[ "$1$2" = -O2--version ]\n', 0o755);
    for (const named of [compiler, 'some-cc -O2', ' some-cc  -O2 '])
      expect(setUp(named)).toEqual({ status: 0, said: '' });
    const missing = setUp('no-such-cc -O2');
    expect([missing.status, missing.said]).toEqual([1, expect.stringContaining(`'no-such-cc -O2' is not on the PATH`)]);
  },
);

it.skipIf(process.platform === 'win32')('a clone is not set up in silence: what takes long is told', () => {
  expect(setUp('true', 'building for minutes\n')).toEqual({ status: 0, said: 'building for minutes\n' });
});
