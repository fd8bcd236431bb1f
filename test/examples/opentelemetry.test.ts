import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const example = join(root, 'examples/opentelemetry');
const HAS_SDK = existsSync(join(example, 'node_modules/@opentelemetry/api'));
const NOTE = HAS_SDK ? '' : ' (skipped: its packages are not installed, see CONTRIBUTING.md)';

type Labels = Readonly<Record<string, unknown>>;

/** As much of a span as the example uses. */
class Span {
  readonly name: string;
  readonly start: number | undefined;
  readonly attributes: Labels;
  readonly events: [string, Labels][] = [];
  readonly errors: unknown[] = [];
  status: unknown;
  /** Undefined: it never ended. */
  ended: number | true | undefined;

  constructor(name: string, options: { startTime?: number; attributes?: Labels } = {}) {
    this.name = name;
    this.start = options.startTime;
    this.attributes = options.attributes ?? {};
  }
  addEvent(name: string, labels: Labels): void {
    this.events.push([name, labels]);
  }
  recordException(error: unknown): void {
    this.errors.push(error);
  }
  setStatus(status: unknown): void {
    this.status = status;
  }
  end(at?: number): void {
    expect(this.ended, `${this.name} ends once`).toBeUndefined();
    this.ended = at ?? true;
  }
}

/** A tracer and a meter that keep what they are told. */
function inMemory() {
  const spans: Span[] = [];
  const points: [string, number, Labels][] = [];
  const start = (name: string, options?: ConstructorParameters<typeof Span>[1]): Span => {
    const span = new Span(name, options);
    spans.push(span);
    return span;
  };
  const instrument = (name: string) => {
    const note = (value: number, labels: Labels): void => void points.push([name, value, labels]);
    return { record: note, add: note };
  };
  const tracer = {
    startSpan: start,
    startActiveSpan: <R>(name: string, run: (span: Span) => R): R => run(start(name)),
  };
  return { spans, points, telemetry: { tracer, meter: { createHistogram: instrument, createCounter: instrument } } };
}

const definition = defineSession({ list: mutable<number[]>(() => []) });
type Sessions = SessionRepository<{ list: number[] }, { list?: number[] }>;
const { instrument } = (await import(join(example, 'instrument.mjs'))) as {
  instrument(sessions: Sessions, telemetry: unknown): { scope: Sessions['scope']; end(): void };
};

it('spans tell waits, uses, saves and records; metrics count them without an id', async () => {
  const { spans, points, telemetry } = inMemory();
  const store = new MemoryStore();
  const backups = [{ store: new MemoryStore() }];
  const servers: Sessions[] = [1, 2].map(() => new SessionRepository({ store, definition, backups }));
  const [one, two] = servers.map((sessions) => instrument(sessions, telemetry)) as [
    ReturnType<typeof instrument>,
    ReturnType<typeof instrument>,
  ];
  expect(await one.scope('s', (state) => state.list.push(1), { create: {} })).toBe(1);
  expect(await two.scope('s', (state) => state.list.push(2))).toBe(2);

  expect(spans.map(({ name }) => name).toSorted()).toEqual(
    ['lock.wait', 'save', 'scope', 'use'].flatMap((name) => [`holdfast.${name}`, `holdfast.${name}`]),
  );
  expect(spans.filter(({ ended }) => ended === undefined)).toEqual([]);
  const waits = spans.filter(({ name }) => name === 'holdfast.lock.wait');
  for (const { start, ended, attributes } of waits)
    expect((ended as number) - (start as number)).toBeCloseTo(attributes['holdfast.waitMs'] as number, 2);
  expect(waits.map(({ attributes }) => attributes['holdfast.handOver'])).toEqual([false, true]);
  const scopes = spans.filter(({ name }) => name === 'holdfast.scope');
  for (const [index, { events }] of scopes.entries())
    expect(events.map(([name, labels]) => [name, labels['holdfast.place'], labels['holdfast.revision']])).toEqual([
      ['holdfast.sent', 'primary', index + 1],
      ['holdfast.sent', 0, index + 1],
    ]);

  const sum = (name: string): number => points.reduce((all, [of, value]) => (of === name ? all + value : all), 0);
  const sent = scopes.flatMap(({ events }) => events.map(([, labels]) => labels['holdfast.bytes'] as number));
  expect([sum('holdfast.records'), sum('holdfast.bytes')]).toEqual([4, sent.reduce((all, bytes) => all + bytes)]);
  expect(points.filter(([name]) => name === 'holdfast.lock.wait')).toHaveLength(2);
  expect(JSON.stringify(points)).not.toContain('"s"');
  await Promise.all(servers.map((sessions) => sessions.close()));
});

it('a use that throws is an error of its span, after `end` nothing more is told', async () => {
  const { spans, points, telemetry } = inMemory();
  const sessions: Sessions = new SessionRepository({ store: new MemoryStore(), definition });
  const { scope, end } = instrument(sessions, telemetry);
  const failing = scope('s', () => Promise.reject(new Error('no tea')), { create: {} });
  await expect(failing).rejects.toThrow('no tea');
  expect(spans.map(({ name, ended }) => [name, ended === undefined]).toSorted()).toEqual([
    ['holdfast.lock.wait', false],
    ['holdfast.scope', false],
    ['holdfast.use', false],
  ]);
  const whole = spans.find(({ name }) => name === 'holdfast.scope');
  expect([whole?.status, String(whole?.errors)]).toEqual([{ code: 2, message: 'no tea' }, 'Error: no tea']);
  end();
  const told = points.length;
  await sessions.scope('s', (state) => state.list.push(1), { create: {} });
  expect(points).toHaveLength(told);
  await sessions.close();
});

it.skipIf(!HAS_SDK)(`its types fit the API, and it runs under the SDK${NOTE}`, () => {
  const node = (...args: string[]) =>
    spawnSync(process.execPath, args, { cwd: example, encoding: 'utf8', timeout: 20_000 });
  const flags =
    '--ignoreConfig --allowJs --checkJs --noEmit --strict --skipLibCheck --module nodenext --target es2022 --types node';
  const types = join(root, 'node_modules/@types');
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const checked = node(tsc, ...flags.split(' '), '--typeRoots', types, 'main.mjs', 'instrument.mjs');
  expect(checked.stdout + checked.stderr).toBe('');
  const { stdout } = node('main.mjs');
  for (const shown of ['span holdfast.lock.wait, ', 'span holdfast.save, ', `metric holdfast.bytes { place: '0'`])
    expect(stdout).toContain(shown);
});
