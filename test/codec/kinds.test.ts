import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { HoldfastError } from '../../ts/errors.ts';
// @ts-expect-error -- plain JavaScript, which another process runs as it is
import { KINDS as kinds, isSame as same } from './kinds.mjs';

type Make = () => unknown;
const KINDS = kinds as [name: string, make: Make, options?: { readonly clone?: Make }][];
const isSame = same as (a: unknown, b: unknown) => boolean;

/** What does not come back equal: what is refused, and what comes back as something else. The README lists them. */
const REFUSED = ['instance of a plain class', 'object with an inherited property', 'Blob', 'Error as its own cause'];
const OTHER = [
  'array with a named property',
  'resizable ArrayBuffer',
  'two views of one ArrayBuffer',
  'one Date twice',
  'one ArrayBuffer twice',
];

describe('of the kinds that structured clone keeps', () => {
  it('at least 80 of at least 85 come back equal from another process, and give the same bytes there', () => {
    const written = KINDS.flatMap(([name, make], index) =>
      REFUSED.includes(name) ? [] : [[index, Buffer.from(msgpackCodec.encode(make(), 'value')).toString('hex')]],
    );
    const reader = new URL('kinds-read.mjs', import.meta.url);
    const output = execFileSync(process.execPath, [reader.pathname], {
      input: JSON.stringify(written),
      encoding: 'utf8',
    });
    const results = JSON.parse(output) as [index: number, isEqual: boolean, isWrittenAlike: boolean][];
    expect(results.filter(([, , isWrittenAlike]) => !isWrittenAlike).map(([index]) => KINDS[index]![0])).toEqual([]);
    expect(results.filter(([, isEqual]) => !isEqual).map(([index]) => KINDS[index]![0])).toEqual(OTHER);
    expect(KINDS.length).toBeGreaterThanOrEqual(85);
    expect(results.length - OTHER.length).toBeGreaterThanOrEqual(80);
    console.log(`${results.length - OTHER.length} of ${KINDS.length} kinds came back equal`);
  });

  it.each(KINDS.filter(([name]) => REFUSED.includes(name)))('%s is refused, with its path', (_name, make) => {
    const error = (() => {
      try {
        return void msgpackCodec.encode({ a: [make()] }, 'value');
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(HoldfastError);
    expect([(error as HoldfastError).code, (error as HoldfastError).message.slice(0, 10)]).toEqual([
      'ERR_INVALID',
      'value.a[0]',
    ]);
  });

  it('the comparison knows each from all others', () => {
    const alike = KINDS.flatMap(([name, make], i) =>
      KINDS.filter(([, other], j) => isSame(make(), other()) !== (i === j)).map(([other]) => [name, other]),
    );
    expect(alike).toEqual([]);
  });

  it('the README lists each miss', () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    for (const words of ['resizable', 'views of one', 'named properties of arrays', 'Blob', 'own cause'])
      expect(readme).toContain(words);
  });
});
