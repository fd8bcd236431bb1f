import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { diff, diffSignature, fromVcdiff, signature, toVcdiff } from '../../ts/delta.ts';
import { readVcdiff } from '../../ts/diff/vcdiff-reader.ts';
import { HoldfastError } from '../../ts/errors.ts';
import { makePair, randomBytes, seeded } from './pairs.ts';

const LIMIT = 1 << 25;
const require = createRequire(import.meta.url);
const ably = require('@ably/vcdiff-decoder') as { decode(delta: Uint8Array, source: Uint8Array): Uint8Array };

const hasXdelta3 = spawnSync('xdelta3', ['-V']).error === undefined;
const WHY = hasXdelta3 ? 'installed' : 'xdelta3 is not installed';
const folder = mkdtempSync(join(tmpdir(), 'holdfast-vcdiff-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs xdelta3 on two files; what it writes. */
function xdelta3(args: string[], base: Uint8Array, input: Uint8Array): Buffer {
  const [from, to, out] = ['base', 'input', 'output'].map((name) => join(folder, name)) as [string, string, string];
  writeFileSync(from, base);
  writeFileSync(to, input);
  const { status, stderr } = spawnSync('xdelta3', [...args, '-f', '-s', from, to, out], { encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  return readFileSync(out);
}

function pairs(count: number, scale: number): [Buffer, Buffer][] {
  return Array.from({ length: count }, (_, seed) => makePair(seeded(seed + 100), scale));
}

function same(found: Uint8Array, wanted: Uint8Array): void {
  if (Buffer.compare(found, wanted) !== 0)
    throw new Error(`${found.length} bytes are not the ${wanted.length} expected`);
}

function codeOf(run: () => unknown): string {
  try {
    run();
    return 'none';
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return error.code;
  }
}

describe('VCDIFF', () => {
  it('comes back as the delta that diff makes', () => {
    const pair = fc.property(fc.integer(), fc.boolean(), (seed, checksum) => {
      const [base, target] = makePair(seeded(seed), 2_000);
      const delta = diff(base, target);
      same(fromVcdiff(base, toVcdiff(base, delta, LIMIT, { checksum }), target.length), delta);
      const blind = diffSignature(signature(base, { chunkBytes: 64 }), target);
      same(fromVcdiff(base, toVcdiff(base, blind, LIMIT, { checksum }), target.length), delta);
    });
    fc.assert(pair, { numRuns: 2_000 });
  });

  it('is read by a decoder from npm, which takes no empty base', () => {
    for (const [base, target] of [...pairs(300, 1_000), ...pairs(30, 50_000)]) {
      if (base.length > 0) same(ably.decode(toVcdiff(base, diff(base, target), LIMIT), base), target);
    }
  });

  it.skipIf(!hasXdelta3)(`is read by xdelta3, with and without checksums (${WHY})`, () => {
    for (const [i, [base, target]] of [...pairs(60, 3_000), ...pairs(10, 200_000)].entries()) {
      same(xdelta3(['-d'], base, toVcdiff(base, diff(base, target), LIMIT, { checksum: i % 2 === 0 })), target);
    }
  });

  it.skipIf(!hasXdelta3)(`takes more than one window (${WHY})`, () => {
    const base = randomBytes(seeded(1), 1_000_000);
    const target = Buffer.concat([
      ...Array.from({ length: 18 }, () => base),
      Buffer.alloc(200_000, 7),
      base.subarray(7),
    ]);
    const vcdiff = toVcdiff(base, diff(base, target), LIMIT, { checksum: true });
    same(xdelta3(['-d'], base, vcdiff), target);
    same(readVcdiff(base, vcdiff, target.length), target);
    expect(() => readVcdiff(base, vcdiff, target.length - 1)).toThrow(/limit/);
  });

  it.skipIf(!hasXdelta3)(`of xdelta3 is read (${WHY})`, () => {
    for (const [i, [base, target]] of [...pairs(60, 3_000), ...pairs(10, 200_000)].entries()) {
      const args = ['-e', '-S', 'none', ...(i % 2 === 0 ? ['-n'] : []), ...(i % 3 === 0 ? ['-A'] : [])];
      const vcdiff = xdelta3(args, base, target);
      same(readVcdiff(base, vcdiff, target.length), target);
      same(fromVcdiff(base, vcdiff, target.length), diff(base, target));
    }
  });

  it('may copy what it makes, overlapping, and from the target', () => {
    const header = [0xd6, 0xc3, 0xc4, 0, 0];
    const overlap = [...header, 0, 10, 8, 0, 2, 2, 1, 0x61, 0x62, 3, 22, 0];
    expect(readVcdiff(Buffer.alloc(0), Buffer.from(overlap), 8).toString()).toBe('abababab');
    const again = [...overlap, 2, 4, 1, 7, 4, 0, 0, 1, 1, 20, 0];
    expect(readVcdiff(Buffer.alloc(0), Buffer.from(again), 12).toString()).toBe('ababababbaba');
    expect(codeOf(() => readVcdiff(Buffer.alloc(0), Buffer.from(again), 11))).toBe('ERR_LIMIT');
  });

  it('that is damaged or not supported is refused, or taken for another, but never breaks', () => {
    const [base, target] = [randomBytes(seeded(1), 900), randomBytes(seeded(2), 300)];
    const good = Buffer.from(
      toVcdiff(base, diff(base, Buffer.concat([base.subarray(300), target, base])), LIMIT, { checksum: true }),
    );
    for (let length = 0; length < good.length; length++) {
      const code = codeOf(() => fromVcdiff(base, good.subarray(0, length), LIMIT));
      if (length !== 5) expect(code).toBe('ERR_CORRUPT');
    }
    const damage = fc.property(fc.integer(), (seed) => {
      const random = seeded(seed);
      const bad = Buffer.from(good);
      for (let i = 1 + random(3); i > 0; i--) bad[random(40)] = random(256);
      if (bad.equals(good)) return;
      expect(['ERR_CORRUPT', 'ERR_LIMIT', 'none']).toContain(codeOf(() => readVcdiff(base, bad, 1 << 16)));
    });
    fc.assert(damage, { numRuns: 5_000 });
    for (const indicator of [1, 2, 8]) {
      const other = Buffer.from(good);
      other[4] = indicator;
      expect(codeOf(() => fromVcdiff(base, other, LIMIT))).toBe('ERR_CORRUPT');
    }
    const foreign = Buffer.from(base);
    foreign[500]! ^= 1;
    expect(codeOf(() => fromVcdiff(foreign, good, LIMIT))).toBe('ERR_CORRUPT');
    expect(codeOf(() => fromVcdiff(base, good, -1))).toBe('ERR_INVALID');
    expect(codeOf(() => fromVcdiff(base, 'text' as unknown as Uint8Array, 1))).toBe('ERR_INVALID');
    expect(codeOf(() => toVcdiff(base, Buffer.from([9]), LIMIT))).toBe('ERR_CORRUPT');
    expect(codeOf(() => toVcdiff(base, diff(base, target), 299))).toBe('ERR_LIMIT');
  });
});
