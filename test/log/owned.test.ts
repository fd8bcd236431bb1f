import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ownedBytes } from '../../ts/log/owned.ts';

const memoryOf = (values: readonly Uint8Array[]): number =>
  [...new Set(values.map(({ buffer }) => buffer))].reduce((sum, { byteLength }) => sum + byteLength, 0);

it('keeps the bytes, and nothing beside them', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(0, 1, 30, 1023, 1024, 5000), fc.boolean()), { maxLength: 60 }),
      (sizes) => {
        const record = Buffer.alloc(1 << 20, 'record');
        const values = sizes.map(([length, alone], index) =>
          alone ? new Uint8Array(record.subarray(index, index + length)) : record.subarray(index, index + length),
        );
        const owned = ownedBytes(values);
        expect(owned.map((bytes) => Buffer.from(bytes).toString())).toEqual(
          values.map((bytes) => Buffer.from(bytes).toString()),
        );
        expect(memoryOf(owned)).toBe(values.reduce((sum, { length }) => sum + length, 0));
      },
    ),
  );
});

it('puts small values together, but few enough that one that is kept keeps little', () => {
  const owned = ownedBytes(Array.from({ length: 1000 }, () => new Uint8Array(100)));
  expect(new Set(owned.map(({ buffer }) => buffer)).size).toBe(7);
  for (const { buffer } of owned) expect(buffer.byteLength).toBeLessThanOrEqual(16 * 1024);
});

it('copies neither what is alone already nor a single small value', () => {
  const large = new Uint8Array(2000);
  const small = new Uint8Array(10);
  const [first, second] = ownedBytes([large, small]);
  expect([first === large, second === small]).toEqual([true, true]);
});
