import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { checkRow, newRow } from '../../ts/store/row.ts';

describe('a row that is read back', () => {
  const written = { ...newRow(7), revision: 3, nonce: 9, first: 2, snapshot: 2, boot: 'this', lookedAt: 1.5, terms: ['t'], expiry: { idleMs: 5 } };
  const place = { member: 'm', ticket: 1, leaseMs: 100 };
  const lock = { token: 8, holder: { ...place, leaseUntil: 5, recalledAt: 3 }, queue: [{ ...place, until: 9 }] };

  it('is taken as it is when it is sound', () => {
    for (const row of [newRow(0), written, { ...written, lock }]) expect(checkRow('id', JSON.parse(JSON.stringify(row)))).toEqual(JSON.parse(JSON.stringify(row)));
  });

  it('is refused, with the id cut short and what to do, when it is not', () => {
    const bad: unknown[] = [
      null, 'text', [], {}, { ...written, format: 2 }, { ...written, format: undefined }, { ...written, revision: -1 }, { ...written, nonce: 0.5 },
      { ...written, first: 4 }, { ...written, first: 0 }, { ...written, snapshot: 9 }, { ...written, snapshotBytes: '3' }, { ...written, deltaBytes: null },
      { ...written, ended: 1 }, { ...written, createdAt: null }, { ...written, usedAt: 'x' }, { ...written, lookedAt: 'x' }, { ...written, boot: 4 },
      { ...written, expiry: null }, { ...written, expiry: { idleMs: 0 } }, { ...written, expiry: { ageMs: '5' } }, { ...written, terms: 't' }, { ...written, terms: [5] },
      { ...written, lock: undefined }, { ...written, lock: { token: -1, queue: [] } }, { ...written, lock: { token: 2 ** 52, queue: [] } }, { ...written, lock: { token: 1 } },
      { ...written, lock: { ...lock, holder: { ...lock.holder, leaseUntil: null } } }, { ...written, lock: { ...lock, holder: { ...lock.holder, member: 5 } } },
      { ...written, lock: { ...lock, holder: null } }, { ...written, lock: { ...lock, queue: [{ ...place }] } }, { ...written, lock: { ...lock, queue: [{ ...place, ticket: -1, until: 3 }] } },
    ];
    for (const row of bad) {
      const refused = (): unknown => checkRow('a long secret id', row);
      expect(refused, JSON.stringify(row)).toThrow(HoldfastError);
      expect(refused).toThrow(expect.objectContaining({ code: 'ERR_CORRUPT', session: 'a long secret id' }));
      expect(refused).toThrow(/^session 'a long s…': .* restore the session from a backup$/);
    }
  });
});
