import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runInThisContext } from 'node:vm';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../ts/clock.ts';
import { systemEntropy } from '../../ts/entropy.ts';
import { watchEscapes } from '../../ts/simulation/escapes.ts';

const sources = fileURLToPath(new URL('../../ts/', import.meta.url));
let stop = (): void => undefined;
afterEach(() => stop());

function watched(touch: () => void): string[] {
  const seen: string[] = [];
  stop = watchEscapes((escape) => seen.push(escape));
  touch();
  stop();
  return seen;
}

/** Runs as if it stood in a file of the product. */
const inProduct = (code: string, file = 'session/made-up.ts'): unknown =>
  runInThisContext(code, { filename: `${sources}${file}` });

describe('the watch over real time and chance', () => {
  it('sees the system clock and the system entropy, and says where', () => {
    const seen = watched(() => {
      systemClock.now();
      systemClock.monotonic();
      systemClock.after(0, () => undefined)();
      systemEntropy.fill(new Uint8Array(4));
    });
    expect(seen.map((line) => line.replace(/:.*/, ''))).toEqual([
      'Date.now by clock.ts',
      'process.hrtime.bigint by clock.ts',
      'setTimeout by clock.ts',
      'crypto.randomFillSync by entropy.ts',
    ]);
  });

  it.each([
    ['setImmediate(() => 0)', 'setImmediate'],
    ['clearInterval(setInterval(() => 0, 1))', 'setInterval'],
    ['Math.random()', 'Math.random'],
    ['performance.now()', 'performance.now'],
    ['process.hrtime()', 'process.hrtime'],
    ['process.uptime()', 'process.uptime'],
    ['AbortSignal.timeout(1)', 'AbortSignal.timeout'],
    ['crypto.getRandomValues(new Uint8Array(1))', 'webcrypto.getRandomValues'],
    ['crypto.randomUUID()', 'webcrypto.randomUUID'],
    ["process.getBuiltinModule('node:crypto').randomBytes(1)", 'crypto.randomBytes'],
  ])('sees %s', (code, name) => {
    expect(watched(() => inProduct(code)).map((line) => line.replace(/:\d+$/, ''))).toEqual([
      `${name} by session/made-up.ts:1`,
    ]);
  });

  it('lets the simulation, the runner and everybody else through, and goes on giving real values', () => {
    const before = Date.now();
    let during = 0;
    expect(
      watched(() => {
        during = Date.now();
        inProduct('Math.random()', 'simulation/made-up.ts');
      }),
    ).toEqual([]);
    expect(during).toBeGreaterThanOrEqual(before);
  });

  it('puts everything back', () => {
    const real = [Date.now, Math.random, setTimeout, process.hrtime, process.hrtime.bigint];
    watched(() => undefined);
    expect([Date.now, Math.random, setTimeout, process.hrtime, process.hrtime.bigint]).toEqual(real);
  });

  it('cannot see `new Date()`, which no source has where time is injected', () => {
    const files = readdirSync(sources, { recursive: true, encoding: 'utf8' }).filter(
      (file) => file.endsWith('.ts') && !/^(?:cli|demo)\//.test(file),
    );
    expect(files.length).toBeGreaterThan(50);
    expect(
      files.filter((file) =>
        /new Date\(\)|\bDate\(\)/.test(readFileSync(`${sources}${file}`, 'utf8').replaceAll(/^.*(?:\*|\/\/).*$/gm, '')),
      ),
    ).toEqual([]);
  });
});
