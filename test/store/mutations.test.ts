import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { MemoryStore } from '../../ts/store/memory.ts';
import { VirtualClock, storeSuite } from '../../ts/testing/index.ts';
import type { Place } from '../../ts/testing/index.ts';
import { mutants } from './mutants.ts';
import type { Edit } from './mutants.ts';

/** Every clause of the contract broken in turn, in a copy of MemoryStore: the suite must notice each. */

const root = fileURLToPath(new URL('../../', import.meta.url));
mkdirSync(join(root, 'dist/.mutants'), { recursive: true });
const folder = mkdtempSync(join(root, 'dist/.mutants/run-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Store = new (options: { clock: VirtualClock; sweepEveryMs: number }) => MemoryStore;

const files = [
  ...readdirSync(join(root, 'ts/store')).map((name) => `store/${name}`),
  'errors.ts',
  'clock.ts',
  'token.ts',
  'position.ts',
];
const sources = new Map(files.map((file) => [file, readFileSync(join(root, 'ts', file), 'utf8')]));
const IMPORT = /^(import (?!type\b)[^;]*? from ')(\.[^']+)';$/gm;
const importsOf = (file: string): string[] =>
  [...(sources.get(file) as string).matchAll(IMPORT)].map(([, , path]) =>
    normalize(join(dirname(file), path as string)),
  );

/** These files, and all that import them. */
function closure(changed: ReadonlySet<string>): ReadonlySet<string> {
  const all = new Set([...changed, ...files.filter((file) => importsOf(file).some((path) => changed.has(path)))]);
  return all.size === changed.size ? all : closure(all);
}

/** A copy of the store with these edits; what they do not reach is imported from where it is. */
async function mutant(number: number, edits: readonly Edit[]): Promise<Store> {
  const copied = closure(new Set(['store/memory.ts', ...edits.map(({ file }) => file)]));
  for (const file of copied) {
    const local = (sources.get(file) as string).replaceAll(IMPORT, (whole, start: string, path: string) => {
      const target = normalize(join(dirname(file), path));
      return copied.has(target) ? whole : `${start}${join(root, 'ts', target)}';`;
    });
    mkdirSync(dirname(join(folder, String(number), file)), { recursive: true });
    writeFileSync(join(folder, String(number), file), edited(file, local, edits));
  }
  const module = (await import(
    /* @vite-ignore */ pathToFileURL(join(folder, String(number), 'store/memory.ts')).href
  )) as { MemoryStore: Store };
  return module.MemoryStore;
}

/** Finds this code however it is laid out: blanks, line breaks and trailing commas are the formatter's. */
function laidOutAnyhow(code: string): RegExp {
  const tokens = code.match(/\w+|[^\w\s]/g) ?? [];
  const parts = tokens.map((token, i) => {
    const words = /\w$/.test(tokens[i - 1] ?? '') && /^\w/.test(token);
    const gap = i === 0 ? '' : words ? '\\s+' : /[\])}]/.test(token) ? ',?\\s*' : '\\s*';
    return gap + token.replace(/[^\w]/g, '\\$&');
  });
  return new RegExp(parts.join(''), 'g');
}

function edited(file: string, source: string, edits: readonly Edit[]): string {
  return edits
    .filter((edit) => edit.file === file)
    .reduce((text, { from, to }) => {
      const found = text.match(laidOutAnyhow(from)) ?? [];
      expect(found.length, `'${from}' is once in ${file}`).toBe(1);
      return text.replace(found[0] as string, () => to);
    }, source);
}

/** Names of the tests of the suite that this store fails. All run side by side, each in a place of its own. */
async function failures(Tested: Store): Promise<string[]> {
  const tests: [string, () => Promise<void>][] = [];
  const collect = Object.assign((name: string, run: () => Promise<void>): void => void tests.push([name, run]), {
    skip: (): void => undefined,
  });
  const open = async (): Promise<Place> => {
    const clock = new VirtualClock();
    const store = new Tested({ clock, sweepEveryMs: Infinity });
    return {
      one: store,
      two: store,
      pass: (ms) => clock.pass(ms),
      jump: (ms) => clock.jump(ms),
      hintMs: 60,
      cleanUp: () => store.close(),
    };
  };
  storeSuite({ describe: (_, run) => run(), it: collect }, { name: 'mutant', open });
  const failed = await Promise.all(
    tests.map(([name, run]) =>
      run().then(
        () => [],
        () => [name],
      ),
    ),
  );
  return failed.flat();
}

describe('the suite', () => {
  it('passes a copy without a fault', async () => {
    expect(await failures(await mutant(0, []))).toEqual([]);
  });

  for (const [index, [name, edits]] of Object.entries(mutants).entries()) {
    it(`notices a store that ${name}`, async () => {
      const failed = await failures(await mutant(index + 1, edits));
      if (process.env['HOLDFAST_TABLE'] !== undefined)
        console.info(`| ${name} | ${failed.length} | ${failed.slice(0, 3).join(' · ')} |`);
      expect(failed.length).toBeGreaterThan(0);
    });
  }
});
