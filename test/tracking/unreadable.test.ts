import { describe, expect, it } from 'vitest';
import { formatPath } from '../../ts/path.ts';
import { encoded, expectCode, settle, track, type Loose } from './fixture.ts';

const failing = (): Loose => ({
  fine: 1,
  get bad(): number {
    throw new RangeError('secret');
  },
});

function revoked(): Loose {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

describe('what cannot be read is refused by its path, with the cause, and nothing is changed', () => {
  it.each<[string, string, (s: Loose) => unknown]>([
    ['assigned', 'a.x[1].bad', (s) => (s.a = { x: [1, failing()] })],
    ['assigned inside', 'a.bad', (s) => (s.a.inside = failing())],
    ['pushed', 'list.bad', (s) => s.list.push(failing())],
    ['in a Map', 'a.get("k").bad', (s) => (s.a = new Map([['k', failing()]]))],
    ['set in a Map', 'map.bad', (s) => s.map.set('k', failing())],
    ['added to a Set', 'set.bad', (s) => s.set.add(failing())],
    ['defined', 'a.bad', (s) => Object.defineProperty(s, 'a', { value: failing(), writable: true })],
    ['an immutable', 'fixed.x.bad', (s) => (s.fixed = { x: failing() })],
    ['a revoked Proxy', 'a', (s) => (s.a = revoked())],
    ['a revoked Proxy inside', 'a.x[0]', (s) => (s.a = { x: [revoked()] })],
    ['a revoked Proxy in a Set', 'a.values()[1]', (s) => (s.a = new Set([1, revoked()]))],
    ['a revoked Proxy for an immutable', 'fixed.x', (s) => (s.fixed = { x: revoked() })],
  ])('%s', (_name, path, write) => {
    const values = { a: { n: 1 }, list: [1], map: new Map([[1, 1]]), set: new Set([1]) };
    const { tracker, slots, s } = track(values, { classes: { fixed: 'immutable' } });
    const before = Object.keys(values).map((name) => encoded(slots, name));
    const error = expectCode(() => write(s), 'ERR_INVALID');
    expect(error.paths?.map(formatPath)).toEqual([path]);
    expect(error.message).toMatch(/ could not be read \((Range|Type)Error, see `cause`\): store plain data$/);
    expect(error.message).not.toContain('secret');
    expect(error.cause).toBeInstanceOf(Error);
    settle(tracker);
    expect([Object.keys(values).map((name) => encoded(slots, name)), slots.has('fixed')]).toEqual([before, false]);
  });
});

it('a message shows the ends of a long path, and the error all of it', () => {
  const { s } = track({ a: {} });
  let deep: Loose = failing();
  for (let i = 0; i < 900; i += 1) deep = { o: deep };
  const error = expectCode(() => (s.a = deep), 'ERR_INVALID');
  expect([error.message.length < 300, error.paths?.[0]?.length]).toEqual([true, 902]);
  expect(error.message).toMatch(/^a\.o\.o.*…o?\.o.*\.o\.bad could not be read/);
  const long = expectCode(() => (track({}, { others: null }).s['x'.repeat(5_000)] = 1), 'ERR_INVALID');
  expect([long.message.length < 350, long.paths?.[0]]).toEqual([true, ['x'.repeat(5_000)]]);
});
