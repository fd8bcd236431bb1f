import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsDiffer } from '../../ts/diff/js.ts';
import { HoldfastError } from '../../ts/errors.ts';
import { encodeAliasBody } from '../../ts/log/body.ts';
import { NO_PARENT, RECORD_OVERHEAD, decodeRecord, encodeRecord, yields } from '../../ts/log/record.ts';
import type { LogRecord, RecordParent } from '../../ts/log/record.ts';
import { ID, LIMIT, oneField, records, seal } from './records.ts';

const PARENT: RecordParent = { revision: 6, nonce: 0x0a0b0c0d0e0f, time: 1_795_000_000_000, token: 2 ** 32 + 5 };
const BODY = oneField(Uint8Array.of(0x40, 7, 0x61, 0x99));
const DELTA: LogRecord = {
  kind: 'delta',
  revision: 7,
  nonce: 0x112233445566,
  parentNonce: PARENT.nonce,
  time: PARENT.time + 1000,
  token: PARENT.token,
  digest: { low: 0xa1a2a3a4, high: 0xb1b2b3b4 },
  body: BODY,
};
const SNAPSHOT: LogRecord = { ...DELTA, kind: 'snapshot', body: Uint8Array.of(2, 1, 0x61, 1, 0x7f) };
const TOMBSTONE: LogRecord = { ...DELTA, kind: 'tombstone', digest: { low: 0, high: 0 }, body: new Uint8Array(0) };
const ALIAS: LogRecord = {
  ...TOMBSTONE,
  kind: 'alias',
  body: encodeAliasBody({ id: 'new-ä', until: 1_795_000_000_000 }),
};
const EVERY_KIND: LogRecord[] = [DELTA, SNAPSHOT, TOMBSTONE, ALIAS];

const encode = (record: LogRecord, parent: RecordParent = PARENT): Buffer => encodeRecord(ID, record, parent, 'off');
const decode = (bytes: Uint8Array, parent: RecordParent = PARENT): LogRecord =>
  decodeRecord(ID, bytes, parent, 7, LIMIT);
const decodeAlone = (bytes: Uint8Array): LogRecord => decodeRecord(ID, bytes, undefined, 7, LIMIT);
/** What is written of a digest. */
const asRead = (record: LogRecord): LogRecord =>
  record.kind === 'delta' ? { ...record, digest: { ...record.digest, high: 0 } } : record;
const plain = (record: LogRecord): object => ({
  ...record,
  body: Buffer.from(record.body).toString('hex'),
  extension: record.extension && Buffer.from(record.extension).toString('hex'),
});

function refusal(run: () => unknown): HoldfastError {
  try {
    run();
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('a record', () => {
  it('reads as it was written', () => {
    fc.assert(
      fc.property(records, fc.boolean(), ({ record, parent }, auto) => {
        const bytes = encodeRecord(ID, record, parent, auto ? 'auto' : 'off');
        expect(plain(decodeRecord(ID, bytes, parent, record.revision, LIMIT))).toEqual(plain(record));
        if (record.kind !== 'delta')
          expect(plain(decodeRecord(ID, bytes, undefined, record.revision, LIMIT))).toEqual(plain(record));
        expect(bytes.length).toBeLessThanOrEqual(
          RECORD_OVERHEAD + record.body.length + (record.extension ? record.extension.length + 2 : 0),
        );
      }),
      { numRuns: 2000 },
    );
  });

  it('has the bytes that are drawn in the format', () => {
    const golden = EVERY_KIND.map((record) => encode(record).toString('hex'));
    expect(golden).toEqual([
      // first byte, nonce, 1000 ms as zigzag, low lane; index 1, length 4 × 4 + 1, delta; checksum
      '40' + '665544332211' + 'd00f' + 'a4a3a2a1' + '01' + '11' + '40076199' + '31e453be',
      // first byte, nonces, time, revision, token, both lanes, body, checksum
      '50' +
        '665544332211' +
        '0f0e0d0c0b0a' +
        'e86156eea101' +
        '07' +
        '8580808010' +
        'a4a3a2a1' +
        'b4b3b2b1' +
        '020161017f' +
        '0c60c31e',
      '60' + '665544332211' + '0f0e0d0c0b0a' + 'e86156eea101' + '07' + '8580808010' + '00'.repeat(8) + '1dc93496',
      '70' +
        '665544332211' +
        '0f0e0d0c0b0a' +
        'e86156eea101' +
        '07' +
        '8580808010' +
        '00'.repeat(8) +
        '005e56eea101' +
        '6e65772dc3a4' +
        '3f0c46ea',
    ]);
  });

  it('says token, extension and directory by flags', () => {
    const raised = encode({ ...DELTA, token: PARENT.token + 300 });
    expect(raised.subarray(0, 15).toString('hex')).toBe('41' + '665544332211' + 'd00f' + 'ac02' + 'a4a3a2a1');
    const extended = encode({ ...DELTA, extension: Uint8Array.of(3, 9) });
    expect(extended.subarray(0, 16).toString('hex')).toBe('42' + '665544332211' + 'd00f' + 'a4a3a2a1' + '020309');
    const renamed = encode({ ...DELTA, body: Uint8Array.of(1, 0xee) });
    expect(renamed.subarray(0, 15).toString('hex')).toBe('44' + '665544332211' + 'd00f' + 'a4a3a2a1' + '01ee');
    expect(encode(DELTA).length).toBe(raised.length - 2);
  });

  it('costs a delta at most 20 bytes, and a save of one field at most 28 in all', () => {
    const base = Buffer.alloc(70_000, 'session ');
    const target = Buffer.from(base);
    target[60_000] = 1;
    const body = oneField(jsDiffer.diff(base, target));
    const sizeOf = (later: number, raise: number): number =>
      encode({ ...DELTA, time: PARENT.time + later, token: PARENT.token + raise, body }).length;
    const envelopes = [
      sizeOf(5, 0),
      sizeOf(1_000_000, 0),
      sizeOf(-1_000_000, 1),
      sizeOf(600_000_000, 0),
      sizeOf(1_000_000, 300),
    ].map((size) => size - body.length + 1);
    expect(envelopes).toEqual([16, 18, 19, 20, 20]);
    expect(sizeOf(1_000_000, 1)).toBeLessThanOrEqual(28);
  });
});

describe('damage', () => {
  it.each(EVERY_KIND)('refuses every flipped bit and every truncation of a $kind', (record) => {
    for (const extension of [undefined, Uint8Array.of(1, 2, 3)]) {
      const bytes = encode({ ...record, ...(extension && { extension }) });
      expect(plain(decode(bytes))).toEqual(plain({ ...asRead(record), ...(extension && { extension }) }));
      for (let bit = 0; bit < 8 * bytes.length; bit++) {
        const flipped = Buffer.from(bytes);
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
        for (const read of [decode, decodeAlone])
          expect(
            refusal(() => read(flipped)),
            `bit ${bit}`,
          ).toMatchObject({ code: 'ERR_CORRUPT', session: ID, revision: 7 });
      }
      for (let length = 0; length < bytes.length; length++) {
        expect(refusal(() => decode(bytes.subarray(0, length)))).toMatchObject({
          code: 'ERR_CORRUPT',
          session: ID,
          revision: 7,
        });
      }
      expect(refusal(() => decode(Buffer.concat([bytes, Buffer.alloc(1)]))).code).toBe('ERR_CORRUPT');
    }
  });

  it.each(EVERY_KIND)('refuses a $kind under another id, revision, or parent', (record) => {
    const bytes = encode(record);
    const refused = (id: string, parent: RecordParent | undefined, revision: number): string =>
      refusal(() => decodeRecord(id, bytes, parent, revision, LIMIT)).code;
    expect(refused('session-b', PARENT, 7)).toBe('ERR_CORRUPT');
    expect(refused(ID, { ...PARENT, revision: 7 }, 8)).toBe('ERR_CORRUPT');
    expect(refused(ID, { ...PARENT, revision: 7 }, 7)).toBe('ERR_CORRUPT');
    expect(refused(ID, { ...PARENT, nonce: PARENT.nonce + 1 }, 7)).toBe('ERR_CORRUPT');
    expect(refused(ID, undefined, 8)).toBe('ERR_CORRUPT');
  });

  it('says that a delta cannot stand alone', () => {
    expect(refusal(() => decodeAlone(encode(DELTA)))).toMatchObject({
      code: 'ERR_CORRUPT',
      message: expect.stringContaining('a delta cannot stand alone') as string,
    });
  });

  it('names the version that it cannot read', () => {
    const bytes = encode(SNAPSHOT);
    bytes[0] = (bytes[0] as number) ^ 0xc0;
    expect(refusal(() => decode(bytes)).message).toContain(
      'format version 2, and this version of Holdfast reads 1; read it with a newer version',
    );
  });
});

describe('bytes that no writer makes', () => {
  const deltaHead = '665544332211' + 'd00f';
  const lanes = 'a4a3a2a1';
  const whole = (revision: string, token: string): string =>
    '665544332211' + '0f0e0d0c0b0a' + 'e86156eea101' + revision + token + lanes + 'b4b3b2b1';
  const token = '8580808010';

  it.each([
    ['a token raised by 0', `41${deltaHead}00${lanes}`, 'raised by 0'],
    ['a token over all integers', `41${deltaHead}ffffffffffffff0f${lanes}`, 'its token'],
    ['a time before 1970', `40665544332211${'ffffffffffff3f'}${lanes}`, 'its time'],
    ['a change of the directory that is none', `44${deltaHead}${lanes}00`, 'empty change'],
    ['an extension of no bytes', `42${deltaHead}${lanes}00`, 'empty extension'],
    ['an extension beyond the end', `42${deltaHead}${lanes}05`, 'cut short'],
    ['a delta without a digest', `40${deltaHead}`, 'cut short'],
    ['a snapshot that raises a token', `51${whole('07', token)}`, 'only deltas'],
    ['a snapshot that changes the directory', `54${whole('07', token)}`, 'only deltas'],
    ['a snapshot with a lower token', `50${whole('07', '05')}`, 'lower than'],
    ['a snapshot of another revision', `50${whole('08', token)}`, 'it is revision 8'],
    ['a tombstone with a body', `60${whole('07', token)}00`, 'with a body'],
    ['a packed tombstone', `68${whole('07', token)}`, 'cannot have'],
    ['a packed alias', `78${whole('07', token)}61`, 'cannot have'],
    ['an alias without a time', `70${whole('07', token)}61`, 'cut short'],
    ['an alias to nobody', `70${whole('07', token)}665544332211`, 'without an id'],
    ['an alias that is not UTF-8', `70${whole('07', token)}665544332211ff`, 'without an id'],
  ])('are refused: %s', (_what, hex, message) => {
    const bytes = Buffer.from(hex, 'hex');
    const isDelta = ((bytes[0] as number) & 0x30) === 0;
    expect(refusal(() => decode(seal(bytes, isDelta ? PARENT : undefined)))).toMatchObject({
      code: 'ERR_CORRUPT',
      message: expect.stringContaining(message) as string,
    });
  });

  it('unless they are a record', () => {
    expect(decode(seal(Buffer.from(`40${deltaHead}${lanes}`, 'hex'), PARENT))).toMatchObject({
      time: PARENT.time + 1000,
      body: Uint8Array.of(0),
    });
    expect(decodeAlone(seal(Buffer.from(`50${whole('07', '05')}`, 'hex')))).toMatchObject({
      kind: 'snapshot',
      token: 5,
    });
  });
});

describe('a writer', () => {
  it('asserts that tokens never fall', () => {
    for (const record of EVERY_KIND)
      expect(refusal(() => encode({ ...record, token: PARENT.token - 1 }))).toMatchObject({
        code: 'ERR_FENCED',
        session: ID,
        revision: 7,
      });
  });

  it.each([
    { revision: 8 },
    { parentNonce: 1 },
    { time: 0.5 },
    { time: -1 },
    { time: NaN },
    { time: 2 ** 48 },
    { extension: new Uint8Array(0) },
  ])('refuses %j', (wrong) => {
    for (const record of EVERY_KIND) expect(refusal(() => encode({ ...record, ...wrong })).code).toBe('ERR_INVALID');
  });

  it('begins with the parent that is none', () => {
    const first = { ...SNAPSHOT, revision: 1, parentNonce: 0 };
    expect(decodeRecord(ID, encode(first, NO_PARENT), NO_PARENT, 1, LIMIT)).toMatchObject({
      revision: 1,
      parentNonce: 0,
      token: first.token,
    });
  });
});

describe('an extension', () => {
  it('that may be skipped is handed out', () => {
    for (const record of EVERY_KIND)
      expect(decode(encode({ ...record, extension: Uint8Array.of(0x7f, 1) })).extension).toEqual(Buffer.of(0x7f, 1));
  });

  it('that must be known is refused, and named', () => {
    for (const record of EVERY_KIND) {
      expect(refusal(() => decode(encode({ ...record, extension: Uint8Array.of(0x85, 1) })))).toMatchObject({
        code: 'ERR_CORRUPT',
        message: expect.stringMatching(/extension 5,.*newer version/) as string,
      });
    }
  });
});

it('a digest is compared as far as the record carries it', () => {
  const other = { low: DELTA.digest.low, high: 1 };
  expect(EVERY_KIND.map((record) => yields(decode(encode(record)), record.digest))).toEqual([true, true, true, true]);
  expect([yields(decode(encode(DELTA)), other), yields(decode(encode(SNAPSHOT)), other)]).toEqual([true, false]);
  expect(yields(decode(encode(DELTA)), { ...other, low: 1 })).toBe(false);
});
