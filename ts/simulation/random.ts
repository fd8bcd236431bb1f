import { createHash } from 'node:crypto';

/** From 0 up to, but without, 1. */
export type Random = () => number;

/**
 * sfc32 (Chris Doty-Humphrey, PractRand). Each name has a stream of its own: what one part of a run draws does not move
 * the others.
 */
export function randomFrom(seed: number, name: string): Random {
  const start = createHash('sha256').update(`${seed}/${name}`).digest();
  let [a, b, c, counter] = [start.readInt32LE(0), start.readInt32LE(4), start.readInt32LE(8), 1];
  return () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)] as T;
}
