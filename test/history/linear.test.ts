import { describe, expect, it } from 'vitest';
import { check } from '../../ts/history/check.ts';
import type { Mark, Request, Answer } from '../../ts/history/mark.ts';
import { ORIGIN } from '../../ts/position.ts';
import { WALL, appended, at, granted, head, record, tail } from './story.ts';

/**
 * A clean history of so many uses: each locks, sees, saves, reads a backup and unlocks; 16 marks a use, made while they
 * are read.
 */
function* history(uses: number, sessions: number): Generator<Mark> {
  let time = 0;
  let calls = 0;
  const moment = () => ({ who: 'p', at: (time += 0.1), wall: WALL + time });
  const call = function* (id: string, request: Request, answer: Answer, store = 'primary'): Generator<Mark> {
    yield {
      mark: 'call',
      call: (calls += 1),
      store,
      role: store === 'primary' ? 'primary' : 'backup',
      id,
      request,
      ...moment(),
    };
    yield { mark: 'answer', call: calls, outcome: 'ok', answer, ...moment() };
  };
  for (let use = 0; use < uses; use += 1) {
    const id = `s${use % sessions}`;
    const revision = Math.floor(use / sessions) + 1;
    const token = 2 * revision - 1;
    const before = revision === 1 ? undefined : head(revision - 1, { token });
    const next = record(revision, { under: token, kind: revision % 50 === 1 ? 'snapshot' : 'delta' });
    yield { mark: 'use', use, store: 'primary', id, ...moment() };
    yield* call(
      id,
      { op: 'lock', member: 'm', ticket: revision, leaseMs: 100, wait: true, since: ORIGIN, limitBytes: 0 },
      granted(token, 100, tail(before)),
    );
    const from = Math.max(0, revision - 4);
    yield {
      mark: 'saw',
      use,
      from,
      keys: Array.from({ length: revision - 1 - from }, (_, i) => `${id}.${from + i + 1}`),
      ...moment(),
    };
    yield { mark: 'put', use, keys: [`${id}.${revision}`], ...moment() };
    yield* call(id, next, appended(token));
    yield* call(id, { ...next, under: 0 }, appended(0), 'backup');
    yield* call(id, { op: 'touch', token, renew: true }, { op: 'touch', touched: true });
    yield* call(
      id,
      { op: 'read', since: at(revision - 1) },
      { op: 'read', tail: { head: head(revision, { token }), records: [revision], whole: revision === 1 } },
    );
    yield* call(id, { op: 'unlock', by: { token } }, { op: 'unlock' });
    yield { mark: 'done', use, outcome: 'ok', length: revision, ...moment() };
  }
}

/** Look-ups in maps and sets while `run` runs. */
function lookUps(run: () => void): number {
  let count = 0;
  const methods = [Map.prototype, Set.prototype].flatMap((prototype) =>
    (['get', 'set', 'has', 'add', 'delete'] as const).flatMap((name) =>
      name in prototype ? [{ prototype: prototype as unknown as Record<string, unknown>, name }] : [],
    ),
  );
  const real = methods.map(({ prototype, name }) => prototype[name] as (...given: unknown[]) => unknown);
  methods.forEach(({ prototype, name }, i) => {
    prototype[name] = function (this: unknown, ...given: unknown[]) {
      count += 1;
      return real[i]?.apply(this, given);
    };
  });
  try {
    run();
  } finally {
    methods.forEach(({ prototype, name }, i) => (prototype[name] = real[i]));
  }
  return count;
}

describe('the work of the checker', () => {
  it.each([[1], [50], [5000]])(
    'grows as the history does, over %i sessions',
    (sessions) => {
      const work = (uses: number) => lookUps(() => expect(check(history(uses, sessions), []).findings).toEqual([]));
      const [once, twice] = [work(10_000), work(20_000)];
      expect(once / 160_000).toBeLessThan(8);
      expect(twice / once).toBeLessThan(2.02);
    },
    120_000,
  );

  it('judges a million marks', () => {
    const before = process.memoryUsage().heapUsed;
    const start = performance.now();
    const { counts, findings } = check(history(62_500, 1000), []);
    const [seconds, megabytes] = [
      (performance.now() - start) / 1000,
      (process.memoryUsage().heapUsed - before) / 2 ** 20,
    ];
    console.log(`${counts.marks} marks in ${seconds.toFixed(1)} s, ${megabytes.toFixed(0)} MB of heap with garbage`);
    expect(findings).toEqual([]);
    expect(counts).toMatchObject({ marks: 1_000_000, acknowledged: 125_000, uses: 62_500, unknown: 0 });
  }, 300_000);
});
