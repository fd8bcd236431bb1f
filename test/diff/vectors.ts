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

function rows(file: string): string[][] {
  const text = readFileSync(new URL(`../vectors/${file}`, import.meta.url), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => line.split('\t'));
}

export function readVectors(): Vector[] {
  return rows('delta.tsv').map((row) => {
    const [name, base, target, delta] = row as [string, string, string, string];
    return { name, base: describedBytes(base), target: describedBytes(target), delta: Buffer.from(delta, 'hex') };
  });
}

/** A golden signature and a delta made from it. */
export interface SignatureVector extends Vector {
  readonly chunkBytes: number;
  readonly signature: Buffer;
}

export function readSignatureVectors(): SignatureVector[] {
  return rows('signature.tsv').map((row) => {
    const [name, chunkBytes, base, target, signature, delta] = row as [string, string, string, string, string, string];
    const bytes = { base: describedBytes(base), target: describedBytes(target) };
    return {
      name,
      chunkBytes: Number(chunkBytes),
      ...bytes,
      signature: Buffer.from(signature, 'hex'),
      delta: Buffer.from(delta, 'hex'),
    };
  });
}
