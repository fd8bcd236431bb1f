import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plain } from '../../ts/tracking/tracker.ts';
import { encoded, settle, track, type Loose } from './fixture.ts';

const start = (): Loose => ({
  a: { x: { y: { z: 1 } }, list: [{ n: 1 }, { n: 2 }], text: 'hello' },
  b: [[1, 2], { k: 'v' }, new Map([['m', { n: 1 }]])],
  c: new Map<unknown, unknown>([
    ['one', { n: 1 }],
    ['two', [1]],
  ]),
  d: new Set<unknown>([1, 'two', { n: 3 }]),
  e: { at: new Date(0), count: 0 },
});
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];

interface Step {
  readonly name: string;
  readonly path: readonly number[];
  readonly act: number;
  readonly n: number;
  readonly value: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  name: fc.constantFrom(...NAMES),
  path: fc.array(fc.nat(5), { maxLength: 4 }),
  act: fc.nat(29),
  n: fc.nat(5),
  value: fc.nat(9),
});

/** The plain state cannot change what is frozen; the tracked one can. */
let thaw = false;

/** A fresh value, so that tracked and plain state share nothing. */
function fresh(value: number): Loose {
  const makers = [
    () => value,
    () => `s${value}`,
    () => null,
    () => undefined,
    () => ({ n: value, deep: { o: [value] } }),
    () => [{ n: value }, [value]],
    () => Object.freeze({ f: Object.freeze([{ n: value }]) }),
    () =>
      new Map<unknown, unknown>([
        ['k', { n: value }],
        [{ o: 1 }, 2],
      ]),
    () => new Set([{ n: value }, value]),
    () => new Date(value),
  ];
  return thaw ? structuredClone(makers[value]!()) : makers[value]!();
}

function children(node: Loose): Loose[] {
  if (node instanceof Map) return [...node.values(), ...node.keys()];
  if (node instanceof Set) return [...node];
  return node instanceof Date ? [] : Object.values(node);
}

const isObject = (value: unknown): value is Loose => typeof value === 'object' && value !== null;

/** The node that a path leads to, as far as it goes. */
function walk(root: Loose, path: readonly number[]): Loose {
  let node = root;
  for (const index of path) {
    const objects = children(node).filter(isObject);
    if (objects.length === 0) break;
    node = objects[index % objects.length];
  }
  return node;
}

function actOnArray(node: Loose, { act, n, value }: Step): unknown {
  const acts = [
    () => node.push(fresh(value), fresh(n)),
    () => node.pop(),
    () => node.shift(),
    () => node.unshift(fresh(value)),
    () => node.splice(n % 3, n % 2, fresh(value)),
    () => node.reverse(),
    () => node.sort((p: Loose, q: Loose) => String(JSON.stringify(p)).length - String(JSON.stringify(q)).length),
    () => {
      node.length = n;
    },
    () => {
      node[n] = fresh(value);
    },
    () => delete node[n],
    () => node.fill(value, n),
    () => node.push(node.shift()),
    () => {
      for (const item of node) if (isObject(item) && Object.hasOwn(item, 'n')) item.hit = value;
    },
    () =>
      node.forEach((item: Loose) => {
        if (item instanceof Map) item.set('hit', value);
      }),
    () => node.indexOf(node[n]),
    () => node.includes(node[n]),
    () => node.filter((item: Loose) => isObject(item)).length,
    () => node.copyWithin(0, node.length),
    () => [...node.entries()].length,
    () => [node[0], node[1]].length,
  ];
  const result = acts[act % acts.length]!();
  return isObject(result) ? Object.keys(result).length : result;
}

function actOnMap(node: Loose, { act, n, value }: Step): unknown {
  const key = [...node.keys()][n];
  const acts = [
    () => node.set(`k${n}`, fresh(value)).size,
    () => node.set({ key: n }, fresh(value)).size,
    () => node.delete(key),
    () => node.has(key),
    () => node.set(key, fresh(value)).size,
    () => {
      for (const [k, v] of node) {
        if (isObject(k) && Object.hasOwn(k, 'o')) k.seen = n;
        if (Array.isArray(v)) v.push(n);
      }
    },
    () => {
      node.forEach((v: Loose) => {
        if (v instanceof Set) v.add(n);
      });
    },
    () => n === 5 && node.clear(),
  ];
  return acts[act % acts.length]!();
}

function actOnSet(node: Loose, { act, n, value }: Step): unknown {
  const member = [...node][n];
  const acts = [
    () => node.add(fresh(value)).size,
    () => node.delete(member),
    () => node.has(member),
    () => {
      for (const m of node) if (isObject(m) && Object.hasOwn(m, 'n')) m.hit = n;
    },
    () => n === 5 && node.clear(),
    () => {
      node.forEach((m: Loose) => {
        if (Array.isArray(m)) m.push(value);
      });
    },
  ];
  return acts[act % acts.length]!();
}

function actOnObject(node: Loose, { act, n, value }: Step): unknown {
  const key = Object.keys(node)[n] ?? `k${n}`;
  const acts = [
    () => {
      node[key] = fresh(value);
    },
    () => delete node[key],
    () => {
      Object.assign(node, { [`k${n}`]: fresh(value), q: 1 });
    },
    () => {
      node[`k${n}`] = { wrapped: node[key] };
      delete node[key];
    },
    () => {
      Object.defineProperty(node, `d${n}`, {
        value: fresh(value),
        enumerable: true,
        writable: true,
        configurable: true,
      });
    },
    () => JSON.stringify(node),
    () => Object.entries(node).length,
    () => key in node,
  ];
  return acts[act % acts.length]!();
}

/** The same step on a tracked state and on a plain one. */
function apply(state: Loose, other: Loose, at: Step): unknown {
  const { name, path, act, n, value } = at;
  if (act >= 28 && path.length === 0) return delete state[name];
  if (!isObject(state[name]) || act >= 27) state[name] = fresh(value);
  // Across attributes: the tracked state copies by itself.
  if (act === 26) state[name] = other(state[NAMES[n]!]);
  const node = isObject(state[name]) ? walk(state[name], path) : undefined;
  if (node === undefined || act >= 26) return undefined;
  if (node instanceof Date) return node.setTime(value * 1_000 + act);
  if (Array.isArray(node)) return actOnArray(node, at);
  if (node instanceof Map) return actOnMap(node, at);
  return node instanceof Set ? actOnSet(node, at) : actOnObject(node, at);
}

describe('a tracked state', () => {
  it('does what a plain one does, and what changed is tracked', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.nat(4)), { minLength: 1, maxLength: 25 }), (steps) => {
        const { tracker, slots, s } = track(start());
        const mirror = start();
        let saved = new Map(NAMES.map((name) => [name, encoded(slots, name)]));
        const copy = (value: unknown): unknown => structuredClone(value);
        for (const [at, save] of steps) {
          thaw = false;
          const result = apply(s, (value: unknown) => value, at);
          thaw = true;
          expect(result).toEqual(apply(mirror, copy, at));
          expect(isDeepStrictEqual(Object.fromEntries(slots.values), mirror)).toBe(true);
          const now = new Map(NAMES.map((name) => [name, encoded(slots, name)]));
          const tracked = new Set(tracker.tracked());
          for (const name of NAMES) if (now.get(name) !== saved.get(name)) expect(tracked.has(name)).toBe(true);
          if (save > 0) continue;
          settle(tracker);
          saved = now;
        }
        expect(isDeepStrictEqual(plain(s), mirror)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });
});

type Edit =
  | { op: 'set'; path: (string | number)[]; value: unknown }
  | { op: 'del'; path: (string | number)[] }
  | { op: 'push'; path: (string | number)[]; values: unknown[] }
  | { op: 'assign'; path: (string | number)[]; value: object }
  | { op: 'splice'; path: (string | number)[]; at: number; remove: number; insert: string };

/** Edits by path, as a replayed trace makes them. */
function edit(root: Loose, change: Edit): void {
  const last = change.path.at(-1)!;
  const parent = change.path.slice(0, -1).reduce((node: Loose, key) => node[key], root);
  if (change.op === 'set') parent[last] = change.value;
  else if (change.op === 'del') delete parent[last];
  else if (change.op === 'push') parent[last].push(...change.values);
  else if (change.op === 'assign') Object.assign(parent[last], change.value);
  else parent[last] = parent[last].slice(0, change.at) + change.insert + parent[last].slice(change.at + change.remove);
}

describe('edits by path', () => {
  it.each([
    [{ op: 'set', path: ['a', 'x', 'y', 'z'], value: { deep: [1] } }, 'a'],
    [{ op: 'set', path: ['f'], value: [1, { g: 2 }] }, 'f'],
    [{ op: 'del', path: ['a', 'list', 0, 'n'] }, 'a'],
    [{ op: 'del', path: ['e'] }, 'e'],
    [{ op: 'push', path: ['a', 'list'], values: [{ n: 3 }, { n: 4 }] }, 'a'],
    [{ op: 'push', path: ['b', 0], values: [3] }, 'b'],
    [{ op: 'assign', path: ['a', 'x'], value: { y: 1, w: [2] } }, 'a'],
    [{ op: 'splice', path: ['a', 'text'], at: 2, remove: 2, insert: 'LL!' }, 'a'],
  ] as [Edit, string][])('%j', (change, name) => {
    const { tracker, slots, s } = track(start());
    const mirror = start();
    edit(s, structuredClone(change));
    edit(mirror, structuredClone(change));
    expect(isDeepStrictEqual(Object.fromEntries(slots.values), mirror)).toBe(true);
    expect(tracker.tracked()).toEqual([name]);
    expect(JSON.stringify(s)).toBe(JSON.stringify(mirror));
  });
});
