import { describe, expect, it } from 'vitest';
import { ORIGIN } from '../../ts/position.ts';
import { checkAppend } from '../../ts/store/arguments.ts';
import type { Append, Capabilities } from '../../ts/store/store.ts';

const right: Append = {
  parent: ORIGIN,
  position: { revision: 1, nonce: 7 },
  kind: 'snapshot',
  bytes: new Uint8Array(1),
  under: 0,
};
const replicated: Capabilities = { durability: ['primary', 'replicas'], watch: true, find: true };
const fault = (more: object): unknown => {
  try {
    checkAppend('s', { ...right, ...more }, replicated);
    return undefined;
  } catch (error) {
    return error;
  }
};

describe('a fault of a caller', () => {
  it('is told with what is allowed', () => {
    const told = (more: object, message: RegExp): void =>
      expect(fault(more)).toMatchObject({ code: 'ERR_INVALID', message: expect.stringMatching(message) as string });
    told({ lock: 'realease' }, /lock must be one of 'renew', 'leave', 'release', not 'realease'/);
    told({ lock: null }, /not null/);
    told({ kind: 5 }, /one of 'delta', 'snapshot', 'end', not 5/);
    told({ under: { member: 'm', ticket: 1, leaseMs: 5, wait: 'yes' } }, /wait must be true or false, not text/);
    told({ position: { revision: 1, nonce: 7n } }, /position must be a position: .* not revision 1 and nonce a bigint/);
    told({ parent: 'none' }, /parent must be a position: .* not text/);
    told({ expiry: 'soon' }, /expiry must be an object, not text/);
  });

  it('is a number of replicas that no store could have', () => {
    expect(fault({ durability: { replicas: 2 } })).toBeUndefined();
    for (const durability of ['replicas', { replicas: 0 }, { replicas: '2' }, {}, null]) {
      expect(fault({ durability })).toMatchObject({
        code: 'ERR_INVALID',
        message: expect.stringContaining('how many replicas') as string,
      });
    }
  });
});
