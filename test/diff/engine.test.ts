import { afterEach, describe, expect, it, vi } from 'vitest';
import * as delta from '../../ts/delta.ts';
import { loadDiffer } from '../../ts/diff/engine.ts';
import { HoldfastError, type ErrorCode } from '../../ts/errors.ts';
import { SKIP_REASON, native } from './engines.ts';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  vi.resetModules();
  vi.doUnmock('../../ts/diff/native.ts');
});

/** The engine's module, fresh, as where the addon is not built. */
async function loadWithoutAddon(): Promise<typeof import('../../ts/diff/engine.ts')> {
  vi.resetModules();
  vi.doMock('../../ts/diff/native.ts', () => ({
    loadNative: (): never => {
      throw new HoldfastError('ERR_UNAVAILABLE', 'not built');
    },
  }));
  return import('../../ts/diff/engine.ts');
}

function codeOf(run: () => unknown): ErrorCode | undefined {
  try {
    run();
  } catch (error) {
    return (error as HoldfastError).code;
  }
  return undefined;
}

describe('the engine', () => {
  it('is the one that the environment or the caller forces', () => {
    vi.stubEnv('HOLDFAST_ENGINE', 'js');
    expect(loadDiffer().engine).toBe('js');
    vi.stubEnv('HOLDFAST_ENGINE', 'rust');
    expect(codeOf(() => loadDiffer())).toBe('ERR_INVALID');
    expect(loadDiffer('js').engine).toBe('js');
  });

  it.skipIf(native === undefined)(`is native by default (${native === undefined ? SKIP_REASON : 'built'})`, () => {
    vi.stubEnv('HOLDFAST_ENGINE', undefined);
    expect(loadDiffer().engine).toBe('native');
    expect(loadDiffer('native')).toBe(native);
  });

  it('is JavaScript without the addon, and says so once', async () => {
    vi.stubEnv('HOLDFAST_ENGINE', undefined);
    const { loadDiffer: load } = await loadWithoutAddon();
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    expect(load().engine).toBe('js');
    expect(load().engine).toBe('js');
    expect(write).toHaveBeenCalledTimes(1);
    expect(write.mock.calls[0]![0]).toMatch(/^holdfast: [^\n]*\n$/);
    expect(codeOf(() => load('native'))).toBe('ERR_UNAVAILABLE');
  });
});

it('the public entry makes and applies deltas', () => {
  const base = Buffer.from('{"visits":7}');
  const target = Buffer.from('{"visits":8}');
  const out = Buffer.alloc(target.length + 16);
  const made = delta.diff(base, target);
  expect(delta.diffInto(base, target, out)).toBe(made.length);
  expect(out.subarray(0, made.length).equals(made)).toBe(true);
  expect(Buffer.from(delta.apply(base, made, 100)).equals(target)).toBe(true);
  const bytes = Buffer.from(base);
  expect(delta.applyInPlace(bytes, made)).toBe(1);
  expect(bytes.equals(target)).toBe(true);
  const blind = delta.diffSignature(delta.signature(base), target);
  expect(Buffer.from(delta.apply(base, blind, 100)).equals(target)).toBe(true);
  expect(['native', 'js']).toContain(delta.engine);
});
