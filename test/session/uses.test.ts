import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';

interface State {
  n: number;
}

async function made() {
  const definition = defineSession({ n: mutable<number>(() => 0) });
  const sessions = new SessionRepository({ store: new MemoryStore(), definition });
  const session = await sessions.create({ n: 1 }, { id: 's' });
  await session.saveAndClose();
  return sessions;
}

function* steps(state: State): Generator<number> {
  state.n += 1;
  yield state.n;
}

async function* slowly(state: State): AsyncGenerator<number> {
  state.n += 1;
  yield state.n;
}

/** Its body runs only where somebody asks it for what it yields, and a scope does not. */
describe('a use whose body would never run is refused', () => {
  it.each<[string, (state: State) => unknown, RegExp]>([
    ['a generator function', steps, /no generator function.*pass a function or an async function$/],
    ['an async generator function', slowly, /no generator function/],
    ['a bound generator function', steps.bind(undefined), /returned a generator.*use it up in the scope/],
    ['a function that returns one', (state) => ((state.n = 5), steps(state)), /returned a generator/],
    ['an async function that returns one', async (state) => ((state.n = 5), slowly(state)), /returned a generator/],
  ])('%s', async (_name, use, says) => {
    const sessions = await made();
    const error: unknown = await sessions.scope('s', use).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(HoldfastError);
    expect(error).toMatchObject({ code: 'ERR_INVALID', message: expect.stringMatching(says) as string });
    expect(await sessions.read('s')).toEqual({ n: 1 });
    expect(await sessions.scope('s', (state) => (state.n += 1), { timeoutMs: 0 })).toBe(2); // the lock is free
  });

  it('and one that uses it up is not', async () => {
    const sessions = await made();
    const seen = await sessions.scope('s', async (state) => {
      const all: number[] = [...steps(state)];
      for await (const n of slowly(state)) all.push(n);
      return all.values();
    });
    expect([[...seen], await sessions.read('s')]).toEqual([[2, 3], { n: 3 }]);
  });
});
