import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { HoldfastError, shortId } from '../ts/errors.ts';

const id = 'k7Qw2LmN8xTzR4vB9cYd3FhJ';
const error = new HoldfastError('ERR_CONFLICT', `session '${shortId(id)}': two saves changed cart; open it again`, {
  session: id,
  revision: 4,
  outcome: 'none',
  paths: [['cart', 0]],
  values: [{ card: 'secret' }],
  cause: new HoldfastError('ERR_FENCED', 'inner', { session: id }),
});

describe('an error', () => {
  it('gives what it carries to who asks by name', () => {
    expect(error).toMatchObject({
      code: 'ERR_CONFLICT',
      session: id,
      revision: 4,
      outcome: 'none',
      paths: [['cart', 0]],
      values: [{ card: 'secret' }],
    });
    const { session, values, paths, outcome } = new HoldfastError('ERR_CLOSED', 'x');
    expect([session, values, paths, outcome]).toEqual([undefined, undefined, undefined, undefined]);
  });

  it.each([
    ['inspect', () => inspect(error, { depth: Infinity, showHidden: true })],
    ['inspect inside something', () => inspect({ errors: [error] }, { depth: Infinity })],
    ['JSON', () => JSON.stringify({ error, cause: error.cause })],
    ['String', () => String(error)],
    ['message', () => error.message],
    ['stack', () => String(error.stack)],
    ['spread', () => inspect({ ...error })],
    [
      'keys',
      () => {
        const found: unknown[] = [];
        for (const key in error) found.push(Reflect.get(error, key));
        return inspect(found, { depth: 0 });
      },
    ],
  ])('%s shows neither the id nor a value', (_name, show) => {
    const shown = show();
    expect(shown).not.toContain(id.slice(0, 9));
    expect(shown).not.toContain('secret');
  });

  it('shows what it is about, and no empty fields', () => {
    expect(inspect(error)).toContain(id.slice(0, 8));
    expect(Object.keys(new HoldfastError('ERR_CLOSED', 'x')).toSorted()).toEqual(['code', 'name']);
  });
});

describe('shortId', () => {
  it.each([
    ['', ''],
    ['12345678', '12345678'],
    ['123456789', '12345678…'],
    ['1234567😀9', '1234567😀…'],
    ['😀'.repeat(9), `${'😀'.repeat(8)}…`],
    ['a\nb'.repeat(4), 'a\nba\nba\n…'],
  ])('%j', (whole, short) => {
    expect(shortId(whole)).toBe(short);
    expect(shortId(short)).toBe(short);
  });
});
