import { describe, expect, it } from 'vitest';
import { apply, diff } from '../../ts/graph.ts';

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));

/** Bytes that are in logs by now: of both engines, though JavaScript alone makes them. */
describe('a golden delta of what is in several places', () => {
  it.each([
    [
      'a reference before what it refers to',
      '82a663686f73656ec0a1619281a269640181a2696402',
      '82a663686f73656ed4690081a2696402a1619281a2696401d47200',
      '04150100081f0191d472001dcc',
    ],
    [
      'one reference more, and an edit',
      'd4690082a17601a473656c66d47200',
      'd4690083a17602a473656c66d47200a5616761696e91d47200',
      '0409010c9302a5616761696e91d47200bbd3',
    ],
    [
      'one that is no longer shared',
      '82a161d4690081a16e01a162d47200',
      '82a16181a16e01a16202',
      '0415001f0007019102e8bc',
    ],
  ])('is made and applied: %s', (_name, base, target, delta) => {
    expect(Buffer.from(diff(bytesOf(base), bytesOf(target), { bytes: true })).toString('hex')).toBe(delta);
    const made = apply(bytesOf(base), bytesOf(delta), { bytes: true }) as Uint8Array;
    expect(Buffer.from(made).toString('hex')).toBe(target);
  });
});
