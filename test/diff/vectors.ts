import { readFileSync } from 'node:fs';
import { randomBytes, seeded } from './pairs.ts';

/** A golden delta; `test/vectors/delta.tsv` says how its bytes are written down. */
export interface Vector {
  readonly name: string;
  readonly base: Buffer;
  readonly target: Buffer;
  readonly delta: Buffer;
}

function part(text: string): Buffer {
  const match = /^(?:([0-9a-f]*)|r(\d+):(\d+))(?:@(\d+)\.\.(\d+))?(?:\*(\d+))?$/.exec(text);
  if (match === null) throw new Error(`not a part of a vector: ${text}`);
  const [, hex, seed, length, from, to, count] = match;
  const whole = hex === undefined ? randomBytes(seeded(Number(seed)), Number(length)) : Buffer.from(hex, 'hex');
  const bytes = from === undefined ? whole : whole.subarray(Number(from), Number(to));
  return bytes.length === 0 ? bytes : Buffer.alloc(bytes.length * Number(count ?? 1), bytes);
}

/** The bytes that a description stands for. */
export function describedBytes(text: string): Buffer {
  return Buffer.concat(text.split('+').map(part));
}

export function readVectors(): Vector[] {
  const text = readFileSync(new URL('../vectors/delta.tsv', import.meta.url), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const [name, base, target, delta] = line.split('\t') as [string, string, string, string];
    return { name, base: describedBytes(base), target: describedBytes(target), delta: Buffer.from(delta, 'hex') };
  });
}
