import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VERSION } from '../ts/package.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const built = readdirSafely(join(root, 'native')).find((name) => name.endsWith('.node'));

function readdirSafely(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

/** A package that has nothing but the loader. */
let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'holdfast-addon-'));
  for (const folder of ['dist', 'native']) mkdirSync(join(place, folder));
  for (const name of ['addon.js', 'errors.js', 'package.js'])
    copyFileSync(join(root, 'dist', name), join(place, 'dist', name));
  writeFileSync(join(place, 'package.json'), JSON.stringify({ name: 'holdfast', type: 'module', version: VERSION }));
});
afterEach(() => rmSync(place, { recursive: true }));

/** What loading it there says. */
function load(): string {
  const script =
    "const { loadAddon } = await import('./dist/addon.js'); try { console.log(loadAddon().version()); } catch (error) { console.log(error.code, error.outcome, error.message); }";
  return spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: place,
    encoding: 'utf8',
  }).stdout.trim();
}

const file = (): string =>
  `holdfast.${process.platform}-${process.arch}${process.platform === 'linux' ? '-gnu' : ''}.node`;

describe('the addon', () => {
  it.skipIf(built === undefined)('takes 2 MB at the most', () => {
    expect(statSync(join(root, 'native', built as string)).size).toBeLessThanOrEqual(2 * 2 ** 20);
  });

  it('that is missing is said to be, with what can be done there', () => {
    expect(load()).toMatch(
      /^ERR_UNAVAILABLE none there is no addon for \w+-\w+[-\w]*: install the package for this machine$/,
    );
    mkdirSync(join(place, 'scripts'));
    writeFileSync(join(place, 'scripts/build-native.mjs'), '');
    expect(load()).toMatch(/: run `node scripts\/build-native\.mjs`, or install the package for this machine$/);
  });

  it('that cannot be loaded says why', () => {
    writeFileSync(join(place, 'native', file()), 'this is no library');
    expect(load()).toMatch(
      /^ERR_UNAVAILABLE none the addon for .* cannot be loaded: .*(?:too short|invalid ELF header|not a mach-o|slice is not valid)/i,
    );
  });

  it.skipIf(built === undefined)(
    `of another version than the package is refused${built === undefined ? ' (skipped: it is not built)' : ''}`,
    () => {
      copyFileSync(join(root, 'native', built as string), join(place, 'native', built as string));
      expect(load()).toBe(VERSION);
      const code = join(place, 'dist/package.js');
      writeFileSync(code, readFileSync(code, 'utf8').replace(`'${VERSION}'`, "'9.9.9'"));
      expect(load()).toMatch(
        /^ERR_UNAVAILABLE none the addon for .* cannot be loaded: '.*' is of version [\d.]+, the package of 9\.9\.9: build or install it anew/,
      );
    },
  );
});
