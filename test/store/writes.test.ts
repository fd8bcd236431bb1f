import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import type { Draft } from '../../ts/store/backend.ts';
import type { Row } from '../../ts/store/row.ts';
import { replace } from '../../ts/store/writes.ts';

describe('an image in place of a damaged row', () => {
  it('has a token above any that can have been granted since its copy was made', () => {
    let row: Row | undefined;
    const draft: Draft = {
      marks: () => ({ epoch: 0, births: 0 }),
      row: () => {
        throw new HoldfastError('ERR_CORRUPT', 'damaged');
      },
      record: () => undefined,
      page: () => ({ ids: [] }),
      putRow: (put) => void (row = put),
      putRecord: () => undefined,
      deleteRecords: () => undefined,
      clear: () => undefined,
    };
    const image = {
      records: [{ position: { revision: 3, nonce: 9 }, kind: 'snapshot' as const, bytes: new Uint8Array(1) }],
      createdAt: 1,
      expiry: {},
      token: 17,
    };
    const moment = { monotonic: 0, wall: 0, stamp: 0, boot: undefined };
    const { reply } = replace(draft, 's', image, undefined, moment);
    expect(reply).toMatchObject({ appended: true, token: row?.lock.token });
    expect(row?.lock.token).toBeGreaterThan(1_000_000);
  });
});
