import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../ts/errors.ts';
import { findSteps, formatPath, parsePath, showPath } from '../ts/path.ts';
import type { Path } from '../ts/path.ts';

const name = fc.oneof(
  fc.constantFrom(
    '',
    'cart',
    '__proto__',
    'größe',
    '$',
    '0',
    '-1',
    'a.b',
    'a]b',
    '"',
    '\\',
    'a name',
    'get("k")',
    '\n',
    '\ud800',
  ),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
);
const path: fc.Arbitrary<Path> = fc
  .tuple(name, fc.array(fc.oneof(name, fc.maxSafeNat())))
  .map(([first, rest]) => [first, ...rest]);

describe('paths as text', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(path, (steps) => void expect(parsePath(formatPath(steps))).toEqual(steps)),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['cart.items[3].price', ['cart', 'items', 3, 'price']],
    ['["a name"]["x"].y[0]', ['a name', 'x', 'y', 0]],
    ['a["\\u0041"]', ['a', 'A']],
  ] as [string, Path][])('%s', (text, steps) => expect(parsePath(text)).toEqual(steps));

  it.each([
    [['cart', 'items', 3, 'total'], 'cart.items[3].total'],
    [['a name', 'b', '3'], '["a name"].b["3"]'],
    [['m', { kind: 'map value', index: 1, key: 'k' }, 'x'], 'm.get("k").x'],
    [['m', { kind: 'map value', index: 1, key: NaN }], 'm.get(NaN)'],
    [['m', { kind: 'map value', index: 1 }], 'm.values()[1]'],
    [['m', { kind: 'map key', index: 1 }], 'm.keys()[1]'],
    [['s', { kind: 'set element', index: 2 }], 's.values()[2]'],
    [[], ''],
  ] as [Path, string][])('%j is written %s', (steps, text) => expect(formatPath(steps)).toBe(text));

  it.each([
    ['', 0],
    ['.a', 0],
    ['a.', 2],
    ['a..b', 2],
    ['a.3', 2],
    ['a b', 1],
    ['[0].a', 1],
    ['3', 0],
    ['a[', 2],
    ['a[]', 2],
    ['a[-1]', 2],
    ['a[01]', 3],
    ['a[1.5]', 3],
    ['a[1', 3],
    ['a[9007199254740993]', 2],
    ['a["b]', 2],
    ['a["b"', 5],
    ["a['b']", 2],
    ['a["\\x"]', 2],
    ['a[1]b', 4],
    ['m.get("k")', 5],
    ['s.values()[0]', 8],
    [' a', 0],
  ] as [string, number][])('%j is refused at offset %i', (text, offset) => {
    expect(() => parsePath(text)).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID',
        message: expect.stringContaining(`at offset ${offset}:`) as string,
      }),
    );
  });

  it('what are no steps cannot be written', () => {
    for (const path of ['a.b', undefined, { 0: 'a' }, [null], ['a', {}], [['a']], [Symbol('a')]])
      expect(() => formatPath(path as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID' }));
  });

  it('anything else gives a path or our own error; no long input is echoed', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '.', '[', ']', '"', '\\', '0', '7', ' ') }), (text) => {
        try {
          expect(formatPath(parsePath(formatPath(parsePath(text))))).toBe(formatPath(parsePath(text)));
        } catch (error) {
          if (!(error instanceof HoldfastError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
    expect(() => parsePath(`${'a'.repeat(100_000)} `)).toThrow(/^.{1,300}$/);
    expect(() => parsePath(3 as unknown as string)).toThrow(HoldfastError);
  });
});

describe('showPath', () => {
  it('is formatPath, but for the middle of what is long', () => {
    const path = ['cart', 'items', 3, 'a name'];
    expect(showPath(path)).toBe(formatPath(path));
    const long = ['first', ...Array.from({ length: 1_000 }, () => 'o'), 'last'];
    expect(showPath(long)).toMatch(/^first\.o(\.o)*\.?…\.?(o\.)+last$/);
    expect(showPath(long).length).toBe(201);
    const shown = showPath(['a'.repeat(99) + '💥'.repeat(100)]);
    expect([shown.length <= 201, shown.isWellFormed()]).toEqual([true, true]);
  });
});

describe('findSteps', () => {
  it("carries no values but a Map's names", () => {
    const sought = {};
    const secret = { secret: 1 };
    expect(
      findSteps(
        {
          a: [
            new Map<unknown, unknown>([
              [secret, 1],
              ['k', [sought]],
            ]),
          ],
        },
        sought,
      ),
    ).toEqual(['a', 0, { kind: 'map value', index: 1, key: 'k' }, 0]);
    expect(findSteps(new Map([[secret, sought]]), sought)).toEqual([{ kind: 'map value', index: 0 }]);
    expect(findSteps(new Map([[sought, 1]]), sought)).toEqual([{ kind: 'map key', index: 0 }]);
    expect(findSteps(new Set([secret, sought]), sought)).toEqual([{ kind: 'set element', index: 1 }]);
    expect(findSteps([secret], sought)).toBeUndefined();
  });
});
