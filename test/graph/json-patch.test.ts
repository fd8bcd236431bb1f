import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apply, fromJsonPatch, toJsonPatch, type JsonPatchOperation } from '../../ts/graph.ts';
import { jsonValue } from '../codec/values.ts';

type Patch = readonly JsonPatchOperation[];

/** Who else reads and writes JSON Patch. `make` undefined: it only reads. */
interface Oracle {
  readonly name: string;
  readonly make?: (base: unknown, target: unknown) => Patch;
  readonly apply: (base: unknown, patch: Patch) => unknown;
}

/** Written by the words of RFC 6902, on a copy in JSON. */
function applyPlainly(base: unknown, patch: Patch): unknown {
  const holder: { '': unknown } = { '': JSON.parse(JSON.stringify(base)) as unknown };
  const place = (pointer: string): [Record<string, unknown>, string] => {
    const steps = pointer.split('/').map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = steps.pop()!;
    return [
      steps.reduce<unknown>((at, step) => (at as Record<string, unknown>)[step], holder) as Record<string, unknown>,
      last,
    ];
  };
  const add = (pointer: string, value: unknown): void => {
    const [at, step] = place(pointer);
    if (Array.isArray(at)) at.splice(step === '-' ? at.length : Number(step), 0, value);
    else at[step] = value;
  };
  const remove = (pointer: string): unknown => {
    const [at, step] = place(pointer);
    const value = at[step];
    if (Array.isArray(at)) at.splice(Number(step), 1);
    else delete at[step];
    return value;
  };
  for (const operation of structuredClone(patch) as Patch) {
    if (operation.op === 'add') add(operation.path, operation.value);
    else if (operation.op === 'remove') remove(operation.path);
    else if (operation.op === 'move') add(operation.path, remove(operation.from));
    else if (operation.op === 'replace') {
      const [at, step] = place(operation.path);
      at[step] = operation.value;
    } else throw new Error(`${operation.op} is not expected here`);
  }
  return holder[''];
}

/** The contenders of the bench, where they are installed. */
async function oracles(): Promise<readonly Oracle[]> {
  const plain: Oracle = { name: 'the RFC', apply: applyPlainly };
  const bench = fileURLToPath(new URL('../../bench/package.json', import.meta.url));
  const require = createRequire(bench);
  const found: Oracle[] = [plain];
  if (existsSync(fileURLToPath(new URL('../../bench/node_modules/fast-json-patch', import.meta.url)))) {
    const fast = require('fast-json-patch') as {
      compare(base: unknown, target: unknown): Patch;
      applyPatch(base: unknown, patch: Patch): { newDocument: unknown };
    };
    const applyFast = (base: unknown, patch: Patch): unknown =>
      fast.applyPatch(structuredClone(base), structuredClone(patch) as Patch).newDocument;
    found.push({ name: 'fast-json-patch', make: (base, target) => fast.compare(base, target), apply: applyFast });
  }
  if (existsSync(fileURLToPath(new URL('../../bench/node_modules/rfc6902', import.meta.url)))) {
    const rfc = (await import(pathToFileURL(require.resolve('rfc6902')).href)) as {
      createPatch(base: unknown, target: unknown): Patch;
      applyPatch(base: unknown, patch: Patch): readonly (Error | null)[];
    };
    const inside = (pointer: string): string => `/v${pointer}`;
    const applyRfc = (base: unknown, patch: Patch): unknown => {
      const holder = { v: structuredClone(base) };
      const moved = structuredClone(patch).map((one) => ({
        ...one,
        path: inside(one.path),
        ...('from' in one ? { from: inside(one.from) } : {}),
      }));
      for (const error of rfc.applyPatch(holder, moved)) if (error !== null) throw error;
      return holder.v;
    };
    found.push({ name: 'rfc6902', make: (base, target) => rfc.createPatch(base, target), apply: applyRfc });
  }
  return found;
}

const known = await oracles();

/** Two values of JSON, the other of which may share much with the one. fast-json-patch takes no root that is no object. */
const pair: fc.Arbitrary<[{ v: unknown }, { v: unknown }]> = fc
  .tuple(fc.array(jsonValue, { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 6 }), jsonValue)
  .map(([list, numbers, other]) => {
    const edited = structuredClone(list);
    numbers.forEach((number, n) => {
      const at = number % (edited.length + 1);
      if (n % 3 === 0) edited.splice(at, 1);
      else if (n % 3 === 1) edited.splice(at, 0, ...edited.splice(0, 1));
      else edited.splice(at, 0, n === 2 ? structuredClone(other) : { n });
    });
    return [{ v: list }, { v: edited }];
  });

const hasProto = (value: unknown): boolean => JSON.stringify(value).includes('"__proto__"');

describe('a JSON Patch', () => {
  it.each(known)('of ours makes the target, by $name', ({ apply: applyTheirs }) => {
    fc.assert(
      fc.property(
        fc.oneof(pair, fc.tuple(fc.record({ v: jsonValue }), fc.record({ v: jsonValue }))),
        ([base, target]) => {
          fc.pre(!hasProto([base, target]));
          const plain = JSON.parse(JSON.stringify([base, target])) as [unknown, unknown];
          expect(applyTheirs(plain[0], toJsonPatch(plain[0], plain[1]))).toEqual(plain[1]);
        },
      ),
      { numRuns: 200 },
    );
  });

  it.each(known.filter(({ make }) => make !== undefined))('of $name makes the target here', ({ make }) => {
    fc.assert(
      fc.property(pair, ([base, target]) => {
        fc.pre(!hasProto([base, target]));
        const plain = JSON.parse(JSON.stringify([base, target])) as [unknown, unknown];
        const patch = make!(plain[0], plain[1]);
        expect(apply(plain[0], fromJsonPatch(plain[0], patch))).toEqual(plain[1]);
      }),
      { numRuns: 200 },
    );
  });

  it('comes back as the same target', () => {
    fc.assert(
      fc.property(jsonValue, jsonValue, (one, other) => {
        const [base, target] = JSON.parse(JSON.stringify([one, other])) as [unknown, unknown];
        expect(apply(base, fromJsonPatch(base, toJsonPatch(base, target)))).toEqual(target);
      }),
      { numRuns: 100 },
    );
  });

  it('says add, remove, replace and move', () => {
    const base = { a: 1, 'b/c~d': [1, 2, 3, 4], gone: true, text: 'a text that is long enough for a splice' };
    const target = { a: 2, 'b/c~d': [4, 1, 3, 9], text: 'a text that is long enough for an edit', fresh: { x: null } };
    expect(toJsonPatch(base, target)).toEqual([
      { op: 'remove', path: '/gone' },
      { op: 'replace', path: '/a', value: 2 },
      { op: 'remove', path: '/b~1c~0d/1' },
      { op: 'move', from: '/b~1c~0d/2', path: '/b~1c~0d/0' },
      { op: 'add', path: '/b~1c~0d/3', value: 9 },
      { op: 'replace', path: '/text', value: target.text },
      { op: 'add', path: '/fresh', value: { x: null } },
    ]);
    expect(toJsonPatch(1, 2)).toEqual([{ op: 'replace', path: '', value: 2 }]);
    expect(toJsonPatch({ a: 1, b: 2 }, { b: 2, a: 1 })).toEqual([]);
    const long = Array.from({ length: 2_500 }, (_, n) => `n${n}`);
    expect(toJsonPatch({ long }, { long: long.toReversed() })).toEqual([
      { op: 'replace', path: '/long', value: long.toReversed() },
    ]);
  });

  it('is refused for what JSON does not have, by its path', () => {
    for (const value of [undefined, Number.NaN, Infinity, 1n, new Map(), new Date(0), new Uint8Array(1), [[undefined]]])
      expect(() => toJsonPatch({ a: 0 }, { a: value })).toThrow(
        /^target\.a.* is .*, which JSON does not have: use diff/,
      );
    expect(() => toJsonPatch(new Map([['k', 1]]), new Map([['k', 2]]))).toThrow(/a place in a Map or Set/);
    expect(() => toJsonPatch(new Set([1]), new Set([2]))).toThrow(/a Map or Set/);
  });

  const made = (base: unknown, ...patch: readonly unknown[]): unknown =>
    apply(base, fromJsonPatch(base, patch as Patch));
  const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error;

  it('is read with all of its operations', () => {
    expect(made({ a: [1] }, { op: 'add', path: '/a/-', value: 2 }, { op: 'copy', from: '/a', path: '/b' })).toEqual({
      a: [1, 2],
      b: [1, 2],
    });
    expect(made({ a: { x: 1, y: 2 } }, { op: 'test', path: '/a', value: { y: 2, x: 1 } })).toEqual({
      a: { x: 1, y: 2 },
    });
    expect(made({ a: 1 }, { op: 'move', from: '/a', path: '/a' })).toEqual({ a: 1 });
    expect(made({ a: 1 }, { op: 'replace', path: '', value: [] })).toEqual([]);
    expect(made({ '': { '': 1 } }, { op: 'replace', path: '//', value: 2 })).toEqual({ '': { '': 2 } });
    const base = { a: { b: [1] } };
    expect(made(base, { op: 'add', path: '/a/b/0', value: 0 }, { op: 'remove', path: '/a/b/1' })).toEqual({
      a: { b: [0] },
    });
    expect(base).toEqual({ a: { b: [1] } });
    const shared = { s: 1 };
    expect(made({}, { op: 'add', path: '/x', value: shared }, { op: 'add', path: '/y', value: shared })).toEqual({
      x: shared,
      y: shared,
    });
  });

  it('that does not fit the base is a conflict', () => {
    for (const operation of [
      { op: 'test', path: '/a', value: 2 },
      { op: 'remove', path: '/b' },
      { op: 'replace', path: '/b', value: 1 },
      { op: 'add', path: '/b/c', value: 1 },
      { op: 'add', path: '/a/c', value: 1 },
      { op: 'add', path: '/list/2', value: 1 },
      { op: 'add', path: '/list/01', value: 1 },
      { op: 'remove', path: '/list/-' },
      { op: 'remove', path: '/list/length' },
      { op: 'copy', from: '/toString', path: '/b' },
      { op: 'add', path: '/__proto__/polluted', value: 1 },
      { op: 'add', path: '/constructor/prototype/polluted', value: 1 },
    ])
      expect(() => made({ a: 1, list: [1] }, operation), JSON.stringify(operation)).toThrow(code('ERR_CONFLICT'));
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    const proto = made({}, { op: 'add', path: '/__proto__', value: { polluted: 1 } }) as { polluted?: unknown };
    expect([Object.keys(proto), proto.polluted]).toEqual([['__proto__'], undefined]);
  });

  it('that is none is told, and one that makes much of little is stopped', () => {
    for (const operation of [
      1,
      null,
      {},
      { op: 'grow', path: '' },
      { op: 'add', path: '/a' },
      { op: 'add', path: 'a', value: 1 },
      { op: 'add', path: '/~2', value: 1 },
      { op: 'move', from: '/a', path: '/a/b' },
      { op: 'copy', path: '/b' },
    ])
      expect(() => made({ a: {} }, operation), JSON.stringify(operation)).toThrow(code('ERR_INVALID'));
    expect(() => fromJsonPatch({}, {} as Patch)).toThrow('the patch must be an array of operations');
    const doubling = Array.from({ length: 60 }, (_, n) => ({ op: 'copy', from: '', path: `/c${n}` }));
    expect(() => fromJsonPatch({ a: 1 }, doubling as Patch, { limitBytes: 100_000 })).toThrow(code('ERR_LIMIT'));
  });
});
