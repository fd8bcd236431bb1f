import { describe, expect, it } from 'vitest';
import { defineSession, immutable, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import type { Session } from '../../ts/session/session.ts';
import { MemoryStore } from '../../ts/store/memory.ts';

interface State {
  readonly fixed?: unknown;
  gone?: number;
  first?: unknown;
  second?: unknown;
  old?: unknown;
}

const failing = (): object => ({
  get bad(): number {
    throw new RangeError('secret');
  },
});

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);

/** Opened, with a value for each but `second`; `old` is one that no `migrate` can bring up to date. */
async function opened(): Promise<Session<State, State>> {
  const store = new MemoryStore();
  const plain = mutable<unknown>();
  const before = new SessionRepository({
    store,
    definition: defineSession({ gone: mutable<number>(), first: plain, old: plain }),
  });
  await before.scope('s', (state) => void Object.assign(state, { gone: 1, first: { n: 1 }, old: 1 }), { create: true });
  const migrate = (): never => {
    throw new RangeError('secret');
  };
  const definition = defineSession({
    fixed: immutable<unknown>(),
    gone: mutable<number>(),
    first: plain,
    second: plain,
    old: mutable<unknown>(undefined, { version: 2, migrate }),
  });
  return new SessionRepository<State, State>({ store, definition }).open('s');
}

describe('replace and assign change all or nothing', () => {
  it.each<[string, 'replace' | 'assign', State]>([
    ['a getter that throws', 'replace', { fixed: 1, first: { n: 2 }, second: { x: failing() } }],
    ['a revoked Proxy', 'replace', { first: { n: 2 }, second: revoked() }],
    ['what is nested too deep', 'replace', { first: { n: 2 }, second: deep(1_002) }],
    ['an old value that cannot be read', 'replace', { first: { n: 2 }, old: 3 }],
    ['a getter that throws', 'assign', { fixed: 1, first: { n: 2 }, second: failing() }],
    ['what is nested too deep', 'assign', { first: { n: 2 }, second: deep(1_002) }],
  ])('%s: %s', async (_name, verb, values) => {
    const session = await opened();
    session.state.gone = 2;
    expect(() => session[verb](values)).toThrow(/^(second|old)/);
    expect([session.state.fixed, session.state.gone, session.state.first, session.tracked()]).toEqual([
      undefined,
      2,
      { n: 1 },
      ['gone'],
    ]);
    expect('second' in session.state).toBe(false);
    expect(await session.save()).toMatchObject({ changed: ['gone'], revision: 2 });
    await session.close();
  });

  it('an immutable attribute that is set already: assign', async () => {
    const session = await opened();
    session.assign({ fixed: 1 });
    expect(() => session.assign({ first: { n: 2 }, fixed: 2 })).toThrow(/^fixed is immutable and already set/);
    expect(session.state.first).toEqual({ n: 1 });
    await session.close();
  });

  it('and what was refused can be given again, and parts of the state change places', async () => {
    const session = await opened();
    const part = { n: 2 };
    expect(() => session.replace({ first: part, second: deep(1_002) })).toThrow();
    part.n = 3;
    session.assign({ second: part });
    await session.save();
    session.assign({ first: session.state.second, second: session.state.first });
    await session.save();
    expect([session.state.first, session.state.second]).toEqual([{ n: 3 }, { n: 1 }]);
    await session.close();
  });
});
