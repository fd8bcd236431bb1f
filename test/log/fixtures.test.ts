import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { loadDiffer } from '../../ts/diff/engine.ts';
import { decodeAliasBody } from '../../ts/log/body.ts';
import { Image } from '../../ts/log/image.ts';
import { FLAG_PACKED, NO_PARENT, decodeRecord } from '../../ts/log/record.ts';
import type { LogRecord, RecordParent } from '../../ts/log/record.ts';
import { Replay } from '../../ts/sync/replay.ts';
import { ID, LIMIT_BYTES, STEPS, writeFixture } from './fixture.ts';

/**
 * What format version 1 wrote once must be readable for ever: from the first publication on this file is never made
 * anew. Before, a change of the format renews it: `HOLDFAST_FIXTURES=write npx vitest run test/log/fixtures.test.ts`.
 */
const FILE = new URL('../fixtures/v1/log.json', import.meta.url);
if (process.env['HOLDFAST_FIXTURES'] === 'write') {
  const records = writeFixture().map((bytes, index) => ({ kind: STEPS[index]?.kind, hex: bytes.toString('hex') }));
  writeFileSync(FILE, `${JSON.stringify({ id: ID, records }, undefined, 1)}\n`);
}

const stored = JSON.parse(readFileSync(FILE, 'utf8')) as {
  id: string;
  records: { kind: LogRecord['kind']; hex: string }[];
};
const log = stored.records.map(({ hex }) => Buffer.from(hex, 'hex'));
const LAST_LIVE = STEPS.findLastIndex(({ kind }) => kind === 'delta');

/** Records in turn; the two ends both follow the last delta. */
function decodeLog(records: readonly Uint8Array[]): LogRecord[] {
  let parent: RecordParent = NO_PARENT;
  return records.map((bytes, index) => {
    const record = decodeRecord(ID, bytes, parent, parent.revision + 1, LIMIT_BYTES);
    if (index <= LAST_LIVE) parent = record;
    return record;
  });
}

describe('format version 1', () => {
  it.each([...STEPS.entries()].slice(0, LAST_LIVE + 1))('revision %i reads as it was written', (index, { state }) => {
    const records = decodeLog(log);
    for (const engine of ['js', undefined] as const) {
      const image = new Image();
      const replay = new Replay(ID, image, loadDiffer(engine), LIMIT_BYTES);
      for (const record of records.slice(0, index + 1)) replay.add(record);
      replay.finish();
      const found = Object.fromEntries(
        image.directory.names.map((name) => [name, msgpackCodec.decode(image.value(name)?.bytes as Uint8Array)]),
      );
      expect(found).toStrictEqual(state);
      expect(Object.keys(found)).toEqual(Object.keys(state));
    }
  });

  it('keeps times, tokens, schema versions, extensions and ends', () => {
    const records = decodeLog(log);
    let time = 0;
    let token = 1;
    STEPS.forEach(({ ms, raise = 0, kind, extension }, index) => {
      time += ms;
      token += raise;
      expect(records[index]).toMatchObject({
        kind,
        time,
        token,
        ...(extension && { extension: Buffer.from(extension) }),
      });
    });
    expect(decodeAliasBody((records.at(-2) as LogRecord).body, (what) => expect.fail(what))).toEqual({
      id: 'the-new-ä',
      until: 1_795_000_060_000,
    });
    const image = new Image();
    const replay = new Replay(ID, image, loadDiffer(), LIMIT_BYTES);
    for (const record of records.slice(0, 6)) replay.add(record);
    replay.finish();
    expect(image.directory.versions).toEqual(
      new Map([
        ['list', 2],
        ['', 300],
      ]),
    );
  });

  it('is still written so, apart from what zlib makes of it', () => {
    const written = writeFixture();
    const isPacked = (bytes: Buffer): boolean => ((bytes[0] as number) & FLAG_PACKED) !== 0;
    expect(log.filter(isPacked).length).toBe(2);
    const unpacked = (all: Buffer[]): string[] =>
      all.filter((bytes) => !isPacked(bytes)).map((bytes) => bytes.toString('hex'));
    expect(unpacked(written)).toEqual(unpacked(log));
    expect(decodeLog(written)).toEqual(decodeLog(log));
  });
});
