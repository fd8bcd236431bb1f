import { afterEach, describe, expect, it, vi } from 'vitest';

const machineMs = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;

function busy(ms: number): void {
  for (const end = machineMs() + ms; machineMs() < end;);
}

afterEach(() => vi.restoreAllMocks());

describe('the monotonic clock', () => {
  it.each([
    ['before', true],
    ['after', false],
  ])("is the machine's, also where the process was held up %s a read of it at its start", async (_, before) => {
    const real = process.hrtime.bigint.bind(process.hrtime);
    const spy = vi.spyOn(process.hrtime, 'bigint').mockImplementationOnce(() => {
      spy.mockImplementation(real);
      const read = real();
      busy(40);
      return before ? real() : read;
    });
    vi.resetModules();
    const { systemClock } = await import('../ts/clock.ts');
    vi.restoreAllMocks();
    const off = Array.from({ length: 20 }, () => {
      const from = machineMs();
      const told = systemClock.monotonic();
      return Math.max(from - told, told - machineMs());
    });
    expect(Math.min(...off)).toBeLessThan(2);
  });
});
