import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as format from '../../ts/diff/format.ts';
import { engines } from './engines.ts';
import { readSignatureVectors, readVectors } from './vectors.ts';

const vectors = readVectors();

describe.each(engines)('golden deltas, $engine', (engine) => {
  it.each(vectors)('$name', ({ base, target, delta }) => {
    expect(Buffer.from(engine.diff(base, target)).toString('hex')).toBe(delta.toString('hex'));
    expect(Buffer.compare(engine.apply(base, delta, target.length), target)).toBe(0);
  });
});

describe.each(engines)('golden signatures, $engine', (engine) => {
  it.each(readSignatureVectors())('$name', ({ base, chunkBytes, target, signature, delta }) => {
    expect(Buffer.from(engine.signature(base, { chunkBytes })).toString('hex')).toBe(signature.toString('hex'));
    expect(Buffer.from(engine.diffSignature(signature, target)).toString('hex')).toBe(delta.toString('hex'));
    expect(Buffer.compare(engine.apply(base, delta, target.length), target)).toBe(0);
  });
});

it('FORMAT.md has the numbers of the code', () => {
  const page = readFileSync(new URL('../../crates/delta/FORMAT.md', import.meta.url), 'utf8');
  const section = page.split('\n## ').find((part) => part.startsWith('Delta\n'))!;
  const table = section.split('### Numbers of the format')[1]!;
  const rows = [...table.matchAll(/^\| `(\w+)` \| (\w+) \|$/gm)].map(([, name, value]) => [name, Number(value)]);
  const code = Object.entries(format).filter(([, value]) => typeof value === 'number');
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(code));
});
