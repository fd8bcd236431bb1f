import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { newFolder } from './folders.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const { exports, main, types, typesVersions } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly main: string;
  readonly types: string;
  readonly typesVersions: { readonly '*': Readonly<Record<string, readonly string[]>> };
};

/** What a strict application does with each entry, values and types both. */
const USE = `
const definition = defineSession({ user: immutable<string>(undefined, { required: true }), n: mutable<number>(() => 0) });
type State = StateOf<typeof definition>;
export async function use(): Promise<number> {
  const client = { on: () => 0, off: () => 0 } as unknown as RedisClient;
  const store: SqliteStore | RedisStore = Date.now() > 0 ? await SqliteStore.open({ dir: 'x' }) : new RedisStore({ client });
  const sessions: RepositoryOf<typeof definition> = new SessionRepository({ store, definition });
  const session: SessionOf<typeof definition> = await sessions.create({ user: 'ann' });
  const state: State = session.state;
  // @ts-expect-error the type has come along
  state.n = 'text';
  const keys = { get: async () => null, del: async () => 0, pTTL: async () => -2 };
  const web = new HoldfastSessionStore({ store, conflicts: 'mine', legacy: connectRedis({ client: keys }) });
  const options: SessionOptions = { store: web, secret: 's' };
  await new FastifySessionStore({ store: Promise.resolve(store) }).destroy('sid', () => options.secret);
  const clock = new VirtualClock();
  clock.pass(1);
  try {
    await session.saveAndClose();
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'ERR_FENCED') return -1;
  }
  onExpress({ sessions, secrets: ['…'] }).middleware();
  onHttp({ sessions, secrets: ['…'] }).middleware();
  onKoa({ sessions, secrets: ['…'] }).middleware();
  onHono({ sessions, secrets: ['…'], create: () => ({ user: 'ann' }) }).eager('optimistic');
  // @ts-expect-error the definition requires a user
  onFastify({ sessions, secrets: ['…'], create: () => ({}) }).plugin();
  const told: Change[] = changes({ n: 1 }, { n: 2 });
  for (const change of told) if (change.op === 'insert') return change.index;
  return apply(Buffer.alloc(1), diff(Buffer.alloc(1), Buffer.alloc(1)), 10).length + state.n;
}
`;
const IMPORT = `
import { HoldfastError, SessionRepository, defineSession, immutable, mutable } from 'holdfast';
import type { RepositoryOf, SessionOf, StateOf } from 'holdfast';
import { apply, diff } from 'holdfast/delta';
import type { SessionOptions } from 'express-session';
import { HoldfastSessionStore, connectRedis } from 'holdfast/express-session';
import { HoldfastSessionStore as FastifySessionStore } from 'holdfast/fastify-session';
import { changes, type Change } from 'holdfast/graph';
import { RedisStore, type RedisClient } from 'holdfast/redis';
import { SqliteStore } from 'holdfast/sqlite';
import { VirtualClock } from 'holdfast/testing';
import { holdfast as onExpress } from 'holdfast/express';
import { holdfast as onFastify } from 'holdfast/fastify';
import { holdfast as onHono } from 'holdfast/hono';
import { holdfast as onHttp } from 'holdfast/http';
import { holdfast as onKoa } from 'holdfast/koa';
${USE}`;
const REQUIRE = `
import holdfast = require('holdfast');
import delta = require('holdfast/delta');
import type { SessionOptions } from 'express-session';
import expressSession = require('holdfast/express-session');
import fastifySession = require('holdfast/fastify-session');
import graph = require('holdfast/graph');
import redis = require('holdfast/redis');
import sqlite = require('holdfast/sqlite');
import testing = require('holdfast/testing');
import express = require('holdfast/express');
import fastify = require('holdfast/fastify');
import hono = require('holdfast/hono');
import http = require('holdfast/http');
import koa = require('holdfast/koa');
const { HoldfastError, SessionRepository, defineSession, immutable, mutable } = holdfast;
const { apply, diff } = delta;
const { HoldfastSessionStore, connectRedis } = expressSession;
const { HoldfastSessionStore: FastifySessionStore } = fastifySession;
const { changes } = graph;
type Change = graph.Change;
const { RedisStore } = redis;
type RedisStore = redis.RedisStore;
type RedisClient = redis.RedisClient;
const { SqliteStore } = sqlite;
type SqliteStore = sqlite.SqliteStore;
const { VirtualClock } = testing;
const { holdfast: onExpress } = express;
const { holdfast: onFastify } = fastify;
const { holdfast: onHono } = hono;
const { holdfast: onHttp } = http;
const { holdfast: onKoa } = koa;
type StateOf<D> = holdfast.StateOf<D>;
type SessionOf<D> = holdfast.SessionOf<D>;
type RepositoryOf<D> = holdfast.RepositoryOf<D>;
${USE}`;

/** The package's files, as they are packed. */
let packed: string[] = [];

beforeAll(() => {
  const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
  });
  const [pack] = JSON.parse(stdout) as [{ files: { path: string }[] }];
  packed = pack.files.map(({ path }) => path);
}, 60_000);

/** What the compiler says of a project with the packed types installed, which are checked as well. */
function compile(code: string, type: 'commonjs' | 'module', options: Readonly<Record<string, unknown>>): string {
  const app = newFolder();
  const installed = join(app, 'node_modules/holdfast');
  for (const path of packed.filter((one) => /\.d\.[cm]?ts$|package\.json$/.test(one))) {
    mkdirSync(dirname(join(installed, path)), { recursive: true });
    cpSync(join(root, path), join(installed, path));
  }
  for (const name of ['@types', 'fastify', 'hono'])
    symlinkSync(join(root, 'node_modules', name), join(app, 'node_modules', name), 'dir');
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'app', type }));
  writeFileSync(join(app, 'app.ts'), code);
  const compilerOptions = {
    target: 'es2022',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
    types: ['node'],
    ...options,
  };
  writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['app.ts'] }));
  const { stdout } = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', app], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return stdout;
}

describe('the packed types', () => {
  it.each([
    ['imported by CommonJS', IMPORT, 'commonjs', { module: 'node16' }],
    ['required by CommonJS', REQUIRE, 'commonjs', { module: 'node16' }],
    ['imported by a module', IMPORT, 'module', { module: 'nodenext' }],
    ['imported for a bundler', IMPORT, 'module', { module: 'esnext', moduleResolution: 'bundler' }],
  ] as const)('%s compile', (_name, code, type, options) => {
    expect(compile(code, type, options)).toBe('');
  });

  it('that are missing would be told', () => {
    const said = compile(`import { nothing } from 'holdfast';\nexport default nothing;`, 'commonjs', {
      module: 'node16',
    });
    expect(said).toMatch(/TS2305.*no exported member 'nothing'/);
  });

  it('and the code that each entry names, are packed', () => {
    const targets = (entry: unknown): string[] =>
      typeof entry === 'string' ? [entry] : Object.values(entry as object).flatMap(targets);
    for (const target of [...targets(exports), main, types]) {
      expect(packed, target).toContain(target.replace('./', ''));
      expect(existsSync(join(root, target)), target).toBe(true);
    }
  });

  it('are found where the compiler knows no exports (moduleResolution node10)', () => {
    const entries = Object.entries(exports as Record<string, { types?: string }>);
    const found = Object.fromEntries(
      entries.map(([entry]) => [entry, entry === '.' ? types : typesVersions['*'][entry.slice(2)]?.[0]]),
    );
    delete found['./package.json'];
    expect(found).toEqual(
      Object.fromEntries(
        entries.flatMap(([entry, target]) => (target.types === undefined ? [] : [[entry, target.types]])),
      ),
    );
  });
});
