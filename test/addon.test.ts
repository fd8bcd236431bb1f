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

const root = fileURLToPath(new URL('..', import.meta.url));
const built = readdirSafely(join(root, 'native')).find((name) => name.endsWith('.node'));

function readdirSafely(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

const VERSION = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;

/** A package that has nothing but the loader. */
let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'holdfast-addon-'));
  for (const folder of ['dist', 'native']) mkdirSync(join(place, folder));
  for (const name of ['addon.js', 'errors.js']) copyFileSync(join(root, 'dist', name), join(place, 'dist', name));
  name(VERSION);
});
afterEach(() => rmSync(place, { recursive: true }));

const name = (version: string): void =>
  writeFileSync(join(place, 'package.json'), JSON.stringify({ name: 'holdfast', type: 'module', version }));

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

  it('that is missing is said to be, with what to do', () => {
    expect(load()).toMatch(
      /^ERR_UNAVAILABLE none there is no addon for \w+-\w+.*: run `node scripts\/build-native\.mjs`.*or install the package for this machine$/,
    );
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
      name('9.9.9');
      expect(load()).toMatch(
        /^ERR_UNAVAILABLE none the addon for .* cannot be loaded: '.*' is of version [\d.]+, the package of 9\.9\.9: build or install it anew/,
      );
    },
  );
});
