import { randomFillSync } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { msgpackCodec } from '../ts/codec/msgpack.ts';
import { jsDiffer } from '../ts/diff/js.ts';
import type { Differ } from '../ts/diff/differ.ts';
import { loadNative } from '../ts/diff/native.ts';
import { defineSession, mutable } from '../ts/session/definition.ts';
import { SessionRepository } from '../ts/session/repository.ts';
import { openStore } from '../ts/store/open.ts';
import { newFolder } from './folders.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const LARGE = 24 * 2 ** 20;
/** What may be kept for the next time. */
const KEPT = 6 * 2 ** 20;

/** Of all that JavaScript can reach, and what its buffers hold. */
function inUse(): number {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** How much more is in use after `run` of a large value than after one of a small; freeing goes on beside us. */
async function keptBy(run: (bytes: number) => unknown): Promise<number> {
  const least = async (enough: number, rounds: number): Promise<number> => {
    let found = inUse();
    for (let i = 0; i < rounds && found > enough; i += 1) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      found = Math.min(found, inUse());
    }
    return found;
  };
  await run(1000);
  const before = await least(0, 5);
  await run(LARGE);
  return (await least(before + KEPT, 100)) - before;
}

const differs: Differ[] = [jsDiffer];
try {
  differs.unshift(loadNative());
} catch {
  // where it is not built, the other is tested alone
}

/** What neither shrinks nor repeats itself. */
const noise = (length: number): Buffer => randomFillSync(Buffer.allocUnsafeSlow(length));

describe('of one large value nothing stays behind', () => {
  it('in the codec', async () => {
    expect(await keptBy((bytes) => void msgpackCodec.encode({ bytes: Buffer.alloc(bytes) }, 'x'))).toBeLessThan(KEPT);
    expect(await keptBy((bytes) => void msgpackCodec.encode(['x'.repeat(bytes)], 'x'))).toBeLessThan(KEPT);
    const decoded = (bytes: number) => void msgpackCodec.decode(msgpackCodec.encode({ b: Buffer.alloc(bytes) }, 'x'));
    expect(await keptBy(decoded)).toBeLessThan(KEPT);
    const damaged = (bytes: number) => {
      const encoded = msgpackCodec.encode([Buffer.alloc(bytes), 1], 'x');
      expect(() => msgpackCodec.decode(encoded.subarray(0, -1))).toThrow();
    };
    expect(await keptBy(damaged)).toBeLessThan(KEPT);
  });

  it.each(differs)('in the differ, $engine', async (differ) => {
    const use = (bytes: number): void => {
      const base = noise(bytes);
      const target = Buffer.from(base).fill(7, bytes >> 1, (bytes >> 1) + 100);
      const delta = differ.diff(base, target);
      differ.apply(base, delta, LARGE);
      differ.applyChain(base, [delta, new Uint8Array(1)], LARGE);
      differ.diff(base.subarray(bytes >> 1), base);
      differ.apply(base, differ.diffSignature(differ.signature(base), target), LARGE);
      differ.chunks(base);
    };
    expect(await keptBy(use)).toBeLessThan(KEPT);
  });

  it.each(['memory:', 'a folder'])('in a repository over %s, closed', async (kind) => {
    const definition = defineSession({ bytes: mutable(() => Buffer.alloc(0)), n: mutable(() => 0) });
    const open = kind === 'memory:' ? undefined : await openStore(newFolder());
    const use = async (bytes: number): Promise<void> => {
      const store = open ?? (await openStore('memory:'));
      const sessions = new SessionRepository({ store, definition, limitBytes: 2 * LARGE, compress: 'off' });
      for (let n = 1; n <= 2; n += 1)
        await sessions.scope('s', (state) => void Object.assign(state, { bytes: noise(bytes), n }), {
          create: {},
        });
      expect((await sessions.read('s'))?.bytes.length).toBe(bytes);
      await sessions.close();
      if (open === undefined) await store.close();
    };
    expect(await keptBy(use)).toBeLessThan(KEPT);
    await open?.close();
  });
});
