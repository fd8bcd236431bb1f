import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { HoldfastError, nameOf } from '../../ts/errors.ts';
import { describe as inWords } from '../../ts/options.ts';
import { formatPath } from '../../ts/path.ts';
import { defineSession, immutable, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { plain } from '../../ts/tracking/tracker.ts';

// oxlint-disable-next-line no-explicit-any -- calls that TypeScript would refuse
type Wrong = any;

function revoked(): Wrong {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** Its text is the user's, and must stay out of messages. */
const failing = (): Wrong => ({
  get bad(): number {
    throw new SyntaxError('secret');
  },
});

/** Fails at the `n`th time that it is read: what only the encoder reads, or reads again. */
function failingAt(n: number): Wrong {
  let times = 0;
  return Object.defineProperty({}, 'bad', {
    enumerable: true,
    get() {
      times += 1;
      if (times >= n) throw new SyntaxError('secret');
      return times;
    },
  });
}

async function refused(call: () => unknown): Promise<HoldfastError> {
  const error: unknown = await (async () => call())().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof HoldfastError)) throw new Error(`no HoldfastError but ${inspect(error)}`);
  expect([error.code, error.message.includes('secret')]).toEqual(['ERR_INVALID', false]);
  return error;
}

const store = (): MemoryStore => new MemoryStore();
const definition = defineSession({ x: mutable<unknown>(), fixed: immutable<unknown>() });
const sessions = new SessionRepository({ store: store(), definition });
const loose = new SessionRepository<Wrong>({
  store: store(),
  definition: defineSession({}, { undeclared: mutable<unknown>() }),
});
const by = (make: () => unknown): SessionRepository<{ y: unknown }> =>
  new SessionRepository<Wrong>({ store: store(), definition: defineSession({ y: mutable<unknown>(make) }) });

describe('what throws when it is read is refused by its name, with the cause', () => {
  it.each<[string, () => unknown, RegExp, string | undefined]>([
    ['a default', () => by(revoked).scope('s', ({ y }) => void y, { create: true }), /^y: its default returned/, 'y'],
    [
      'inside a default',
      () => by(() => [revoked()]).scope('s', ({ y }) => void y, { create: true }),
      /^y: its/,
      'y[0]',
    ],
    ['first values', () => sessions.create(revoked()), /^create: the values could not be read/, undefined],
    ['a first value', () => sessions.create({ x: revoked() }), /^x could not/, 'x'],
    ['a getter among them', () => loose.create(failing()), /^bad could not/, 'bad'],
    ['options', () => sessions.find('s', revoked()), /^find: options could not be read \(TypeError, see/, undefined],
    ['an option', () => sessions.find('s', { signal: revoked() }), /^find: signal could not be read/, undefined],
    ['a getter of options', () => new SessionRepository(failing()), /^SessionRepository: bad could not/, undefined],
    [
      'options inside',
      () => new SessionRepository({ store: store(), definition, lock: revoked() }),
      /: lock could/,
      undefined,
    ],
    ['a store', () => new SessionRepository({ store: revoked(), definition }), /: store could not/, undefined],
    ['attributes', () => defineSession(revoked()), /not an object that cannot be read$/, undefined],
    ['plain', () => plain(revoked()), /^value could not be read \(TypeError, see `cause`\)/, 'value'],
    ['inside plain', () => plain({ a: [new Map([['k', failing()]])] }), /^value\.a/, 'value.a[0].get("k").bad'],
    [
      'in the encoder alone',
      () => sessions.create({ x: failingAt(2) }).then((s) => s.save()),
      /^x\.bad could not/,
      'x.bad',
    ],
  ])('%s', async (_name, call, says, path) => {
    const error = await refused(call);
    expect(error.message).toMatch(says);
    expect(error.paths?.map(formatPath)[0]).toBe(path);
    if (_name !== 'attributes') expect(error.cause).toBeInstanceOf(Error);
  });

  it('and what a message would show of it is shown without being read', () => {
    expect([inWords(revoked()), nameOf(revoked()), nameOf(new RangeError('secret'))]).toEqual([
      'an object that cannot be read',
      'no error',
      'RangeError',
    ]);
    expect(nameOf(Object.assign(new Error('x'), { name: 'the secret of a user' }))).toBe('Error');
  });
});

const anything = defineSession({}, { undeclared: mutable<unknown>() });

it('what cannot be read is in no Set, Map or list, and nobody is hurt by asking', async () => {
  const sessions = new SessionRepository({ store: new MemoryStore(), definition: anything });
  await sessions.scope(
    's',
    (state) => {
      state['all'] = { set: new Set([1]), map: new Map([['a', 1]]), list: [1] };
      const { set, map, list } = state['all'] as { set: Set<unknown>; map: Map<unknown, unknown>; list: unknown[] };
      expect([set.has(revoked()), map.has(revoked()), map.get(revoked())]).toEqual([false, false, undefined]);
      expect([list.includes(revoked()), list.indexOf(revoked()), set.delete(revoked())]).toEqual([false, -1, false]);
    },
    { create: true },
  );
  await sessions.close();
});

it('what cannot be read in what a use returns is returned as it is, and is an error of the use where it is all', async () => {
  const sessions = new SessionRepository({ store: new MemoryStore(), definition: anything });
  const bad = revoked();
  const give = (make: (state: { [name: string]: unknown }) => unknown): Promise<unknown> =>
    sessions.scope('s', (state) => ((state['n'] = { count: 1 }), make(state)), { create: true });
  expect(((await give(() => ({ bad }))) as { bad: unknown }).bad).toBe(bad);
  const both = (await give((state) => ({ list: [bad], part: state['n'] }))) as { list: unknown[]; part: unknown };
  expect([both.list[0] === bad, both.part]).toEqual([true, { count: 1 }]);
  await expect(give(() => bad)).rejects.toMatchObject({
    code: 'ERR_INVALID',
    message: expect.stringContaining('returned what cannot be read') as string,
  });
  await sessions.close();
});
