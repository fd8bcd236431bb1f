import { describe, expect, it } from 'vitest';
import { runProgram } from './programs.ts';

const PROGRAMS = Number(process.env['HOLDFAST_PROGRAMS'] ?? 2_500);

describe('bytes put together from what was written', () => {
  it('are those of encoding the whole, for random programs of writes and saves', { timeout: 50 * PROGRAMS }, () => {
    let spliced = 0;
    let whole = 0;
    let shared = 0;
    for (let seed = 1; seed <= PROGRAMS; seed += 1) {
      const outcome = runProgram(seed);
      spliced += outcome.spliced;
      whole += outcome.whole;
      shared += outcome.shared;
    }
    // Else this would show nothing.
    expect(spliced).toBeGreaterThan(PROGRAMS);
    expect(whole).toBeGreaterThan(0);
    expect(shared).toBeGreaterThan(PROGRAMS / 25);
  });
});
