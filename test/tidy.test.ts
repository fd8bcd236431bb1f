import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { VERSION } from '../ts/package.ts';
import { BACKUP_RULES, LOCK_RULES, REPOSITORY_RULES } from '../ts/session/rules.ts';

/** The manners of the house as tests. */
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(root, path)));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const sources = tracked.filter((path) => /^ts\/.*\.ts$/.test(path));
const documents = tracked.filter((path) => path.endsWith('.md'));

const LONGEST_FUNCTION = 70;

/** Who may import whom: only from a lower rank, or from the same folder. */
const RANKS: Record<string, number> = {
  demo: 7,
  cli: 6,
  '.': 5,
  web: 5,
  'web/drop-in': 6,
  session: 4,
  sync: 3,
  lock: 2,
  portions: 2,
  graph: 2,
  backup: 2,
  testing: 2,
  history: 2,
  simulation: 6,
  tracking: 1,
  codec: 0,
  diff: 1,
  log: 1,
  store: 1,
};
const LEAVES = [
  'addon.ts',
  'errors.ts',
  'clock.ts',
  'conflict.ts',
  'deadline.ts',
  'entropy.ts',
  'observe.ts',
  'options.ts',
  'package.ts',
  'position.ts',
  'path.ts',
  'token.ts',
  'xxh3.ts',
];

function importsOf(path: string, types: boolean): string[] {
  const pattern = types
    ? /(?:from|import)\s+'(\.[^']+)'/g
    : /^(?:import|export)\s+(?!type\b)(?:[^;]*?from\s+)?'(\.[^']+)'/gm;
  return [...read(path).matchAll(pattern)].map((match) =>
    relative(root, resolve(root, dirname(path), match[1] as string)),
  );
}

describe('the code', () => {
  it(`has no TypeScript function over ${LONGEST_FUNCTION} lines`, () => {
    const rule = JSON.stringify(['error', { max: LONGEST_FUNCTION, skipBlankLines: true, skipComments: true }]);
    const folder = mkdtempSync(join(root, 'node_modules/.tidy-'));
    try {
      writeFileSync(
        join(folder, 'oxlintrc.json'),
        `{ "categories": { "correctness": "off" }, "rules": { "max-lines-per-function": ${rule} } }`,
      );
      const lint = spawnSync(
        process.execPath,
        [join(root, 'node_modules/oxlint/bin/oxlint'), '-c', join(folder, 'oxlintrc.json'), '--format', 'unix', 'ts'],
        { cwd: root, encoding: 'utf8' },
      );
      expect(lint.stdout.split('\n').filter((line) => line.includes('max-lines-per-function'))).toEqual([]);
      expect(lint.status, lint.stdout + lint.stderr).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it(`has no Rust function over ${LONGEST_FUNCTION} lines`, () => {
    const long: string[] = [];
    for (const path of tracked.filter((name) => /^crates\/.*\.rs$/.test(name))) {
      const lines = read(path).split('\n');
      lines.forEach((line, start) => {
        const indent = /^(\s*)(?:pub(?:\([a-z]+\))? )?(?:const |unsafe |async )*fn /.exec(line)?.[1];
        if (indent === undefined) return;
        const end = lines.findIndex(
          (other, index) => index >= start && (other === `${indent}}` || (index === start && other.endsWith('}'))),
        );
        if (end - start > LONGEST_FUNCTION) long.push(`${path}:${start + 1}`);
      });
    }
    expect(long).toEqual([]);
  });

  it('has no import cycle at run time', () => {
    const graph = new Map(sources.map((path) => [path, importsOf(path, false)]));
    const state = new Map<string, 'open' | 'done'>();
    const cycles: string[] = [];
    const visit = (path: string, trail: readonly string[]): void => {
      if (state.get(path) === 'done') return;
      if (state.get(path) === 'open') return void cycles.push([...trail, path].join(' → '));
      state.set(path, 'open');
      for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
      state.set(path, 'done');
    };
    for (const path of sources) visit(path, []);
    expect(cycles).toEqual([]);
  });

  it('has dependencies that point one way', () => {
    const wrong: string[] = [];
    for (const path of sources) {
      const folder = dirname(relative('ts', path));
      for (const target of importsOf(path, true)) {
        const to = relative('ts', target);
        if (LEAVES.includes(to) || dirname(to) === folder) continue;
        if (LEAVES.includes(relative('ts', path)) || (RANKS[folder] ?? -1) <= (RANKS[dirname(to)] ?? 99))
          wrong.push(`${path} → ${target}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('has no `export *`, no `any`, no folder for leftovers', () => {
    expect(sources.filter((path) => /export \*/.test(read(path)))).toEqual([]);
    expect(
      sources.filter((path) =>
        /\bas any\b|: any\b|@ts-ignore|@ts-nocheck/.test(
          read(path).replaceAll(/^.*(?:oxlint-disable|https?:).*\n.*$/gm, ''),
        ),
      ),
    ).toEqual([]);
    expect(tracked.filter((path) => /(^|\/)(utils?|helpers?|misc|common)(\/|\.)/.test(path))).toEqual([]);
    expect(sources.filter((path) => /(Manager|Helper|Util|Impl|V2)\.ts$/i.test(path))).toEqual([]);
  });

  it('shows no whole id of a session in a message', () => {
    const whole = sources.filter((path) => /session '\$\{(?!shortId\(|session\.sid|sid\})/.test(read(path)));
    expect(whole).toEqual([]);
  });

  it('writes messages in one form: no full stop, single quotes, a blank before the unit', () => {
    const others = /^ts\/(?:demo|cli|simulation|history)\//;
    const wrong = sources
      .filter((path) => !others.test(path))
      .flatMap((path) =>
        read(path)
          .split('\n')
          .map((line, index) => [`${path}:${index + 1}`, line] as const)
          .filter(([, line]) => !/^\s*(?:\/\/|\/?\*)/.test(line))
          .filter(
            ([, line]) =>
              /(?:'[^']* [^']*|`[^`]*(?: [^`]*|\}))[^.\s'`]\.(?:'|`)/.test(line) ||
              /"\$\{(?!string\})/.test(line) ||
              /\}(?:ms|s|bytes|milliseconds)\b/.test(line) ||
              /HoldfastError\('ERR_\w+', ['`][A-Z][a-z]+ /.test(line),
          ),
      );
    expect(wrong).toEqual([]);
  });

  it('loads the addon in one file only', () => {
    expect(sources.filter((path) => /\.node\b['"`]|process\.dlopen/.test(read(path)))).toEqual(['ts/addon.ts']);
  });

  it('keeps push and pull readable in one sitting', () => {
    for (const path of ['ts/sync/push.ts', 'ts/sync/pull.ts'])
      expect(read(path).split('\n').length, path).toBeLessThanOrEqual(150);
  });
});

/** Of the root, each with its reason. Contenders, frameworks and browser drivers have package files of their own. */
const DEPENDENCIES: Readonly<Record<string, string>> = {
  cookie: 'reads and writes cookies',
  'cookie-signature': 'signs them',
  msgpackr: 'the codec',
  '@ably/vcdiff-decoder': 'the tests read our VCDIFF with it',
  '@fastify/cookie': '@fastify/session needs it',
  '@fastify/session': 'its store is ours in tests',
  '@hono/node-server': 'the tests serve Hono by it',
  '@napi-rs/cli': 'builds the addon',
  '@photostructure/sqlite': 'the embedded store without the addon is tested on it',
  '@types/cookie-signature': 'types',
  '@types/express': 'types',
  '@types/express-session': 'types',
  '@types/koa': 'types',
  '@types/node': 'types',
  'connect-redis': 'the tests take over what it has stored',
  esbuild: 'the tests bundle with it',
  express: 'sessions in it are tested over HTTP',
  'express-session': 'its store is ours in tests',
  express4: 'as express',
  'fast-check': 'property tests',
  fastify: 'as express',
  hono: 'as express',
  immer: 'the tests show what it makes of a state',
  ioredis: 'the Redis store is tested on it',
  koa: 'as express',
  lodash: 'as immer',
  oxfmt: 'lays TypeScript out',
  oxlint: 'lint',
  redis: 'as ioredis',
  typescript: 'build',
  vitest: 'tests',
};

/** Packages of the root's lock file with an install script, and why they do without it. */
const INSTALL_SCRIPTS: Readonly<Record<string, string>> = {
  '@photostructure/sqlite': 'compiles only where its tarball has no binary for the machine; it has six',
  esbuild: 'makes the way to its binary shorter, which is prebuilt in the tarballs @esbuild/*',
  'msgpackr-extract':
    'looks for its binary, which is prebuilt in the tarballs @msgpackr-extract/*; optional: msgpackr does without it',
};

interface Manifest {
  readonly workspaces?: unknown;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface Lock {
  readonly packages: Readonly<
    Record<
      string,
      { readonly hasInstallScript?: boolean; readonly optionalDependencies?: Readonly<Record<string, string>> }
    >
  >;
}

describe('the packages', () => {
  const needed = (path: string): string[] => {
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(read(path)) as Manifest;
    return Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies });
  };
  const nameOf = (place: string): string => place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);

  it('of the root are those that have a reason, in no workspace', () => {
    expect(needed('package.json').toSorted()).toEqual(Object.keys(DEPENDENCIES).toSorted());
    expect(JSON.parse(read('package.json'))).not.toHaveProperty('workspaces');
  });

  it('know their version, also without package.json', () => {
    expect(VERSION).toBe((JSON.parse(read('package.json')) as { version: string }).version);
  });

  it('of benches and examples are their own, with a lock file beside them', () => {
    const others = tracked.filter((path) => /^(?:bench|examples)\/(?:.*\/)?package\.json$/.test(path));
    expect(others.filter((path) => !tracked.includes(path.replace(/package\.json$/, 'package-lock.json')))).toEqual([]);
  });

  it('are installed without a script of theirs: none compiles or downloads', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as Lock;
    const scripted = Object.entries(packages).filter(([, { hasInstallScript }]) => hasInstallScript === true);
    expect([...new Set(scripted.map(([place]) => nameOf(place)))].toSorted()).toEqual(
      Object.keys(INSTALL_SCRIPTS).toSorted(),
    );
    // Where it is said to be: in packages for one platform each, or in the tarball.
    for (const [place, { optionalDependencies = {} }] of scripted) {
      if (nameOf(place) === '@photostructure/sqlite')
        expect(
          readdirSync(join(root, place, 'prebuilds')).filter((name) => /^(?:linux|darwin)-(?:x64|arm64)$/.test(name))
            .length,
        ).toBe(4);
      else
        expect(
          Object.keys(optionalDependencies).filter((name) => /[-/](?:linux|darwin)-(?:x64|arm64)$/.test(name)).length,
          place,
        ).toBe(4);
    }
    expect(read('scripts/setup.mjs')).toContain(`['ci', '--ignore-scripts'`);
  });
});

describe('the documents', () => {
  it('cite only paths that exist', () => {
    const missing: string[] = [];
    for (const document of documents) {
      for (const [, path] of read(document).matchAll(/`((?:ts|crates|test|bench|scripts|\.ci)\/[\w./-]*)`/g)) {
        if (!existsSync(join(root, path as string))) missing.push(`${document}: ${path}`);
      }
      for (const [, path] of read(document).matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
        if (!existsSync(join(root, dirname(document), path as string))) missing.push(`${document}: ${path}`);
      }
    }
    expect(missing).toEqual([]);
  });

  it('draw a protocol each of whose sections is shown by tests', () => {
    const sections = [...read('docs/protocol.md').matchAll(/^## (.+)$/gm)].map(([, name]) => name as string);
    expect(sections.length).toBeGreaterThan(8);
    const citing = tracked
      .filter((path) => /^(?:test|ts\/testing)\/.*\.ts$/.test(path))
      .flatMap((path) => [...read(path).matchAll(/docs\/protocol\.md: (.+)$/gm)]);
    const cited = new Set(citing.flatMap(([, names]) => (names as string).split(', ')));
    expect(sections.filter((name) => !cited.has(name))).toEqual([]);
    expect([...cited].filter((name) => !sections.includes(name) && !name.includes('['))).toEqual([]);
  });

  it('explain every error code, and no other', () => {
    const codes = [...new Set(read('ts/errors.ts').match(/'ERR_[A-Z_]+'/g))]
      .map((code) => code.slice(1, -1))
      .toSorted();
    const documented = [...new Set(read('README.md').match(/^\| `ERR_[A-Z_]+`/gm))]
      .map((row) => row.slice(3, -1))
      .toSorted();
    expect(documented).toEqual(codes);
    const used = new Set(
      sources.flatMap((path) => read(path).match(/'ERR_[A-Z_]+'/g) ?? []).map((code) => code.slice(1, -1)),
    );
    expect([...used].filter((code) => !codes.includes(code) && !['ERR_IPC_CHANNEL_CLOSED'].includes(code))).toEqual([]);
    expect(
      codes.filter((code) => !sources.some((path) => path !== 'ts/errors.ts' && read(path).includes(code))),
    ).toEqual([]);
  });

  it('name every option of a repository, and no other, with the default that its type tells', () => {
    const groups = [
      ['', REPOSITORY_RULES, 'ts/session/options.ts'],
      ['lock.', LOCK_RULES, 'ts/lock/context.ts'],
      ['backups[].', BACKUP_RULES, 'ts/backup/backup.ts'],
    ] as const;
    const options = groups
      .flatMap(([prefix, rules, path]) => Object.keys(rules).map((name) => [prefix + name, name, path] as const))
      .filter(([name]) => name !== 'lock');
    const table = /^## Options$([\s\S]*?)^## /m.exec(read('README.md'))?.[1] ?? '';
    const rows = [...table.matchAll(/^\| (`[^|]+) \| ([^|]+) \|/gm)].flatMap(([, names, value]) =>
      (names as string)
        .split(', ')
        .map((name) => [name.slice(1, -1), (value as string).replaceAll(/[`',]/g, '')] as const),
    );
    expect(rows.map(([name]) => name).toSorted()).toEqual(options.map(([name]) => name).toSorted());
    const defaults = options.flatMap(([whole, name, path]) => {
      const [, told] =
        new RegExp(`Default:? \`?([\\w ]+)(?:(?!\\*/)[^])*\\*/\\n {2}readonly ${name}\\?:`).exec(read(path)) ?? [];
      return told === undefined ? [] : [[whole, told]];
    });
    expect(defaults.length).toBeGreaterThan(14);
    expect(rows.filter(([name]) => defaults.some(([other]) => other === name)).toSorted()).toEqual(defaults.toSorted());
  });

  it('give the budget of CI as .ci/run has it, within the totals', () => {
    const rows = [...read('CONTRIBUTING.md').matchAll(/^\| ([a-z ]+) \| (\d+) \| (\d+) \|/gm)].map(
      ([, part, warm, cold]) => [part as string, Number(warm), Number(cold)] as const,
    );
    const script = read('.ci/run');
    const parts = [...script.matchAll(/^ {4}"?([a-z ]+)"?\) echo (\d+) (\d+) ;;$/gm)].map(
      ([, part, warm, cold]) => [part as string, Number(warm), Number(cold)] as const,
    );
    const totals = /^total_warm=(\d+)\ntotal_cold=(\d+)$/m.exec(script)?.slice(1).map(Number);
    expect(parts.length).toBeGreaterThan(3);
    expect(rows).toEqual([...parts, ['in all', ...(totals ?? [])]]);
    expect([parts.reduce((sum, [, warm]) => sum + warm, 0), parts.reduce((sum, [, , cold]) => sum + cold, 0)]).toEqual(
      totals,
    );
    expect(totals).toEqual([600, 900]);
    const named = [...script.matchAll(/^ *(?:check|begin) (?:"([^"]+)"|(\w+))/gm)]
      .map(([, quoted, bare]) => quoted ?? bare)
      .filter((part) => part !== '$1');
    expect(named).toEqual(parts.map(([part]) => part));
  });

  it('give the constants of the format as the code has them', () => {
    const rows = [
      ...read('crates/delta/FORMAT.md').matchAll(/^\| `([A-Z][A-Z0-9_]+)` \| `?(0x[0-9a-fA-F]+|\d+)`? \|/gm),
    ].map(([, name, value]) => [name as string, Number(value)] as const);
    expect(rows.length).toBeGreaterThan(5);
    const code = tracked
      .filter((path) => /^(?:ts\/(?:log|diff|graph)|crates\/delta\/src)\/.*\.(?:ts|rs)$/.test(path))
      .map(read)
      .join('\n');
    for (const [name, value] of rows) {
      const found = [...code.matchAll(new RegExp(`\\bconst ${name}\\b[^=\\n]*= ([0-9a-fA-Fx_]+)`, 'g'))].map(
        ([, text]) => Number((text as string).replaceAll('_', '')),
      );
      expect(found.length, `${name} is in the code`).toBeGreaterThan(0);
      expect(new Set(found), name).toEqual(new Set([value]));
    }
  });

  it('has a README whose code compiles and runs', () => {
    const blocks = [...read('README.md').matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, block]) => block as string);
    expect(blocks.length).toBeGreaterThan(0);
    // Inside the package, so that `holdfast` means this package; out of git's sight.
    const folder = join(root, 'dist/.readme');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    blocks.forEach((block, index) => writeFileSync(join(folder, `block${index}.ts`), block));
    const config = {
      extends: '../../tsconfig.json',
      compilerOptions: { noEmit: false, outDir: 'out', rootDir: '.', isolatedDeclarations: false, declaration: false },
      include: ['*.ts'],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const compiled = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], {
      encoding: 'utf8',
    });
    expect(compiled.stdout + compiled.stderr).toBe('');
    for (const index of blocks.keys()) {
      const scratch = mkdtempSync(join(folder, 'run-'));
      const ran = spawnSync(process.execPath, [join(folder, `out/block${index}.js`)], {
        cwd: scratch,
        encoding: 'utf8',
        timeout: 20_000,
        env: { ...process.env, NODE_OPTIONS: '' },
      });
      expect(ran.status, `block ${index}: ${ran.stderr}${ran.stdout}`).toBe(0);
    }
  }, 60_000);
});
