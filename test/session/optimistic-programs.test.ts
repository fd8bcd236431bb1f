import fc from 'fast-check';
import { expect, it } from 'vitest';
import { defineSession, mutable, unclassified } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import type { RepositoryOptions } from '../../ts/session/options.ts';
import type { Session } from '../../ts/session/session.ts';
import { MemoryStore } from '../../ts/store/memory.ts';

/** All that is done to it can be told from it, in whatever order the saves came. */
interface State {
  sum: number;
  keys: Record<string, { n: number; text: string }>;
  map: Map<string, number>;
  set: Set<string>;
  list: string[];
  deep: { counts: Record<string, number>; at: Date; inner: Record<string, number[]> };
  rest?: string[];
}

const definition = defineSession({
  sum: mutable<number>(() => 0, { merge: 'sum' }),
  keys: mutable<State['keys']>(() => ({})),
  map: mutable<State['map']>(() => new Map()),
  set: unclassified<State['set']>(() => new Set()),
  list: mutable<string[]>(() => []),
  deep: mutable<State['deep']>(() => ({ counts: { a: 0, b: 0, c: 0 }, at: new Date(0), inner: {} }), { merge: 'sum' }),
  /** Asked where two have begun it. */
  rest: mutable<string[]>(undefined, {
    merge: ({ mine, theirs }) => [...(theirs as string[]), ...(mine as string[])],
  }),
});

const WRITES: readonly ((state: State, by: string, n: number) => void)[] = [
  (state, _by, n) => (state.sum += n),
  (state, by, n) => (state.keys[by] = { n, text: 'x'.repeat(n) }),
  (state, by, n) => state.map.set(by, n),
  (state, by) => state.set.add(by),
  (state, by) => state.list.push(by),
  (state, _by, n) => (state.deep.counts['abc'[n % 3]!]! += 1),
  (state, by, n) => (state.deep.inner[by] = [n]),
  (state, by) => (state.rest = [...(state.rest ?? []), by]),
];

interface Model {
  sum: number;
  readonly names: Set<string>[];
  readonly counts: number[];
}

const emptyModel = (): Model => ({ sum: 0, names: WRITES.map(() => new Set<string>()), counts: [0, 0, 0] });

function model(into: Model, write: number, by: string, n: number): void {
  if (write === 0) into.sum += n;
  else if (write === 5) into.counts[n % 3]! += 1;
  else into.names[write]!.add(by);
}

const sorted = (names: Iterable<string>): string[] => [...names].toSorted();

function check(state: State, { sum, names, counts }: Model): void {
  expect(state.sum).toBe(sum);
  expect(Object.values(state.deep.counts)).toEqual(counts);
  expect([
    sorted(Object.keys(state.keys)),
    sorted(state.map.keys()),
    sorted(state.set),
    sorted(state.list),
    sorted(Object.keys(state.deep.inner)),
    sorted(state.rest ?? []),
  ]).toEqual([1, 2, 3, 4, 6, 7].map((write) => sorted(names[write]!)));
}

type Step =
  | { readonly is: 'write'; readonly who: number; readonly write: number; readonly n: number }
  | { readonly is: 'save' | 'await' | 'read'; readonly who: number }
  | { readonly is: 'tick' };

const who = fc.nat(2);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      is: fc.constant('write' as const),
      who,
      write: fc.nat(7),
      n: fc.integer({ min: 1, max: 700 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ is: fc.constant('save' as const), who }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('await' as const), who }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('read' as const), who }) },
  { weight: 2, arbitrary: fc.constant({ is: 'tick' as const }) },
);

/** Three sessions of two processes, open all the time: saves are awaited now and then, and written into meanwhile. */
async function run(
  steps: readonly Step[],
  saveMode: NonNullable<RepositoryOptions<State, object>['saveMode']>,
): Promise<void> {
  const store = new MemoryStore();
  const repositories = [0, 1].map(() => new SessionRepository<State>({ store, definition, saveMode }));
  await repositories[0]!.scope('s', (state) => void state.list.length, { create: true });
  const sessions: Session<State>[] = [];
  for (let i = 0; i < 3; i += 1) sessions.push(await repositories[i % 2]!.open('s', { mode: 'optimistic' }));
  const saving: Promise<unknown>[] = [];
  const done = emptyModel();
  let writes = 0;
  for (const one of steps) {
    if (one.is === 'tick') await new Promise(setImmediate);
    else if (one.is === 'write') {
      const by = `${one.who}.${(writes += 1)}`;
      WRITES[one.write]!(sessions[one.who]!.state, by, one.n);
      model(done, one.write, by, one.n);
    } else if (one.is === 'save') saving[one.who] = sessions[one.who]!.save();
    else if (one.is === 'await') await saving[one.who];
    else void JSON.stringify(sessions[one.who]!.state);
  }
  await Promise.all(saving);
  sessions[2]!.state.list.push('last'); // who has nothing to save goes on with what it has
  model(done, 4, 'last', 0);
  for (const session of sessions) await session.save();
  check((await repositories[1]!.read('s'))!, done);
  check(sessions[2]!.state, done); // it was the last to save
  for (const session of sessions) await session.saveAndClose();
  check(await repositories[0]!.scope('s', (state) => state), done);
}

it.each(['write', 'mutable-access', 'all'] as const)(
  'whatever is written when, into sessions that save side by side, all of it is there once: %s',
  async (saveMode) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), (steps) => run(steps, saveMode)),
      { numRuns: 150 },
    );
  },
  60_000,
);
