import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { newRow } from '../../ts/store/row.ts';
import { readRow, writeRow } from '../../ts/store/row-text.ts';

describe('a row that is read back', () => {
  const written = {
    ...newRow(7),
    revision: 3,
    nonce: 9,
    first: 2,
    snapshot: 2,
    boot: 'this',
    lookedAt: 1.5,
    terms: ['t'],
    expiry: { idleMs: 5 },
  };
  const place = { member: 'm', ticket: 1, leaseMs: 100 };
  const lock = { token: 8, holder: { ...place, leaseUntil: 5, recalledAt: 3 }, queue: [{ ...place, until: 9 }] };
  const text = writeRow({ ...written, lock });
  const at = (index: number, value: unknown): string =>
    JSON.stringify((JSON.parse(text) as unknown[]).with(index, value));

  it('is taken as it is when it is sound', () => {
    const held = { ...lock, holder: { ...place, leaseUntil: 5 } };
    for (const row of [
      newRow(0),
      written,
      { ...written, lock },
      { ...written, ended: true, expiry: { ageMs: 7 }, lock: held },
    ])
      expect(readRow('id', writeRow(row))).toEqual(row);
    expect(text).toBe('[1,3,9,0,2,2,0,0,0,0,5,null,["t"],8,["m",1,100,5,3],[["m",1,100,9]],"this",1.5]');
  });

  it('is refused, with the id cut short and what to do, when it is not', () => {
    const bad = [
      '',
      'null',
      '"text"',
      '[]',
      '{}',
      text.slice(0, -1),
      at(0, 2),
      at(0, null),
      `${text.slice(0, -1)},1]`,
      at(1, -1),
      at(1, null),
      at(2, 0.5),
      at(4, 4),
      at(4, 0),
      at(5, 9),
      at(6, '3'),
      at(7, null),
      at(3, 2),
      at(3, null),
      at(8, null),
      at(9, 'x'),
      at(17, 'x'),
      at(16, 4),
      at(10, 0),
      at(11, '5'),
      at(12, 't'),
      at(12, [5]),
      at(12, null),
      at(13, null),
      at(13, -1),
      at(13, 2 ** 52),
      at(15, null),
      at(15, [['m', 1, 100]]),
      at(15, [['m', -1, 100, 3]]),
      at(15, [5]),
      at(14, 5),
      at(14, []),
      at(14, ['m', 1, 100, null]),
      at(14, [5, 1, 100, 5]),
      at(14, ['m', 1, 100, 5, 'x']),
    ];
    for (const row of bad) {
      const refused = (): unknown => readRow('a long secret id', row);
      expect(refused, row).toThrow(HoldfastError);
      expect(refused).toThrow(expect.objectContaining({ code: 'ERR_CORRUPT', session: 'a long secret id' }));
      expect(refused).toThrow(/^session 'a long s…': .* restore the session from a backup$/);
    }
  });
});
