import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { engines, js } from './engines.ts';
import { makePair, randomBytes, seeded } from './pairs.ts';

describe('content-defined chunks', () => {
  it('are the same by every engine, without gaps, within their bounds', () => {
    const input = fc.property(fc.integer(), fc.integer({ min: 8, max: 13 }), (seed, bits) => {
      const [bytes] = makePair(seeded(seed), 60_000);
      const averageBytes = 2 ** bits;
      const [chunks, ...others] = engines.map((engine) => engine.chunks(bytes, { averageBytes }));
      for (const other of others) expect(other).toEqual(chunks);
      let offset = 0;
      for (const chunk of chunks!) {
        if (chunk.offset !== offset || chunk.length > 8 * averageBytes) throw new Error('a gap, or a chunk too long');
        offset += chunk.length;
        if (chunk.length < averageBytes / 4 && offset < bytes.length) throw new Error('a chunk too short');
      }
      expect(offset).toBe(bytes.length);
    });
    fc.assert(input, { numRuns: 300 });
  });

  it('show what two byte strings share', () => {
    const bytes = randomBytes(seeded(1), 400_000);
    const edited = Buffer.concat([
      bytes.subarray(0, 100_000),
      Buffer.from('inserted'),
      bytes.subarray(100_000, 300_000),
      bytes.subarray(300_100),
    ]);
    const known = new Set(js.chunks(bytes).map((chunk) => chunk.hash));
    const all = js.chunks(edited);
    expect(all.length).toBeGreaterThan(30);
    expect(all.filter((chunk) => !known.has(chunk.hash)).length).toBeLessThanOrEqual(6);
  });

  it('have hashes that other tools compute', () => {
    for (const engine of engines) {
      expect(engine.chunks(Buffer.alloc(0))).toEqual([]);
      expect(engine.chunks(Buffer.from('a'))).toEqual([{ offset: 0, length: 1, hash: 0xe6c632b61e964e1fn }]);
    }
  });

  it('take only what they should', () => {
    for (const engine of engines) {
      for (const averageBytes of [0, 128, 1000, 2 ** 21, Number.NaN])
        expect(() => engine.chunks(Buffer.alloc(9), { averageBytes })).toThrow(/power of two/);
      expect(() => engine.chunks('text' as unknown as Uint8Array)).toThrow(/Uint8Array/);
    }
  });
});
